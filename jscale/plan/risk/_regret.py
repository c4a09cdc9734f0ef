"""Plans against draws of the parameters: their losses, their regret, and which of two is better."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.status import is_optimum
from jscale._core.text import enumerated
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget import BudgetProblem, best_point, build_problem, solve_one
from jscale.plan.costs import Cost
from jscale.plan.problem import FEW, BoundLaw, bind, check_inputs, check_params, to_arrays
from jscale.plan.risk._bands import count_draws

Arrays = Mapping[str, jax.Array]
_SAME_COST = 6
"""Decimals of the logarithm of costs that count as equal: float32 keeps so many."""
_CHUNK = 16
"""Plans whose losses are computed together: more do not fit the cache of a core."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Regret:
    """What plans lose by not knowing the parameters; arrays of shape (plans,).

    Attributes:
        nats: expected regret: loss of the plan minus that of each draw's own optimum at its cost.
        flops: expected compute, in the unit of the cost, that the plan wastes: its cost minus the
            least cost of its loss. Times the dollars per FLOP it is the regret in dollars.
        loss: expected loss.
        cost: of each plan.
        lost: number of draws that are left out of every mean: those without an optimum, which have
            no regret, and those whose optimal loss does not fall with the budget.
    """

    nats: jax.Array
    flops: jax.Array
    loss: jax.Array
    cost: jax.Array
    lost: jax.Array


class Optima(NamedTuple):
    """Optimal loss and its two derivatives by the logarithm of the budget; (budgets, draws)."""

    level: jax.Array
    first: jax.Array
    second: jax.Array
    has_optimum: jax.Array


@in_default_settings
def regret(
    law: LawFunction | str,
    draws: Mapping[str, ArrayLike],
    plans: Mapping[str, ArrayLike],
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    **fixed: ArrayLike,
) -> Regret:
    """Expected regret of given plans over draws, in nats and in compute.

    The regret of a plan in a draw is its loss minus that of the draw's own optimum for the same
    cost. In compute it is the part of the cost that the optimum would not need for the plan's loss;
    the optimal loss is continued as ``a + b C**-g`` from its value and two derivatives at the
    plan's cost, which is exact for the two-term law. The optima are solved once a draw where all
    plans cost the same.

    Args:
        law: a law of N and D, or the name of one.
        draws: parameter → (draws,) or scalar.
        plans: N, D, and P where it is free, → (plans,) or scalar.
        free: what the optimum may choose, as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        **fixed: other inputs, scalars.

    Raises:
        JscaleError: an unknown name, an invalid number, plans without N or D, or draws of unequal
            length.

    Example:
        Two plans for 6e22 FLOP, where the floor is uncertain: the floor alone changes no optimum.

        >>> from jscale import laws, plan
        >>> draws = laws.params(laws.chinchilla) | {"E": [1.7, 1.8, 1.9]}
        >>> plans = {"N": [1e10, 1e9], "D": [1e12, 1e13]}
        >>> wasted = plan.regret(laws.chinchilla, draws, plans).flops / 6e22
        >>> print([f"{float(share):.0%}" for share in wasted])
        ['4%', '88%']
    """
    law = as_law(law)
    if is_traced(draws, plans, fixed):
        raise JscaleError("regret compares costs as numbers: call it outside of jit, vmap and grad")
    problem, cost_values = build_problem(law, free, fixed, cost)
    needed = ("N", "D", "P") if "P" in problem.free else ("N", "D")
    if missing := [name for name in needed if name not in plans]:
        raise JscaleError(f"lack {enumerated(missing)}", argument="plans")
    given = {name: check_number(name, value, above=0.0) for name, value in plans.items()}
    params = check_params(law, draws)
    count = count_draws(params)
    arrays = to_arrays(params, check_inputs(law, fixed), cost_values, given)
    params, inputs, cost_values, given = arrays
    size = jnp.broadcast_shapes((1,), *(value.shape for value in given.values()))
    given = {name: jnp.broadcast_to(value, size) for name, value in given.items()}
    params = {name: jnp.broadcast_to(value, (count,)) for name, value in params.items()}

    spent = problem.build_cost(cost_values).flops(
        given["N"], given["D"], problem.bound.bits({**inputs, **given})
    )
    spent = jnp.broadcast_to(jnp.asarray(spent, given["N"].dtype), size)
    # Costs that differ by rounding alone share their optima.
    rounded = np.round(np.log(np.asarray(spent, np.float64)), _SAME_COST)
    _, first, index = np.unique(rounded, return_index=True, return_inverse=True)
    optima = _optima(problem, params, inputs, cost_values, spent[first])
    with_cost = given, spent, jnp.asarray(index.reshape(size))
    return _regret(problem.bound, params, inputs, with_cost, optima)


@program("problem", small=FEW)
def _optima(
    problem: BudgetProblem,
    params: Arrays,
    inputs: Arrays,
    cost_values: Sequence[jax.Array],
    budgets: jax.Array,
) -> Optima:
    """The optimum of every budget and draw, (budgets, draws)."""

    def at(theta: Arrays, budget: jax.Array) -> Optima:
        _, minima = best_point(problem, theta, inputs, cost_values, budget, held=True)

        def loss(log_budget: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            best = solve_one(problem, theta, inputs, cost_values, jnp.exp(log_budget), known=minima)
            return best.loss, (best.loss, is_optimum(best.status))

        def slope(log_budget: jax.Array) -> tuple[jax.Array, Optima]:
            first, (level, has_optimum) = jax.jacfwd(loss, has_aux=True)(log_budget)
            return first, Optima(level, first, first, has_optimum)

        second, optimum = jax.jacfwd(slope, has_aux=True)(jnp.log(budget))
        return optimum._replace(second=second)

    over_params = jax.vmap(at, in_axes=(0, None))
    return jax.vmap(over_params, in_axes=(None, 0))(params, budgets)


@program("bound", small=FEW)
def _regret(
    bound: BoundLaw,
    params: Arrays,
    inputs: Arrays,
    plans: tuple[Arrays, jax.Array, jax.Array],
    optima: Optima,
) -> Regret:
    """The regret of plans: their values, cost and index of their budget."""

    def one(plan: tuple[Arrays, jax.Array, jax.Array]) -> Regret:
        values, cost, index = plan
        loss = bound.loss({**inputs, **values}, params)
        level, first, second, has_optimum = (each[index] for each in optima)
        # Where more budget gains nothing, no cost is the least one of a loss.
        known = has_optimum & (first < 0) & jnp.isfinite(second)
        count = jnp.maximum(jnp.sum(known.astype(loss.dtype)), 1.0)

        def mean(each: jax.Array) -> jax.Array:
            return jnp.sum(jnp.where(known, each, 0.0)) / count

        # The optimal loss as a + b C**-g: g, of either sign, from its two derivatives by ln C, and
        # b C**-g from the first. Where the optimal loss is never so high, all is wasted.
        power = -second / first
        above = jnp.maximum((loss - level) / -first, 0.0)
        curved = jnp.maximum(above * power, -1.0)
        straight = jnp.abs(curved) < jnp.finfo(loss.dtype).eps
        bend = jnp.log1p(curved) / jnp.where(straight, 1.0, curved)
        wasted = -jnp.expm1(-above * jnp.where(straight, 1.0, bend))
        lost = jnp.sum(~known, dtype=jnp.int32)
        return Regret(mean(loss - level), mean(cost * wasted), mean(loss), cost, lost)

    return jax.lax.map(one, plans, batch_size=_CHUNK)


@in_default_settings
def beats(
    law: LawFunction | str,
    draws: Mapping[str, ArrayLike],
    first: Mapping[str, ArrayLike],
    second: Mapping[str, ArrayLike],
) -> jax.Array:
    """The probability that one plan has a lower loss than another: the share of the draws.

    Ties count half.

    Args:
        law: a declared law, or the name of one of the catalogue.
        draws: parameter → (draws,) or scalar.
        first: inputs of the law by name, scalars.
        second: those of the other plan.

    Raises:
        JscaleError: an unknown name, an invalid number, or draws of unequal length.

    Example:
        >>> from jscale import laws, plan
        >>> draws = laws.params(laws.chinchilla) | {"alpha": [0.3, 0.33, 0.36]}
        >>> large, small = {"N": 4e10, "D": 4e11}, {"N": 1e10, "D": 1.6e12}
        >>> print(f"{plan.beats(laws.chinchilla, draws, large, small):.2f}")
        0.67
    """
    law = as_law(law)
    params = check_params(law, draws)
    count = count_draws(params)
    losses = []
    for values in (first, second):
        bound = bind(law, values, ())
        theta, inputs = to_arrays(params, check_inputs(law, values))
        if any(value.ndim for value in inputs.values()):
            raise JscaleError(f"{describe(law).name!r}: a plan has one number for each input")
        losses.append(jnp.broadcast_to(bound.loss(inputs, theta), (count,)))
    won = jnp.where(losses[0] == losses[1], 0.5, (losses[0] < losses[1]).astype(losses[0].dtype))
    return jnp.mean(won)
