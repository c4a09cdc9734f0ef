"""Two laws, one a special case of the other, and runs of the smaller.

Tests share them, so that both are compiled once.
"""

import jax
import numpy as np

from jscale import laws, runs

TRUE = {"L_inf": 1.8, "A": 150.0, "alpha": 0.3}
FREE = laws.power_size
FIXED = laws.fix(FREE, L_inf=1.8)


def simulated(noise: float = 0.002, **columns: np.ndarray) -> runs.Runs:
    """Forty runs of one law of size, at 5, 20 and 80 tokens per parameter."""
    N = np.geomspace(1e7, 1e10, 40)
    D = N * np.resize([5.0, 20.0, 80.0], 40)
    return runs.simulate(
        FREE, TRUE, {"N": N, "D": D, **columns}, noise=noise, key=jax.random.key(3)
    )
