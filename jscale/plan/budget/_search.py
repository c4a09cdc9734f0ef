"""The search for the optimum of a budget problem."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from jscale._core.solve import argmin
from jscale._core.status import Status, is_optimum
from jscale.plan.budget._problem import MIDDLE_BITS, RANGES, Arrays, BudgetProblem, grid_points
from jscale.plan.problem import POST


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Plan:
    """The best use of a budget.

    All arrays have one shape, that of the draws broadcast against the budget.

    Attributes:
        N_opt: parameters.
        D_opt: training tokens.
        P_opt: training precision in bits; None where the plan has no P.
        loss: least loss, nats per token.
        budget: FLOP, or the unit of the cost.
        status: :class:`~jscale._core.status.Status` codes; the numbers are NaN unless it is
            ``converged``, ``kink`` or ``flat``.
    """

    N_opt: jax.Array
    D_opt: jax.Array
    P_opt: jax.Array | None
    loss: jax.Array
    budget: jax.Array
    status: jax.Array


Solver = Callable[[BudgetProblem, Arrays], tuple[Plan, jax.Array]]
"""A problem and the inputs of the law → a plan and the value that it minimises."""


def solve_one(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budget: jax.Array,
) -> Plan:
    """The plan for scalar parameters, inputs and budget; NaN where there is no optimum."""
    best = best_point(problem, params, inputs, cost_values, budget)
    return replace(mask_unconverged(best), budget=budget)


def best_point(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budget: jax.Array,
) -> Plan:
    """The best point in the range of the search, whether or not it is an optimum."""

    def solve(problem: BudgetProblem, inputs: Arrays) -> tuple[Plan, jax.Array]:
        plan = _search(problem, params, inputs, cost_values, budget)
        return plan, plan.loss

    return with_post_bits(problem, inputs, solve)


def with_post_bits(problem: BudgetProblem, inputs: Arrays, solve: Solver) -> Plan:
    """The better of two plans: with P free, and with ``P = P_post``.

    At ``P = P_post`` the degradation drops to zero discontinuously, so neither derivatives nor a
    grid reveal that minimum.
    """
    inside, inside_value = solve(problem, inputs)
    if "P" not in problem.free or POST not in inputs:
        return inside

    finite = jnp.isfinite(inputs[POST])
    at_post = {**inputs, "P": jnp.where(finite, inputs[POST], MIDDLE_BITS)}
    edge, edge_value = solve(replace(problem, free=problem.free - {"P"}), at_post)

    # The search inside may end a rounding away from the jump: P_post itself is preferred.
    tolerance = 8 * jnp.finfo(edge_value.dtype).eps * jnp.abs(edge_value)
    use_edge = finite & is_optimum(edge.status) & (edge_value <= inside_value + tolerance)
    return jax.tree.map(lambda e, i: jnp.where(use_edge, e, i), edge, inside)


def mask_unconverged(plan: Plan) -> Plan:
    """The plan with NaN where it has no optimum."""
    converged = is_optimum(plan.status)
    numbers = replace(plan, status=None)
    masked = jax.tree.map(lambda v: jnp.where(converged, v, jnp.nan), numbers)
    return replace(masked, status=plan.status)


def _search(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budget: jax.Array,
) -> Plan:
    cost, bound = problem.build_cost(cost_values), problem.bound
    names = problem.coordinates

    def design(x: jax.Array) -> dict[str, jax.Array]:
        return problem.design(cost, inputs, budget, x)

    if names:
        upper = jnp.asarray([RANGES[name] for name in names], budget.dtype)
        points = grid_points(names)
        best = argmin(lambda x: bound.loss(design(x), params), -upper, upper, points)
        values, status = design(best.x), best.status
        loss = bound.loss(values, params)
    else:
        # The budget determines the design, which is a plan wherever the law has a loss.
        values = design(jnp.zeros(0, budget.dtype))
        loss = bound.loss(values, params)
        failed = jnp.where(
            jnp.isnan(loss), int(Status.not_converged), int(Status.no_interior_optimum)
        )
        status = jnp.where(jnp.isfinite(loss), int(Status.converged), failed).astype(jnp.int32)
    return Plan(values["N"], values["D"], values.get("P"), loss, budget, status)
