"""The number of training tokens beyond which more data makes a model worse."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.solve import root
from jscale._core.status import Status
from jscale.laws import LawFunction, describe
from jscale.plan.gridsearch import over_draws
from jscale.plan.problem import (
    POST,
    BoundLaw,
    bind,
    check_inputs,
    check_params,
    check_status,
    to_arrays,
)

_MOST_TOKENS = {"float32": 1e20, "float64": 1e60}
"""End of the search. The slope of a data term, D**(-beta - 1), underflows in float32 beyond 1e20
tokens."""
_POINTS = 128


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CriticalTokens:
    """Where more data starts to hurt; arrays of one shape.

    Attributes:
        D_crit: training tokens; ``inf`` where more data never hurts, NaN where the search failed.
        status: :class:`~jscale._core.status.Status` codes; ``no_interior_optimum`` with an infinite
            ``D_crit``.
    """

    D_crit: jax.Array
    status: jax.Array


def critical_tokens(
    law: LawFunction,
    params: Mapping[str, ArrayLike],
    *,
    N: ArrayLike,
    P_post: ArrayLike | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> CriticalTokens:
    """The training tokens at which the loss of an N-parameter model is least: ``dL/dD = 0``.

    A model trained on more tokens loses more when it is quantised. For the law ``precision``
    trained in full precision ``D_crit = (beta B N**gamma_N exp(P_post / gamma_post) / (gamma_D
    C_T))**(1 / (gamma_D + beta))`` (Kumar et al. 2024, eq. 13; eq. 12 as printed lacks the factor
    beta). Here it is found as the root of ``dL/dlnD``, for any law.

    Differentiable to any order, under ``jit`` and ``vmap``; 1e-9 accurate in float64 (search to
    1e60 tokens), 1e-5 in float32 (search to 1e20 tokens).

    Args:
        law: a law of N and D.
        params: parameter → scalar or draws.
        N: parameters; broadcast against the draws and ``P_post``.
        P_post: bits after training, for a law that has them.
        throw: raise where a solve did not converge, an infinite ``D_crit`` included (outside
        ``jit`` and ``vmap``). **fixed: other inputs by name: ``P_w=8``, or ``P=8`` for the
        precision of every part. Bits that are not given
            mean full precision.

    Returns:
        The tokens. The first minimum counts, should there be several.

    Raises:
        JscaleError: a wrong name or number, or, with ``throw``, a failure.

    Source: Kumar et al. 2024 (arXiv 2411.04330), section 3.1, eq. 13.
    """
    given = {"N": N, **fixed} if P_post is None else {"N": N, POST: P_post, **fixed}
    if "D" not in describe(law).input_names:
        raise JscaleError(f"law {describe(law).name!r} has no input D")
    bound = bind(law, given, ("D",))
    arrays = to_arrays(check_params(law, params), check_inputs(law, given))
    result = _solve(bound, *arrays)
    if throw:
        check_status(result.status, f"critical tokens of {describe(law).name!r}")
    return result


@functools.partial(jax.jit, static_argnums=0)
def _solve(bound: BoundLaw, params: Any, inputs: Any) -> CriticalTokens:
    return over_draws(functools.partial(_solve_one, bound), params, inputs)


def _solve_one(bound: BoundLaw, params: Any, inputs: Any) -> CriticalTokens:
    def slope(log_D: jax.Array, start: ArrayLike = 1.0) -> jax.Array:
        """``dL/dlnD`` at ``D = start * exp(log_D)``."""
        return jax.grad(
            lambda y: bound.loss({**inputs, "D": jnp.asarray(start * jnp.exp(y))}, params)
        )(log_D)

    dtype = inputs["N"].dtype
    grid = jnp.linspace(0.0, math.log(_MOST_TOKENS[dtype.name]), _POINTS, dtype=dtype)
    slopes = lax.stop_gradient(jax.vmap(slope)(grid))
    # A slope that is 0 in floating point says nothing: the bracket ends where the sign is certain.
    falling = jnp.cumsum(slopes < 0) > 0
    after = jnp.argmax(falling & (slopes > 0))
    before = jnp.argmax(
        jnp.where((slopes < 0) & (jnp.arange(_POINTS) < after), jnp.arange(_POINTS), -1)
    )
    found = jnp.any(falling & (slopes > 0))
    start = jnp.exp(grid[before])
    # Counted from the start of the bracket, so that float32 has a small number to resolve.
    best = root(
        functools.partial(slope, start=start), jnp.zeros((), dtype), grid[after] - grid[before]
    )
    never = ~jnp.any(slopes > 0) & jnp.all(jnp.isfinite(slopes))
    missing = jnp.where(never, int(Status.no_interior_optimum), int(Status.not_converged))
    status = jnp.where(found, best.status, missing)
    tokens = jnp.where(
        status == int(Status.converged), start * jnp.exp(best.x), jnp.where(never, jnp.inf, jnp.nan)
    )
    return CriticalTokens(tokens, status)
