"""Loss against model size at a given budget, and against the only input of a law."""

from dataclasses import dataclass

import numpy as np

from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._evaluate import law_values
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.report.analysis.forecast._forecast import Forecast, curve_points

_MAX_BUDGETS = 4
_SIZE_FACTOR = 10.0
"""Largest ratio of a profile's size to N*, on either side."""
_POINTS = 33


@dataclass(frozen=True, eq=False)
class SizeProfile:
    """Loss at one budget against size; the compute that the size leaves goes to tokens.

    Attributes:
        budget: FLOP.
        N: parameters, shape (points,).
        loss: at the sizes, shape (points,).
        optimal_size: N*, shape (1,).
        optimal_loss: loss at N*, shape (1,).
    """

    budget: float
    N: np.ndarray
    loss: Band
    optimal_size: Band
    optimal_loss: Band


def size_profiles(study: FittedStudy, forecast: Forecast | None) -> tuple[SizeProfile, ...]:
    """Profiles at up to four of the budgets, at the best precision where the law has bits.

    Empty without a forecast.
    """
    if forecast is None:
        return ()
    solved = np.flatnonzero(np.isfinite(forecast.plans.N.q50))
    count = min(_MAX_BUDGETS, len(solved))
    spread = np.unique(np.linspace(0, len(solved) - 1, count).round().astype(int))
    return tuple(_profile(study, forecast, int(i)) for i in solved[spread])


def _profile(study: FittedStudy, forecast: Forecast, i: int) -> SizeProfile:
    plans = forecast.plans
    budget = float(plans.compute[i])
    N = float(plans.N.q50[i]) * np.geomspace(1 / _SIZE_FACTOR, _SIZE_FACTOR, _POINTS)
    bits = FULL_BITS if plans.P is None else float(plans.P.q50[i])

    points = {"N": N, "D": budget * FULL_BITS / (6 * bits * N)}
    points |= {name: np.full(_POINTS, bits) for name in study.training_bits}
    return SizeProfile(
        budget=budget,
        N=N,
        loss=band(law_values(study, forecast.curve_samples, points)),
        optimal_size=plans.N.at(slice(i, i + 1)),
        optimal_loss=plans.loss.at(slice(i, i + 1)),
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
