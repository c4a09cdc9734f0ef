"""The forecast: the compute-optimal path, plans for budgets, the next decade of compute."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale.assess import BandCorrection
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import optimal_plans, subsample
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.report.analysis.forecast._returns import Returns, compute_returns

_POINTS = 41
_DECADES_PAST = 2.5
"""Decades by which curves continue past the largest run."""
_MAX_STOPS = 25
"""Stops of the list of plans at round numbers of compute."""
CURVE_DRAWS, CURVE_DRAWS_JOINT = 1000, 400
"""Draws behind the bands of curves. A 5% quantile of 1,000 draws errs by a twentieth of the band's
width, less than a line's, one of 400 draws by a twelfth; a joint plan of size, data and bits takes
twenty times as long."""


@dataclass(frozen=True, eq=False)
class OptimalPath:
    """The best use of compute at several budgets.

    Attributes:
        compute: FLOP, shape (points,).
        N: parameters.
        D: tokens.
        ratio: tokens per parameter.
        loss: shape (points,).
        P: bits, where they were chosen.
        solved: share of the draws for which there is an optimum, shape (points,).
    """

    compute: np.ndarray
    N: Band
    D: Band
    ratio: Band
    loss: Band
    P: Band | None
    solved: np.ndarray


@dataclass(frozen=True, eq=False)
class Forecast:
    """The optimal path and the numbers that the report quotes from it.

    Attributes:
        curve: from the smallest run to past the largest.
        curve_samples: parameter → point estimate and draws behind the bands of curves, shape
            (1 + draws,).
        full: the same path in 16 bits, at the point estimate, where ``curve`` chooses the bits.
        plans: at the budgets, from all draws.
        stops: at round numbers of compute and at the budgets, ascending; the others than the
            budgets from the draws of the curve.
        stop_decades: for each stop what ``decades_outside`` has for a budget.
        new_run: loss of a new run along ``curve``; without draws, and where it is not known, None.
        new_run_at_plans: the same at the budgets.
        new_run_lacks: what the scatter of a new run depends on and a plan does not have.
        decade: at the compute of the largest run and at ten times that, from all draws.
        gain: decrease of the loss over that decade, shape (1,).
        growth: exponent of N* in compute over that decade, shape (1,).
        returns: what more of each input than that of the largest run saves.
        correction: by which the bands of the losses are widened; None where they are not.
        decades_outside: a dict for each budget: "compute", "size", "data", "tokens per parameter"
            → by how many factors of ten the plan lies outside the runs, 0 inside.
    """

    curve: OptimalPath
    curve_samples: dict[str, np.ndarray]
    full: OptimalPath | None
    plans: OptimalPath
    stops: OptimalPath
    decade: OptimalPath
    gain: Band
    growth: Band
    returns: Returns
    decades_outside: tuple[dict[str, float], ...]
    stop_decades: tuple[dict[str, float], ...]
    new_run: Band | None = None
    new_run_at_plans: Band | None = None
    new_run_lacks: str = ""
    correction: BandCorrection | None = None

    @property
    def curve_draws(self) -> int:
        """Number of draws behind the bands of curves."""
        return len(next(iter(self.curve_samples.values()))) - 1


def compute_forecast(study: FittedStudy) -> Forecast | None:
    """The forecast of a study, at the best training precision where there is one, else in 16 bits.

    None where the law does not divide compute between size and data, or where no budget has an
    optimum.
    """
    if not study.plans_size_and_data:
        return None
    assert study.compute is not None

    largest = float(study.compute.max())
    budgets = np.array([largest, 10 * largest, *study.budgets])
    free, fixed, solved = _solve(study, budgets)

    joint = "P" in free
    curve_samples = subsample(study.samples, CURVE_DRAWS_JOINT if joint else CURVE_DRAWS)
    compute = curve_points(study.compute, study.budgets)
    rounds = np.setdiff1d(round_budgets(compute[0], compute[-1]), study.budgets)
    along = optimal_plans(study, curve_samples, np.append(compute, rounds), free, **fixed)
    curve, at_rounds = _parted(along, len(compute))
    if not np.isfinite(curve["loss"]).any():
        return None

    full = None
    if joint:
        point = {name: values[:1] for name, values in curve_samples.items()}
        full = _path(compute, optimal_plans(study, point, compute, ("N", "D"), P=FULL_BITS))

    decade, at_budgets = _parted(solved, 2)
    plans = _path(budgets[2:], at_budgets)
    stops = _joined(_path(rounds, at_rounds), plans)
    loss, N = solved["loss"], solved["N"]
    return Forecast(
        curve=_path(compute, curve),
        curve_samples=curve_samples,
        full=full,
        plans=plans,
        stops=stops,
        decade=_path(budgets[:2], decade),
        gain=band(loss[:, :1] - loss[:, 1:2]),
        growth=band(np.log10(N[:, 1:2] / N[:, :1])),
        returns=compute_returns(study),
        decades_outside=decades_outside(study, plans),
        stop_decades=decades_outside(study, stops),
    )


def _solve(
    study: FittedStudy, budgets: np.ndarray
) -> tuple[tuple[str, ...], dict[str, float], dict[str, np.ndarray]]:
    """What plans choose, what they hold fixed, and the plans of all draws at the budgets."""
    if not study.training_bits:
        free: tuple[str, ...] = ("N", "D")
        return free, {}, optimal_plans(study, study.samples, budgets, free)

    if study.record.charged_bits:
        free = ("N", "D", "P")
        solved = optimal_plans(study, study.samples, budgets, free)
        if np.isfinite(solved["loss"]).any():
            return free, {}, solved

    # With one precision factor and no bias, fewer bits are always better; fewer bits of the weights
    # alone save no compute: plan in 16 bits.
    free, fixed = ("N", "D"), {"P": FULL_BITS}
    return free, fixed, optimal_plans(study, study.samples, budgets, free, **fixed)


def curve_points(observed: np.ndarray, budgets: tuple[float, ...]) -> np.ndarray:
    """Points of a curve, from just below the smallest run to 2.5 decades past the largest.

    The curve also extends past every budget.
    """
    first = min([observed.min() / 1.3, *(budget / 1.6 for budget in budgets)])
    last = max([observed.max() * 10**_DECADES_PAST, *(budget * 1.6 for budget in budgets)])
    return np.geomspace(first, last, _POINTS)


def round_budgets(first: float, last: float) -> np.ndarray:
    """At most 25 round numbers of FLOP between two ends: 1, 2 and 5, 1 and 3, or powers of ten."""
    decades = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    numbers = np.empty(0)
    for multiples in ((1, 2, 5), (1, 3), (1,)):
        numbers = np.array([float(f"{m}e{decade}") for decade in decades for m in multiples])
        numbers = numbers[(numbers >= first) & (numbers <= last)]
        if len(numbers) <= _MAX_STOPS:
            break
    return numbers


def decades_outside(study: FittedStudy, plans: OptimalPath) -> tuple[dict[str, float], ...]:
    """By how many factors of ten each plan lies outside the runs; 0 for what lies inside."""
    assert study.compute is not None
    N, D = study.data.inputs["N"], study.data.inputs["D"]
    compared = {
        "compute": (plans.compute, study.compute),
        "size": (plans.N.q50, N),
        "data": (plans.D.q50, D),
        "tokens per parameter": (plans.ratio.q50, D / N),
    }

    def decades(planned: float, observed: np.ndarray) -> float:
        above, below = np.log10(planned / observed.max()), np.log10(observed.min() / planned)
        return float(np.nan_to_num(max(0.0, above, below)))

    return tuple(
        {quantity: decades(planned[i], runs) for quantity, (planned, runs) in compared.items()}
        for i in range(len(plans.compute))
    )


def _path(compute: np.ndarray, solved: Mapping[str, np.ndarray]) -> OptimalPath:
    finite = np.isfinite(solved["loss"])
    draws = finite[1:] if len(finite) > 1 else finite
    return OptimalPath(
        compute=compute,
        N=band(solved["N"]),
        D=band(solved["D"]),
        ratio=band(solved["D"] / solved["N"]),
        loss=band(solved["loss"]),
        P=band(solved["P"]) if "P" in solved else None,
        solved=draws.mean(axis=0),
    )


def _parted(
    values: Mapping[str, np.ndarray], count: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The first points of arrays (draws, points), and the others."""
    first = {name: array[:, :count] for name, array in values.items()}
    return first, {name: array[:, count:] for name, array in values.items()}


def _joined(first: OptimalPath, second: OptimalPath) -> OptimalPath:
    """The points of two paths by ascending compute."""
    compute = np.concatenate([first.compute, second.compute])
    order = np.argsort(compute)

    def both(one: Band, other: Band) -> Band:
        return Band(*(np.concatenate(pair)[order] for pair in zip(one, other, strict=True)))

    bits = None if first.P is None or second.P is None else both(first.P, second.P)
    return OptimalPath(
        compute=compute[order],
        N=both(first.N, second.N),
        D=both(first.D, second.D),
        ratio=both(first.ratio, second.ratio),
        loss=both(first.loss, second.loss),
        P=bits,
        solved=np.concatenate([first.solved, second.solved])[order],
    )
