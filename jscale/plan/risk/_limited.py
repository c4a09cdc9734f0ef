"""One plan for all draws under limits and within ranges, by scans of sizes and bits."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.programs import program
from jscale._core.status import Status
from jscale._core.text import enumerated, general
from jscale.plan.budget import BudgetProblem
from jscale.plan.costs import Cost
from jscale.plan.optimiser import Free, solve
from jscale.plan.problem import BoundLaw
from jscale.plan.risk._quantiles import worst_mean

_SIZES, _FINER_SIZES, _BITS = 161, 41, 17
"""Of a first scan of sizes, of the later ones, and of a scan of bits; evenly spaced in their
logarithms."""
_SIZE_SCANS, _BITS_SCANS = 5, 4
"""Each scan is between the neighbours of the best point of the one before. Every number of bits has
scans of its own sizes: along a limit on both, the best points of a lattice are those that happen to
lie near it."""
_WIDER = {"N": 4.0, "P": 1.5}
"""Factor by which the first scan exceeds the range of the draws' own optima."""
_ENTRIES, _POINTS = 1_000_000, 1024
"""Losses, and points, that are computed at once."""
_ROUNDING = 1e-9
"""Relative distance beyond a limit that counts as on it."""

Risk = Literal["mean", "cvar", "regret"]
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
        risk: what is minimised; the regret is that against each draw's own plan under the limits.
        share: of the draws, the worst of which count.
    """

    problem: BudgetProblem
    cost: Cost
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    budget: float
    bounds: Mapping[str, Range]
    limits: Sequence[Limit]
    risk: Risk
    share: float


@dataclass(frozen=True)
class Found:
    """The best point, as :class:`~jscale.plan.RobustPlan` has it."""

    values: Mapping[str, float]
    value: float
    loss: float
    regret: float
    cost: float
    lost: int
    status: Status


def check_limits(problem: BudgetProblem, bounds: Any, limits: Any) -> None:
    """Check ranges and limits.

    Raises:
        JscaleError: no pairs or triples, a range of a variable that is not free, contradictory
            ends, an equality, or N and D are not both free.
    """
    if not {"N", "D"} <= problem.free:
        raise JscaleError(
            "limits and ranges need both N and D in ", Argument("free"), ": give neither a value"
        )
    if not isinstance(bounds, Mapping) or any(not _has_length(x, 2) for x in bounds.values()):
        raise JscaleError(
            "must be pairs of a least and a largest value by variable", argument="bounds"
        )
    if others := sorted(set(bounds) - problem.free):
        raise JscaleError(f"has {enumerated(others)}, which is not free", argument="bounds")
    for name, (low, high) in bounds.items():
        if low is not None and high is not None and not low < high:
            raise JscaleError(
                f"of {name}: {general(low, 6)} is not below {general(high, 6)}", argument="bounds"
            )
    for limit in limits:
        valid = _has_length(limit, 3) and callable(limit[0]) and limit[1] in SENSES
        if not valid or not isinstance(limit[2], int | float | np.number):
            raise JscaleError(
                f"must be functions of N, D and P, {enumerated(SENSES)}, and a bound",
                argument="constraints",
            )


def _has_length(value: Any, length: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == length


def least_risk(limited: Limited) -> Found | None:
    """The plan of least risk; None where no point obeys the limits, or no draw has a plan.

    A size takes the tokens that the budget pays for, or as many as its range allows. Draws without
    a plan of their own under the limits are left out.
    """
    own = _own_plans(limited)
    known = np.isfinite(own["loss"])
    if not known.any():
        return None

    own_losses = own["loss"][known]
    reference = own_losses if limited.risk == "regret" else np.zeros(len(own_losses))
    risk = _Risk(limited, _params_of(limited.params, known), reference, own_losses)
    sizes = _first_range(limited, "N", own["N"][known])
    if "P" not in limited.problem.free:
        best = _best_sizes(risk, None, sizes)
    else:
        ends = bits = _first_range(limited, "P", own["P"][known])
        for _ in range(_BITS_SCANS):
            axis = np.geomspace(*ends, _BITS)
            best = _best_sizes(risk, axis, sizes)
            place = int(np.argmin(best["risk"]))
            ends = float(axis[max(place - 1, 0)]), float(axis[min(place + 1, _BITS - 1)])
    place = int(np.argmin(best["risk"]))
    if not np.isfinite(best["risk"][place]):
        return None

    values = {name: float(best[name][place]) for name in ("N", "D", "P") if name in best}
    loss = float(best["loss"][place])
    scanned = {"N": sizes, **({"P": bits} if "P" in values else {})}
    return Found(
        values,
        float(best["risk"][place]),
        loss,
        loss - float(own["loss"][known].mean()),
        float(best["C"][place]),
        int(np.sum(~known)),
        _status(limited, values, scanned, held=bool(best["held"][place])),
    )


def _status(
    limited: Limited, values: Mapping[str, float], scanned: Mapping[str, Range], *, held: bool
) -> Status:
    """Whether a limit or the end of a range holds the plan, or the end of what was scanned."""

    def is_at(name: str, ends: Range) -> bool:
        return any(end and abs(values[name] / end - 1) <= _ROUNDING for end in ends)

    if held or any(is_at(name, ends) for name, ends in limited.bounds.items()):
        return Status.at_bound
    if any(is_at(name, ends) for name, ends in scanned.items()):
        return Status.not_converged
    return Status.converged


def _own_plans(limited: Limited) -> dict[str, np.ndarray]:
    """Size, loss and bits, if they are free, of every draw's own plan; NaN where it has none."""
    problem = limited.problem
    variables = {
        name: Free(*limited.bounds.get(name, (None, None))) for name in sorted(problem.free)
    }
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


def _params_of(params: Mapping[str, jax.Array], known: np.ndarray) -> dict[str, jax.Array]:
    """The parameters of the ``known`` draws, (known draws,)."""
    return {name: jnp.broadcast_to(each, known.shape)[known] for name, each in params.items()}


@dataclass(frozen=True)
class _Risk:
    """What is minimised.

    Attributes:
        limited: the problem.
        params: of the draws that count.
        reference: losses that are subtracted, one for each of those draws.
        own: losses of these draws' own plans. Means are taken of what exceeds them, which float32
            keeps to more digits: of losses, a size was 0.18% off.
    """

    limited: Limited
    params: Mapping[str, jax.Array]
    reference: np.ndarray
    own: np.ndarray

    def evaluate(self, points: dict[str, np.ndarray]) -> None:
        """Add the risk, infinite where a limit does not hold, and the mean loss to the points.

        As many points at a time as one program takes; the last ones are filled up.
        """
        limited, draws, count = self.limited, len(self.reference), len(points["N"])
        step = max(1, min(_POINTS, _ENTRIES // draws))
        filled = -(-count // step) * step
        chosen = {name: points[name] for name in ("N", "D", "P") if name in points}
        padded = {name: np.resize(each, filled) for name, each in chosen.items()}

        dtype = next(iter(self.params.values())).dtype
        numbers = (
            self.params,
            dict(limited.inputs),
            *(jnp.asarray(each, dtype) for each in (self.reference, self.own, limited.share)),
        )
        parts = [
            _risks(
                limited.problem.bound,
                limited.risk == "mean",
                {name: jnp.asarray(each[i : i + step], dtype) for name, each in padded.items()},
                numbers,
            )
            for i in range(0, filled, step)
        ]
        risks, excess = (np.concatenate(part)[:count] for part in zip(*parts, strict=True))
        losses = excess.astype(float) + self.own.mean()
        risks = losses if limited.risk == "mean" else risks
        points["risk"] = np.where(points["allowed"] & np.isfinite(risks), risks, np.inf)
        points["loss"] = losses


@program("bound", "of_all")
def _risks(
    bound: BoundLaw, of_all: bool, points: Mapping[str, jax.Array], numbers: tuple[Any, ...]
) -> tuple[jax.Array, jax.Array]:
    """Risk of every point, and its mean loss above that of the draws' own plans.

    The risk is that excess, or the mean over the worst draws above their reference.
    """
    params, inputs, reference, own, share = numbers
    losses = bound.loss(
        {**inputs, **{name: each[:, None] for name, each in points.items()}}, params
    )
    losses = jnp.broadcast_to(losses, (len(points["N"]), len(reference)))
    excess = jnp.mean(losses - own, axis=1)
    if of_all:
        return excess, excess
    return jax.vmap(worst_mean, in_axes=(0, None))(losses - reference, share), excess


def _best_sizes(
    risk: _Risk, bits: np.ndarray | None, ends: tuple[float, float]
) -> dict[str, np.ndarray]:
    """The best size of every number of bits, with its tokens, cost and risk, (bits,) each.

    Args:
        risk: what is minimised.
        bits: (bits,), or None if they are not free: one size is found.
        ends: between which sizes are sought.
    """
    rows = np.arange(1 if bits is None else len(bits))
    low, high = (np.full(len(rows), end) for end in ends)
    best: dict[str, np.ndarray] = {}
    for scan in range(_SIZE_SCANS):
        count = _FINER_SIZES if scan else _SIZES
        sizes = low[:, None] * (high / low)[:, None] ** np.linspace(0.0, 1.0, count)
        points = _points(risk.limited, sizes.ravel(), None if bits is None else bits.repeat(count))
        risk.evaluate(points)

        place = points["risk"].reshape(len(rows), count).argmin(axis=1)
        best = {name: each[rows * count + place] for name, each in points.items()}
        # A limit between the best point and its neighbours holds it.
        beyond = (~points["allowed"] | points["held"]).reshape(len(rows), count)
        best["held"] |= beyond.any(axis=1)
        low = sizes[rows, np.maximum(place - 1, 0)]
        high = sizes[rows, np.minimum(place + 1, count - 1)]
    return best


def _points(limited: Limited, sizes: np.ndarray, bits: np.ndarray | None) -> dict[str, np.ndarray]:
    """Sizes and bits (points,) with their tokens and cost, and which of them obey the limits."""
    points = {"N": sizes} if bits is None else {"N": sizes, "P": bits}
    cost, given = limited.cost, {**limited.inputs, **points}
    charged = limited.problem.bound.bits(given) if cost.needs_bits else None
    _, high = limited.bounds.get("D", (None, None))
    tokens = np.asarray(cost.tokens(limited.budget, sizes, charged), float)
    points["D"] = np.minimum(tokens, high or np.inf)
    points["held"] = tokens > points["D"]
    points["C"] = np.asarray(cost.flops(sizes, points["D"], charged), float)
    obey = obeys({**given, **points}, limited.bounds, limited.limits)
    points["allowed"] = obey & (points["D"] > 0)
    return points


def obeys(
    values: Mapping[str, Any], bounds: Mapping[str, Range], limits: Sequence[Limit]
) -> np.ndarray:
    """Whether points obey ranges and limits, but for rounding.

    Args:
        values: variable and input → numbers that broadcast against each other.
        bounds: variable → its range.
        limits: on functions of them.
    """
    holds = np.ones((), bool)
    for name, (low, high) in bounds.items():
        each = np.asarray(values[name], float)
        holds = holds & (each >= (low or 0.0) * (1 - _ROUNDING))
        holds = holds & (each <= (high or np.inf) * (1 + _ROUNDING))
    for function, sense, bound in limits:
        names = [name for name in inspect.signature(function).parameters if name in values]
        value = np.asarray(function(**{name: values[name] for name in names}), float)
        sign = 1.0 if sense == "<=" else -1.0
        holds = holds & (sign * (value - bound) <= _ROUNDING * abs(bound))
    return holds
