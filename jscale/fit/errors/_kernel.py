"""The covariance of a discrepancy: Matérn 3/2 through inducing points."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale._core.solve import inverse_cholesky

_JITTER = 1e-8
"""Share of the variance that is added at inducing points, so that the Cholesky factor exists."""


class LowRank(NamedTuple):
    """A covariance ``factor @ factor.T + diag(rest)``.

    Attributes:
        factor: (rows, points).
        rest: (rows,) variance that the inducing points do not explain (FITC).
    """

    factor: jax.Array
    rest: jax.Array


def correlation(distance: Any, length: Any) -> jax.Array:
    """Matérn-3/2 correlation at a distance."""
    scaled = jnp.sqrt(3.0) / length * distance
    return (1.0 + scaled) * jnp.exp(-scaled)


def low_rank(distances: Any, among: Any, scale: Any, length: Any) -> LowRank:
    """The covariance of the discrepancy at rows.

    The weights of the columns of ``factor`` are independent standard normals. At an inducing point
    the covariance is exact, and far from all of them ``rest`` is the whole variance.

    Args:
        distances: (rows, points) between rows and inducing points, in standard deviations of the
            inputs.
        among: (points, points) between inducing points.
        scale: standard deviation of the discrepancy.
        length: distance over which it varies.
    """
    identity = jnp.eye(among.shape[0])
    root = inverse_cholesky(correlation(among, length) + _JITTER * identity)
    factor = correlation(distances, length) @ root.T
    rest = jnp.maximum(1.0 - (factor**2).sum(axis=1), 0.0)
    return LowRank(scale * factor, scale**2 * rest)
