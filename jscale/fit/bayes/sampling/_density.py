"""The density of a posterior at many points: one compiled program, in blocks, on all cores."""

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import workers
from jscale._core.programs import program
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._whitening import potential_at

_BLOCK, _TOGETHER = 500, 10
"""Points of a call of the program, and points that are evaluated as one array: matrices of errors
that runs share are then multiplied together, and the arrays stay in the cache."""


def log_densities(problem: Problem, free: np.ndarray) -> np.ndarray:
    """Log density of the posterior at points (points, size), up to a constant.

    It is -inf where it is not finite. Blocks have one size whatever the number of cores, so that
    values are the same.

    Args:
        problem: law, priors and runs.
        free: (points, size) unconstrained values of the sites.
    """
    count = -(-len(free) // _BLOCK)
    filled = free[np.arange(count * _BLOCK) % len(free)].reshape(count, _BLOCK, -1)

    def run(i: int) -> np.ndarray:
        with jax.numpy_dtype_promotion("standard"):
            return np.asarray(_log_density(problem, jnp.asarray(filled[i])))

    first = run(0)  # compiles
    with workers(count) as pool:
        rest = pool.map(run, range(1, count))
    values = np.concatenate([first, *rest])[: len(free)]
    return np.where(np.isfinite(values), values, -np.inf)


@program()
def _log_density(problem: Problem, free: jax.Array) -> jax.Array:
    """Log density at points (block, size), up to a constant."""
    return -jax.lax.map(lambda u: potential_at(problem, u), free, batch_size=_TOGETHER)
