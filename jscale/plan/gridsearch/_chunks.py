"""A function at every draw and every point of a curve, in chunks of one size.

:func:`in_chunks` loops outside of JAX, from NumPy to NumPy in float64: two compiled shapes serve
any number of draws and points, and memory does not grow with them. It is how reports compute
curves. For draws inside a JAX transformation see :func:`~jscale.plan.gridsearch.over_draws`.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.scope import in_float64

_SMALL_CHUNK, _CHUNK = 64, 8192
"""The two sizes: each shape costs a compilation, which takes longer than to solve 8,192 plans."""

Columns = Mapping[str, np.ndarray]
ChunkFunction = Callable[
    [dict[str, jax.Array], dict[str, jax.Array]], Mapping[str, jax.Array | None]
]


@in_float64
def in_chunks(function: ChunkFunction, params: Columns, points: Columns) -> dict[str, np.ndarray]:
    """The values of ``function(params, points)`` for every draw and every point, in float64.

    Args:
        function: of two dicts of arrays of one shape (size,), to a dict of such arrays; an entry
            of None is left out.
        params: parameter → (draws,).
        points: name → (points,).

    Returns:
        Each entry as an array of shape (draws, points).
    """
    draws = len(next(iter(params.values())))
    count = len(next(iter(points.values())))
    total = draws * count
    size = _SMALL_CHUNK if total <= _SMALL_CHUNK else _CHUNK

    chunks: dict[str, list[np.ndarray]] = {}
    for start in range(0, total, size):
        # The last chunk is padded with copies of its last entry, so that all have one shape.
        entry = np.minimum(np.arange(start, start + size), total - 1)
        results = function(
            {name: jnp.asarray(values[entry // count]) for name, values in params.items()},
            {name: jnp.asarray(values[entry % count]) for name, values in points.items()},
        )
        for name, values in results.items():
            if values is not None:
                chunk = np.broadcast_to(np.asarray(values), entry.shape)
                chunks.setdefault(name, []).append(chunk)

    return {
        name: np.concatenate(parts)[:total].reshape(draws, count) for name, parts in chunks.items()
    }
