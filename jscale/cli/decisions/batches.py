"""The next runs as a JSON object: candidates, the noise of each, and what they leave."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli.decisions import answers
from jscale.cli.support import planning

if TYPE_CHECKING:
    from jscale.fit import Posterior
    from jscale.laws import LawFunction
    from jscale.plan import NextRuns

_SIZES, _LENGTHS = 12, 16
"""Sizes and numbers of tokens of the default candidates."""
_BEYOND = 10.0
"""Factor by which the candidates' sizes and tokens may exceed those of the runs; none is smaller:
a law is fitted to runs above some size, and cheap runs below it would be chosen first."""
_MOST = 4096
"""Candidates whose noise is forecast, one by one: with a discrepancy half a minute and 1.4 GiB."""
_CELL, _WIDER = 0.01, 1.25
"""Width of a cell in the logarithm of every input, of which one candidate is kept, and the factor
by which it grows until there are few enough."""
_CHUNK = 1024
"""Candidates that are forecast together."""
_SIGMA = (0.158655, 0.841345)
"""Probabilities one standard deviation of a normal about its mean."""


@dataclass(frozen=True)
class Goal:
    """What the next runs are for, and what they may cost.

    Attributes:
        target: plan, forecast or parameters.
        plan_budget: FLOP of the planned model; None for ten times the largest run.
        budget: FLOP of all runs together; None for that of the largest run.
        forecast: inputs at which to forecast; None without a forecast.
        most: number of runs.
        stop_at_saving: whether to stop where a run costs more than it can save.
        seed: of the noise of the candidates.
    """

    target: str
    plan_budget: float | None
    budget: float | None
    forecast: dict[str, float] | None
    most: int
    stop_at_saving: bool
    seed: int


def from_file(law: "LawFunction", file: str) -> tuple[dict[str, Any], Any]:
    """The candidates of a file, and their costs where it has them.

    Raises:
        JscaleError: it is no table of the law's inputs.
    """
    from jscale import runs

    try:
        table = runs.read(file, losses=False)
        columns = dict(runs.inputs(table, law))
    except JscaleError as error:
        raise JscaleError(f"--candidates {error}") from None
    return columns, table["cost"][table.kept] if "cost" in table else None


def _grid(law: "LawFunction", ranges: Mapping[str, Any], most: float) -> dict[str, Any]:
    """A grid of sizes and tokens about the runs, and of bits where they are charged.

    Raises:
        JscaleError: the ranges of the runs are not known.
    """
    import numpy as np

    from jscale import plan

    if not {"N", "D"} <= set(ranges):
        raise JscaleError(
            "--candidates: the draws carry no ranges of their runs; give the candidates"
        )
    ends = {name: (ranges[name][0], ranges[name][1] * _BEYOND) for name in ("N", "D")}
    sizes = np.geomspace(*ends["N"], _SIZES)
    lengths = np.geomspace(*ends["D"], _LENGTHS)
    if planning.charges_bits(law):
        scaled = plan.costs.precision_scaled_flops
        return plan.run_grid(sizes, lengths, np.array([4.0, 8.0, 16.0]), most=most, cost=scaled)
    return plan.run_grid(sizes, lengths, most=most)


def thinned(candidates: Mapping[str, Any], costs: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    """The candidates and their costs, of many one from each cell of a grid, and a note on it.

    The cheapest one of a cell where costs are given, otherwise the first.
    """
    import numpy as np

    from jscale._core.notes import Note

    inputs = {name: np.asarray(values, float) for name, values in candidates.items()}
    count, width = max(map(len, inputs.values())), _CELL
    if count <= _MOST:
        return dict(candidates), costs, []
    order = np.arange(count) if costs is None else np.argsort(costs, kind="stable")
    while True:
        cells = np.zeros(count, np.int64)
        for values in inputs.values():
            with np.errstate(divide="ignore", invalid="ignore"):
                places = np.floor(np.log(values) / width)
            _, place = np.unique(places, return_inverse=True)
            _, cells = np.unique(cells * (place.max() + 1) + place, return_inverse=True)
        _, first = np.unique(cells[order], return_index=True)
        if len(first) <= _MOST:
            break
        width *= _WIDER

    kept = np.sort(order[first])
    which = "the first" if costs is None else "the cheapest"
    message = (
        f"of {count:,} candidates {len(kept):,} are considered, {which} within "
        f"{np.expm1(width):.0%} in every input; give at most {_MOST:,} to consider all of them"
    )
    note = Note("candidates-thinned", "info", message, {"given": count, "kept": len(kept)})
    few = {name: np.asarray(values)[kept] for name, values in candidates.items()}
    return few, None if costs is None else np.asarray(costs)[kept], [note]


def run_noise(
    sampled: "Posterior", law: "LawFunction", candidates: Mapping[str, Any], seed: int
) -> Any:
    """The standard deviation of the logarithm of a run's loss at every candidate, (candidates,).

    That of a new run about the law's value, over the draws: noise at the candidate's scale,
    discrepancy and group, and relative to the loss where errors are added to it. Half the distance
    between the quantiles of a normal at one standard deviation, since Student-t errors may have no
    standard deviation.

    Raises:
        JscaleError: the error model has no noise there.
    """
    import jax
    import numpy as np

    from jscale.laws import describe

    inputs = {name: np.asarray(values) for name, values in candidates.items()}
    if (bits := inputs.pop("P", None)) is not None:
        trained = [name for name in describe(law).bit_inputs if name != "P_post"]
        inputs = dict.fromkeys(trained, bits) | inputs
    count, key = len(inputs["N"]), jax.random.key(seed)
    parts = []
    for start in range(0, count, _CHUNK):
        piece = {name: values[start : start + _CHUNK] for name, values in inputs.items()}
        forecast = sampled.predict(piece, key=jax.random.fold_in(key, start))
        ratio = forecast.draws / forecast.parameter_draws
        low, high = np.nanquantile(ratio, _SIGMA, axis=0)
        parts.append(0.5 * np.log(high / low))
    noise = np.concatenate(parts)
    if not np.all((noise > 0) & np.isfinite(noise)):
        raise JscaleError("the noise of a run is not known, or none, at some of the candidates")
    return noise


def choice(
    law: "LawFunction",
    sampled: "Posterior",
    goal: Goal,
    file: tuple[dict[str, Any], Any] | None,
) -> dict[str, Any]:
    """The runs by the target, and beside them the D-optimal ones.

    Args:
        law: the law.
        sampled: its draws.
        goal: what the runs are for.
        file: candidates and their costs, as :func:`from_file` returns them; None for a grid.

    Raises:
        JscaleError: no compute, candidates or noise is known.
    """
    import numpy as np

    from jscale import plan

    draws, lost = answers.finite_draws(sampled.draws)
    largest = sampled.ranges["C"][1] if "C" in sampled.ranges else math.nan
    budget, plan_budget = goal.budget or largest, goal.plan_budget or 10 * largest
    if not math.isfinite(budget + plan_budget):
        raise JscaleError("the runs have no compute: give --budget and --plan-budget")
    candidates, costs = file or (_grid(law, sampled.ranges, budget), None)
    candidates, costs, thinning = thinned(candidates, costs)
    noise = run_noise(sampled, law, candidates, goal.seed)

    settings = {"noise": noise, "budget": budget, "plan_budget": plan_budget, "cost": costs}
    settings |= {"forecast": goal.forecast, "most": goal.most}
    settings["stop_at_saving"] = goal.stop_at_saving
    if planning.charges_bits(law):
        settings["free"] = ("N", "D", "P")
    designs: dict[str, NextRuns] = {}
    for target in dict.fromkeys((goal.target, "parameters")):
        kind: Any = target
        designs[target] = plan.next_runs(law, draws, candidates, target=kind, **settings)
    main = designs[goal.target]
    return {
        "law": sampled.law_name,
        "target": goal.target,
        "plan_budget": plan_budget,
        "budget": budget,
        "candidates": len(noise),
        "noise": float(np.median(noise)),
        "runs": _rows(main, noise),
        "stop": main.stop,
        "designs": {target: _summary(design) for target, design in designs.items()},
        "lost": main.lost,
        "notes": [*lost, *thinning],
    }


def _rows(design: "NextRuns", noise: Any) -> list[dict[str, Any]]:
    """The runs of a batch in their order."""
    return [
        {
            **{name: float(values[i]) for name, values in design.inputs.items()},
            "noise": float(noise[design.index[i]]),
            "cost": float(design.cost[i]),
            "regret_before": float(design.regret[i]),
            "regret_after": float(design.regret[i + 1]),
            "saved": float(design.saved[i]),
            "information": float(design.information[i + 1] - design.information[i]),
            "forecast_sd_after": float(design.forecast_sd[i + 1]),
        }
        for i in range(len(design.index))
    ]


def _summary(design: "NextRuns") -> dict[str, Any]:
    """What a batch costs and leaves."""
    return {
        "runs": len(design.index),
        "cost": float(design.cost.sum()),
        "regret_before": float(design.regret[0]),
        "regret_after": float(design.regret[-1]),
        "information": float(design.information[-1]),
        "forecast_sd_before": float(design.forecast_sd[0]),
        "forecast_sd_after": float(design.forecast_sd[-1]),
        "stop": design.stop,
    }
