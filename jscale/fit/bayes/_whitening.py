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
"""Tolerance of the mode in nats: it only centres the coordinates."""
_MIN_CURVATURE = 1e-6
"""Smaller curvatures at the mode (nats per squared unit) are raised to this: the tails of the prior
bound such directions."""


class Whitened(NamedTuple):
    """A posterior in coordinates in which its mode is 0 and its Hessian there the identity.

    Attributes:
        potential: coordinates (size,) → negative log density.
        to_sites: coordinates (size,) → site → value.
        size: number of coordinates.
    """

    potential: Callable[[jax.Array], jax.Array]
    to_sites: Callable[[jax.Array], dict[str, jax.Array]]
    size: int


def whiten(model: Callable[[], None], key: jax.Array) -> Whitened:
    """Coordinates for a NumPyro model in which its posterior is isotropic at the mode.

    Without them the narrowest direction of a posterior whose widths differ a hundredfold limits the
    step of the sampler, and its trees become deep.

    Args:
        model: a function without arguments.
        key: for the starts of the search for the mode.
    """
    init_key, start_key = jax.random.split(key)
    info = initialize_model(init_key, model, validate_grad=False)
    flat, unravel = ravel_pytree(info.param_info.z)
    mode, hessian = _mode(lambda u: info.potential_fn(unravel(u)), start_key, flat.shape[0])
    curvature, axes = jnp.linalg.eigh(hessian)
    to_free = axes / jnp.sqrt(jnp.maximum(curvature, _MIN_CURVATURE))

    def potential(z: jax.Array) -> jax.Array:
        return info.potential_fn(unravel(mode + to_free @ z))

    def to_sites(z: jax.Array) -> dict[str, jax.Array]:
        return info.postprocess_fn(unravel(mode + to_free @ z))

    return Whitened(potential, to_sites, flat.shape[0])


def _mode(
    potential: Callable[[jax.Array], jax.Array], key: jax.Array, size: int
) -> tuple[jax.Array, jax.Array]:
    """The deepest of several modes (size,), and the Hessian (size, size) there."""

    def widths(u: jax.Array, hessian: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(hessian)), 1e-8))

    @jax.jit
    def search(starts: jax.Array) -> tuple[jax.Array, jax.Array]:
        ends = jax.lax.map(lambda start: newton(potential, widths, start, _MODE_RESOLUTION), starts)
        values = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
        mode = ends.free[jnp.argmin(values)]
        return mode, jax.hessian(potential)(mode)

    return search(jax.random.uniform(key, (_MODE_STARTS, size), minval=-2.0, maxval=2.0))
