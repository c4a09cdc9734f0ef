"""Plans without a budget: the least cost of a given loss, and the best loss for its price."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import ratio
from jscale._core.checks import check_number, is_traced
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import Bracket, Minimum, approach, argmin, crossing, held_root
from jscale._core.status import Status
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget._problem import (
    MIDDLE_BITS,
    RANGES,
    Arrays,
    BudgetProblem,
    build_problem,
    grid_points,
)
from jscale.plan.budget._search import (
    Minima,
    Plan,
    best_point,
    mark_smooth,
    mask_unconverged,
    with_post_bits,
)
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import in_padded_batches, over_draws
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays

_MIN_COUNT = 100.0
"""Parameters, and tokens, that the smallest budget of the search pays for.

Smaller counts are outside the range of every law.
"""
_MAX_BUDGET = {"float32": 1e35, "float64": 1e60}
"""The largest budget of the search, FLOP."""
BUDGET_RANGE = {name: (6 * _MIN_COUNT**2, largest) for name, largest in _MAX_BUDGET.items()}
"""The least and the largest budget of a search for the least cost."""
_BUDGET_POINTS, _BUDGET_POINTS_ONE_FREE = 48, 1024
"""Points of the scan over budgets.

A spacing of 2.7 in the logarithm of the budget for the best value. A spacing of 12% for the least
cost where N or D is fixed: there the loss may increase again, and a point costs a single evaluation
of the law.
"""
_HALVINGS = 6
"""Of the range of budgets, 126 in the logarithm, where a rough search finds none that is enough."""
_ROUGH_POINTS = {"P": 12, "N": 16}
"""Points of the grid of the rough search, which Newton's method then follows."""
_LOG_COST_RANGE = (-46.0, 8.0)
"""Range of ln(price times cost): from 1e-20 to 3,000 nats."""


@in_default_settings
def cheapest(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    loss: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """Parameters, tokens and bits that reach a loss at the least cost.

    ``min cost(N, D, P)`` subject to ``L(N, D, P) = loss``: the inverse of
    :func:`~jscale.plan.optimal`. It is the smallest budget whose best loss is ``loss``, found as a
    root in the logarithm of the budget. Differentiable to any order, under ``jit`` and ``vmap``; at
    the published constants 1e-9 accurate in float64, 5e-5 in float32.

    With ``cost=costs.LifetimeCost(T)`` it is the plan of a model that serves T tokens: for the
    two-term law ``alpha A N**-alpha / (beta B D**-beta) = 1 + T / (3 D)``, a smaller model on more
    tokens the more it is used.

    Args:
        law: a law of N and D, and of bits if P is free or given; or the name of one.
        params: parameter → scalar or draws.
        loss: nats per token, broadcast against the draws.
        free: the variables to choose, as in :func:`~jscale.plan.optimal`. Where N or D is fixed,
            the result is the first budget at which the loss is reached; a loss that is only reached
            within a budget range of 12% may be missed.
        cost: as in :func:`~jscale.plan.optimal`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name.

    Returns:
        The plan; its ``budget`` is the least cost. ``Status.no_interior_optimum`` where no budget
        reaches the loss (it is at or below the irreducible one) or all do (from 100 parameters on
        100 tokens to 1e60 FLOP, in float32 1e35).

    Raises:
        JscaleError: an unknown name, an invalid number, variables that do not make a problem, or,
            with ``throw``, a solve that did not converge.

    Source: Sardana et al. 2023 (arXiv 2401.00448), eq. 3.

    Example:
        A loss of 2.0 with the least training compute:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> best = plan.cheapest(laws.chinchilla, theta, loss=2.0)
        >>> print(f"{best.budget:.2e} FLOP for {best.N_opt:.2e} parameters")
        7.80e+22 FLOP for 1.62e+10 parameters
    """
    law = as_law(law)
    problem, cost_values = build_problem(law, free, fixed, cost)
    target = check_number("loss", loss, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), cost_values, target)

    plan = in_padded_batches(functools.partial(_cheapest, problem), *arrays)
    if throw:
        check_status(plan.status, f"cheapest plan of {describe(law).name!r}")
    return plan


def _cheapest(problem: BudgetProblem, *numbers: Any) -> Plan:
    least = in_padded_batches(
        lambda *each: _find_cheapest(problem, each), *lax.stop_gradient(numbers)
    )
    least = least._replace(minima=mark_smooth(least.minima))
    return _report_cheapest(problem, numbers, least, held=not is_traced(numbers))


class _Least(NamedTuple):
    """The least budget, the minima of the loss there, and whether it is one."""

    budget: jax.Array
    minima: Minima
    status: jax.Array


@program("problem", small=FEW)
def _find_cheapest(problem: BudgetProblem, numbers: tuple[Any, ...]) -> _Least:
    return over_draws(functools.partial(_cheapest_one, problem), *numbers)


@program("problem", "held", small=FEW)
def _report_cheapest(
    problem: BudgetProblem, numbers: tuple[Any, ...], least: _Least, *, held: bool
) -> Plan:
    plan = functools.partial(_cheapest_plan, problem, held=held)
    return over_draws(plan, *numbers, known=least)


def _cheapest_one(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    target: jax.Array,
) -> _Least:
    bits = problem.bound.bits(inputs) if "P" not in problem.free else None
    min_budget = problem.build_cost(cost_values).flops(
        inputs.get("N", _MIN_COUNT),
        inputs.get("D", _MIN_COUNT),
        MIDDLE_BITS if bits is None else bits,
    )
    min_budget = jnp.asarray(min_budget, target.dtype)

    def rough(x: jax.Array, base: jax.Array, offset: jax.Array) -> jax.Array:
        cost = problem.build_cost(cost_values)
        design = problem.design(cost, inputs, budget_at(base, offset), x)
        return problem.bound.loss(design, params) - target

    def excess(base: jax.Array, offset: jax.Array) -> tuple[jax.Array, jax.Array, Minima]:
        """What the best loss exceeds the target by, its derivative, and the minima.

        To first order the least loss changes as if the minimum stayed in its place.
        """
        budget = budget_at(base, offset)
        best, minima = best_point(problem, params, inputs, cost_values, budget, held=True)

        def at_same_place(y: jax.Array) -> jax.Array:
            budget = budget_at(base, y)
            return best_point(
                problem, params, inputs, cost_values, budget, known=minima, held=True
            )[0].loss

        slope = jax.jvp(at_same_place, (offset,), (jnp.ones_like(offset),))[1]
        return best.loss - target, slope, minima

    def budget_at(base: jax.Array, offset: jax.Array) -> jax.Array:
        return min_budget * jnp.exp(base) * jnp.exp(offset)

    end = np.log(_MAX_BUDGET[target.dtype.name]) - jnp.log(min_budget)
    resolution = 2 * jnp.finfo(target.dtype).eps * target
    if {"N", "D"} <= problem.free:
        names = problem.coordinates
        upper = jnp.asarray([RANGES[name] for name in names], target.dtype)
        near = approach(rough, (-upper, upper), [_ROUGH_POINTS[name] for name in names], end)
        least = crossing(excess, end, _HALVINGS, near, resolution)
    else:
        bracket = _scan(lambda y: excess(jnp.zeros_like(y), y)[0], end)
        least = crossing(excess, bracket, resolution=resolution)
    return _Least(budget_at(least.base, least.offset), least.extra, least.status)


def _scan(excess: Callable[[jax.Array], jax.Array], end: jax.Array) -> Bracket:
    """The bracket where the loss may increase again: the first budget of a scan that reaches it."""
    grid = jnp.linspace(0, 1, _BUDGET_POINTS_ONE_FREE, dtype=end.dtype) * end
    values = jax.vmap(excess)(grid)
    after = jnp.argmax(values <= 0)
    before = jnp.maximum(after - 1, 0)
    ends = jnp.stack([values[before], values[after]])
    usable = (values[after] <= 0) & (after > 0)
    return Bracket(
        grid[before], grid[1] - grid[0], jnp.where(jnp.isnan(ends), jnp.inf, ends), usable
    )


def _cheapest_plan(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    target: jax.Array,
    *,
    known: _Least,
    held: bool,
) -> Plan:
    """The plan of the least budget; unless it is held with the derivatives of that budget.

    They are those of the root of the excess loss.
    """
    known = lax.stop_gradient(known)

    def at(log_budget: jax.Array) -> Plan:
        budget = known.budget * jnp.exp(log_budget)
        plan, _ = best_point(
            problem, params, inputs, cost_values, budget, known=known.minima, held=held
        )
        return replace(plan, budget=budget)

    converged = known.status == int(Status.converged)
    log_budget = jnp.zeros_like(target)
    if not held:
        log_budget = held_root(lambda y: at(y).loss - target, log_budget, converged)
    plan = at(log_budget)
    return mask_unconverged(replace(plan, status=jnp.where(converged, plan.status, known.status)))


@in_default_settings
def best_value(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    price: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """Parameters, tokens and bits with the least ``J = L + price * cost``.

    At the optimum one more FLOP lowers the loss by exactly ``price``. For the two-term law and ``6
    N D`` the budget is ``C = 6 (g K / (6 price))**(1 / (1 + g))``, with ``g = alpha beta / (alpha +
    beta)`` and ``K = A G**-alpha + B G**beta``. Differentiable to any order, under ``jit`` and
    ``vmap``; at the published constants 1e-9 accurate in float64, 5e-5 in float32.

    Args:
        law: a law of N and D, and of bits if P is free or given; or the name of one.
        params: parameter → scalar or draws.
        price: nats per token that one FLOP must save, broadcast against the draws.
        free: the variables to choose, as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name.

    Returns:
        The plan; ``J`` is ``plan.loss + price * plan.budget``. ``Status.no_interior_optimum`` where
        no budget in the range of the search is the best (``price * cost`` from 1e-20 to 3,000
        nats).

    Raises:
        JscaleError: an unknown name, an invalid number, variables that do not make a problem, or,
            with ``throw``, a solve that did not converge.

    Source: derived from Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2 and 4, by ``dL/dC =
        -price``.

    Example:
        How much to train if 1e24 FLOP must save one nat per token:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> best = plan.best_value(laws.chinchilla, theta, price=1e-24)
        >>> print(f"{best.budget:.2e} FLOP, loss {best.loss:.3f}")
        5.07e+22 FLOP, loss 2.021
    """
    law = as_law(law)
    problem, cost_values = build_problem(law, free, fixed, cost)
    price = check_number("price", price, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), cost_values, price)

    plan = in_padded_batches(functools.partial(_best_value, problem), *arrays)
    if throw:
        check_status(plan.status, f"plan of best value of {describe(law).name!r}")
    return plan


def _best_value(problem: BudgetProblem, *numbers: Any) -> Plan:
    found = in_padded_batches(
        lambda *each: _find_best_value(problem, each), *lax.stop_gradient(numbers)
    )
    return _report_best_value(problem, numbers, mark_smooth(found), held=not is_traced(numbers))


@program("problem", small=FEW)
def _find_best_value(problem: BudgetProblem, numbers: tuple[Any, ...]) -> Minima:
    return over_draws(lambda *each: _best_value_one(problem, *each, held=True)[1], *numbers)


@program("problem", "held", small=FEW)
def _report_best_value(
    problem: BudgetProblem, numbers: tuple[Any, ...], minima: Minima, *, held: bool
) -> Plan:
    def report(*each: Any, known: Minima) -> Plan:
        return mask_unconverged(_best_value_one(problem, *each, known=known, held=held)[0])

    return over_draws(report, *numbers, known=minima)


def _best_value_one(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    price: jax.Array,
    *,
    known: Minima = (),
    held: bool,
) -> tuple[Plan, Minima]:
    def solve(
        problem: BudgetProblem, inputs: Arrays, minimum: Minimum | None
    ) -> tuple[Plan, jax.Array, Minimum]:
        cost = problem.build_cost(cost_values)

        def design(x: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
            """Inputs of the law and the budget; the last coordinate is ln(price * budget)."""
            budget = ratio(jnp.exp(x[-1]), price)
            return problem.design(cost, inputs, budget, x[:-1]), budget

        def objective(x: jax.Array) -> jax.Array:
            values, _ = design(x)
            return problem.bound.loss(values, params) + jnp.exp(x[-1])

        half_ranges = [RANGES[name] for name in problem.coordinates]
        lower = jnp.asarray([*(-r for r in half_ranges), _LOG_COST_RANGE[0]], price.dtype)
        upper = jnp.asarray([*half_ranges, _LOG_COST_RANGE[1]], price.dtype)
        points = [*grid_points(problem.coordinates), _BUDGET_POINTS]
        best = argmin(objective, lower, upper, points, minimum, held=held)

        values, budget = design(best.x)
        loss = problem.bound.loss(values, params)
        plan = Plan(values["N"], values["D"], values.get("P"), loss, budget, best.status)
        return plan, objective(best.x), best

    return with_post_bits(problem, inputs, solve, known)
