"""A function of one draw, applied to arrays that broadcast against each other.

:func:`over_draws` is one traced ``vmap``: it works inside ``jit``, ``vmap`` and ``grad``, and its
memory grows with the number of entries. It is how the functions of :mod:`jscale.plan` take draws.
For every draw at every point of a curve, in NumPy and in bounded memory, see
:func:`~jscale.plan.gridsearch.in_chunks`.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jscale._core.errors import JscaleError


def over_draws(function: Callable[..., Any], *trees: Any, known: Any = ()) -> Any:
    """``function`` at every entry of the trees' leaves broadcast together.

    Scalars are not copied to every draw: they stay scalars under ``vmap``.

    Args:
        function: of trees of scalars.
        *trees: of arrays whose shapes broadcast.
        known: what another function gave for the same trees; the function takes it by this name
            where it is given.

    Raises:
        JscaleError: shapes that do not broadcast.
    """
    leaves = jax.tree.leaves(trees)
    try:
        shape = jnp.broadcast_shapes(*(leaf.shape for leaf in leaves))
    except ValueError:
        shapes = sorted({leaf.shape for leaf in leaves if leaf.shape})
        raise JscaleError(
            f"shapes {' and '.join(map(str, shapes))} do not broadcast: "
            "for several budgets and draws at once, write budget[:, None]"
        ) from None
    extra = {"known": known} if jax.tree.leaves(known) else {}
    if shape == ():
        return function(*trees, **extra)

    def flatten(leaf: jax.Array) -> jax.Array:
        return jnp.broadcast_to(leaf, shape).ravel() if leaf.shape else leaf

    def rows(leaf: jax.Array) -> jax.Array:
        return leaf.reshape(math.prod(shape), *leaf.shape[len(shape) :])

    flat = jax.tree.map(flatten, trees)
    axes = jax.tree.map(lambda leaf: 0 if leaf.shape else None, trees)
    result = jax.vmap(function, in_axes=axes)(*flat, **jax.tree.map(rows, extra))
    return jax.tree.map(lambda leaf: leaf.reshape(shape + leaf.shape[1:]), result)
