"""One plan for all draws under limits and ranges, by a scan of sizes and bits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jscale.cli.decisions import limits
from jscale.cli.decisions.question import Question
from jscale.cli.support import planning

if TYPE_CHECKING:
    import numpy as np

_SIZES, _BITS = 161, 33
"""Of one scan, evenly spaced in their logarithms."""
_ZOOMS = 3
"""Scans, each between the neighbours of the best point of the one before: sizes to 0.01%."""
_WIDER = {"N": 4.0, "P": 1.5}
"""Factor by which the first scan exceeds the range of the draws' own optima."""


def least_risk(
    request: planning.PlanRequest, question: Question, level: float, budget: float
) -> dict[str, Any]:
    """The plan of least risk, and its expected regret against the draws' own plans.

    Both obey the limits. A size takes the tokens that the budget pays for, or as many as its range
    allows. Draws without a plan of their own are left out.

    Args:
        request: law, draws and cost.
        question: the risk, the limits and the ranges.
        level: the worst ``1 - level`` of the draws count for cvar and regret.
        budget: FLOP.
    """
    import numpy as np

    risk = question.risk
    own = limits.own_optima(request, question, budget)
    known = np.isfinite(own["loss"])
    words = {"by": risk} | ({} if risk == "mean" else {"level": level})
    if not known.any():
        return {"N": None, "D": None, **words, "status": "infeasible"}

    scans = {"N": _SIZES, **({"P": _BITS} if "P" in own else {})}
    ranges = {name: _first_range(question, name, own[name][known]) for name in scans}
    reference = own["loss"][known]
    for _ in range(_ZOOMS):
        axes = {name: np.geomspace(*ranges[name], count) for name, count in scans.items()}
        points = _points(request, question, axes, budget)
        losses = _losses(request, points)[:, known]
        values = losses - reference if risk == "regret" else losses
        worst = _worst_mean(values, 1.0 if risk == "mean" else 1.0 - level)
        best = int(np.argmin(np.where(points["allowed"] & np.isfinite(worst), worst, np.inf)))
        ranges = {name: _around(axis, points[name][best]) for name, axis in axes.items()}
    if not points["allowed"][best]:
        return {"N": None, "D": None, **words, "status": "infeasible"}

    chosen = {name: float(points[name][best]) for name in ("N", "D", *scans)}
    regret = float(np.mean(losses[best] - reference))
    return chosen | {
        **words,
        "C": float(points["C"][best]),
        "inputs": dict(request.inputs),
        "lost": int(np.sum(~known)),
        "risk_value": float(worst[best]),
        "regret": {"nats": regret},
    }


def _first_range(question: Question, name: str, own: "np.ndarray") -> tuple[float, float]:
    """The range of the draws' own optima and more, within that of ``--bound``."""
    low, high = question.bounds.get(name, (None, None))
    first, last = own.min() / _WIDER[name], own.max() * _WIDER[name]
    return max(first, low or first), min(last, high or last)


def _points(
    request: planning.PlanRequest, question: Question, axes: Mapping[str, Any], budget: float
) -> dict[str, Any]:
    """All combinations, with their tokens and compute, and which of them obey the limits."""
    import numpy as np

    mesh = np.meshgrid(*axes.values(), indexing="ij")
    points = {name: each.ravel() for name, each in zip(axes, mesh, strict=True)}
    cost = planning.cost_of(request)
    bits = points.get("P", request.bits) if cost.needs_bits else None
    _, most = question.bounds.get("D", (None, None))
    tokens = np.asarray(cost.tokens(budget, points["N"], bits), float)
    points["D"] = np.minimum(tokens, most or np.inf)
    points["C"] = np.asarray(cost.flops(points["N"], points["D"], bits), float)
    in_use = question.bits_in_use(request.bits)
    points["allowed"] = (points["D"] > 0) & limits.allowed(
        question, in_use, points["N"], points["D"]
    )
    return points


def _losses(request: planning.PlanRequest, points: Mapping[str, Any]) -> Any:
    """The loss of every point in every draw, (points, draws)."""
    import numpy as np

    from jscale.laws import describe

    values: dict[str, Any] = {name: points[name][:, None] for name in ("N", "D")}
    bits = points["P"][:, None] if "P" in points else request.bits
    if bits is not None:
        parts = [name for name in describe(request.law).bit_inputs if name != "P_post"]
        values |= dict.fromkeys(parts, bits)
    params = {name: np.atleast_1d(value) for name, value in request.params.items()}
    return np.asarray(request.law(**values, **dict(request.inputs), **params), float)


def _worst_mean(values: "np.ndarray", share: float) -> "np.ndarray":
    """The mean of the largest ``share`` of the values of each row (points, draws)."""
    import numpy as np

    size = values.shape[1]
    number = max(share * size, 1.0)
    ordered = np.sort(values, axis=1)[:, ::-1]
    weights = np.clip(number - np.arange(size), 0.0, 1.0)
    return ordered @ weights / number


def _around(axis: "np.ndarray", value: float) -> tuple[float, float]:
    """The neighbours of an entry of an axis."""
    import numpy as np

    place = int(np.argmin(np.abs(axis - value)))
    return float(axis[max(place - 1, 0)]), float(axis[min(place + 1, len(axis) - 1)])
