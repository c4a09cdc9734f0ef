"""``jscale fit``: the parameters of a law from runs, with a certificate."""

from typing import TYPE_CHECKING, Any

import typer

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _intervals, _options, _output
from jscale.cli._flags import speaking
from jscale.cli._session import session, shows_progress, working
from jscale.cli._verbs import CHECK_FAILED

if TYPE_CHECKING:
    from jscale.fit import Bootstrap, Point
    from jscale.runs import Runs


def fit(
    source: _options.RUNS,
    *,
    law: _options.LAW = "chinchilla",
    objective: _options.OBJECTIVE = "huber",
    delta: _options.DELTA = None,
    weights: _options.WEIGHTS = None,
    starts: _options.STARTS = 64,
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    include_excluded: _options.INCLUDE_EXCLUDED = False,
    bootstrap: _options.BOOTSTRAP = None,
    bootstrap_kind: _options.BOOTSTRAP_KIND = None,
    intervals: _options.INTERVALS = False,
    target: _options.TARGETS = None,
    kinds: _options.KINDS = None,
    level: _options.FIT_LEVEL = None,
    by: _options.BY = None,
    draws: _options.FIT_REFITS = None,
    require_converged: _options.FIT_CONVERGED = False,
    as_json: _options.AS_JSON = False,
    seed: _options.BOOTSTRAP_SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """Fit a law to runs: values, standard errors, and why to believe them."""
    if out is not None:
        _output.target(out)
    with session():
        table = _inputs.table_of(source, include_excluded, out=out)
        chosen = _inputs.law_of(law, fix, tie)
        goal = _inputs.objective_of(objective, delta)
        _check_intervals(intervals, target, kinds, level, draws)
        key = _inputs.key_of(seed)
        settings = _resampling(bootstrap, bootstrap_kind, by, intervals=intervals)
        from jscale import fit as room

        common: dict[str, Any] = {"objective": goal, "weights": weights, "starts": starts}
        resampled, beside, progress = None, None, shows_progress(as_json)
        if intervals:
            beside = room.intervals(
                chosen,
                table,
                key=key,
                progress=progress,
                draws=1000 if draws is None else draws,
                **common,
                **_intervals.settings(chosen, target, kinds, 0.9 if level is None else level, by),
            )
        if settings:
            with speaking(
                {"draws": "--bootstrap"}
            ):  # --draws is the number of refits of the intervals
                resampled = room.bootstrap(
                    chosen, table, key=key, progress=progress, **common, **settings
                )
        made = resampled or beside
        if made is None:
            with working(f"fitting {law} to {table.kept.sum():,} runs …", as_json):
                point = room.point(chosen, table, **common)
        else:
            point = made.point
    payload = summary(point, table)
    if resampled is not None:
        payload["bootstrap"] = bootstrap_summary(resampled)
        payload["notes"] = _output.notes((*table.notes, *resampled.notes))
    if beside is not None:
        payload["intervals"] = _intervals.summary(beside)
        more = [note for note in _output.notes(beside.notes) if note not in payload["notes"]]
        payload["notes"] = [*payload["notes"], *more]
    _output.deliver(payload, as_json, out)
    if not as_json:
        show(point, table, resampled)
        if beside is not None:
            _intervals.show(beside)
        _output.show_notes(payload["notes"])
    if require_converged and not point.certificate.converged:
        raise typer.Exit(CHECK_FAILED)


def _check_intervals(intervals: bool, *settings: object) -> None:
    """Refuse settings of intervals that were not asked for."""
    if not intervals and any(setting not in (None, []) for setting in settings):
        raise JscaleError(
            "--target, --kinds, --level and --draws belong to --intervals, which was not given"
        )


def _resampling(
    draws: int | None, kind: str | None, by: str | None, *, intervals: bool
) -> dict[str, Any]:
    """The bootstrap that was asked for; empty for none."""
    if draws is None:
        if kind:
            raise JscaleError("--bootstrap-kind belongs to --bootstrap R, which was not given")
        if by and not intervals:
            raise JscaleError(
                "--by belongs to --bootstrap R or --intervals, neither of which was given"
            )
        return {}
    # Beside intervals the column may be meant for them alone.
    clustered = kind in ("cluster", "wild") or not intervals
    return {"draws": draws, "kind": kind or "rows", "by": by if clustered else None}


def summary(point: "Point", table: "Runs") -> dict[str, Any]:
    """A fit as a JSON object."""
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
        "notes": _output.notes((*table.notes, *point.notes)),
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
    """A fit for people."""
    from jscale.laws import describe

    record, certificate = describe(point.law), point.certificate
    _output.show(f"{record.name} on {table.name}: {point.n_runs:,} runs\n  {record.formula}")
    units = {p.name: p.unit for p in record.parameters}
    errors = {"stderr": point.stderr} | (
        {f"by {resampled.kind}": resampled.stderr} if resampled else {}
    )
    rows = [
        (
            name,
            _output.figures(value),
            *(_output.error(c[name], value) for c in errors.values()),
            units[name],
        )
        for name, value in point.params.items()
    ]
    _output.show(
        _output.table(("parameter", "value", *errors, "unit"), rows, right="lr" + "r" * len(errors))
    )
    agree = "agrees" if certificate.second_method else "does not agree"
    _output.show(
        f"objective    {point.objective_name} = {_output.figures(point.objective, 8)}; {_scatter(point)}",
        f"certificate  {certificate.status}: {certificate.agreement:.0%} of {certificate.starts} starts agree, "
        f"relative gradient {certificate.gradient_norm:.0e}, condition {certificate.condition:.1e} "
        f"(raw {certificate.condition_raw:.1e}), a second method {agree}",
        "",
    )
    if resampled:
        rate = len(resampled.settled) / resampled.seconds
        _output.show(
            f"bootstrap    by {resampled.kind}: {len(resampled.settled):,} refits, {rate:,.0f} a second",
            "",
        )


def _scatter(point: "Point") -> str:
    from jscale.laws import describe

    if point.residuals_of == "log":
        return f"log residuals scatter by {point.scale:.2%}"
    return f"residuals scatter by {_output.figures(point.scale)} {describe(point.law).output.unit}"
