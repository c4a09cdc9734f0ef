"""One plan for all draws: the least expected loss, tail loss or tail regret."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.status import Status, is_optimum
from jscale._core.text import shown
from jscale.laws import LawFunction, as_law
from jscale.plan.budget import BudgetProblem, build_problem, solve_one
from jscale.plan.costs import Cost
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays
from jscale.plan.risk._bands import count_draws
from jscale.plan.risk._limited import Limit, Limited, Range, Risk, check_limits, least_risk
from jscale.plan.risk._one_plan import (
    Arrays,
    RobustPlan,
    best_design,
    check_share,
    mean_of,
    reported,
)
from jscale.plan.risk._quantiles import worst_mean


@in_default_settings
def robust(
    law: LawFunction | str,
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
        law: a law of N and D, and of bits if P is free or given; or the name of one.
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
    law = as_law(law)
    if risk not in get_args(Risk):
        raise JscaleError(f"must be mean, cvar or regret, not {shown(risk)}", argument="risk")
    check_share("level", level, with_zero=True)
    problem, cost_values = build_problem(law, free, fixed, cost)
    budget = check_number("budget", budget, above=0.0)
    params = check_params(law, draws)
    count = count_draws(params)
    share = 1.0 if risk == "mean" else 1.0 - float(level)
    params, *given = to_arrays(params, check_inputs(law, fixed), cost_values, budget, share)
    if bounds or constraints:
        limits = bounds or {}, constraints
        plan = _under_limits(problem, risk, share, (params, *given[:3]), limits)
    else:
        held = not is_traced(params, given)
        plan = _robust(problem, risk, count, params, tuple(given), held=held)
    if throw:
        check_status(plan.status, "robust plan")
    return plan


def _under_limits(
    problem: BudgetProblem,
    risk: Risk,
    share: float,
    numbers: tuple[Any, ...],
    limits: tuple[Mapping[str, Range], Sequence[Limit]],
) -> RobustPlan:
    """The plan under ranges and constraints.

    Args:
        problem: the law and the free variables.
        risk: what is minimised.
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
    found = least_risk(Limited(problem, cost, params, inputs, float(budget), *limits, risk, share))

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
        regret=number(None if found is None else found.regret),
        budget=number(None if found is None else found.cost),
        lost=jnp.asarray(0 if found is None else found.lost, jnp.int32),
        status=jnp.asarray(int(status), jnp.int32),
    )


@program("problem", "risk", "count", "held", small=FEW)
def _robust(
    problem: BudgetProblem,
    risk: Risk,
    count: int,
    params: Arrays,
    given: tuple[Arrays, Sequence[jax.Array], jax.Array, jax.Array],
    *,
    held: bool,
) -> RobustPlan:
    inputs, cost_values, budget, share = given
    params = {name: jnp.broadcast_to(value, (count,)) for name, value in params.items()}
    known, reference, own_mean = jnp.ones(count, bool), jnp.zeros(count, budget.dtype), None
    if risk == "regret":
        solve = functools.partial(solve_one, problem, held=held)
        own = jax.vmap(solve, in_axes=(0, None, None, None))(params, inputs, cost_values, budget)
        known = is_optimum(own.status)
        reference = jnp.where(known, own.loss, 0.0)
        own_mean = mean_of(reference, known)

    def reduce(losses: jax.Array) -> jax.Array:
        if risk == "mean":
            return jnp.mean(losses)
        # A draw without an optimum has no regret: it counts as the least.
        excess = jnp.where(known, losses - reference, 0.0)
        return worst_mean(excess, share * jnp.mean(known.astype(losses.dtype)))

    best = best_design(problem, params, (inputs, cost_values), budget, reduce, held=held)
    return reported(best, budget, known, own_mean)
