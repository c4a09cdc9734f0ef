"""Quantiles of Student's t, for intervals whose errors are themselves estimated."""

from functools import cache
from statistics import NormalDist

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import betainc

_NORMAL = 1e6
"""Degrees of freedom above which the normal quantile is right to six digits."""
_HALVINGS = 100


@jax.jit
def _share(inside: jax.Array, df: jax.Array) -> jax.Array:
    """``t**2 / (df + t**2)`` within which a share ``inside`` of Student's t lies, by halving."""

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        below = betainc(0.5, 0.5 * df, middle) < inside
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    return lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros(()), jnp.ones(())))[1]


@cache
def reach_of(inside: float, df: float) -> float:
    """The size that Student's t with ``df`` degrees of freedom stays below with probability ``inside``.

    In a float64 scope; infinite without degrees of freedom.
    """
    if df <= 0:
        return float("inf")
    if df > _NORMAL:
        return NormalDist().inv_cdf(0.5 + inside / 2)
    share = float(_share(jnp.asarray(float(inside)), jnp.asarray(float(df))))
    return (df * share / (1 - share)) ** 0.5
