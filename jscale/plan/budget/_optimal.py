"""The compute-optimal model: how large, on how many tokens, in how many bits."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from jax import lax
from jax.typing import ArrayLike

from jscale._core.checks import check_number, is_traced
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget._problem import BudgetProblem, build_problem
from jscale.plan.budget._search import Minima, Plan, best_point, mark_smooth, need_kinks, solve_one
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import in_padded_batches, over_draws
from jscale.plan.problem import FEW, check_inputs, check_params, check_status, to_arrays


@in_default_settings
def optimal(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    budget: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """Parameters, tokens and bits with the least loss for a budget in FLOP.

    ``min L(N, D, P)`` subject to ``cost(N, D, P) = budget``. Differentiable to any order in every
    parameter, the budget and the fixed inputs (by the implicit function theorem), under ``jit`` and
    ``vmap``.

    A single ``P`` is the training precision of every part of the model (weights, activations, KV
    cache), without quantisation after training unless ``P_post`` is given too. With ``P_post`` the
    plan is the better of two: training in ``P_post`` bits, which needs no quantisation, and
    training in more bits.

    The cost defaults to ``6 N D``. For a law of the bits of weights and activations it is ``(6 /
    16) N D P``, where ``P`` or one of the two is planned: P is then the wider of the two, 16 for
    one that is not given. A law of the bits of weights alone (``qat``) is charged ``6 N D``:
    weights are dequantised for the matrix products, so fewer bits save no training compute, and a
    free P has no optimum without another cost (``cost=costs.precision_scaled_flops``).

    The optimality conditions are computed from the law: equations 6, 7, 16, 17 and 28 of Kumar et
    al. 2024, as printed, have errors and are not used.

    Accuracy at the published constants, for budgets from 1e15 to 1e28: 1e-9 in float64; in float32
    2e-5 for N, D and P, 5e-7 for the loss and 5e-5 for first derivatives. With N given, the loss is
    flat about the optimal precision at large budgets: 5e-5 in float32 up to 1e24. Second
    derivatives of a plan need float64.

    Args:
        law: a law of N and D, and of bits if P is free or given; or the name of one.
        params: parameter → scalar or draws (any leading axes; scalars and arrays mix).
        budget: FLOP, scalar or array; broadcast against the draws: several budgets with draws of
            shape (S,) are ``budget[:, None]``.
        free: the variables to choose, from "N", "D" and "P". Those that are not free are given by
            name: ``N=8e9`` or ``P=8``.
        cost: of training, or over the life of the model, see :mod:`jscale.plan.costs`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name, scalar or array: ``P_w=4``, ``P_post=4``.

    Returns:
        The plan. ``Status.no_interior_optimum`` where the loss decreases towards the edge of the
        search (1/16 to 256 bits, 1e-30 to 1e30 tokens per parameter) or is infinite;
        ``Status.not_converged`` where the best point is a jump of the law, or where float32 does
        not resolve its derivatives. An optimum at a kink of the law or the cost has
        ``Status.kink``, one of many equally good ones ``Status.flat`` (repeated data without
        value): both are held by derivatives.

    Raises:
        JscaleError: an unknown name, an invalid number, variables that do not make a problem, or,
            with ``throw``, a solve that did not converge.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 4; Kumar et al. 2024 (arXiv 2411.04330),
        eq. 5.

    Example:
        The Chinchilla law, as refitted by Besiroglu et al., for 1e24 FLOP:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.chinchilla)
        >>> best = plan.optimal(laws.chinchilla, theta, budget=1e24)
        >>> print(f"{best.N_opt:.2e} parameters, {best.D_opt:.2e} tokens, loss {best.loss:.3f}")
        5.19e+10 parameters, 3.21e+12 tokens, loss 1.900
    """
    law = as_law(law)
    problem, cost_values = build_problem(law, free, fixed, cost)
    budget = check_number("budget", budget, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), cost_values, budget)

    plan = in_padded_batches(functools.partial(_solve, problem), *arrays)
    if throw:
        check_status(plan.status, f"optimal plan of {describe(law).name!r}")
    return plan


def _solve(problem: BudgetProblem, *numbers: Any) -> Plan:
    """The search apart from its plan: derivatives need the second alone.

    JAX then compiles the search once, not again for every derivative.
    """
    found = in_padded_batches(lambda *each: _minima(problem, each), *lax.stop_gradient(numbers))
    return _report(problem, numbers, mark_smooth(found), held=not is_traced(numbers))


def _minima(problem: BudgetProblem, numbers: tuple[Any, ...]) -> Minima:
    """The minima; where the numbers are known, kinks are sought only where they are needed."""
    if is_traced(numbers):
        return _find(problem, numbers, kinks=True)
    found = _find(problem, numbers, kinks=False)
    return _find(problem, numbers, kinks=True) if need_kinks(found) else found


@program("problem", "kinks", small=FEW)
def _find(problem: BudgetProblem, numbers: tuple[Any, ...], *, kinks: bool) -> Minima:
    search = functools.partial(best_point, problem, held=True, kinks=kinks)
    return over_draws(lambda *each: search(*each)[1], *numbers)


@program("problem", "held", small=FEW)
def _report(
    problem: BudgetProblem, numbers: tuple[Any, ...], minima: Minima, *, held: bool
) -> Plan:
    solve = functools.partial(solve_one, problem, held=held)
    return over_draws(solve, *numbers, known=minima)
