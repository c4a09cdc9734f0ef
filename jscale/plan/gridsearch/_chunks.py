"""Every draw at every point of a curve, in parts of one size: one compilation, and memory that does
not grow.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.scope import in_float64

_FEW, _LANES = 64, 8192
"""The two sizes: every shape costs a compilation of its own, which takes longer than to solve 8,192
plans."""

Columns = Mapping[str, np.ndarray]


@in_float64
def in_chunks(
    function: Callable[
        [dict[str, jax.Array], dict[str, jax.Array]], Mapping[str, jax.Array | None]
    ],
    params: Columns,
    points: Columns,
) -> dict[str, np.ndarray]:
    """What ``function(params, points)`` gives for every draw and every point, in float64.

    Args:
        function: of two dicts of arrays of one shape (lanes,), to a dict of such arrays; an entry
            of None is left out.
        params: parameter → (draws,).
        points: name → (points,).

    Returns:
        Each entry as an array of shape (draws, points).
    """
    draws, count = (len(next(iter(columns.values()))) for columns in (params, points))
    total = draws * count
    size = _FEW if total <= _FEW else _LANES
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, total, size):
        # The last part is filled up with copies of its last lane, so that all parts have one shape.
        lane = np.minimum(np.arange(start, start + size), total - 1)
        answers = function(
            {name: jnp.asarray(values[lane // count]) for name, values in params.items()},
            {name: jnp.asarray(values[lane % count]) for name, values in points.items()},
        )
        for name, values in answers.items():
            if values is not None:
                found.setdefault(name, []).append(np.broadcast_to(np.asarray(values), lane.shape))
    return {
        name: np.concatenate(parts)[:total].reshape(draws, count) for name, parts in found.items()
    }
