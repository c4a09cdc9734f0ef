"""Coordinates in which the posterior is close to a standard normal: whitened at its mode."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from numpyro.infer.util import initialize_model

from jscale._core.solve import newton

_MODE_STARTS = 8


_MODE_RESOLUTION = 1e-6
"""Nats by which the mode may be missed: it only centres coordinates."""


_FLATTEST = 1e-6
"""Curvatures at the mode below this (nats per squared unit) are not believed: the prior's tails end
such directions."""


class Whitened(NamedTuple):
    """A posterior in coordinates in which its mode is 0 and its curvature there the identity."""

    potential: Callable[[jax.Array], jax.Array]
    to_sites: Callable[[jax.Array], dict[str, jax.Array]]
    size: int


def whiten(model: Callable[[], None], key: jax.Array) -> Whitened:
    """Coordinates for a NumPyro model in which its posterior is round at the mode.

    Without them the sampler's step is set by the narrowest direction of a posterior whose widths
    differ a hundredfold, and trees grow long.

    Args:
        model: without arguments.
        key: for the points from which the mode is searched.
    """
    init_key, start_key = jax.random.split(key)
    info = initialize_model(init_key, model, validate_grad=False)
    flat, unravel = ravel_pytree(info.param_info.z)
    mode, hessian = _mode(lambda u: info.potential_fn(unravel(u)), start_key, flat.shape[0])
    curvature, axes = jnp.linalg.eigh(hessian)
    unroot = axes / jnp.sqrt(jnp.maximum(curvature, _FLATTEST))

    def potential(z: jax.Array) -> jax.Array:
        return info.potential_fn(unravel(mode + unroot @ z))

    def to_sites(z: jax.Array) -> dict[str, jax.Array]:
        return info.postprocess_fn(unravel(mode + unroot @ z))

    return Whitened(potential, to_sites, flat.shape[0])


def _mode(
    potential: Callable[[jax.Array], jax.Array], key: jax.Array, size: int
) -> tuple[jax.Array, jax.Array]:
    """The deepest of several modes and the Hessian there."""

    def widths(u: jax.Array, hessian: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(hessian)), 1e-8))

    @jax.jit
    def search(starts: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = jax.lax.map(
            lambda start: newton(potential, widths, start, _MODE_RESOLUTION), starts
        )
        best = found.free[jnp.argmin(jnp.where(jnp.isfinite(found.value), found.value, jnp.inf))]
        return best, jax.hessian(potential)(best)

    return search(jax.random.uniform(key, (_MODE_STARTS, size), minval=-2.0, maxval=2.0))
