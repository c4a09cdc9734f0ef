"""One plan for several laws at once, each with a weight and draws of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import Argument, JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import argmin
from jscale._core.status import Status, is_optimum
from jscale._core.text import enumerated, shown
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget import RANGES, BudgetProblem, Plan, build_problem, optimal
from jscale.plan.costs import Cost
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays
from jscale.plan.risk._bands import count_draws
from jscale.plan.risk._quantiles import check_probabilities

Member = tuple[LawFunction, Mapping[str, ArrayLike]]
"""A law and draws of its parameters."""
Numbers = tuple[Mapping[str, jax.Array], Mapping[str, jax.Array]]
"""Parameters and inputs of a law."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AveragedPlan:
    """One plan for several laws.

    Attributes:
        N: parameters.
        D: training tokens.
        P: training precision in bits; None where the plan has none.
        loss: expected loss over laws and draws.
        regret: expected loss above the optimum of each draw under its own law, nats.
        budget: FLOP, or the unit of the cost.
        weights: (laws,) of the laws, with the sum 1; 0 for a law whose draws have no optimum.
        bands: ``N_opt``, ``D_opt``, ``loss`` and, if it is free, ``P_opt`` of the draws' own optima
            under all laws → (quantiles,).
        by_law: the same → (laws,) medians under each law; NaN without draws that have an optimum.
        lost: (laws,) draws without an optimum, which are left out; the others of the law share its
            weight. Where it has no others, the other laws do.
        known: one a law, (draws,): which of its draws count.
        status: :class:`~jscale._core.status.Status` code; the numbers are NaN without an optimum.
    """

    N: jax.Array
    D: jax.Array
    P: jax.Array | None
    loss: jax.Array
    regret: jax.Array
    budget: jax.Array
    weights: jax.Array
    bands: dict[str, jax.Array]
    by_law: dict[str, jax.Array]
    lost: jax.Array
    known: tuple[jax.Array, ...]
    status: jax.Array


@in_default_settings
def averaged(
    members: Sequence[tuple[LawFunction | str, Mapping[str, ArrayLike]]],
    budget: ArrayLike,
    *,
    weights: Sequence[float] | None = None,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    throw: bool = False,
    **fixed: ArrayLike,
) -> AveragedPlan:
    """The plan of least expected loss over several laws, and the bands of their optima together.

    A law's draws share its weight. The weights of an ensemble (pseudo-BMA, by forecasts of held-out
    runs) are ``[each.weight for each in ensemble.members]`` of :func:`jscale.assess.ensemble`. The
    bands of a plan by one law leave out the doubt about the law; these hold the difference between
    the laws, too.

    Args:
        members: laws of N and D, or the names of some, each with draws (or single numbers) of its
            parameters.
        budget: FLOP, a scalar.
        weights: one a law, 0 or more; None for equal ones. They are divided by their sum.
        free: as in :func:`~jscale.plan.optimal`.
        cost: as in :func:`~jscale.plan.optimal`; needed where the laws would be charged for bits in
            different ways.
        quantiles: probabilities of the bands.
        throw: raise where there is no optimum (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs, scalars; each law takes those that it has.

    Raises:
        JscaleError: no laws, weights that are not numbers from 0 on with a sum above 0, a name that
            no law has, a budget or input that is not one number, laws with different costs, or as
            :func:`~jscale.plan.optimal`.

    Example:
        Two sets of constants of one law, the first with twice the weight:

        >>> from jscale import laws, plan
        >>> members = [
        ...     (laws.chinchilla, laws.params(laws.chinchilla, "besiroglu2024")),
        ...     (laws.chinchilla, laws.params(laws.chinchilla, "hoffmann2022")),
        ... ]
        >>> best = plan.averaged(members, 1e24, weights=[2, 1])
        >>> print(f"{best.N:.2e} parameters; alone {best.by_law['N_opt'][0]:.2e}")
        7.72e+10 parameters; alone 9.59e+10
    """
    pairs = _read(members)
    shares = _shares(weights, len(pairs))
    chances = check_probabilities(quantiles)
    free = free if isinstance(free, str) else tuple(free)
    budget = _one_number("budget", budget, above=0.0)
    fixed = {name: _one_number(name, value, infinite=True) for name, value in fixed.items()}
    given = _inputs_of([law for law, _ in pairs], fixed)
    problems, cost_values = _problems(pairs, free, given, cost)
    params = [check_params(law, draws) for law, draws in pairs]
    counts = [count_draws(each) for each in params]
    inputs = [check_inputs(law, each) for (law, _), each in zip(pairs, given, strict=True)]
    arrays = to_arrays(params, inputs, cost_values, budget)

    settings: dict[str, Any] = {"free": free, "cost": cost}
    own = [
        optimal(law, theta, budget, **settings, **values)
        for (law, _), theta, values in zip(pairs, params, given, strict=True)
    ]
    full = [
        jax.tree.map(lambda leaf, n=n: jnp.broadcast_to(leaf, (n,)), each)
        for each, n in zip(own, counts, strict=True)
    ]
    solved, held = (full, jnp.asarray(shares)), not is_traced(arrays)
    result = _averaged(tuple(problems), chances, tuple(counts), arrays, solved, held=held)
    if throw:
        check_status(result.status, "averaged plan")
    return result


def _read(members: Any) -> list[Member]:
    """The laws and their draws.

    Raises:
        JscaleError: none, or not pairs.
    """
    pairs = list(members) if isinstance(members, Sequence) else []
    if not pairs or not all(isinstance(each, tuple) and len(each) == 2 for each in pairs):
        raise JscaleError(
            f"must be pairs (law, draws), one or more, not {shown(members)}", argument="members"
        )
    return [(as_law(law), draws) for law, draws in pairs]


def _shares(weights: Any, count: int) -> np.ndarray:
    """The weights with the sum 1.

    Raises:
        JscaleError: another number of them, or not numbers from 0 on with a sum above 0.
    """
    if weights is None:
        return np.full(count, 1 / count)
    numbers = np.asarray(check_number("weights", weights), float)
    if numbers.shape != (count,) or (numbers < 0).any() or not numbers.sum() > 0:
        raise JscaleError(
            f"must be {count} numbers of 0 or more, not all 0, one a law, not {shown(weights)}",
            argument="weights",
        )
    return numbers / numbers.sum()


def _one_number(name: str, value: Any, **limits: Any) -> Any:
    """A checked scalar.

    Raises:
        JscaleError: not a number within the limits, or an array of them.
    """
    number = check_number(name, value, **limits)
    if jnp.ndim(number):
        raise JscaleError(f"must be one number, not {shown(value)}", argument=name)
    return number


def _inputs_of(laws: Sequence[LawFunction], fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs that each law takes.

    Raises:
        JscaleError: a name that no law has.
    """
    records = [describe(law) for law in laws]
    taken = []
    for record in records:
        names = {*record.input_names, *(["P"] if record.bit_inputs else [])}
        taken.append({name: value for name, value in fixed.items() if name in names})
    if unknown := [name for name in fixed if not any(name in each for each in taken)]:
        known = sorted({name for record in records for name in record.input_names})
        raise JscaleError(
            f"no law has the input {enumerated(unknown)} (they have: {enumerated(known)})"
        )
    return taken


def _problems(
    pairs: Sequence[Member],
    free: Iterable[str],
    given: Sequence[Mapping[str, Any]],
    cost: Cost | None,
) -> tuple[list[BudgetProblem], list[Any]]:
    """A problem for each law, the one whose design all share first, and the numbers of the cost.

    Raises:
        JscaleError: laws that are charged in different ways.
    """
    built = [
        build_problem(law, free, values, cost)
        for (law, _), values in zip(pairs, given, strict=True)
    ]
    problems = [problem for problem, _ in built]
    if any(problem.cost != problems[0].cost for problem in problems):
        names = enumerated(describe(law).name for law, _ in pairs)
        raise JscaleError(
            f"{names} are charged for their bits in different ways: give all of them one ",
            Argument("cost"),
        )
    return problems, built[0][1]


@program("problems", "probabilities", "counts", "held", small=FEW)
def _averaged(
    problems: tuple[BudgetProblem, ...],
    probabilities: tuple[float, ...],
    counts: tuple[int, ...],
    arrays: tuple[Any, ...],
    solved: tuple[list[Plan], jax.Array],
    *,
    held: bool,
) -> AveragedPlan:
    params, inputs, cost_values, budget = arrays
    own, weights = solved[0], solved[1].astype(budget.dtype)
    known = [is_optimum(each.status).astype(budget.dtype) for each in own]
    shares = jnp.concatenate(
        [w * each / jnp.maximum(jnp.sum(each), 1.0) for w, each in zip(weights, known, strict=True)]
    )
    shares = shares / jnp.sum(shares)
    weights = jnp.where(jnp.stack([jnp.sum(each) for each in known]) > 0, weights, 0.0)
    weights = weights / jnp.sum(weights)

    # The problem of a law with bits has their cost; the design is the same for all.
    lead = max(range(len(problems)), key=lambda i: len(problems[i].bound.tied))
    problem, cost = problems[lead], problems[lead].build_cost(cost_values)

    def design(x: jax.Array) -> dict[str, jax.Array]:
        return problem.design(cost, inputs[lead], budget, x)

    def mean(x: jax.Array) -> jax.Array:
        values = design(x)
        shared = {name: values[name] for name in ("N", "D", "P") if name in values}
        losses = [
            jnp.broadcast_to(each.bound.loss({**given, **shared}, theta), (count,))
            for each, theta, given, count in zip(problems, params, inputs, counts, strict=True)
        ]
        return _weighted_mean(jnp.concatenate(losses), shares)

    names = problem.coordinates
    x, status = jnp.zeros(0, budget.dtype), jnp.asarray(int(Status.converged), jnp.int32)
    if names:
        upper = jnp.asarray([RANGES[name] for name in names], budget.dtype)
        least = argmin(mean, -upper, upper, problem.points, held=held)
        x, status = least.x, least.status

    values, loss = design(x), mean(x)
    optima = _weighted_mean(jnp.concatenate([each.loss for each in own]), shares)
    numbers = {"N": values["N"], "D": values["D"], "loss": loss, "regret": loss - optima}
    numbers |= {"P": values.get("P"), "budget": budget}
    has_optimum = is_optimum(status)
    masked = jax.tree.map(lambda number: jnp.where(has_optimum, number, jnp.nan), numbers)
    lost = jnp.stack([jnp.sum(each == 0, dtype=jnp.int32) for each in known])
    bands, by_law = _bands(own, known, shares, probabilities)
    return AveragedPlan(
        **masked,
        weights=weights,
        bands=bands,
        by_law=by_law,
        lost=lost,
        known=tuple(each > 0 for each in known),
        status=status,
    )


def _weighted_mean(values: jax.Array, shares: jax.Array) -> jax.Array:
    """The mean by shares, of the values that have one."""
    return jnp.sum(jnp.where(shares > 0, values, 0.0) * shares)


def _bands(
    own: Sequence[Plan],
    known: Sequence[jax.Array],
    shares: jax.Array,
    probabilities: tuple[float, ...],
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Quantiles of the draws' own optima under all laws, and their median under each."""
    bands, by_law = {}, {}
    for name in ("N_opt", "D_opt", "loss", "P_opt"):
        parts = [getattr(each, name) for each in own]
        if parts[0] is None:
            continue
        bands[name] = _weighted_quantiles(jnp.concatenate(parts), shares, probabilities)
        medians = [
            _weighted_quantiles(part, some, (0.5,))[0]
            for part, some in zip(parts, known, strict=True)
        ]
        by_law[name] = jnp.stack(medians)
    return bands, by_law


def _weighted_quantiles(
    values: jax.Array, weights: jax.Array, probabilities: Sequence[float]
) -> jax.Array:
    """Quantiles of weighted values (values,); NaN if all weights are 0.

    Of equal weights they interpolate linearly between order statistics, as other bands do.
    """
    used = weights > 0
    order = jnp.argsort(jnp.where(used, values, jnp.inf))
    value, weight = values[order], weights[order]
    count = jnp.sum(used.astype(values.dtype))
    rank = jnp.arange(len(values), dtype=values.dtype)
    before = jnp.cumsum(weight) - weight
    place = rank * weight + (count - 1) * before
    last = jnp.maximum(count.astype(jnp.int32) - 1, 0)
    # Behind the last value that counts, all are at its place.
    place = jnp.where(rank <= last.astype(values.dtype), place, place[last])
    value = jnp.where(rank <= last.astype(values.dtype), value, value[last])
    at = jnp.asarray(probabilities, values.dtype) * place[last]
    return jnp.where(count > 0, jnp.interp(at, place, value), jnp.nan)
