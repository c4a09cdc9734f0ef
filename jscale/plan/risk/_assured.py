"""The cheapest plan that reaches a loss with a probability over the draws."""

import math
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import Minimum, crossing, held_root
from jscale._core.status import Status
from jscale.laws import LawFunction, as_law
from jscale.plan.budget import BUDGET_RANGE, BudgetProblem, build_problem
from jscale.plan.costs import Cost
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays
from jscale.plan.risk._bands import count_draws
from jscale.plan.risk._one_plan import (
    Arrays,
    BestDesign,
    RobustPlan,
    best_design,
    check_share,
    losses_of,
    reported,
)

_HALVINGS = 6
"""Of the range of budgets, 126 in the logarithm, before Newton's method."""


@in_default_settings
def assured(
    law: LawFunction | str,
    draws: Mapping[str, ArrayLike],
    loss: ArrayLike,
    probability: float,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> RobustPlan:
    """The cheapest plan that reaches a loss with a given probability over the draws.

    The budget at which the least quantile of the loss, over all plans of that budget, is ``loss``:
    of ``n`` draws at least ``ceil(probability n)`` reach it. Differentiable to any order.

    Args:
        law: a law of N and D, and of bits if P is free or given; or the name of one.
        draws: parameter → (draws,) or scalar.
        loss: the target, nats per token.
        probability: that the plan reaches it, above 0 and below 1.
        free: as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        throw: raise where no budget reaches it (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs, scalars.

    Returns:
        The plan; ``Status.infeasible`` where no budget reaches the loss in enough draws, as below
        their irreducible loss. ``value`` is the quantile of the loss.

    Raises:
        JscaleError: a probability that is not between 0 and 1, or as
            :func:`~jscale.plan.cheapest`.

    Example:
        >>> from jscale import laws, plan
        >>> draws = laws.params(laws.chinchilla) | {"E": [1.76, 1.78, 1.8, 1.82, 1.84]}
        >>> likely = plan.assured(laws.chinchilla, draws, loss=2.0, probability=0.75)
        >>> print(f"{likely.budget:.2e} FLOP")
        2.43e+24 FLOP
    """
    law = as_law(law)
    check_share("probability", probability, with_zero=False)
    problem, cost_values = build_problem(law, free, fixed, cost)
    target = check_number("loss", loss, above=0.0)
    params = check_params(law, draws)
    count = count_draws(params)
    # The least share of the draws that is at least the probability, apart from rounding.
    needed = math.ceil(round(probability * count, 9))
    numbers = check_inputs(law, fixed), cost_values, target, float(needed - 1)
    params, *given = to_arrays(params, *numbers)
    held = not is_traced(params, given)
    plan = _assured(problem, count, params, tuple(given), held=held)
    if throw:
        check_status(plan.status, "assured plan")
    return plan


@program("problem", "count", "held", small=FEW)
def _assured(
    problem: BudgetProblem,
    count: int,
    params: Arrays,
    given: tuple[Arrays, Sequence[jax.Array], jax.Array, jax.Array],
    *,
    held: bool,
) -> RobustPlan:
    inputs, cost_values, target, last = given
    params = {name: jnp.broadcast_to(value, (count,)) for name, value in params.items()}

    def reduce(losses: jax.Array) -> jax.Array:
        return jnp.sort(losses)[last.astype(jnp.int32)]

    least, largest = jnp.asarray(BUDGET_RANGE[target.dtype.name], target.dtype)
    fixed = lax.stop_gradient((params, (inputs, cost_values), target))

    def evaluate(base: jax.Array, offset: jax.Array) -> tuple[jax.Array, jax.Array, Minimum]:
        """What the least quantile exceeds the target by, its derivative, and the minimum.

        The derivative is that of the design's own quantile.
        """
        params, given, target = fixed
        budget = least * jnp.exp(base) * jnp.exp(offset)
        best = best_design(problem, params, given, budget, reduce, held=True)

        def at_same_place(offset: jax.Array) -> jax.Array:
            budget = least * jnp.exp(base) * jnp.exp(offset)
            return reduce(losses_of(problem, params, given, budget)(best.x))

        slope = jax.jvp(at_same_place, (offset,), (jnp.ones_like(offset),))[1]
        return best.value - target, slope, best.minimum

    width, resolution = jnp.log(largest) - jnp.log(least), 2 * jnp.finfo(target.dtype).eps * target
    least_budget = crossing(evaluate, width, _HALVINGS, resolution=resolution)
    converged = least_budget.status == int(Status.converged)
    start = least * jnp.exp(least_budget.base) * jnp.exp(least_budget.offset)

    def at(log_budget: jax.Array) -> BestDesign:
        budget, minimum = start * jnp.exp(log_budget), least_budget.extra
        return best_design(
            problem, params, (inputs, cost_values), budget, reduce, held=held, known=minimum
        )

    log_budget = jnp.zeros_like(target)
    if not held:
        log_budget = held_root(lambda y: at(y).value - target, log_budget, converged)
    budget, best = start * jnp.exp(log_budget), at(log_budget)
    status = jnp.where(converged, best.status, int(Status.infeasible)).astype(jnp.int32)
    return reported(best._replace(status=status), budget)
