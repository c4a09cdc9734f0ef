"""The search for the optimum of a budget problem."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import is_traced
from jscale._core.solve import Minimum, argmin
from jscale._core.status import Status, is_optimum
from jscale.plan.budget._problem import MIDDLE_BITS, RANGES, Arrays, BudgetProblem
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


Minima = tuple[Minimum, ...]
"""Where the minima are: of the search, and of that with ``P = P_post`` where there is one."""
Solver = Callable[[BudgetProblem, Arrays, Minimum | None], tuple[Plan, jax.Array, Minimum]]
"""A problem, inputs of the law and a minimum found before → a plan, what it minimises, and where.
"""


def need_kinks(minima: Minima) -> bool:
    """Whether Newton's method did not converge to one of the minima: a kink may be there."""
    failed = int(Status.not_converged)
    return any(bool(np.any(np.asarray(minimum.status) == failed)) for minimum in minima)


def mark_smooth(minima: Minima) -> Minima:
    """The minima, marked where it is known that none is at a kink: smooth ones need less code."""

    def marked(minimum: Minimum) -> Minimum:
        smooth = not is_traced(minimum) and not np.any(
            np.asarray(minimum.status) == int(Status.kink)
        )
        return replace(minimum, smooth=smooth)

    return tuple(map(marked, minima))


def solve_one(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budget: jax.Array,
    *,
    known: Minima = (),
    held: bool = False,
) -> Plan:
    """The plan for scalar parameters, inputs and budget; NaN where there is no optimum."""
    best, _ = best_point(problem, params, inputs, cost_values, budget, known=known, held=held)
    return replace(mask_unconverged(best), budget=budget)


def best_point(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budget: jax.Array,
    *,
    known: Minima = (),
    held: bool = False,
    kinks: bool = True,
) -> tuple[Plan, Minima]:
    """The best point in the range of the search, whether or not it is an optimum, and the minima.

    Args:
        problem: the law, the cost and the free variables.
        params: of the law.
        inputs: of the law.
        cost_values: numbers of the cost.
        budget: to spend.
        known: the minima, where an earlier call with the same numbers found them.
        held: whether they stay where they are when numbers change: without their derivatives.
        kinks: whether to search for a kink where Newton's method does not converge.
    """

    def solve(
        problem: BudgetProblem, inputs: Arrays, minimum: Minimum | None
    ) -> tuple[Plan, jax.Array, Minimum]:
        given = params, inputs, cost_values
        plan, best = _search(problem, given, budget, known=minimum, held=held, kinks=kinks)
        return plan, plan.loss, best

    return with_post_bits(problem, inputs, solve, known)


def with_post_bits(
    problem: BudgetProblem, inputs: Arrays, solve: Solver, known: Minima
) -> tuple[Plan, Minima]:
    """The better of two plans: with P free, and with ``P = P_post``.

    At ``P = P_post`` the degradation drops to zero discontinuously, so neither derivatives nor a
    grid reveal that minimum.
    """
    first, second = (*known, None, None)[:2]
    inside, inside_value, least = solve(problem, inputs, first)
    if "P" not in problem.free or POST not in inputs:
        return inside, (least,)

    finite = jnp.isfinite(inputs[POST])
    at_post = {**inputs, "P": jnp.where(finite, inputs[POST], MIDDLE_BITS)}
    fewer = replace(problem, free=problem.free - {"P"})
    edge, edge_value, at_edge = solve(fewer, at_post, second)

    # The search inside may end a rounding away from the jump: P_post itself is preferred.
    tolerance = 8 * jnp.finfo(edge_value.dtype).eps * jnp.abs(edge_value)
    use_edge = finite & is_optimum(edge.status) & (edge_value <= inside_value + tolerance)
    return jax.tree.map(lambda e, i: jnp.where(use_edge, e, i), edge, inside), (least, at_edge)


def mask_unconverged(plan: Plan) -> Plan:
    """The plan with NaN where it has no optimum."""
    converged = is_optimum(plan.status)
    numbers = replace(plan, status=None)
    masked = jax.tree.map(lambda v: jnp.where(converged, v, jnp.nan), numbers)
    return replace(masked, status=plan.status)


def _search(
    problem: BudgetProblem,
    given: tuple[Arrays, Arrays, Sequence[jax.Array]],
    budget: jax.Array,
    *,
    known: Minimum | None,
    held: bool,
    kinks: bool,
) -> tuple[Plan, Minimum]:
    params, inputs, cost_values = given
    cost, bound = problem.build_cost(cost_values), problem.bound
    names, dtype = problem.coordinates, budget.dtype

    def design(x: jax.Array) -> dict[str, jax.Array]:
        return problem.design(cost, inputs, budget, x)

    if names:
        upper = jnp.asarray([RANGES[name] for name in names], dtype)
        known = argmin(
            lambda x: bound.loss(design(x), params),
            -upper,
            upper,
            problem.points,
            known,
            held=held,
            kinks=kinks,
        )
    minimum = known or Minimum(jnp.zeros(0, dtype), jnp.asarray(int(Status.converged), jnp.int32))
    values, status = design(minimum.x), minimum.status
    loss = bound.loss(values, params)
    if not names:
        # The budget determines the design, which is a plan wherever the law has a loss.
        failed = jnp.where(
            jnp.isnan(loss), int(Status.not_converged), int(Status.no_interior_optimum)
        )
        status = jnp.where(jnp.isfinite(loss), int(Status.converged), failed).astype(jnp.int32)
    return Plan(values["N"], values["D"], values.get("P"), loss, budget, status), minimum
