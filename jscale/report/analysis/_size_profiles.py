"""What a wrong size costs: loss against size at a given budget."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._forecast import Forecast, stacked
from jscale.report.analysis._study import FULL_BITS, Study

_MOST = 4
_REACH = 10.0
_POINTS = 33


@dataclass(frozen=True, eq=False)
class Profile:
    """Loss at one budget, whatever the size leaves going to tokens.

    Attributes:
        budget: FLOP.
        N: parameters, shape (points,).
        loss: nats per token.
        best: N*, shape (1,).
        least: loss at N*, shape (1,).
    """

    budget: float
    N: np.ndarray
    loss: Band
    best: Band
    least: Band


def profiles(study: Study, forecast: Forecast | None) -> list[Profile]:
    """Profiles of up to four of the budgets, at the best precision where the law has bits; none
    without a plan.
    """
    if forecast is None:
        return []
    plans = forecast.plans
    solved = np.flatnonzero(np.isfinite(plans.N.q50))
    chosen = solved[
        np.unique(np.linspace(0, len(solved) - 1, min(_MOST, len(solved))).round().astype(int))
    ]
    return [_profile(study, forecast, int(i)) for i in chosen]


def _profile(study: Study, forecast: Forecast, i: int) -> Profile:
    plans, budget = forecast.plans, float(forecast.plans.compute[i])
    N = float(plans.N.q50[i]) * np.geomspace(1 / _REACH, _REACH, _POINTS)
    bits = FULL_BITS if plans.P is None else float(plans.P.q50[i])
    points = {"N": N, "D": budget * FULL_BITS / (6 * bits * N)}
    points |= {name: np.full(_POINTS, bits) for name in study.training_bits}

    def loss(theta: Any, point: Any) -> dict[str, Any]:
        return {"loss": study.law(**point, **theta)}

    values = in_chunks(loss, stacked(study, forecast.curve_draws), points)["loss"]
    return Profile(
        budget, N, band(values), plans.N.at(slice(i, i + 1)), plans.loss.at(slice(i, i + 1))
    )
