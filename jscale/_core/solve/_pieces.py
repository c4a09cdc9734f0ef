"""The conditions of a minimum, smooth or at a kink: their root gives its derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

KINK_STEP = 1e-5
"""Distance, in grid spacings, over which a kink shows: a parabola rises 1e-10 of its depth there,
four times as much at twice the distance; a kink twice as much."""
_PARALLEL = 1e-4
"""Largest squared sine of the angle between two jumps of the gradient across one kink."""
_JUMP = 0.1
"""Part of the step over which two pieces that meet in a kink may miss each other."""


def optimality(
    function: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    kinked: jax.Array,
    spacing: jax.Array,
) -> jax.Array:
    """What vanishes at the minimum ``x``, shape (d,): the gradient, or the gap between the pieces.

    A kink lies where two smooth pieces are equal, so that it moves with whatever moves one of them.
    The pieces are continued linearly from a short step to either side. In more than one dimension
    either a single kink passes through the minimum, along which the function is stationary, or
    kinks cross in every direction. At a jump the pieces are not equal: there ``x`` is held.

    Args:
        function: (d,) → scalar.
        x: (d,) the minimum.
        kinked: scalar, whether it is a kink.
        spacing: (d,) of the grid.
    """
    size = x.shape[0]
    step = jnp.where(kinked, KINK_STEP, 0.0) * spacing
    moves = jnp.diag(step)
    points = x + jnp.concatenate([jnp.zeros_like(moves[:1]), -moves, moves])

    def value_and_slopes(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        slopes, value = jax.jacfwd(lambda x: (function(x),) * 2, has_aux=True)(x)
        return value, slopes

    values, slopes = jax.vmap(value_and_slopes)(points)
    below, above = slopes[1 : size + 1], slopes[size + 1 :]
    gaps = values[1 : size + 1] + step * jnp.diag(below)
    gaps = gaps - (values[size + 1 :] - step * jnp.diag(above))
    jumps = above - below

    # Pieces that do not meet within the step: the function itself jumps.
    across = jnp.argmax(jnp.abs(jnp.diag(jumps)) * spacing)
    rounding = 16 * jnp.finfo(x.dtype).eps * jnp.abs(values[0])
    met = jnp.abs(gaps) <= _JUMP * step * jnp.abs(jnp.diag(jumps)) + rounding
    conditions = gaps if size == 1 else _several(gaps, jumps, below, across, spacing)
    conditions = jnp.where(met[across], conditions, x - jax.lax.stop_gradient(x))
    return jnp.where(kinked, conditions, slopes[0])


def _several(
    gaps: jax.Array, jumps: jax.Array, below: jax.Array, across: jax.Array, spacing: jax.Array
) -> jax.Array:
    """The conditions in two or three dimensions: of one kink, or of kinks that cross.

    The jump of the gradient across a kink is normal to it. ``across`` is the axis along which the
    gradient jumps most.
    """
    normal = jumps[across]
    scaled, unit = jumps * spacing, normal * spacing
    length = unit @ unit
    products = scaled @ unit
    areas = jnp.sum(scaled**2, axis=1) * length - products**2
    single = jnp.all(areas <= _PARALLEL * length**2)

    # Along a single kink: the slope of either piece in the directions orthogonal to its normal.
    largest = jnp.where(normal[across] == 0, 1.0, normal[across])
    slopes = below[across]
    along = slopes - normal / largest * slopes[across]
    is_across = jnp.arange(gaps.shape[0]) == across
    return jnp.where(single & ~is_across, along, gaps)
