"""Starting points of fits, spread evenly over the declared start ranges."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.scope import float64
from jscale._core.supports import Support
from jscale.laws import Record
from jscale.laws.roles import Role

_MAX_STEP_SHARE = 0.5
"""Of the start range: limits of 1, 1/2 and 1/4 of it all bring 1,000 of 1,000 starts to the optimum
of the Chinchilla table, under every objective, in as many steps as without a limit."""


def spread_starts(record: Record, count: int) -> np.ndarray:
    """``count`` starting points (count, k) in free coordinates, the same in every call.

    A Kronecker sequence on the generalised golden ratio covers the box far more evenly than random
    points, and needs no random key.
    """
    k = len(record.parameters)
    golden = 2.0
    for _ in range(64):
        golden = (1 + golden) ** (1 / (k + 1))
    fractions = (0.5 + np.outer(np.arange(1, count + 1), golden ** -np.arange(1.0, k + 1))) % 1.0
    low, high = start_ranges(record).T
    return low + fractions * (high - low)


def restart_point(
    start: jax.Array, low: np.ndarray, high: np.ndarray, restart: jax.Array
) -> jax.Array:
    """The point (k,) of the ranges for the ``restart``-th restart, 1 or more, of ``start``.

    Every coordinate is moved by a fixed irrational share of its range (modulo 1), so that starts
    that are spread evenly stay so, and no start gets the points of another.
    """
    amounts = math.sqrt(2) * jnp.arange(1.0, len(start) + 1, dtype=start.dtype)
    share = (start - low) / (high - low) + restart.astype(start.dtype) * amounts
    return share % 1 * (high - low) + low


def max_step(record: Record) -> np.ndarray:
    """The longest step (k,) of a descent along every free coordinate.

    It is a share of the start range. In stages without walls, 1 to 8 of 1,000 starts on the
    Chinchilla table otherwise step to where an exponent is 0 or the floor equals the lowest loss, a
    flat region from which no descent returns.
    """
    low, high = start_ranges(record).T
    return _MAX_STEP_SHARE * (high - low)


def start_ranges(record: Record) -> np.ndarray:
    """Lower and upper end (k, 2) of every free coordinate's start range."""
    roles = [p.role for p in record.parameters]
    return np.sort([_range(role.support, *_ends(role)) for role in roles], axis=1)


def _ends(role: Role) -> tuple[float, float]:
    assert role.start is not None
    low, high = role.start
    return low, high


@functools.lru_cache(maxsize=1024)
def _range(support: Support, *ends: float) -> tuple[float, ...]:
    """The ends of a start range: numbers, so that they are constants of programs that use them."""
    with float64(), jax.ensure_compile_time_eval():
        return tuple(float(support.to_free(edge)) for edge in ends)
