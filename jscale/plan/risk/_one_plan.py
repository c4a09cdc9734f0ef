"""One plan for all draws: its search for a budget, and what is reported of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.solve import Minimum, argmin
from jscale._core.status import Status, is_optimum
from jscale._core.text import shown
from jscale.plan.budget import RANGES, BudgetProblem
from jscale.plan.risk._sections import at_dense_kinks

Arrays = Mapping[str, jax.Array]
Given = tuple[Arrays, Sequence[jax.Array]]
"""Other inputs of the law, and the numbers of the cost."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RobustPlan:
    """One plan for all draws; scalars.

    Attributes:
        N: parameters.
        D: training tokens.
        P: training precision in bits; None where the plan has none.
        value: what it minimises, nats per token.
        loss: expected loss.
        regret: expected loss less that of each draw's own plan for the budget, under the same
            limits; NaN where those were not sought: with ``mean`` and ``cvar`` without limits.
        budget: FLOP, or the unit of the cost.
        lost: number of draws that are left out: with ``risk="regret"`` those without an optimum of
            their own, which have no regret; otherwise none.
        status: :class:`~jscale._core.status.Status` code; the numbers are NaN without an optimum.
            Among the worst of many draws kinks may be too dense for derivatives: the plan is then
            found by golden sections, has ``kink``, and its derivatives are NaN.
    """

    N: jax.Array
    D: jax.Array
    P: jax.Array | None
    value: jax.Array
    loss: jax.Array
    regret: jax.Array
    budget: jax.Array
    lost: jax.Array
    status: jax.Array


class BestDesign(NamedTuple):
    """What was found by derivatives, the design, its value, its loss in every draw, a status."""

    minimum: Minimum
    x: jax.Array
    values: dict[str, jax.Array]
    value: jax.Array
    losses: jax.Array
    status: jax.Array


def losses_of(
    problem: BudgetProblem,
    params: Arrays,
    given: Given,
    budget: jax.Array,
) -> Callable[[jax.Array], jax.Array]:
    """The losses of all draws as a function of the coordinates of the search."""
    inputs, cost_values = given
    cost = problem.build_cost(cost_values)

    def losses(x: jax.Array) -> jax.Array:
        return problem.bound.loss(problem.design(cost, inputs, budget, x), params)

    return losses


def best_design(
    problem: BudgetProblem,
    params: Arrays,
    given: Given,
    budget: jax.Array,
    reduce: Callable[[jax.Array], jax.Array],
    *,
    held: bool,
    known: Minimum | None = None,
) -> BestDesign:
    """The design that minimises ``reduce`` of the losses; ``given`` are inputs and cost.

    Its derivatives are left out where it is ``held``; a ``known`` minimum is not sought again.
    """
    inputs, cost_values = given
    cost, names = problem.build_cost(cost_values), problem.coordinates
    losses = losses_of(problem, params, given, budget)
    best = Minimum(jnp.zeros(0, budget.dtype), jnp.asarray(int(Status.converged), jnp.int32))
    upper = jnp.asarray([RANGES[name] for name in names], budget.dtype)
    points = problem.points
    if names:
        best = argmin(lambda x: reduce(losses(x)), -upper, upper, points, known, held=held)
    x, status = best.x, best.status
    if len(names) == 1:
        x, status = at_dense_kinks(lambda x: reduce(losses(x)), x, status, upper[0], points[0])
    each = losses(x)
    values = problem.design(cost, inputs, budget, x)
    return BestDesign(best, x, values, reduce(each), each, status)


def reported(
    best: BestDesign,
    budget: jax.Array,
    known: jax.Array | None = None,
    own: jax.Array | None = None,
) -> RobustPlan:
    """The plan, NaN where it has no optimum.

    Args:
        best: the design.
        budget: that it spends.
        known: (draws,) which draws count; None for all.
        own: mean loss of their own plans, if it is known.
    """

    def mask(number: jax.Array) -> jax.Array:
        return jnp.where(is_optimum(best.status), number, jnp.nan)

    values, known = best.values, jnp.ones(best.losses.shape, bool) if known is None else known
    loss = mean_of(best.losses, known)
    return RobustPlan(
        N=mask(values["N"]),
        D=mask(values["D"]),
        P=mask(values["P"]) if "P" in values else None,
        value=mask(best.value),
        loss=mask(loss),
        regret=mask(loss - (jnp.nan if own is None else own)),
        budget=mask(budget),
        lost=jnp.sum(~known, dtype=jnp.int32),
        status=best.status,
    )


def mean_of(losses: jax.Array, known: jax.Array) -> jax.Array:
    """The mean over the ``known`` draws."""
    return jnp.sum(jnp.where(known, losses, 0.0)) / jnp.sum(known.astype(losses.dtype))


def check_share(name: str, value: Any, with_zero: bool) -> None:
    """Validate a share of the draws.

    Raises:
        JscaleError: not a number from 0 to 1.
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not (0 <= value < 1 if with_zero else 0 < value < 1):
        ends = "at least 0 and below 1" if with_zero else "above 0 and below 1"
        raise JscaleError(f"must be {ends}, not {shown(value)}", argument=name)
