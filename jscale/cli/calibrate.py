"""``jscale calibrate``: how often each kind of interval covers the truth."""

from typing import TYPE_CHECKING, Any

from jscale.cli import _inputs, _intervals, _options, _output
from jscale.cli._session import session, shows_progress

if TYPE_CHECKING:
    from jscale.assess import Calibration
    from jscale.runs import Runs


def calibrate(
    source: _options.RUNS,
    *,
    law: _options.LAW = "chinchilla",
    target: _options.TARGETS = None,
    kinds: _options.KINDS = None,
    level: _options.LEVEL = 0.9,
    by: _options.BY = None,
    noise: _options.NOISE = "normal",
    shared: _options.SHARED = None,
    simulations: _options.SIMULATIONS = 200,
    draws: _options.REFITS = 200,
    objective: _options.OBJECTIVE = "huber",
    weights: _options.WEIGHTS = None,
    starts: _options.STARTS = 64,
    fix: _options.FIX = None,
    tie: _options.TIE = None,
    as_json: _options.AS_JSON = False,
    seed: _options.SEED = 0,
    out: _options.OUT_JSON = None,
    figure: _options.COVERAGE_FIGURE = None,
) -> None:
    """Simulate runs like yours many times: which intervals keep their promise."""
    _output.targets(out, figure)
    with session():
        table = _inputs.table_of(source, out=out)
        chosen = _inputs.law_of(law, fix, tie)
        asked: Any = {
            **_intervals.settings(chosen, target, kinds, level, by),
            "noise": noise,
            "shared": shared,
        }
        from jscale import assess

        found = assess.calibrate(
            chosen,
            table,
            key=_inputs.key_of(seed),
            objective=_inputs.objective_of(objective),
            weights=weights,
            simulations=simulations,
            draws=draws,
            starts=starts,
            progress=shows_progress(as_json),
            **asked,
        )
        if figure is not None:
            from jscale.report import write_coverage

            write_coverage(_output.target(figure), found)
    payload = summary(found, table, seed)
    _output.deliver(payload, as_json, out)
    if not as_json:
        _intervals.show_coverage(found)
        _output.show_notes(payload["notes"])
        if figure is not None:
            _output.show(f"figure: {figure}")


def summary(found: "Calibration", table: "Runs", seed: int) -> dict[str, Any]:
    """Measured coverage as a JSON object."""
    from dataclasses import asdict

    return {
        "law": found.law,
        "level": found.level,
        "objective_name": found.objective_name,
        "weights": found.weights,
        "noise": found.noise,
        "scale": found.scale,
        "shared": found.shared,
        "by": found.by,
        "simulations": found.simulations,
        "draws": found.draws if _intervals.resampled(found) else None,
        "seed": seed,
        "rows": [asdict(row) for row in found.rows],
        "seconds": found.seconds,
        "table": {"name": table.name, "digest": found.table_digest},
        "notes": _output.notes((*table.notes, *found.notes)),
    }
