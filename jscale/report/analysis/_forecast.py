"""The forecast: the compute-optimal path, plans for budgets, the next decade of compute."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from jscale.assess import BandCorrection
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import law_values, optimal_plans, subsample
from jscale.report.analysis._study import FULL_BITS, FittedStudy

_POINTS = 41
_DECADES_PAST = 2.5
"""Decades by which curves continue past the largest run."""
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
        decade: at the compute of the largest run and at ten times that, from all draws.
        gain: decrease of the loss over that decade, shape (1,).
        growth: exponent of N* in compute over that decade, shape (1,).
        correction: by which the bands of the losses are widened; None where they are not.
        decades_outside: a dict for each budget: "compute", "size", "data", "tokens per parameter"
            → by how many factors of ten the plan lies outside the runs, 0 inside.
    """

    curve: OptimalPath
    curve_samples: dict[str, np.ndarray]
    full: OptimalPath | None
    plans: OptimalPath
    decade: OptimalPath
    gain: Band
    growth: Band
    decades_outside: tuple[dict[str, float], ...]
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
    curve = optimal_plans(study, curve_samples, compute, free, **fixed)
    if not np.isfinite(curve["loss"]).any():
        return None

    full = None
    if joint:
        point = {name: values[:1] for name, values in curve_samples.items()}
        full = _path(compute, optimal_plans(study, point, compute, ("N", "D"), P=FULL_BITS))

    plans = _path(budgets[2:], {name: values[:, 2:] for name, values in solved.items()})
    loss, N = solved["loss"], solved["N"]
    return Forecast(
        curve=_path(compute, curve),
        curve_samples=curve_samples,
        full=full,
        plans=plans,
        decade=_path(budgets[:2], {name: values[:, :2] for name, values in solved.items()}),
        gain=band(loss[:, :1] - loss[:, 1:2]),
        growth=band(np.log10(N[:, 1:2] / N[:, :1])),
        decades_outside=decades_outside(study, plans),
    )


def widened(forecast: Forecast, study: FittedStudy, correction: BandCorrection | None) -> Forecast:
    """The forecast with bands of the losses widened as forecasts of held-out runs call for.

    Bands are not narrowed: the correction is that of new runs, of which the law's value is a part.

    Args:
        forecast: of the study.
        study: with a posterior.
        correction: from the backtest of its law; None for none.
    """
    if correction is None or not forecast.plans.loss.has_width:
        return forecast
    assert study.compute is not None
    largest = float(study.compute.max())

    def factor(compute: np.ndarray | float) -> np.ndarray:
        return np.maximum(correction.factor(np.log10(np.asarray(compute) / largest)), 1.0)

    def path(own: OptimalPath) -> OptimalPath:
        return replace(own, loss=own.loss.widened(factor(own.compute)))

    decade = np.atleast_1d(factor(10 * largest))
    if not (factor(np.array([largest, 10 * largest])) > 1).any():
        return forecast
    return replace(
        forecast,
        curve=path(forecast.curve),
        plans=path(forecast.plans),
        decade=path(forecast.decade),
        gain=forecast.gain.widened(decade, in_logs=False),
        correction=correction,
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


@dataclass(frozen=True, eq=False)
class ResourceCurve:
    """Loss against the only input of a law.

    Attributes:
        resource: name of the input.
        x: its values, shape (points,).
        loss: shape (points,).
        gain: decrease of the loss at ten times the largest run's resource, shape (1,).
        at_budgets: loss at the budgets, where the resource is compute; else None.
    """

    resource: str
    x: np.ndarray
    loss: Band
    gain: Band
    at_budgets: Band | None


def resource_curve(study: FittedStudy) -> ResourceCurve | None:
    """The forecast of a law with a single input; None for any other law."""
    if len(study.record.inputs) != 1 or study.record.output.name != "loss":
        return None

    (name,) = study.record.input_names
    observed = study.data.inputs[name]
    budgets = study.budgets if name == "C" else ()
    x = curve_points(observed, budgets)
    decade = np.array([observed.max(), 10 * observed.max()])

    # The curve, the next decade and the budgets in one call.
    loss = law_values(study, study.samples, {name: np.concatenate([x, decade, budgets])})
    curve, start, end, at_budgets = np.split(loss, [len(x), len(x) + 1, len(x) + 2], axis=1)
    return ResourceCurve(
        resource=name,
        x=x,
        loss=band(curve),
        gain=band(start - end),
        at_budgets=band(at_budgets) if budgets else None,
    )
