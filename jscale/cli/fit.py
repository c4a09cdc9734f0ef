"""``jscale fit``: the parameters of a law from runs, with a convergence certificate."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli.process.failures import CHECK_FAILED
from jscale.cli.support import flags, inputs, interval_tables, options, output
from jscale.cli.support.session import session, shows_progress, working

if TYPE_CHECKING:
    from jscale.fit import Bootstrap, Certificate, Intervals, Point
    from jscale.runs import Runs

_DEFAULT_DRAWS = 1000
_DEFAULT_LEVEL = 0.9

DELTA = Annotated[
    float | None,
    options.option(
        "--delta",
        help="Residual at which the Huber loss turns linear (default: 0.001).",
        metavar="X",
    ),
]
BOOTSTRAP = Annotated[
    int | None,
    options.option(
        "--bootstrap",
        help="Also refit this many resampled tables, for standard errors.",
        metavar="R",
    ),
]
BOOTSTRAP_KIND = Annotated[
    str | None,
    options.option(
        "--bootstrap-kind",
        help="What is resampled: rows (default), cluster (whole groups), wild or parametric.",
        metavar="NAME",
    ),
]
INTERVALS = Annotated[
    bool,
    typer.Option(
        "--intervals",
        help="Also compute intervals of every kind, side by side; --target implies it.",
    ),
]
LEVEL = Annotated[
    float | None,
    options.option(
        "--level", help="Nominal coverage of the intervals (default: 0.9).", metavar="X"
    ),
]
DRAWS = Annotated[
    int | None,
    options.option(
        "--draws",
        help="Refits of each bootstrap among the intervals (default: 1000).",
        metavar="INT",
    ),
]
REQUIRE_CONVERGED = Annotated[
    bool,
    typer.Option(
        "--require-converged", help="Exit 1 unless the certificate's status is 'converged'."
    ),
]


def fit(
    source: options.RUNS,
    *,
    law: options.LAW = "chinchilla",
    objective: options.OBJECTIVE = "huber",
    delta: DELTA = None,
    weights: options.WEIGHTS = None,
    starts: options.STARTS = 64,
    fix: options.FIX = None,
    tie: options.TIE = None,
    include_excluded: options.INCLUDE_EXCLUDED = False,
    bootstrap: BOOTSTRAP = None,
    bootstrap_kind: BOOTSTRAP_KIND = None,
    intervals: INTERVALS = False,
    target: options.TARGETS = None,
    kinds: options.KINDS = None,
    level: LEVEL = None,
    by: options.BY = None,
    draws: DRAWS = None,
    require_converged: REQUIRE_CONVERGED = False,
    as_json: options.AS_JSON = False,
    seed: options.BOOTSTRAP_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """Fit a law to runs: parameters, standard errors and a convergence certificate."""
    if out is not None:
        output.target(out, inputs=[source])

    with session():
        table = inputs.table_of(source, include_excluded)
        chosen = inputs.law_of(law, fix, tie)
        goal = inputs.objective_of(objective, delta)
        intervals = intervals or target is not None
        _check_effects(intervals, bootstrap, bootstrap_kind, kinds)
        common: dict[str, Any] = {"objective": goal, "weights": weights, "starts": starts}
        random = {"key": inputs.key_of(seed), "progress": shows_progress(as_json)}
        resampling = _resampling(bootstrap, bootstrap_kind, by, intervals=intervals)

        from jscale import fit as library

        point = resampled = side_by_side = None
        if intervals:
            level = _DEFAULT_LEVEL if level is None else level
            settings = interval_tables.settings(chosen, target, kinds, level, by)
            settings["draws"] = _DEFAULT_DRAWS if draws is None else draws
            side_by_side = library.intervals(chosen, table, **random, **common, **settings)
            point = side_by_side.point
        if resampling:
            # --draws is the number of refits of the intervals.
            with flags.renamed(draws="bootstrap", kind="bootstrap_kind"):
                if point is None:
                    resampled = library.bootstrap(chosen, table, **random, **common, **resampling)
                else:
                    resampled = library.bootstrap(point, **random, **resampling)
            point = resampled.point
        if point is None:
            with working(f"fitting {law} to {table.kept.sum():,} runs …", as_json):
                point = library.point(chosen, table, **common)

        payload = summary(point, table)
    _add_uncertainty(payload, table, resampled, side_by_side)
    output.deliver(payload, as_json, out)
    if not as_json:
        show(point, table, resampled)
        if side_by_side is not None:
            interval_tables.show(side_by_side)
        output.show_notes(payload["notes"])
    if require_converged and not point.certificate.converged:
        raise typer.Exit(CHECK_FAILED)


def _check_effects(
    intervals: bool, bootstrap: int | None, bootstrap_kind: str | None, kinds: list[str] | None
) -> None:
    """Refuse settings of intervals and of the bootstrap where there are none."""
    if not intervals:
        flags.refuse("kinds", "level", "draws", reason="without --intervals")
    elif not interval_tables.may_refit(kinds):
        flags.refuse("draws", reason="with --kinds that are no bootstrap")
    if bootstrap is None:
        flags.refuse("bootstrap_kind", reason="without --bootstrap R")
        if not intervals:
            flags.refuse("by", reason="without --bootstrap R or --intervals")
            flags.refuse("seed", reason="without --bootstrap R or --intervals")
        elif not interval_tables.may_refit(kinds):
            flags.refuse("seed", reason="without --bootstrap R or --kinds that are one")


def _resampling(
    draws: int | None, kind: str | None, by: str | None, *, intervals: bool
) -> dict[str, Any]:
    """Arguments of the bootstrap; empty without ``--bootstrap``."""
    if draws is None:
        return {}

    # With --intervals the column may be meant for them alone.
    clustered = kind in ("cluster", "wild") or not intervals
    return {"draws": draws, "kind": kind or "rows", "by": by if clustered else None}


def _add_uncertainty(
    payload: dict[str, Any],
    table: "Runs",
    resampled: "Bootstrap | None",
    intervals: "Intervals | None",
) -> None:
    """Add bootstrap, intervals and their notes, each note once, to the summary of a fit."""
    more: list[dict[str, str]] = []
    if resampled is not None:
        payload["bootstrap"] = bootstrap_summary(resampled)
        more += output.notes((*table.notes, *resampled.notes))
    if intervals is not None:
        payload["intervals"] = interval_tables.summary(intervals)
        more += output.notes(intervals.notes)
    for note in more:
        if note not in payload["notes"]:
            payload["notes"].append(note)


def summary(point: "Point", table: "Runs") -> dict[str, Any]:
    """A fit as a JSON object, with the doubts that its residuals give reason to."""
    import numpy as np

    from jscale.assess import doubts
    from jscale.laws import describe

    certificate = point.certificate
    return {
        "law": describe(point.law).name,
        "n_runs": point.n_runs,
        "params": point.params,
        "stderr": point.stderr,
        "objective": point.objective,
        "objective_name": point.objective_name,
        "weights": point.weights,
        "scale": point.scale,
        "rms": float(np.sqrt(np.mean(np.square(point.residuals)))),
        "certificate": {
            "status": str(certificate.status),
            "converged": certificate.converged,
            "agreement": certificate.agreement,
            "gradient_norm": certificate.gradient_norm,
            "condition": certificate.condition,
            "condition_raw": certificate.condition_raw,
            "starts": certificate.starts,
            "second_method": certificate.second_method,
            "unidentified": certificate.unidentified,
            "at_bound": certificate.at_bound,
        },
        "table": {"name": table.name, "digest": point.table_digest},
        "notes": output.notes((*table.notes, *point.notes, *doubts(point, table))),
    }


def bootstrap_summary(resampled: "Bootstrap") -> dict[str, Any]:
    """A bootstrap as a JSON object: 90% intervals, and the seconds of the refits alone."""
    return {
        "draws": len(resampled.settled),
        "kind": resampled.kind,
        "stderr": resampled.stderr,
        "interval": resampled.interval(0.9),
        "failures": resampled.failures,
        "seconds": resampled.seconds,
    }


def show(point: "Point", table: "Runs", resampled: "Bootstrap | None" = None) -> None:
    """Print a fit."""
    from jscale.laws import describe

    record = describe(point.law)
    output.show(f"{record.name} on {table.name}: {point.n_runs:,} runs\n  {record.formula}")

    columns = {"stderr": point.stderr}
    if resampled:
        columns[f"by {resampled.kind}"] = resampled.stderr
    units = {p.name: output.in_loss_unit(p.unit, table.loss_unit) for p in record.parameters}
    rows = []
    for name, value in point.params.items():
        errors = [output.error(column[name], value) for column in columns.values()]
        rows.append((name, output.figures(value), *errors, units[name]))
    headers = ("parameter", "value", *columns, "unit")
    output.show(output.table(headers, rows, right="lr" + "r" * len(columns)))

    output.show(*_certificate_lines(point, table), "")
    if resampled:
        count = len(resampled.settled)
        rate = count / resampled.seconds
        output.show(f"bootstrap    by {resampled.kind}: {count:,} refits, {rate:,.0f} a second", "")


def _certificate_lines(point: "Point", table: "Runs") -> tuple[str, str]:
    """The value of the objective, and the certificate."""
    from jscale.report.notation import number

    certificate = point.certificate
    conditions = (certificate.condition, certificate.condition_raw)
    condition, raw = (number(float(f"{value:.2g}"), 2) for value in conditions)
    optimality = number(certificate.gradient_norm, 1)
    objective = f"{point.objective_name} = {number(point.objective, 8)}"
    return (
        f"objective    {objective}; {_scatter(point, table)}",
        f"certificate  {certificate.status}: {_agreement(certificate)}; first-order optimality "
        f"{optimality}, condition number {condition} (raw {raw})",
    )


def _agreement(certificate: "Certificate") -> str:
    """Which starts reach the same minimum, and whether the second optimiser does."""
    agreeing, starts = round(certificate.agreement * certificate.starts), certificate.starts
    share = f"all {starts}" if agreeing == starts else f"{agreeing} of {starts}"
    if certificate.second_method:
        return f"{share} starts and a second optimiser reach the same minimum"
    return f"{share} starts reach the same minimum, a second optimiser does not"


def _scatter(point: "Point", table: "Runs") -> str:
    """Robust scale and root mean square of the residuals, with their unit."""
    import numpy as np

    from jscale.laws import describe

    rms = float(np.sqrt(np.mean(np.square(point.residuals))))
    if point.residuals_of == "log":
        return f"log residuals scatter by {point.scale:.2%} (root mean square {rms:.2%})"
    sizes = f"{output.figures(point.scale)} (root mean square {output.figures(rms)})"
    unit = output.in_loss_unit(describe(point.law).output.unit, table.loss_unit)
    return f"residuals scatter by {sizes} {unit}"
