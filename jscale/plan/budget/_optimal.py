"""The compute-optimal model: how large, on how many tokens, in how many bits."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import jax
from jax.typing import ArrayLike

from jscale._core.checks import check_number
from jscale.laws import LawFunction, describe
from jscale.plan.budget._problem import BudgetProblem, build_problem
from jscale.plan.budget._search import Plan, solve_one
from jscale.plan.costs import Cost
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import check_inputs, check_params, check_status, to_arrays


def optimal(
    law: LawFunction,
    params: Mapping[str, ArrayLike],
    budget: ArrayLike,
    *,
    free: Iterable[str] = ("N", "D"),
    cost: Cost | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> Plan:
    """The parameters, tokens and bits that reach the least loss on a budget of FLOP.

    ``min L(N, D, P)`` subject to ``cost(N, D, P) = budget``. Differentiable to any order in every
    parameter, the budget and the fixed inputs (by the implicit function theorem), under ``jit`` and
    ``vmap``.

    A single ``P`` is the training precision of every part of the model (weights, activations, KV
    cache) with no quantisation after training, unless ``P_post`` is given too: then the best of
    training in ``P_post`` bits, which need no quantising, and of training in more counts. With
    ``P`` the cost defaults to ``(6 / 16) N D P``, else to ``6 N D``. The conditions of the optimum
    are those of the law itself: the optimum printed as equations 6, 7, 16, 17 and 28 of Kumar et
    al. 2024 is not used, since those equations have errors.

    Accuracy at the published constants, budgets from 1e15 to 1e28: 1e-9 in float64; in float32 2e-5
    for N, D and P, 5e-7 for the loss and 5e-5 for first derivatives. With the size given the
    optimal precision is flat at large
    budgets: 5e-5 in float32 up to 1e24. Second derivatives of a plan need float64.

    Args:
        law: a law of N and D, and of bits where P is asked for.
        params: parameter → scalar or draws (any leading axes; scalars and arrays mix).
        budget: FLOP, scalar or array; broadcast against the draws: several budgets with draws of
            shape (S,) are ``budget[:, None]``.
        free: what to choose, from "N", "D" and "P". What is not free is given by name: ``N=8e9`` or
            ``P=8``.
        cost: of training, or over the life of the model, see :mod:`jscale.plan.costs`.
        throw: raise where a solve did not converge (outside ``jit`` and ``vmap`` only).
        **fixed: other inputs by name, scalar or array: ``P_w=4``, ``P_post=4``.

    Returns:
        The plan. ``Status.no_interior_optimum`` where the loss falls towards the edge of the search
        (1/16 to 256 bits, 1e-30 to 1e30 tokens per parameter) or is infinite,
        ``Status.not_converged`` where the best point is a kink or a jump of the law, or float32
        does not carry its derivatives.

    Raises:
        JscaleError: a wrong name, a wrong number, a combination that cannot be planned, or, with
            ``throw``, a failure.

    Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 4; Kumar et al. 2024 (arXiv 2411.04330),
        eq. 5.
    """
    question, numbers = build_problem(law, free, fixed, cost)
    budget = check_number("budget", budget, above=0.0)
    arrays = to_arrays(check_params(law, params), check_inputs(law, fixed), numbers, budget)
    plan = _solve(question, *arrays)
    if throw:
        check_status(plan.status, f"optimal plan of {describe(law).name!r}")
    return plan


@functools.partial(jax.jit, static_argnums=0)
def _solve(
    question: BudgetProblem, params: Any, inputs: Any, numbers: Any, budget: jax.Array
) -> Plan:
    return over_draws(functools.partial(solve_one, question), params, inputs, numbers, budget)
