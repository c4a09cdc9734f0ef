"""One plan for all draws under limits and within ranges, by scans of sizes and bits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.status import Status
from jscale._core.text import enumerated
from jscale.plan.budget import BudgetProblem
from jscale.plan.costs import Cost
from jscale.plan.optimiser import Free, solve

_SIZES, _BITS = 161, 33
"""Of one scan, evenly spaced in their logarithms."""
_ZOOMS = 3
"""Scans, each between the neighbours of the best point of the one before: sizes to 0.01%."""
_WIDER = {"N": 4.0, "P": 1.5}
"""Factor by which the first scan exceeds the range of the draws' own optima."""
_ENTRIES = 1_000_000
"""Losses that are computed at once."""
_ROUNDING = 1e-9
"""Relative distance beyond a limit that counts as on it."""

Range = tuple[float | None, float | None]
"""Least and largest value of a variable; None for no limit."""
SENSES = ("<=", ">=")
"""How the function of a limit compares with its bound."""
Limit = tuple[Any, str, float]
"""A function of N, D and P by name, one of ``<=`` and ``>=``, and a bound."""


@dataclass(frozen=True)
class Limited:
    """A problem of one plan for all draws.

    Attributes:
        problem: the law and the free variables.
        cost: of a plan.
        params: parameter → (draws,) or a number.
        inputs: other inputs, numbers.
        budget: to spend at most.
        bounds: free variable → its range.
        limits: on functions of the plan.
        share: of the draws, the worst of which count.
        with_regret: whether losses are above those of each draw's own plan under the limits.
    """

    problem: BudgetProblem
    cost: Cost
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    budget: float
    bounds: Mapping[str, Range]
    limits: Sequence[Limit]
    share: float
    with_regret: bool


@dataclass(frozen=True)
class Found:
    """The best point, as :class:`~jscale.plan.RobustPlan` has it."""

    values: Mapping[str, float]
    value: float
    loss: float
    cost: float
    lost: int
    status: Status


def check_limits(problem: BudgetProblem, bounds: Any, limits: Any) -> None:
    """Check ranges and limits.

    Raises:
        JscaleError: a range of a variable that is not free, contradictory ends, an equality, or N
            and D are not both free.
    """
    if not {"N", "D"} <= problem.free:
        raise JscaleError(
            "limits and ranges need both N and D in ", Argument("free"), ": give neither a value"
        )
    if others := sorted(set(bounds) - problem.free):
        raise JscaleError(f"has {enumerated(others)}, which is not free", argument="bounds")
    for name, (low, high) in bounds.items():
        if low is not None and high is not None and not low < high:
            raise JscaleError(f"of {name}: {low:g} is not below {high:g}", argument="bounds")
    for function, sense, _ in limits:
        if not callable(function) or sense not in SENSES:
            raise JscaleError(
                f"must be functions of N, D and P, {enumerated(SENSES)}, and a bound",
                argument="constraints",
            )


def least_risk(limited: Limited) -> Found | None:
    """The plan of least risk; None where no point obeys the limits, or no draw has a plan.

    A size takes the tokens that the budget pays for, or as many as its range allows. Draws without
    a plan of their own under the limits are left out.
    """
    own = _own_plans(limited)
    known = np.isfinite(own["loss"])
    if not known.any():
        return None

    scans = {"N": _SIZES, **({"P": _BITS} if "P" in limited.problem.free else {})}
    ranges = {name: _first_range(limited, name, own[name][known]) for name in scans}
    reference = own["loss"][known] if limited.with_regret else np.zeros(int(known.sum()))
    best, points, worst = 0, {}, np.zeros(0)
    for _ in range(_ZOOMS):
        axes = {name: np.geomspace(*ranges[name], count) for name, count in scans.items()}
        points = _points(limited, axes)
        worst = _risks(limited, points, known, reference)
        best = int(np.argmin(np.where(points["allowed"] & np.isfinite(worst), worst, np.inf)))
        ranges = {name: _around(axis, points[name][best]) for name, axis in axes.items()}
    if not points["allowed"][best]:
        return None

    values = {name: float(points[name][best]) for name in ("N", "D", *scans)}
    losses = next(_losses(limited, {name: each[best : best + 1] for name, each in points.items()}))
    held = not points["allowed"].all() or bool(points["held"][best])
    for name, ends in limited.bounds.items():
        held |= any(end and abs(values[name] / end - 1) <= _ROUNDING for end in ends)
    return Found(
        values,
        float(worst[best]),
        float(losses[0, known].mean()),
        float(points["C"][best]),
        int(np.sum(~known)),
        Status.at_bound if held else Status.converged,
    )


def _own_plans(limited: Limited) -> dict[str, np.ndarray]:
    """Size, loss and bits, if they are free, of every draw's own plan; NaN where it has none."""
    problem = limited.problem
    variables = {name: Free(*limited.bounds.get(name, (None, None))) for name in problem.free}
    constraints = [(limited.cost, "<=", limited.budget), *limited.limits]
    best = solve(
        problem.bound.law,
        {**limited.inputs, **variables},
        params=limited.params,
        constraints=constraints,
    )
    own = {"loss": best.objective, **{name: best.values[name] for name in problem.free}}
    return {name: np.atleast_1d(np.asarray(value, float)) for name, value in own.items()}


def _first_range(limited: Limited, name: str, own: np.ndarray) -> tuple[float, float]:
    """The range of the draws' own plans and more, within the one that was given."""
    low, high = limited.bounds.get(name, (None, None))
    first, last = own.min() / _WIDER[name], own.max() * _WIDER[name]
    return max(first, low or first), min(last, high or last)


def _points(limited: Limited, axes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All combinations, with their tokens and cost, and which of them obey the limits."""
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    points = {name: each.ravel() for name, each in zip(axes, mesh, strict=True)}
    cost, given = limited.cost, {**limited.inputs, **points}
    bits = limited.problem.bound.bits(given) if cost.needs_bits else None
    low, high = limited.bounds.get("D", (None, None))
    tokens = np.asarray(cost.tokens(limited.budget, points["N"], bits), float)
    points["D"] = np.minimum(tokens, high or np.inf)
    points["held"] = tokens > points["D"]
    points["C"] = np.asarray(cost.flops(points["N"], points["D"], bits), float)
    points["allowed"] = points["D"] > (low or 0.0) * (1 - _ROUNDING)
    for limit in limited.limits:
        points["allowed"] &= _holds(limit, {**given, **points})
    return points


def _holds(limit: Limit, values: Mapping[str, Any]) -> np.ndarray:
    """Whether a limit holds at points."""
    import inspect

    function, sense, bound = limit
    names = [name for name in inspect.signature(function).parameters if name in values]
    value = np.asarray(function(**{name: values[name] for name in names}), float)
    sign = 1.0 if sense == "<=" else -1.0
    return sign * (value - bound) <= _ROUNDING * abs(bound)


def _risks(
    limited: Limited, points: Mapping[str, np.ndarray], known: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """What is minimised at every point, (points,)."""
    parts = [
        _worst_mean(losses[:, known] - reference, limited.share)
        for losses in _losses(limited, points)
    ]
    return np.concatenate(parts)


def _losses(limited: Limited, points: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
    """The loss of every point in every draw, (some points, draws) at a time."""
    params: dict[str, Any] = {name: np.atleast_1d(value) for name, value in limited.params.items()}
    draws = max(len(value) for value in params.values())
    chosen = {name: points[name] for name in ("N", "D", "P") if name in points}
    rows = max(1, _ENTRIES // draws)
    for start in range(0, len(points["N"]), rows):
        part: dict[str, Any] = {
            name: each[start : start + rows, None] for name, each in chosen.items()
        }
        losses = limited.problem.bound.loss({**limited.inputs, **part}, params)
        yield np.broadcast_to(np.asarray(losses, float), (len(part["N"]), draws))


def _worst_mean(values: np.ndarray, share: float) -> np.ndarray:
    """The mean of the largest ``share`` of the values of each row (points, draws)."""
    size = values.shape[1]
    number = max(share * size, 1.0)
    ordered = np.sort(values, axis=1)[:, ::-1]
    weights = np.clip(number - np.arange(size), 0.0, 1.0)
    return ordered @ weights / number


def _around(axis: np.ndarray, value: float) -> tuple[float, float]:
    """The neighbours of an entry of an axis."""
    place = int(np.argmin(np.abs(axis - value)))
    return float(axis[max(place - 1, 0)]), float(axis[min(place + 1, len(axis) - 1)])
