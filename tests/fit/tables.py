"""Simulated tables that several tests fit."""

import jax
import numpy as np

from jscale import laws, runs

HOFFMANN = laws.params(laws.chinchilla, "hoffmann2022")


def isoflop(noise: float = 0.01, seed: int = 0, sizes: int = 8) -> runs.Runs:
    """Runs at five token-to-parameter ratios over two decades of size."""
    N, ratio = (
        m.ravel()
        for m in np.meshgrid(np.geomspace(3e7, 3e9, sizes), [3.0, 10.0, 30.0, 100.0, 300.0])
    )
    return runs.simulate(
        laws.chinchilla, HOFFMANN, {"N": N, "D": ratio * N}, noise=noise, key=jax.random.key(seed)
    )


def frontier(count: int = 40) -> runs.Runs:
    """Runs with D = 20 N, which do not identify the exponents of N and D separately."""
    N = np.geomspace(1e8, 1e10, count)
    return runs.simulate(
        laws.chinchilla, HOFFMANN, {"N": N, "D": 20 * N}, noise=0.01, key=jax.random.key(1)
    )
