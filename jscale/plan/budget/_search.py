"""The search for the optimum of a budget problem."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jscale._core.solve import argmin
from jscale._core.status import Status
from jscale.plan.budget._problem import MIDDLE_BITS, POINTS, RANGES, BudgetProblem
from jscale.plan.problem import POST


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Plan:
    """The best use of a budget; arrays of one shape, that of the draws broadcast against the
    budget.

    Attributes:
        N_opt: parameters.
        D_opt: training tokens.
        P_opt: training precision in bits; None where the plan has no P.
        loss: least loss, nats per token.
        budget: FLOP, or the unit of the cost.
        status: :class:`~jscale._core.status.Status` codes; the numbers are NaN where it is not
            ``converged``.
    """

    N_opt: jax.Array
    D_opt: jax.Array
    P_opt: jax.Array | None
    loss: jax.Array
    budget: jax.Array
    status: jax.Array


def solve_one(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, budget: jax.Array
) -> Plan:
    """The plan for scalar parameters, inputs and budget; NaN where there is none."""
    return replace(
        mask_unconverged(best_point(question, params, inputs, numbers, budget)), budget=budget
    )


def best_point(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, budget: jax.Array
) -> Plan:
    """The best point in the range of the search, whether or not it is an optimum."""

    def find(question: BudgetProblem, inputs: Any) -> tuple[Plan, jax.Array]:
        plan = _search(question, params, inputs, numbers, budget)
        return plan, plan.loss

    return with_post_bits(question, inputs, find)


def with_post_bits(
    question: BudgetProblem, inputs: Any, find: Callable[..., tuple[Plan, jax.Array]]
) -> Plan:
    """The better, by its second output, of what ``find`` finds anywhere and at ``P = P_post``.

    There the degradation jumps to nothing: a minimum that no derivative and no grid can see.
    """
    best, value = find(question, inputs)
    if "P" not in question.free or POST not in inputs:
        return best
    finite = jnp.isfinite(inputs[POST])
    given = {**inputs, "P": jnp.where(finite, inputs[POST], MIDDLE_BITS)}
    edge, at_edge = find(replace(question, free=question.free - {"P"}), given)
    better = finite & (edge.status == int(Status.converged)) & (at_edge <= value)
    return jax.tree.map(lambda at_edge, inside: jnp.where(better, at_edge, inside), edge, best)


def mask_unconverged(plan: Plan) -> Plan:
    """The plan with NaN where it did not converge."""
    found = plan.status == int(Status.converged)
    hidden = jax.tree.map(lambda v: jnp.where(found, v, jnp.nan), replace(plan, status=None))
    return replace(hidden, status=plan.status)


def _search(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, budget: jax.Array
) -> Plan:
    cost, bound = question.price(numbers), question.bound
    place = functools.partial(question.place, cost, inputs, budget)
    names = question.coordinates
    if names:
        upper = jnp.asarray([RANGES[name] for name in names], budget.dtype)
        best = argmin(
            lambda x: bound.loss(place(x), params), -upper, upper, [POINTS[name] for name in names]
        )
        values, status = place(best.x), best.status
        loss = bound.loss(values, params)
    else:
        values = place(jnp.zeros(0, budget.dtype))
        loss = bound.loss(values, params)
        failed = jnp.where(
            jnp.isnan(loss), int(Status.not_converged), int(Status.no_interior_optimum)
        )
        status = jnp.where(jnp.isfinite(loss), int(Status.converged), failed).astype(jnp.int32)
    return Plan(values["N"], values["D"], values.get("P"), loss, budget, status)
