"""The minimum of a chain of kinks by golden sections, where derivatives find none."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.status import Status

_GOLDEN = 0.5 * (5**0.5 - 1)
_SECTIONS = 75
"""Of an interval of two grid points, down to the precision of float64."""


def at_dense_kinks(
    function: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    status: jax.Array,
    upper: jax.Array,
    points: int,
) -> tuple[jax.Array, jax.Array]:
    """The minimum by golden sections where Newton's method found none.

    The worst of many draws change from point to point: the function is a chain of kinks, too near
    to each other to be told apart by derivatives. Derivatives of this minimum are NaN.

    Args:
        function: of (1,).
        x: (1,) found by derivatives.
        status: of ``x``.
        upper: half the range of the search.
        points: of its grid.
    """

    def sections() -> tuple[jax.Array, jax.Array]:
        def value_at(x: jax.Array) -> jax.Array:
            value = function(x[None])
            return lax.stop_gradient(jnp.where(jnp.isnan(value), jnp.inf, value))

        grid = jnp.linspace(-upper, upper, points, dtype=x.dtype)
        best = jnp.argmin(lax.map(value_at, grid))
        inside = (best > 0) & (best < points - 1)
        low, high = grid[jnp.maximum(best - 1, 0)], grid[jnp.minimum(best + 1, points - 1)]

        def narrow(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            width = _GOLDEN * (ends[1] - ends[0])
            left, right = ends[1] - width, ends[0] + width
            below = value_at(left) < value_at(right)
            return jnp.where(below, ends[0], left), jnp.where(below, right, ends[1])

        low, high = lax.fori_loop(0, _SECTIONS, narrow, (low, high))
        minimum = _without_derivatives(0.5 * (low + high)[None], function(x))
        outcome = jnp.where(inside, int(Status.kink), int(Status.no_interior_optimum))
        return minimum, outcome.astype(status.dtype)

    failed = status == int(Status.not_converged)
    return lax.cond(failed, sections, lambda: (x, status))


@jax.custom_jvp
def _without_derivatives(x: jax.Array, depends: jax.Array) -> jax.Array:
    """``x``, whose derivatives by whatever moves ``depends`` are NaN."""
    del depends
    return x


@_without_derivatives.defjvp
def _unknown(primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]) -> Any:
    return primals[0], tangents[0] + jnp.nan * tangents[1]
