"""One plan for all draws: the least expected loss, tail loss or tail regret."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import Minimum, argmin, crossing, held_root
from jscale._core.status import Status, is_optimum
from jscale._core.text import shown
from jscale.laws import LawFunction
from jscale.plan.budget import (
    BUDGET_RANGE,
    RANGES,
    BudgetProblem,
    build_problem,
    solve_one,
)
from jscale.plan.costs import Cost
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays
from jscale.plan.risk._bands import count_draws
from jscale.plan.risk._limited import Limit, Limited, Range, check_limits, least_risk
from jscale.plan.risk._sections import at_dense_kinks

Risk = Literal["mean", "cvar", "regret"]
Arrays = Mapping[str, jax.Array]
_HALVINGS = 6
"""Of the range of budgets, 126 in the logarithm, before Newton's method."""


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
    budget: jax.Array
    lost: jax.Array
    status: jax.Array


@in_default_settings
def robust(
    law: LawFunction,
    draws: Mapping[str, ArrayLike],
    budget: ArrayLike,
    *,
    risk: Risk = "mean",
    level: float = 0.9,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    bounds: Mapping[str, Range] | None = None,
    constraints: Sequence[Limit] = (),
    throw: bool = False,
    **fixed: ArrayLike,
) -> RobustPlan:
    """The one plan for a budget that is best over all draws of the parameters.

    A run is made once, whatever the parameters turn out to be: the mean of the draws' own optima is
    not that plan.

    Under ``bounds`` and ``constraints`` (memory, latency) scans find the plan, with bits and sizes
    to 0.1%, and a draw's own optimum is the one that obeys them. That search has no derivatives
    and works outside of ``jit`` and ``vmap`` only.

    Args:
        law: a law of N and D, and of bits if P is free or given.
        draws: parameter → (draws,) or scalar.
        budget: FLOP, a scalar.
        risk: ``"mean"`` for the least expected loss, which is also the least expected regret;
            ``"cvar"`` for the least mean loss of the worst draws; ``"regret"`` for the least mean
            regret of the worst draws, against each draw's own optimum at the budget.
        level: the worst ``1 - level`` of the draws count for ``cvar`` and ``regret``.
        free: as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`.
        bounds: free variable → least and largest value, either may be None. Tokens beyond their
            range leave a part of the budget unspent.
        constraints: triples of a function of ``N``, ``D`` and ``P``, ``"<="`` or ``">="``, and a
            bound, as in :func:`~jscale.plan.solve`.
        throw: raise where there is no optimum (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs, scalars.

    Returns:
        The plan; with limits ``Status.at_bound`` where one holds it, and ``infeasible`` where no
        size obeys them.

    Raises:
        JscaleError: an unknown risk, a level that is not from 0 to 1, contradictory limits, or as
            :func:`~jscale.plan.optimal`.

    Source: Rockafellar and Uryasev 2000 (conditional value at risk).

    Example:
        >>> from jscale import laws, plan
        >>> draws = laws.params(laws.chinchilla) | {"alpha": [0.32, 0.35, 0.38]}
        >>> best = plan.robust(laws.chinchilla, draws, 1e24)
        >>> print(f"{best.N:.2e} parameters, expected loss {best.loss:.3f}")
        4.42e+10 parameters, expected loss 1.891

        >>> small = plan.robust(laws.chinchilla, draws, 1e24, bounds={"N": (None, 2e10)})
        >>> print(f"{small.N:.2e} parameters, expected loss {small.loss:.3f}")
        2.00e+10 parameters, expected loss 1.898
    """
    if risk not in get_args(Risk):
        raise JscaleError(f"must be mean, cvar or regret, not {shown(risk)}", argument="risk")
    _check_share("level", level, with_zero=True)
    problem, cost_values = build_problem(law, free, fixed, cost)
    budget = check_number("budget", budget, above=0.0)
    params = check_params(law, draws)
    count = count_draws(params)
    share = 1.0 if risk == "mean" else 1.0 - float(level)
    params, *given = to_arrays(params, check_inputs(law, fixed), cost_values, budget, share)
    if bounds or constraints:
        limits = bounds or {}, constraints
        plan = _under_limits(problem, risk == "regret", share, (params, *given[:3]), limits)
    else:
        held = not is_traced(params, given)
        plan = _robust(problem, risk == "regret", count, params, tuple(given), held=held)
    if throw:
        check_status(plan.status, "robust plan")
    return plan


@in_default_settings
def assured(
    law: LawFunction,
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
        law: a law of N and D, and of bits if P is free or given.
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
    _check_share("probability", probability, with_zero=False)
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


def _check_share(name: str, value: Any, with_zero: bool) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not (0 <= value < 1 if with_zero else 0 < value < 1):
        ends = "at least 0 and below 1" if with_zero else "above 0 and below 1"
        raise JscaleError(f"must be {ends}, not {shown(value)}", argument=name)


def _under_limits(
    problem: BudgetProblem,
    with_regret: bool,
    share: float,
    numbers: tuple[Any, ...],
    limits: tuple[Mapping[str, Range], Sequence[Limit]],
) -> RobustPlan:
    """The plan under ranges and constraints.

    Args:
        problem: the law and the free variables.
        with_regret: whether the regret of the worst draws is minimised.
        share: of the draws that count as the worst.
        numbers: parameters, inputs, numbers of the cost, and the budget.
        limits: ranges and constraints.

    Raises:
        JscaleError: limits that do not fit the problem, or numbers that are traced.
    """
    params, inputs, cost_values, budget = numbers
    check_limits(problem, *limits)
    if is_traced(numbers):
        raise JscaleError("robust: bounds and constraints work outside of jit and vmap only")
    cost = problem.build_cost(cost_values)
    found = least_risk(
        Limited(problem, cost, params, inputs, float(budget), *limits, share, with_regret)
    )

    def number(value: float | None) -> jax.Array:
        return jnp.asarray(math.nan if value is None else value, budget.dtype)

    values = {} if found is None else found.values
    status = Status.infeasible if found is None else found.status
    return RobustPlan(
        N=number(values.get("N")),
        D=number(values.get("D")),
        P=number(values.get("P")) if "P" in problem.free else inputs.get("P"),
        value=number(None if found is None else found.value),
        loss=number(None if found is None else found.loss),
        budget=number(None if found is None else found.cost),
        lost=jnp.asarray(0 if found is None else found.lost, jnp.int32),
        status=jnp.asarray(int(status), jnp.int32),
    )


class _BestDesign(NamedTuple):
    """What was found by derivatives, the design, its value, its loss in every draw, a status."""

    minimum: Minimum
    x: jax.Array
    values: dict[str, jax.Array]
    value: jax.Array
    losses: jax.Array
    status: jax.Array


def _losses(
    problem: BudgetProblem,
    params: Arrays,
    given: tuple[Arrays, Sequence[jax.Array]],
    budget: jax.Array,
) -> Callable[[jax.Array], jax.Array]:
    """The losses of all draws as a function of the coordinates of the search."""
    inputs, cost_values = given
    cost = problem.build_cost(cost_values)

    def losses(x: jax.Array) -> jax.Array:
        return problem.bound.loss(problem.design(cost, inputs, budget, x), params)

    return losses


def _search(
    problem: BudgetProblem,
    params: Arrays,
    given: tuple[Arrays, Sequence[jax.Array]],
    budget: jax.Array,
    reduce: Callable[[jax.Array], jax.Array],
    *,
    held: bool,
    known: Minimum | None = None,
) -> _BestDesign:
    """The design that minimises ``reduce`` of the losses; ``given`` are inputs and cost.

    Its derivatives are left out where it is ``held``; a ``known`` minimum is not sought again.
    """
    inputs, cost_values = given
    cost, names = problem.build_cost(cost_values), problem.coordinates
    losses = _losses(problem, params, given, budget)
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
    return _BestDesign(best, x, values, reduce(each), each, status)


def _worst_mean(values: jax.Array, share: jax.Array) -> jax.Array:
    """The mean of the largest ``share`` of the values."""
    size = values.shape[0]
    number = jnp.maximum(share * size, 1.0)
    ordered = jnp.sort(values)[::-1]
    weights = jnp.clip(number - jnp.arange(size, dtype=values.dtype), 0.0, 1.0)
    return jnp.sum(jnp.where(weights > 0, ordered, 0.0) * weights) / number


@program("problem", "with_regret", "count", "held", small=FEW)
def _robust(
    problem: BudgetProblem,
    with_regret: bool,
    count: int,
    params: Arrays,
    given: tuple[Arrays, Sequence[jax.Array], jax.Array, jax.Array],
    *,
    held: bool,
) -> RobustPlan:
    inputs, cost_values, budget, share = given
    params = {name: jnp.broadcast_to(value, (count,)) for name, value in params.items()}
    lost, reference, known = jnp.asarray(0, jnp.int32), jnp.zeros(()), jnp.ones(count, bool)
    reference = reference.astype(budget.dtype)
    if with_regret:
        solve = functools.partial(solve_one, problem, held=held)
        own = jax.vmap(solve, in_axes=(0, None, None, None))(params, inputs, cost_values, budget)
        known = is_optimum(own.status)
        reference = jnp.where(known, own.loss, 0.0)
        lost = jnp.sum(~known).astype(jnp.int32)

    def reduce(losses: jax.Array) -> jax.Array:
        # A draw without an optimum has no regret: it counts as the least.
        excess = jnp.where(known, losses - reference, 0.0)
        return _worst_mean(excess, share * jnp.mean(known.astype(losses.dtype)))

    best = _search(problem, params, (inputs, cost_values), budget, reduce, held=held)
    return _masked(best, budget, lost, known)


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
        best = _search(problem, params, given, budget, reduce, held=True)

        def at_same_place(offset: jax.Array) -> jax.Array:
            budget = least * jnp.exp(base) * jnp.exp(offset)
            return reduce(_losses(problem, params, given, budget)(best.x))

        slope = jax.jvp(at_same_place, (offset,), (jnp.ones_like(offset),))[1]
        return best.value - target, slope, best.minimum

    width, resolution = jnp.log(largest) - jnp.log(least), 2 * jnp.finfo(target.dtype).eps * target
    least_budget = crossing(evaluate, width, _HALVINGS, resolution=resolution)
    converged = least_budget.status == int(Status.converged)
    start = least * jnp.exp(least_budget.base) * jnp.exp(least_budget.offset)

    def at(log_budget: jax.Array) -> _BestDesign:
        budget, minimum = start * jnp.exp(log_budget), least_budget.extra
        return _search(
            problem, params, (inputs, cost_values), budget, reduce, held=held, known=minimum
        )

    log_budget = jnp.zeros_like(target)
    if not held:
        log_budget = held_root(lambda y: at(y).value - target, log_budget, converged)
    budget, best = start * jnp.exp(log_budget), at(log_budget)
    status = jnp.where(converged, best.status, int(Status.infeasible)).astype(jnp.int32)
    return _masked(
        best._replace(status=status), budget, jnp.asarray(0, jnp.int32), jnp.ones(count, bool)
    )


def _masked(best: _BestDesign, budget: jax.Array, lost: jax.Array, known: jax.Array) -> RobustPlan:
    """The plan, NaN where it has no optimum; its loss is the mean over the ``known`` draws."""

    def mask(number: jax.Array) -> jax.Array:
        return jnp.where(is_optimum(best.status), number, jnp.nan)

    values, count = best.values, jnp.sum(known.astype(best.losses.dtype))
    loss = jnp.sum(jnp.where(known, best.losses, 0.0)) / count
    return RobustPlan(
        N=mask(values["N"]),
        D=mask(values["D"]),
        P=mask(values["P"]) if "P" in values else None,
        value=mask(best.value),
        loss=mask(loss),
        budget=mask(budget),
        lost=lost,
        status=best.status,
    )
