"""A law that is a straight line in logarithms, so that its least squares have closed forms."""

import jax
import jax.numpy as jnp
import numpy as np

from jscale import runs
from jscale.laws import law, roles


@law(formula="exp(a - b * log(N / 2e8))", source="a straight line")
def line_law(N: roles.Count, *, a: roles.Slope, b: roles.Slope) -> roles.Loss:
    """Loss of an N-parameter model, nats per token."""
    return jnp.exp(a - b * jnp.log(N / 2e8))


LINE = line_law
TRUE = {"a": 0.9, "b": 0.08}


def line(noise: float = 0.02, tails: float | None = None, seed: int = 0) -> runs.Runs:
    """Thirty runs in six groups of five; every run has its own value in column ``seed``."""
    N = np.geomspace(1e8, 1e10, 30)
    design = {
        "N": N,
        "D": 20 * N,
        "group": np.repeat(list("abcdef"), 5),
        "seed": [f"s{i}" for i in range(30)],
    }
    return runs.simulate(LINE, TRUE, design, noise=noise, key=jax.random.key(seed), df=tails)


def matrix(table: runs.Runs) -> np.ndarray:
    """The design matrix (rows, 2) of ``a`` and ``b``."""
    return np.stack([np.ones(len(table)), -np.log(table["N"] / 2e8)], axis=1)
