"""The density of a posterior at many points, and its gradient: in blocks, on all cores."""

from collections.abc import Callable

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
_SMALL_BLOCK = 100
"""Points of a call of the program for gradients, of which there are fewer, and of densities of runs
that share errors: one takes 0.1 ms, and a scan asks for the densities of 182 points at a time."""


def log_densities(problem: Problem, free: np.ndarray) -> np.ndarray:
    """Log density of the posterior at points (points, size), up to a constant.

    It is -inf where it is not finite. Blocks have one size whatever the number of cores, so that
    values are the same.

    Args:
        problem: law, priors and runs.
        free: (points, size) unconstrained values of the sites.
    """
    size = _SMALL_BLOCK if problem.errors.has_shared_errors else _BLOCK
    (values,) = _in_blocks(lambda block: (_log_density(problem, block),), free, size)
    return np.where(np.isfinite(values), values, -np.inf)


def gradients(problem: Problem, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log density at points (points, size), up to a constant, and its gradient (points, size).

    Either may be not finite.

    Args:
        problem: law, priors and runs.
        free: (points, size) unconstrained values of the sites.
    """
    values, slopes = _in_blocks(lambda block: _gradient(problem, block), free, _SMALL_BLOCK)
    return values, slopes


def _in_blocks(
    function: Callable[[jax.Array], tuple[jax.Array, ...]], free: np.ndarray, size: int
) -> tuple[np.ndarray, ...]:
    """What a compiled function gives at points (points, dimensions), in blocks of one size."""
    count = -(-len(free) // size)
    filled = free[np.arange(count * size) % len(free)].reshape(count, size, -1)

    def run(i: int) -> tuple[np.ndarray, ...]:
        with jax.numpy_dtype_promotion("standard"):
            return tuple(map(np.asarray, function(jnp.asarray(filled[i]))))

    first = run(0)  # compiles
    with workers(count) as pool:
        rest = pool.map(run, range(1, count))
    columns = zip(*[first, *rest], strict=True)
    return tuple(np.concatenate(column)[: len(free)] for column in columns)


@program()
def _log_density(problem: Problem, free: jax.Array) -> jax.Array:
    """Log density at points (block, size), up to a constant."""
    return -jax.lax.map(lambda u: potential_at(problem, u), free, batch_size=_TOGETHER)


@program()
def _gradient(problem: Problem, free: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log density at points (block, size), up to a constant, and its gradient."""
    density = jax.value_and_grad(lambda u: -potential_at(problem, u))
    return jax.lax.map(density, free, batch_size=_TOGETHER)
