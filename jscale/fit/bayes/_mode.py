"""The mode of a posterior and its curvature there, by BFGS from several starts."""

from typing import NamedTuple

import jax
import numpy as np

from jscale._core.programs import program
from jscale._core.solve import bfgs
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes._whitening import free_size, potential_at

_STARTS = 4
_MAX_TURNS = 400
_TOLERANCE = 1e-6
"""Decrease in nats that does not matter to a proposal."""


class Mode(NamedTuple):
    """The deepest of several modes.

    Attributes:
        free: (size,) unconstrained values of the sites.
        axes: (size, size) a root of the inverse curvature.
    """

    free: np.ndarray
    axes: np.ndarray


def find_mode(problem: Problem, key: jax.Array) -> Mode:
    """The mode of the posterior of a problem, in unconstrained coordinates.

    Args:
        problem: law, priors and runs.
        key: for the starts.
    """
    starts = jax.random.normal(key, (_STARTS, free_size(problem)))
    values, points, inverses = map(np.asarray, _descents(problem, starts))
    best = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
    curvature, axes = np.linalg.eigh(inverses[best])
    return Mode(points[best], axes * np.sqrt(np.maximum(curvature, 1e-12)))


@program()
def _descents(problem: Problem, starts: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Values (starts,), ends (starts, size) and inverse Hessians (starts, size, size)."""

    def descent(start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        end = bfgs(
            jax.value_and_grad(lambda u: potential_at(problem, u)),
            start,
            max_turns=_MAX_TURNS,
            tolerance=_TOLERANCE,
        )
        return end.value, end.free, end.inverse_hessian

    return jax.lax.map(descent, starts)
