"""Compute multipliers between two sets of parameters of one law."""

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.laws import LawFunction, describe
from jscale.plan import cheapest, optimal

ALONG = ("frontier", "ratio")
_FLOP_PER_TOKEN = 6.0
_DECADES = 30
"""Powers of ten below and above a budget in which the compute of the reference is sought."""
_HALVINGS = 60
"""Of that range in the logarithm: to 1e-16 of it."""

Params = Mapping[str, np.ndarray]


def multipliers(
    law: LawFunction,
    reference: Params,
    recipe: Params,
    budgets: np.ndarray,
    *,
    ratio: float | None,
) -> np.ndarray:
    """Compute of the reference at the recipe's loss, over the recipe's: (budgets, draws).

    Infinite where the loss lies below the reference's floor, NaN where a solve failed.

    Args:
        law: a law of N and D, or of C.
        reference: parameter → (draws,).
        recipe: parameter → (draws,).
        budgets: (budgets,) FLOP of the recipe.
        ratio: tokens per parameter of both; None for the compute-optimal one of each, which a law
            of C describes already.
    """
    if "C" in describe(law).input_names or ratio is not None:
        return _along_curve(law, reference, recipe, budgets, ratio)
    target = np.asarray(optimal(law, recipe, budgets[:, None]).loss)
    plan = cheapest(law, reference, target)
    converged = np.asarray(plan.status) == int(Status.converged)
    result = np.where(converged, np.asarray(plan.budget) / budgets[:, None], math.nan)
    # No budget reaches a loss that the largest one does not.
    top = np.asarray(optimal(law, reference, budgets[-1:] * 10.0**_DECADES).loss)
    return np.where(~converged & (target <= top), math.inf, result)


def _along_curve(
    law: LawFunction,
    reference: Params,
    recipe: Params,
    budgets: np.ndarray,
    ratio: float | None,
) -> np.ndarray:
    """Multipliers by bisection along a curve on which the loss depends on compute alone."""

    def loss(params: Params, log_compute: np.ndarray) -> np.ndarray:
        compute = jnp.exp(jnp.asarray(log_compute))
        if ratio is None:
            return np.asarray(law(C=compute, **params))
        size = jnp.sqrt(compute / (_FLOP_PER_TOKEN * ratio))
        return np.asarray(law(N=size, D=ratio * size, **params))

    at = np.broadcast_to(np.log(budgets)[:, None], (len(budgets), len(next(iter(recipe.values())))))
    target, width = loss(recipe, at), _DECADES * math.log(10.0)
    low, high = at - width, at + width
    is_reached = (loss(reference, high) < target) & (loss(reference, low) > target)
    is_beyond = loss(reference, high) >= target
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_above = loss(reference, middle) > target
        low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
    result = np.exp(0.5 * (low + high) - at)
    return np.where(is_reached, result, np.where(is_beyond, math.inf, math.nan))
