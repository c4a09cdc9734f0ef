"""The covariance of a discrepancy: Matérn 3/2 through inducing points."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale._core.solve import inverse_cholesky

_JITTER = 1e-8
"""Share of the variance that is added at inducing points, so that the Cholesky factor exists."""
_SQUARED_DISTANCE = 1e-12
"""Added to squared distances, since a square root has no derivative at zero."""


class LowRank(NamedTuple):
    """A covariance ``factor @ factor.T + diag(rest)``.

    Attributes:
        factor: (rows, points).
        rest: (rows,) variance that the inducing points do not explain (FITC).
    """

    factor: jax.Array
    rest: jax.Array


def matern(first: Any, second: Any, scale: Any, length: Any) -> jax.Array:
    """Matérn-3/2 covariance (rows, others) with standard deviation ``scale``."""
    squared = (((first[:, None, :] - second[None, :, :]) / length) ** 2).sum(axis=-1)
    distance = jnp.sqrt(3.0 * (squared + _SQUARED_DISTANCE))
    return scale**2 * (1.0 + distance) * jnp.exp(-distance)


def low_rank(points: Any, inducing: Any, is_inducing: Any, scale: Any, length: Any) -> LowRank:
    """The covariance of the discrepancy at ``points`` (rows, dimensions).

    The weights of the columns of ``factor`` are independent standard normals. At an inducing point
    the covariance is exact, and far from all of them ``rest`` is the whole variance.

    Args:
        points: (rows, dimensions).
        inducing: (points, dimensions).
        is_inducing: (points,) false in points that only fill the array.
        scale: standard deviation of the discrepancy.
        length: distance, in standard deviations of the inputs, over which it varies.
    """
    identity = jnp.eye(inducing.shape[0])
    both = is_inducing[:, None] & is_inducing[None, :]
    among = jnp.where(both, matern(inducing, inducing, 1.0, length), 0.0)
    among = among + jnp.where(is_inducing, _JITTER, 1.0) * identity
    between = jnp.where(is_inducing[:, None], matern(inducing, points, 1.0, length), 0.0)

    factor = (inverse_cholesky(among) @ between).T
    rest = jnp.maximum(1.0 - (factor**2).sum(axis=1), 0.0)
    return LowRank(scale * factor, scale**2 * rest)
