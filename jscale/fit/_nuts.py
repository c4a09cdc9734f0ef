"""NUTS in whitened coordinates, a chain a thread."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.infer import NUTS
from numpyro.infer.util import initialize_model

from jscale._core.scope import float64
from jscale.fit._solver import newton

_MODE_STARTS = 8
_MODE_RESOLUTION = 1e-6
"""Nats by which the mode may be missed: it only centres coordinates."""
_CHUNK = 100
_FLATTEST = 1e-6
"""Curvatures at the mode below this (nats per squared unit) are not believed: the prior's tails end such directions."""


class Chains(NamedTuple):
    """Draws of every site: name → (chains, draws), and which transitions diverged (chains, draws)."""

    sites: dict[str, np.ndarray]
    diverging: np.ndarray


class Whitened(NamedTuple):
    """A posterior in coordinates in which its mode is 0 and its curvature there the identity."""

    potential: Callable[[jax.Array], jax.Array]
    to_sites: Callable[[jax.Array], dict[str, jax.Array]]
    size: int


def whiten(model: Callable[[], None], key: jax.Array) -> Whitened:
    """Coordinates for a NumPyro model in which its posterior is round at the mode.

    Without them the sampler's step is set by the narrowest direction of a posterior whose widths differ a
    hundredfold, and trees grow long.

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


def _mode(potential: Callable[[jax.Array], jax.Array], key: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """The deepest of several modes and the Hessian there."""

    def widths(u: jax.Array, hessian: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(hessian)), 1e-8))

    @jax.jit
    def search(starts: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = jax.lax.map(lambda start: newton(potential, widths, start, _MODE_RESOLUTION), starts)
        best = found.free[jnp.argmin(jnp.where(jnp.isfinite(found.value), found.value, jnp.inf))]
        return best, jax.hessian(potential)(best)

    return search(jax.random.uniform(key, (_MODE_STARTS, size), minval=-2.0, maxval=2.0))


def sample(
    whitened: Whitened,
    key: jax.Array,
    *,
    chains: int,
    warmup: int,
    draws: int,
    advanced: Callable[[int], None],
) -> Chains:
    """Draws by NUTS, each chain in a thread of its own on as many cores as there are.

    Args:
        whitened: the posterior.
        key: for starts and transitions.
        chains: number of chains.
        warmup: transitions that adapt step size and mass matrix.
        draws: transitions kept, per chain.
        advanced: called with the number of transitions done, from any thread.
    """
    start_key, chain_key = jax.random.split(key)
    kernel = NUTS(potential_fn=whitened.potential, dense_mass=True)
    starts = jax.random.normal(start_key, (chains, whitened.size))
    keys = jax.random.split(chain_key, chains)
    initial = jax.jit(lambda key, start: kernel.init(key, warmup, start, (), {}))

    # The cancel flag lets an interrupt in the main thread end the others at their next chunk.
    cancelled = threading.Event()

    @partial(jax.jit, static_argnums=1)
    def advance(state: Any, length: int) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        def transition(state, _):
            state = kernel.sample(state, (), {})
            return state, (state.z, state.diverging)

        return jax.lax.scan(transition, state, None, length)

    def run(chain: int) -> tuple[np.ndarray, np.ndarray]:
        kept = []
        with float64(), jax.numpy_dtype_promotion("standard"):
            state = initial(keys[chain], starts[chain])
            for length in _chunks(warmup) + _chunks(draws):
                if cancelled.is_set():
                    break
                state, (z, diverging) = advance(state, length)
                kept.append((np.asarray(z), np.asarray(diverging)))
                advanced(length)
        z, diverging = (np.concatenate(parts)[warmup:] for parts in zip(*kept, strict=True))
        return z, diverging

    with ThreadPoolExecutor(max_workers=max(1, min(chains, os.cpu_count() or 1))) as pool:
        futures = [pool.submit(run, chain) for chain in range(chains)]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    z, diverging = (np.stack(parts) for parts in zip(*results, strict=True))
    sites = jax.jit(jax.vmap(jax.vmap(whitened.to_sites)))(jnp.asarray(z))
    return Chains({name: np.asarray(values) for name, values in sites.items()}, diverging)


def _chunks(total: int) -> list[int]:
    """Lengths of at most :data:`_CHUNK` that add up to ``total``, equal ones first, so that few sizes are compiled."""
    whole, rest = divmod(total, _CHUNK)
    return [_CHUNK] * whole + ([rest] if rest else [])
