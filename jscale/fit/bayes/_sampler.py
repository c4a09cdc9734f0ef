"""NUTS in whitened coordinates, one thread per chain."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import NUTS

from jscale._core.scope import float64
from jscale.fit.bayes._whitening import Whitened

_CHUNK = 100
"""Transitions between two checks for cancellation and two steps of the progress bar."""


class Chains(NamedTuple):
    """Draws of every site, name → (chains, draws), and whether each transition diverged."""

    sites: dict[str, np.ndarray]
    diverging: np.ndarray


def sample(
    whitened: Whitened,
    key: jax.Array,
    *,
    chains: int,
    warmup: int,
    draws: int,
    advanced: Callable[[int], None],
) -> Chains:
    """Draws by NUTS, one thread per chain, at most as many threads as cores.

    Args:
        whitened: the posterior.
        key: for starts and transitions.
        chains: number of chains.
        warmup: transitions that adapt step size and mass matrix.
        draws: transitions kept, per chain.
        advanced: called with the number of transitions done, from any thread.

    Raises:
        BaseException: whatever a chain or ``advanced`` raises; the other chains end at their next
            chunk.
    """
    start_key, chain_key = jax.random.split(key)
    kernel = NUTS(potential_fn=whitened.potential, dense_mass=True)
    starts = jax.random.normal(start_key, (chains, whitened.size))
    keys = jax.random.split(chain_key, chains)
    initial = jax.jit(lambda key, start: kernel.init(key, warmup, start, (), {}))

    # An interrupt in the main thread ends the chains at their next chunk.
    cancelled = threading.Event()

    @partial(jax.jit, static_argnums=1)
    def advance(state: Any, length: int) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        def transition(state, _):
            state = kernel.sample(state, (), {})
            return state, (state.z, state.diverging)

        return jax.lax.scan(transition, state, None, length)

    def run(chain: int) -> tuple[np.ndarray, np.ndarray]:
        parts = []
        with float64(), jax.numpy_dtype_promotion("standard"):
            state = initial(keys[chain], starts[chain])
            for length in _chunks(warmup) + _chunks(draws):
                if cancelled.is_set():
                    break
                state, (z, diverging) = advance(state, length)
                parts.append((np.asarray(z), np.asarray(diverging)))
                advanced(length)
        z, diverging = (np.concatenate(column)[warmup:] for column in zip(*parts, strict=True))
        return z, diverging

    threads = max(1, min(chains, os.cpu_count() or 1))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        futures = [pool.submit(run, chain) for chain in range(chains)]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    z, diverging = (np.stack(column) for column in zip(*results, strict=True))
    sites = jax.jit(jax.vmap(jax.vmap(whitened.to_sites)))(jnp.asarray(z))
    return Chains({name: np.asarray(values) for name, values in sites.items()}, diverging)


def _chunks(total: int) -> list[int]:
    """Lengths of at most :data:`_CHUNK` that add up to ``total``; few sizes, which are compiled."""
    full, remainder = divmod(total, _CHUNK)
    return [_CHUNK] * full + ([remainder] if remainder else [])
