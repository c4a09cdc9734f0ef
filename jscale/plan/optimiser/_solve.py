"""The general optimiser: any objective, variables and constraints."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.status import Status, is_optimum
from jscale._core.text import enumerated, shown
from jscale.plan.gridsearch import over_draws
from jscale.plan.optimiser._functions import SENSES, Constraint, Named, named
from jscale.plan.optimiser._problem import Data, Problem, Scaled
from jscale.plan.optimiser._search import UNSOLVED, Optimum, differentiable, search
from jscale.plan.optimiser._variables import Layout, read_variables
from jscale.plan.problem import FEW, check_status, to_arrays


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "values",
        "objective",
        "constraints",
        "multipliers",
        "bound_multipliers",
        "side",
        "residual",
        "unsolved",
        "status",
    ],
    meta_fields=[],
)
@dataclass(frozen=True)
class Solution:
    """The best values of the variables; arrays of one shape, that of the draws.

    Attributes:
        values: variable → its best value; shares have a last axis of their number.
        objective: the least value.
        constraints: the functions of the constraints at the optimum, in their order.
        multipliers: one a constraint: by how much the objective falls for one more unit of its
            bound (nats per FLOP, dollar, byte or second); 0 where it does not bind. For ``>=`` by
            how much it falls for one unit less.
        bound_multipliers: free variable or shares → how much the objective falls for one more unit
            of the bound that holds it (a lower bound: one unit less); 0 inside.
        side: free variable or shares → -1 at its lower bound, 1 at its upper one, 0 inside. The
            lower bound of a share is 0: one of less than 6e-6 of another counts as such.
        residual: largest first-order condition, relative to the objective: the derivative of the
            Lagrangian by the logarithm of a variable, a violated or a slack constraint.
        unsolved: number of combinations of listed values that are feasible but have no optimum.
            Any of them might be the best: the status is then that of one of them.
        status: :class:`~jscale._core.status.Status` codes; the numbers are NaN unless it is
            ``converged``, ``at_bound`` (named by ``side``) or ``kink``. At a kink multipliers,
            residual and derivatives are NaN.
    """

    values: dict[str, jax.Array]
    objective: jax.Array
    constraints: tuple[jax.Array, ...]
    multipliers: tuple[jax.Array, ...]
    bound_multipliers: dict[str, jax.Array]
    side: dict[str, jax.Array]
    residual: jax.Array
    unsolved: jax.Array
    status: jax.Array

    def at_bounds(self) -> list[str]:
        """The variables that a bound holds, of a single plan: ``["N at its upper bound"]``."""
        words, held = {-1: "lower", 1: "upper"}, []
        for name, sides in self.side.items():
            for place, side in np.ndenumerate(np.asarray(sides)):
                label = f"{name}[{place[0]}]" if place else name
                held += [f"{label} at its {words[int(side)]} bound"] if side else []
        return held


@in_default_settings
def solve(
    objective: Any,
    variables: Mapping[str, Any],
    *,
    params: Mapping[str, ArrayLike] | None = None,
    constraints: Sequence[Constraint] = (),
    throw: bool = False,
) -> Solution:
    """The values of any variables with the least objective under any constraints.

    The objective and the functions of the constraints are laws, costs of :mod:`jscale.plan.costs`
    or functions whose arguments are names of variables and parameters: loss at a budget, cost at a
    target, ``loss + price * cost``. In logarithms of the variables a lattice finds the basin and
    Newton's method with an active set the optimum, to first-order conditions of 1e-8 (float32:
    3e-4); where it fails, an augmented Lagrangian with optax's L-BFGS leads to another start, and a
    search without derivatives to a kink. Of a cost the logarithm is minimised; give that of another
    objective that spans decades, such as money or energy, yourself.
    Derivatives of any order come from the optimality conditions, by every parameter, fixed value,
    bound and price, under ``jit``, ``grad`` and ``vmap``. Problems of one structure share a
    program: pass the same function objects, not a new lambda each time.

    Args:
        objective: a law, a cost or a function of variables and parameters by name.
        variables: name → :class:`Free`, :class:`Choice` (each combination is solved),
            :class:`Simplex` or a fixed number or array. ``P`` stands for all training bits of a
            law, ``mix`` for ``mix_1 …``.
        params: parameter → scalar or draws.
        constraints: triples of a function, ``"<="``, ``">="`` or ``"=="``, and a bound: a number
            or an array, broadcast against the draws.
        throw: raise where there is no optimum (outside ``jit`` and ``vmap`` only).

    Returns:
        The plan with its multipliers. ``Status.infeasible`` where no point was found that satisfies
        the constraints, ``not_converged`` where one was but no optimum, ``unbounded_below`` where
        the objective falls steeply towards a bound that was not declared, ``no_interior_optimum``
        where it falls ever less.

    Raises:
        JscaleError: an unknown name, contradictory bounds, a bound that is not a number, or, with
            ``throw``, a solve without an optimum.

    Source: Nocedal and Wright, Numerical Optimization (2006), chapters 12, 16 and 17.

    Example:
        The best model for 1e24 FLOP that holds no more than 4e10 parameters:

        >>> from jscale import laws, plan
        >>> best = plan.solve(
        ...     laws.chinchilla,
        ...     {"N": plan.Free(1e8, 4e10), "D": plan.Free()},
        ...     params=laws.params(laws.chinchilla),
        ...     constraints=[(plan.costs.training_flops, "<=", 1e24)],
        ... )
        >>> print(f"loss {best.objective:.4f}, {best.at_bounds()[0]}")
        loss 1.9006, N at its upper bound
    """
    layout, numbers = read_variables(variables)
    params = {} if params is None else params
    if not isinstance(params, Mapping):
        raise JscaleError("must map the names of parameters to values", argument="params")
    given = {name: check_number(f"parameter {name}", value) for name, value in params.items()}
    known = frozenset({*variables, *given})

    target, leaves = named(objective, "objective")
    functions, senses, bounds, trees = _read_constraints(constraints)
    for function in (target, *functions):
        function.arguments(known)
    _check_used(variables, (target, *functions), known)

    problem = Problem(target, functions, senses, layout)
    ends = numbers.lower, numbers.upper, numbers.declared
    data = Data(given, numbers.fixed, *ends, bounds, (leaves, *trees))
    combinations = {name: jnp.asarray(each) for name, each in numbers.combinations.items()}
    data, combinations = to_arrays(data, combinations)
    result = _solve(problem, data, combinations)
    if throw:
        check_status(result.status, "plan")
    return result


def _read_constraints(
    constraints: Sequence[Constraint],
) -> tuple[tuple[Named, ...], tuple[str, ...], tuple[Any, ...], list[Any]]:
    """Functions, senses, bounds and the numbers of costs.

    Raises:
        JscaleError: no triple, an unknown sense, or a bound that is not a finite number.
    """
    functions, senses, bounds, trees = [], [], [], []
    for i, constraint in enumerate(constraints):
        where = f"constraints[{i}]"
        if not isinstance(constraint, tuple | list) or len(constraint) != 3:
            raise JscaleError(
                f"{where} must be a function, one of {', '.join(SENSES)}, and a bound, not "
                f"{shown(constraint)}"
            )
        function, sense, bound = constraint
        if sense not in SENSES:
            raise JscaleError(f"{where} must have one of {', '.join(SENSES)}, not {shown(sense)}")
        wrapped, leaves = named(function, where)
        functions.append(wrapped)
        senses.append(sense)
        bounds.append(check_number(f"the bound of {where} ({wrapped.label})", bound))
        trees.append(leaves)
    return tuple(functions), tuple(senses), tuple(bounds), trees


def _check_used(
    variables: Mapping[str, Any], functions: Sequence[Named], known: frozenset[str]
) -> None:
    """Raise JscaleError for a variable that no function takes."""
    used: set[str] = set()
    for function in functions:
        used |= function.uses(known)
    if unused := sorted(set(variables) - used):
        taken = enumerated(sorted(used & set(known))) or "none"
        raise JscaleError(
            f"neither the objective nor a constraint has {enumerated(unused)} (they have: {taken})",
            argument="variables",
        )


def _solve(problem: Problem, data: Data, combinations: dict[str, jax.Array]) -> Solution:
    """The search apart from what it reports: derivatives need the second alone.

    JAX then compiles the search once, not again for every derivative; and where the numbers are
    known, what a hard problem takes for hard problems only.
    """
    fixed = lax.stop_gradient((data, combinations))
    thorough = is_traced(fixed)
    optimum = _find(problem, *fixed, thorough=thorough)
    if not thorough and np.any(np.isin(optimum.status, UNSOLVED)):
        optimum = _find(problem, *fixed, thorough=True)
    held = not is_traced(data, combinations)
    return _report(problem, data, combinations, optimum, held=held)


@program("problem", "thorough", small=FEW)
def _find(
    problem: Problem, data: Data, combinations: dict[str, jax.Array], thorough: bool
) -> Optimum:
    return over_draws(functools.partial(_find_one, problem, combinations, thorough), data)


def _find_one(
    problem: Problem, combinations: dict[str, jax.Array], thorough: bool, data: Data
) -> Optimum:
    """The optimum of every combination of listed values."""
    dtype = jnp.result_type(*(jax.tree.leaves(data) or [float]))

    def at(listed: dict[str, jax.Array]) -> Optimum:
        return search(problem, _with_listed(data, listed), dtype, thorough)

    return jax.vmap(at)(combinations) if combinations else at({})


def _with_listed(data: Data, listed: dict[str, jax.Array]) -> Data:
    return data._replace(fixed={**data.fixed, **listed})


@program("problem", "held", small=FEW)
def _report(
    problem: Problem,
    data: Data,
    combinations: dict[str, jax.Array],
    optimum: Optimum,
    *,
    held: bool,
) -> Solution:
    best = functools.partial(_best_one, problem, combinations, held)
    return over_draws(best, data, known=optimum)


def _best_one(
    problem: Problem,
    combinations: dict[str, jax.Array],
    held: bool,
    data: Data,
    *,
    known: Optimum,
) -> Solution:
    """The best over all combinations of listed values."""
    every = known
    if not combinations:
        return _solution(problem, data, every, jnp.asarray(0, jnp.int32), held=held)
    usable = is_optimum(every.status) & jnp.isfinite(every.value)
    unsolved = ~usable & (every.status != int(Status.infeasible))
    best = jnp.argmin(jnp.where(usable, every.value, jnp.inf))

    # A combination without an answer might be better than the best of the others.
    endless = every.status == int(Status.unbounded_below)
    worst = jnp.where(jnp.any(endless), jnp.argmax(endless), jnp.argmax(unsolved))
    chosen = jnp.where(jnp.any(unsolved), worst, best)
    optimum, listed = jax.tree.map(lambda leaf: leaf[chosen], (every, combinations))
    count = jnp.sum(unsolved, dtype=jnp.int32)
    return _solution(problem, _with_listed(data, listed), optimum, count, held=held)


def _solution(
    problem: Problem, data: Data, optimum: Optimum, unsolved: jax.Array, *, held: bool
) -> Solution:
    """What a solve reports of an optimum, with its derivatives unless it is held."""
    scaled = Scaled(problem, data, optimum.scale)
    optimum = optimum if held else differentiable(scaled, optimum)
    values = scaled.values(optimum.x)
    objective, functions = scaled.raw(optimum.x)
    unit = objective if problem.is_logarithmic else optimum.scale

    # One more unit of a bound moves the logarithm of the constraint by -1 / bound.
    signs = [-1.0 if sense == ">=" else 1.0 for sense in problem.senses]
    multipliers = []
    for i, bound in enumerate(data.bounds):
        size = jnp.where(bound == 0, 1.0, jnp.abs(bound))
        sense = jnp.abs if problem.senses[i] != "==" else (lambda value: value)
        multipliers.append(sense(signs[i] * optimum.multipliers[i] * unit / size))

    side, forces = _at_bounds(problem.layout, optimum, unit)
    solution = Solution(
        values=values,
        objective=objective,
        constraints=tuple(functions),
        multipliers=tuple(multipliers),
        bound_multipliers={name: force / values[name] for name, force in forces.items()},
        side=side,
        residual=optimum.residual,
        unsolved=unsolved,
        status=optimum.status,
    )
    return _masked(solution)


def _at_bounds(
    layout: Layout, optimum: Optimum, unit: jax.Array
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Of every free variable and share: the bound that holds it, and with what force.

    The force is the derivative of the objective by the logarithm of the variable. A share is held
    at the least one where its ratio to the last is least, the last where a ratio is largest.
    """
    held = jnp.where(optimum.side != 0, jnp.abs(optimum.push * unit), 0.0)
    side = {name: optimum.side[i] for i, name in enumerate(layout.free)}
    forces = {name: held[i] for i, name in enumerate(layout.free)}
    start = len(layout.free)
    for name, size in layout.simplexes:
        sides, force = (each[start : start + size - 1] for each in (optimum.side, held))
        last = jnp.where(sides > 0, force, 0.0)
        side[name] = -jnp.append(sides < 0, jnp.any(sides > 0)).astype(jnp.int32)
        forces[name] = jnp.append(jnp.where(sides < 0, force, 0.0), jnp.sum(last))
        start += size - 1
    return side, forces


def _masked(solution: Solution) -> Solution:
    """NaN in place of the numbers where there is no optimum."""
    has_optimum = is_optimum(solution.status)

    def mask(leaf: jax.Array) -> jax.Array:
        return jnp.where(has_optimum, leaf, jnp.nan)

    masked = {
        name: jax.tree.map(mask, getattr(solution, name))
        for name in ("values", "objective", "constraints", "multipliers", "bound_multipliers")
    }
    return replace(solution, **masked)
