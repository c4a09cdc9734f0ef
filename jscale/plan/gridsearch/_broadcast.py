"""Functions of one draw, over draws."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jscale._core.errors import JscaleError


def over_draws(function: Callable[..., Any], *trees: Any) -> Any:
    """``function`` at every entry of the trees' leaves broadcast together.

    Scalars stay scalars under ``vmap``, so that a single value is not copied to every draw.
    """
    leaves = jax.tree.leaves(trees)
    try:
        shape = jnp.broadcast_shapes(*(leaf.shape for leaf in leaves))
    except ValueError:
        shapes = sorted({leaf.shape for leaf in leaves if leaf.shape})
        raise JscaleError(
            f"shapes {' and '.join(map(str, shapes))} do not broadcast: for several budgets and draws at once, "
            "write budget[:, None]"
        ) from None
    if shape == ():
        return function(*trees)
    flat = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, shape).ravel() if leaf.shape else leaf, trees
    )
    axes = jax.tree.map(lambda leaf: 0 if leaf.shape else None, trees)
    result = jax.vmap(function, in_axes=axes)(*flat)
    return jax.tree.map(lambda leaf: leaf.reshape(shape + leaf.shape[1:]), result)
