"""Plans without a budget: the cheapest model that is good enough, and the one that is worth its
cost.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import ratio
from jscale._core.checks import check_number
from jscale._core.solve import argmin, root
from jscale._core.status import Status
from jscale.laws import LawFunction, describe
from jscale.plan.budget._problem import MIDDLE_BITS, POINTS, RANGES, BudgetProblem, build_problem
from jscale.plan.budget._search import Plan, best_point, mask_unconverged, solve_one, with_post_bits
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import check_inputs, check_params, check_status, to_arrays

_SMALLEST = 100.0
"""Parameters, and tokens, that the least budget of the search pays for; fewer lie outside of every
law."""
_LARGEST = {"float32": 1e35, "float64": 1e60}
"""The largest budget of the search."""
_BUDGETS, _GIVEN_BUDGETS = 48, 1024
"""Points of the scan over budgets: a spacing of 2.7 in its logarithm where the loss falls all the
way;
of 12% where N or D is given, where it may rise again, and a point costs one evaluation of the law."""
_WORTH = (-46.0, 8.0)
"""Range of ln(price times cost): from 1e-20 to 3,000 nats."""


def cheapest(
    law: LawFunction,
    params: Mapping[str, ArrayLike],
    loss: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """The parameters, tokens and bits that reach a loss at the least cost.

    ``min cost(N, D, P)`` subject to ``L(N, D, P) = loss``: the inverse of
    :func:`~jscale.plan.optimal`, the least budget whose best loss is ``loss``, as a root in the
    logarithm of the budget. Differentiable to any order, under ``jit`` and ``vmap``; at the
    published constants 1e-9 accurate in float64, 5e-5 in float32.

    With ``cost=costs.LifetimeCost(T)`` the plan of a model that serves T tokens: for the two-term
    law ``alpha A N**-alpha / (beta B D**-beta) = 1 + T / (3 D)``, a smaller model on more tokens
    the more it is used.

    Args:
        law: a law of N and D, and of bits where P is asked for.
        params: parameter → scalar or draws.
        loss: nats per token, broadcast against the draws.
        free: what is sought, as in :func:`~jscale.plan.optimal`. Where N or D is given the first
            budget counts at which the loss is reached; one reached within 12% of the budget only
            may be missed.
        cost: as in :func:`~jscale.plan.optimal`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name.

    Returns:
        The plan; its ``budget`` is the least cost. ``Status.no_interior_optimum`` where no budget
        reaches the loss (it is at or below the irreducible one) or all do (from 100 parameters on
        100 tokens to 1e60 FLOP, in float32 1e35).

    Raises:
        JscaleError: a wrong name, a wrong number, a combination that cannot be planned, or, with
            ``throw``, a failure.

    Source: Sardana et al. 2023 (arXiv 2401.00448), eq. 3.
    """
    question, numbers = build_problem(law, free, fixed, cost)
    target = check_number("loss", loss, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), numbers, target)
    plan = _cheapest(question, *arrays)
    if throw:
        check_status(plan.status, f"cheapest plan of {describe(law).name!r}")
    return plan


@functools.partial(jax.jit, static_argnums=0)
def _cheapest(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, target: jax.Array
) -> Plan:
    return over_draws(functools.partial(_cheapest_one, question), params, inputs, numbers, target)


def _cheapest_one(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, target: jax.Array
) -> Plan:
    least = question.price(numbers).flops(
        inputs.get("N", _SMALLEST), inputs.get("D", _SMALLEST), inputs.get("P", MIDDLE_BITS)
    )
    least = lax.stop_gradient(
        jnp.asarray(least, target.dtype)
    )  # the root does not depend on where the search starts

    def excess(log_budget: jax.Array, start: jax.Array) -> jax.Array:
        found = best_point(question, params, inputs, numbers, start * jnp.exp(log_budget)).loss
        return jnp.where(jnp.isnan(found), jnp.inf, found - target)

    points = _BUDGETS if question.coordinates else _GIVEN_BUDGETS
    fractions = jnp.linspace(0, 1, points, dtype=target.dtype)
    grid = fractions * (np.log(_LARGEST[target.dtype.name]) - jnp.log(least))
    reached = lax.stop_gradient(jax.vmap(lambda y: excess(y, least))(grid)) <= 0
    after = jnp.argmax(reached)
    start = least * jnp.exp(grid[jnp.maximum(after - 1, 0)])
    # Counted from the start of the bracket, so that float32 has a small number to resolve.
    log_budget, status = root(lambda y: excess(y, start), jnp.zeros_like(target), grid[1] - grid[0])
    found = reached[after] & (after > 0)
    status = jnp.where(found, status, int(Status.no_interior_optimum))
    solved = status == int(Status.converged)
    plan = solve_one(
        question, params, inputs, numbers, start * jnp.exp(jnp.where(solved, log_budget, 0.0))
    )
    return mask_unconverged(replace(plan, status=jnp.where(solved, plan.status, status)))


def best_value(
    law: LawFunction,
    params: Mapping[str, ArrayLike],
    price: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """The parameters, tokens and bits with the least ``J = L + price * cost``: what a model is
    worth
    training.

    At the optimum the last FLOP buys as much loss as it is worth. For the two-term law and ``6 N
    D`` it is ``C = 6 (g K / (6 price))**(1 / (1 + g))``, with ``g = alpha beta / (alpha + beta)``
    and ``K = A G**-alpha + B G**beta``. Differentiable to any order, under ``jit`` and ``vmap``; at
    the published constants 1e-9 accurate in float64, 5e-5 in float32.

    Args:
        law: a law of N and D, and of bits where P is asked for.
        params: parameter → scalar or draws.
        price: nats per token that one FLOP must save, broadcast against the draws.
        free: what is sought, as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name.

    Returns:
        The plan; ``J`` is ``plan.loss + price * plan.budget``. ``Status.no_interior_optimum`` where
        no budget is the best (from 1e-20 to 3,000 nats' worth of it).

    Raises:
        JscaleError: a wrong name, a wrong number, a combination that cannot be planned, or, with
            ``throw``, a failure.

    Source: derived from Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2 and 4, by ``dL/dC =
        -price``.
    """
    question, numbers = build_problem(law, free, fixed, cost)
    price = check_number("price", price, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), numbers, price)
    plan = _best_value(question, *arrays)
    if throw:
        check_status(plan.status, f"plan of best value of {describe(law).name!r}")
    return plan


@functools.partial(jax.jit, static_argnums=0)
def _best_value(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, price: jax.Array
) -> Plan:
    return over_draws(functools.partial(_best_value_one, question), params, inputs, numbers, price)


def _best_value_one(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, price: jax.Array
) -> Plan:
    def find(question: BudgetProblem, inputs: Any) -> tuple[Plan, jax.Array]:
        cost = question.price(numbers)

        def at(x: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
            """Inputs of the law and the budget; the last coordinate is ln(price * budget)."""
            budget = ratio(jnp.exp(x[-1]), price)
            return question.place(cost, inputs, budget, x[:-1]), budget

        def total(x: jax.Array) -> jax.Array:
            return question.bound.loss(at(x)[0], params) + jnp.exp(x[-1])

        upper = jnp.asarray(
            [*(RANGES[name] for name in question.coordinates), _WORTH[1]], price.dtype
        )
        lower = jnp.asarray(
            [*(-RANGES[name] for name in question.coordinates), _WORTH[0]], price.dtype
        )
        best = argmin(
            total, lower, upper, [*(POINTS[name] for name in question.coordinates), _BUDGETS]
        )
        values, budget = at(best.x)
        loss = question.bound.loss(values, params)
        return Plan(values["N"], values["D"], values.get("P"), loss, budget, best.status), total(
            best.x
        )

    return mask_unconverged(with_post_bits(question, inputs, find))
