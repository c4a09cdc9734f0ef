"""``jscale calibrate``: the measured coverage of each kind of interval, or of posteriors."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale.cli.support import flags, inputs, interval_tables, options, output
from jscale.cli.support.session import session, shows_progress

if TYPE_CHECKING:
    from jscale.assess import Calibration, PosteriorCalibration
    from jscale.laws import LawFunction
    from jscale.runs import Runs

LEVEL = Annotated[
    float, typer.Option("--level", help="Nominal coverage of the intervals.", metavar="X")
]
NOISE = Annotated[
    str,
    typer.Option(
        "--noise",
        help="Simulated errors: normal, student-t, residuals, unequal (sizes) or cluster.",
        metavar="NAME",
    ),
]
SHARED = Annotated[
    float | None,
    options.option(
        "--shared",
        help="Share of the variance common to a cluster, for cluster noise (default: 0.5).",
        metavar="X",
    ),
]
SIMULATIONS = Annotated[
    int, typer.Option("--simulations", help="Number of simulated tables.", metavar="INT")
]
DRAWS = Annotated[int, typer.Option("--draws", help="Refits of each bootstrap.", metavar="INT")]
FIGURE = Annotated[
    str | None,
    options.option(
        "--figure",
        help="Also draw the coverage, or the ranks, to FILE: .png, .pdf or .svg.",
        metavar="FILE",
    ),
]
POSTERIOR = Annotated[
    bool,
    typer.Option(
        "--posterior", help="Rank the truth in posteriors of tables simulated from the priors."
    ),
]
_OF_INTERVALS = (
    *("target", "kinds", "level", "by", "noise", "shared"),
    *("draws", "objective", "weights", "starts"),
)
_OF_POSTERIORS = ("errors", "prior", "sampler")


def calibrate(
    source: options.RUNS,
    *,
    law: options.LAW = "chinchilla",
    target: options.TARGETS = None,
    kinds: options.KINDS = None,
    level: LEVEL = 0.9,
    by: options.BY = None,
    noise: NOISE = "normal",
    shared: SHARED = None,
    simulations: SIMULATIONS = 200,
    draws: DRAWS = 200,
    objective: options.OBJECTIVE = "huber",
    weights: options.WEIGHTS = None,
    starts: options.STARTS = 64,
    fix: options.FIX = None,
    tie: options.TIE = None,
    posterior: POSTERIOR = False,
    errors: options.ERRORS = None,
    prior: options.PRIOR = None,
    sampler: options.SAMPLER = "auto",
    as_json: options.AS_JSON = False,
    seed: options.SEED = 0,
    out: options.OUT_JSON = None,
    figure: FIGURE = None,
    resume: options.RESUME = None,
) -> None:
    """Simulate tables like yours: do intervals, or posteriors, reach their nominal coverage?"""
    output.targets(out, figure, [source])
    if posterior:
        flags.refuse(*_OF_INTERVALS, reason="with --posterior")
    else:
        flags.refuse(*_OF_POSTERIORS, reason="without --posterior")
    with output.resuming(resume, inputs=[source], outputs=[out, figure]) as progress_file:
        with session():
            table = inputs.table_of(source)
            chosen = inputs.law_of(law, fix, tie)
            settings: dict[str, Any] = {
                "key": inputs.key_of(seed),
                "simulations": simulations,
                "progress": shows_progress(as_json),
                "resume": progress_file,
            }
            if posterior:
                settings |= {"priors": inputs.priors_of(prior), "sampler": sampler}
                settings["errors"] = errors
            else:
                settings |= interval_tables.settings(chosen, target, kinds, level, by)
                if not interval_tables.may_refit(kinds):
                    flags.refuse("draws", reason="with --kinds that are no bootstrap")
                settings |= {"objective": inputs.objective_of(objective), "weights": weights}
                settings |= {"draws": draws, "starts": starts, "noise": noise, "shared": shared}
            result = _calibration(chosen, table, settings, posterior=posterior)
            if figure is not None:
                _draw(figure, result)
        payload = _payload(result, table, seed)
        output.deliver(payload, as_json, out)

    if not as_json:
        _show(result, payload["notes"], figure)


def _calibration(
    law: "LawFunction", table: "Runs", settings: dict[str, Any], *, posterior: bool
) -> "Calibration | PosteriorCalibration":
    """Posteriors, or intervals, of simulated tables."""
    from jscale import assess

    measure = assess.calibrate_posterior if posterior else assess.calibrate
    return measure(law, table, **settings)


def _payload(
    result: "Calibration | PosteriorCalibration", table: "Runs", seed: int
) -> dict[str, Any]:
    """The result as a JSON object."""
    from jscale import assess

    if isinstance(result, assess.PosteriorCalibration):
        return ranks_summary(result, table, seed)
    return summary(result, table, seed)


def _show(
    result: "Calibration | PosteriorCalibration", notes: list[dict[str, Any]], figure: str | None
) -> None:
    """Print coverage or ranks, with the notes and where the figure is."""
    from jscale import assess

    if isinstance(result, assess.PosteriorCalibration):
        show_ranks(result)
    else:
        interval_tables.show_coverage(result)
    output.show_notes(notes)
    if figure is not None:
        output.show(f"figure: {figure}")


def _draw(figure: str, result: "Calibration | PosteriorCalibration") -> None:
    from jscale import assess, report

    if isinstance(result, assess.PosteriorCalibration):
        report.write_ranks(output.target(figure), result)
    else:
        report.write_coverage(output.target(figure), result)


def summary(result: "Calibration", table: "Runs", seed: int) -> dict[str, Any]:
    """Measured coverage as a JSON object."""
    from dataclasses import asdict

    return {
        "law": result.law,
        "level": result.level,
        "objective_name": result.objective_name,
        "weights": result.weights,
        "noise": result.noise,
        "scale": result.scale,
        "shared": result.shared,
        "by": result.by,
        "simulations": result.simulations,
        "draws": result.draws if interval_tables.uses_refits(result) else None,
        "seed": seed,
        "rows": [asdict(row) for row in result.rows],
        "seconds": result.seconds,
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def ranks_summary(result: "PosteriorCalibration", table: "Runs", seed: int) -> dict[str, Any]:
    """Ranks of the truth in posteriors as a JSON object."""
    rows = [
        {
            "target": row.target,
            "p_value": row.p_value,
            "counts": row.counts.tolist(),
            "coverage": [
                {"level": level, "share": share, "low": low, "high": high}
                for level, share in row.coverage.items()
                for low, high in [row.limits(level)]
            ],
        }
        for row in result.rows
    ]
    return {
        "law": result.law,
        "errors": result.errors,
        "priors": dict(result.priors),
        "simulations": result.simulations,
        "unusable": result.unusable,
        "not_converged": result.not_converged,
        "samplers": dict(result.samplers),
        "draws": result.draws,
        "uniform": result.is_uniform,
        "p_value": result.p_value,
        "seed": seed,
        "rows": rows,
        "seconds": result.seconds,
        "table": {"name": table.name, "digest": result.table_digest},
        "notes": output.notes((*table.notes, *result.notes)),
    }


def show_ranks(result: "PosteriorCalibration") -> None:
    """Print the test of uniform ranks and the coverage of central intervals, by parameter."""
    counted = result.simulations - result.unusable
    verdict = "are uniform" if result.is_uniform else "are not shown to be uniform"
    output.show(
        f"ranks of the truth in {counted:,} posteriors of {result.law} {verdict} "
        f"(p = {result.p_value:.2g} over all parameters); coverage of central intervals, with * "
        "outside the binomial limits of 99%"
    )
    rows = []
    for row in result.rows:
        cells = []
        for level, share in row.coverage.items():
            low, high = row.limits(level)
            cells.append(f"{share:.0%}" + ("" if low <= share <= high else "*"))
        rows.append((row.target, f"{row.p_value:.2g}", *cells))
    headers = ("parameter", "p", *(f"{level:.0%}" for level in result.rows[0].coverage))
    output.show(output.table(headers, rows, right="lrrrr", unbroken=headers[1:]))
