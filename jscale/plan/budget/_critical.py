"""The number of training tokens beyond which more data makes a model worse."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.scope import in_default_settings
from jscale._core.solve import root
from jscale._core.status import Status
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget._problem import Arrays
from jscale.plan.gridsearch import in_padded_batches, over_draws
from jscale.plan.problem import (
    FEW,
    POST,
    BoundLaw,
    bind,
    check_inputs,
    check_params,
    check_status,
    to_arrays,
)

_MAX_TOKENS = {"float32": 1e20, "float64": 1e60}
"""End of the search.

The slope of a data term, D**(-beta - 1), underflows in float32 beyond 1e20 tokens.
"""
_POINTS = 128
"""Points of the scan from 1 token to ``_MAX_TOKENS``."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CriticalTokens:
    """The tokens beyond which more data increases the loss; arrays of one shape.

    Attributes:
        D_crit: training tokens; ``inf`` where more data never hurts, NaN where the search failed.
        status: :class:`~jscale._core.status.Status` codes; ``no_interior_optimum`` with an infinite
            ``D_crit``.
    """

    D_crit: jax.Array
    status: jax.Array


@in_default_settings
def critical_tokens(
    law: LawFunction | str,
    params: Mapping[str, ArrayLike],
    *,
    N: ArrayLike,
    P_post: ArrayLike | None = None,
    throw: bool = False,
    **fixed: ArrayLike,
) -> CriticalTokens:
    """The training tokens with the least loss of an N-parameter model: ``dL/dD = 0``.

    The more tokens a model is trained on, the more quantisation increases its loss. For the law
    ``precision`` trained in full precision ``D_crit = (beta B N**gamma_N exp(P_post / gamma_post) /
    (gamma_D C_T))**(1 / (gamma_D + beta))`` (Kumar et al. 2024, eq. 13; eq. 12 as printed lacks the
    factor beta). It is computed as the root of ``dL/dlnD``, for any law.

    Differentiable to any order, under ``jit`` and ``vmap``; 1e-9 accurate in float64 (search to
    1e60 tokens), 1e-5 in float32 (search to 1e20 tokens).

    Args:
        law: a law of N and D, or the name of one.
        params: parameter → scalar or draws.
        N: parameters; broadcast against the draws and ``P_post``.
        P_post: bits after training, for a law that has them.
        throw: raise where a solve did not converge, an infinite ``D_crit`` included (outside
            ``jit`` and ``vmap`` only).
        **fixed: other inputs by name: ``P_w=8``, or ``P=8`` for the precision of every part. Bits
            that are not given mean full precision.

    Returns:
        The tokens; those of the first minimum if there are several.

    Raises:
        JscaleError: an unknown name or invalid number, or, with ``throw``, a solve that did not
            converge.

    Source: Kumar et al. 2024 (arXiv 2411.04330), section 3.1, eq. 13.

    Example:
        A model of 8e9 parameters that will be quantised to 4 bits:

        >>> from jscale import laws, plan
        >>> theta = laws.params(laws.precision)
        >>> critical = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4)
        >>> print(f"{critical.D_crit:.2e} tokens")
        6.01e+11 tokens
    """
    law = as_law(law)
    record = describe(law)
    inputs = {"N": N, **fixed}
    if P_post is not None:
        inputs[POST] = P_post
    if "D" not in record.input_names:
        raise JscaleError(f"law {record.name!r} has no input D")

    bound = bind(law, inputs, ("D",))
    arrays = to_arrays(check_params(law, params), check_inputs(law, inputs))
    result = in_padded_batches(functools.partial(_solve, bound), *arrays)
    if throw:
        check_status(result.status, f"critical tokens of {record.name!r}")
    return result


@program("bound", small=FEW)
def _solve(bound: BoundLaw, params: Arrays, inputs: Arrays) -> CriticalTokens:
    return over_draws(functools.partial(_solve_one, bound), params, inputs)


def _solve_one(bound: BoundLaw, params: Arrays, inputs: Arrays) -> CriticalTokens:
    def slope(log_D: jax.Array, start: ArrayLike = 1.0) -> jax.Array:
        """``dL/dlnD`` at ``D = start * exp(log_D)``."""

        def loss(y: jax.Array) -> jax.Array:
            return bound.loss({**inputs, "D": jnp.asarray(start * jnp.exp(y))}, params)

        return jax.grad(loss)(log_D)

    # The bracket: from the last point with a negative slope to the first with a positive one.
    # A slope of exactly 0 (underflow) has no sign, so it cannot end the bracket.
    dtype = inputs["N"].dtype
    grid = jnp.linspace(0.0, math.log(_MAX_TOKENS[dtype.name]), _POINTS, dtype=dtype)
    slopes = lax.stop_gradient(jax.vmap(slope)(grid))
    decreased = jnp.cumsum(slopes < 0) > 0
    turned = decreased & (slopes > 0)
    after = jnp.argmax(turned)
    index = jnp.arange(_POINTS)
    before = jnp.argmax(jnp.where((slopes < 0) & (index < after), index, -1))

    # Relative to the start of the bracket, so that float32 resolves a small number.
    start = jnp.exp(grid[before])
    width = grid[after] - grid[before]
    optimum = root(functools.partial(slope, start=start), jnp.zeros((), dtype), width)

    # Where the loss decreases to the end of the search, more data never hurts.
    monotone = ~jnp.any(slopes > 0) & jnp.all(jnp.isfinite(slopes))
    failed = jnp.where(monotone, int(Status.no_interior_optimum), int(Status.not_converged))
    status = jnp.where(jnp.any(turned), optimum.status, failed)
    otherwise = jnp.where(monotone, jnp.inf, jnp.nan)
    converged = status == int(Status.converged)
    return CriticalTokens(jnp.where(converged, start * jnp.exp(optimum.x), otherwise), status)
