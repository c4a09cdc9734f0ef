"""The best training precision, without a budget where it does not depend on one."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import PyTreeDef
from jax.typing import ArrayLike

from jscale._core.checks import is_traced
from jscale._core.errors import Argument, JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import argmin
from jscale._core.status import Status, is_optimum
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget._optimal import optimal
from jscale.plan.budget._problem import (
    MIDDLE_BITS,
    POINTS,
    RANGES,
    Arrays,
    BudgetProblem,
    build_problem,
)
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import in_padded_batches, over_draws
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays

_DESIGNS = ((1e9, 2e10), (1e8, 1e12))
"""Two designs (N, D); an optimal precision that differs between them depends on the budget."""
_BESIDE = 1e-3
"""Relative distance to either side of an optimum at a kink or on a plateau."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PrecisionPlan:
    """The best training precision; arrays of one shape.

    Attributes:
        P_opt: bits.
        N_opt: parameters; None where no budget was given.
        D_opt: training tokens; None where no budget was given.
        loss: nats per token; None where no budget was given.
        budget: FLOP; None where none was given.
        status: :class:`~jscale._core.status.Status` codes; the numbers are NaN unless it is
            ``converged``, ``kink`` or ``flat``.
    """

    P_opt: jax.Array
    N_opt: jax.Array | None
    D_opt: jax.Array | None
    loss: jax.Array | None
    budget: jax.Array | None
    status: jax.Array


@in_default_settings
def optimal_precision(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    *,
    N: ArrayLike | None = None,
    budget: ArrayLike | None = None,
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> PrecisionPlan:
    """The training precision, in bits, with the least loss under ``C = (6 / 16) N D P``.

    A law of the bits of weights alone is charged ``6 N D`` instead, by which more bits are always
    better: the status is ``no_interior_optimum`` unless ``cost`` says otherwise.

    Without a budget: the precision of the joint optimum of N, D and P, ``(dL/dlnP) / (dL/dlnN) =
    1``. Where precision acts as effective parameters, ``N_eff = N f(P)``, this is the maximum of
    ``f(P) / P`` and depends neither on the other constants of the law nor on the budget. (Equations
    7 and 28 of Kumar et al. 2024, as printed, have errors.)

    With a budget: the joint optimum at that budget, for any law with bits. With a budget and ``N``:
    the optimum at that size, where ``D = budget / ((6 / 16) N P)``; it increases with the logarithm
    of the budget.

    Differentiable like :func:`~jscale.plan.optimal`, with its accuracy.

    Args:
        law: a law of N, D and bits, or the name of one.
        params: parameter → scalar or draws.
        N: parameters, where the size is given; needs a budget.
        budget: FLOP.
        cost: of training, as in :func:`~jscale.plan.optimal`; without a budget a multiple of ``N``
            and ``D``.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name.

    Returns:
        The plan; ``Status.no_interior_optimum`` where fewer bits are always better (one factor ``1
        - exp(-P / gamma)`` without a bias).

    Raises:
        JscaleError: an unknown name or invalid number, ``N`` without a budget, or no budget where
            the optimum depends on it (inside ``jit`` and ``vmap`` this is
            ``Status.not_converged``).

    Source: Kumar et al. 2024 (arXiv 2411.04330), section 4.3 and appendix E, with the corrected
        first-order condition.

    Example:
        The best training precision of the law of Kumar et al., whatever the budget:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.precision)
        >>> print(f"{plan.optimal_precision(laws.precision, theta).P_opt:.2f} bits")
        7.00 bits
    """
    law = as_law(law)
    if budget is not None:
        return _at_budget(law, params, budget, N=N, cost=cost, throw=throw, fixed=fixed)
    if N is not None:
        raise JscaleError(
            "the optimal precision at a given N grows with compute: give ",
            Argument("budget"),
            " too",
        )

    problem, cost_values = build_problem(law, ("N", "D", "P"), fixed, cost)
    _require_product(problem)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), cost_values)
    P_opt, status, depends = in_padded_batches(functools.partial(_solve, problem), *arrays)

    name = describe(law).name
    if not is_traced(depends) and bool(jnp.any(depends)):
        raise JscaleError(
            f"law {name!r}: the optimal precision depends on N and D, so it needs ",
            Argument("budget"),
        )
    if throw:
        check_status(status, f"optimal precision of {name!r}")
    return PrecisionPlan(P_opt, None, None, None, None, status)


def _at_budget(
    law: LawFunction,
    params: Mapping[str, ArrayLike],
    budget: ArrayLike,
    *,
    N: ArrayLike | None,
    cost: Cost | None,
    throw: bool,
    fixed: Mapping[str, Any],
) -> PrecisionPlan:
    """The optimum at a budget, and at a size if ``N`` is given."""
    if N is None:
        best = optimal(law, params, budget, free=("N", "D", "P"), cost=cost, throw=throw, **fixed)
    else:
        best = optimal(law, params, budget, free=("D", "P"), cost=cost, throw=throw, N=N, **fixed)
    assert best.P_opt is not None  # P is free
    return PrecisionPlan(best.P_opt, best.N_opt, best.D_opt, best.loss, best.budget, best.status)


def _require_product(problem: BudgetProblem) -> None:
    """Raise JscaleError for the cost of a lifetime, which is no multiple of N and D."""
    if isinstance(problem.cost, PyTreeDef):
        raise JscaleError(
            "the optimal precision over the life of a model depends on the budget: give ",
            Argument("budget"),
            " too",
        )


@program("problem", small=FEW)
def _solve(
    problem: BudgetProblem, params: Arrays, inputs: Arrays, cost_values: Sequence[jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    return over_draws(functools.partial(_solve_one, problem), params, inputs, cost_values)


def _solve_one(
    problem: BudgetProblem, params: Arrays, inputs: Arrays, cost_values: Sequence[jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Bits, status, and whether the optimum depends on N and D."""
    bound, cost = problem.bound, problem.build_cost(cost_values)
    dtype = jnp.result_type(*jax.tree.leaves(params))

    def loss(log_N: jax.Array, log_P: jax.Array, design: int) -> jax.Array:
        N, D = _DESIGNS[design]
        values = {
            "N": N * jnp.exp(log_N),
            "D": jnp.asarray(D, dtype),
            "P": MIDDLE_BITS * jnp.exp(log_P),
        }
        return bound.loss({**inputs, **values}, params)

    def elasticities(log_P: jax.Array, design: int) -> tuple[jax.Array, jax.Array]:
        return jax.grad(loss, argnums=(0, 1))(jnp.zeros_like(log_P), log_P, design)

    def log_size(log_P: jax.Array) -> jax.Array:
        """The logarithm of the size, relative to the first design, that costs as much."""
        rates = [cost.parameters(1.0, 1.0, MIDDLE_BITS * jnp.exp(x)) for x in (log_P, 0.0 * log_P)]
        return jnp.log(jnp.asarray(rates[0], dtype)) - jnp.log(jnp.asarray(rates[1], dtype))

    # Along N P = const at fixed D the budget does not change, and the minimum satisfies the joint
    # condition.
    upper = jnp.asarray([RANGES["P"]], dtype)
    best = argmin(lambda x: loss(log_size(x[0]), x[0], 0), -upper, upper, POINTS["P"])
    has_optimum = is_optimum(best.status)

    # The condition must hold at the other design as well, unless the optimum depends on N and D. At
    # a kink and on a plateau there is no condition: no value beside it is lower.
    log_P = jnp.where(has_optimum, best.x[0], 0.0)
    by_size, by_bits = elasticities(log_P, 1)
    by_size = -jax.grad(log_size)(log_P) * by_size
    tolerance = jnp.finfo(dtype).eps ** 0.5
    equal = jnp.abs(by_bits - by_size) <= tolerance * jnp.abs(by_size)
    beside = log_P + _BESIDE * jnp.asarray([-1.0, 0.0, 1.0], dtype)
    below, level, above = jax.vmap(lambda y: loss(log_size(y), y, 1))(beside)
    least = jnp.minimum(below, above) >= level - 8 * jnp.finfo(dtype).eps * jnp.abs(level)
    smooth = best.status == int(Status.converged)
    depends = has_optimum & ~jnp.where(smooth, equal, least)

    status = jnp.where(depends, int(Status.not_converged), best.status)
    P_opt = jnp.where(is_optimum(status), MIDDLE_BITS * jnp.exp(best.x[0]), jnp.nan)
    return P_opt, status, depends
