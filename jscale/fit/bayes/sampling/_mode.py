"""The mode of a posterior and its curvature there, by BFGS from several starts."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.solve import QuasiNewton, bfgs
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes._pooled_params import DEVIATION
from jscale.fit.bayes.sampling._deviations import gathered, informed, pooled_names
from jscale.fit.bayes.sampling._whitening import (
    Whitening,
    free_size,
    natural_sites,
    potential_at,
    split,
    start_points,
    unconstrained,
    whiten,
)
from jscale.laws import describe

_STARTS = 4
_MAX_TURNS = 400
_TOLERANCE = 1e-6
"""Decrease in nats that does not matter to a proposal."""
_NEAR = 0.1
"""Spread of starts about a mode that is known in other coordinates."""
_EQUAL = 1e-3
"""Nats by which the ends of descents to one mode differ."""


class Mode(NamedTuple):
    """The deepest of several modes.

    Attributes:
        free: (size,) unconstrained values of the sites.
        axes: (size, size) a root of the inverse curvature.
    """

    free: np.ndarray
    axes: np.ndarray


def find_mode(problem: Problem, key: jax.Array, start: jax.Array | None = None) -> Mode:
    """The mode of the posterior of a problem, in unconstrained coordinates.

    Args:
        problem: law, priors and runs.
        key: for the starts.
        start: (size,) values of the sampler near which the mode is sought first; None where it may
            be anywhere.
    """
    normals = jax.random.normal(key, (_STARTS, free_size(problem)))
    starts = start_points(problem, normals) if start is None else start + _NEAR * normals
    ends = _descents(problem, starts)
    depths, turns = np.asarray(ends.value), np.asarray(ends.turns)
    values = np.where(np.isfinite(depths), depths, np.inf)
    if not np.isfinite(values).any() and start is not None:
        return find_mode(problem, key)
    if not np.isfinite(values).any():
        raise JscaleError(
            f"posterior of {describe(problem.law).name}: the density is not finite at any of "
            f"{_STARTS} starts; check the priors, the error model and the domain of the law"
        )
    # Of descents to the same depth, that with the most turns knows the curvature best; the others
    # may have ended after too few to learn it.
    best = int(np.argmax(np.where(values <= values.min() + _EQUAL, turns, -1)))
    curvature, axes = np.linalg.eigh(np.asarray(ends.inverse_hessian)[best])
    return Mode(np.asarray(ends.free)[best], axes * np.sqrt(np.maximum(curvature, 1e-12)))


def coordinates(problem: Problem, key: jax.Array, start: jax.Array | None = None) -> Whitening:
    """Coordinates in which a posterior is nearly a standard normal, for NUTS.

    Errors that runs share have Hessians that take 20 seconds to compile, and those of groups are
    large: there the mode comes from gradients alone, and elsewhere from Newton's method, which
    finds it to more digits.

    Args:
        problem: law, priors and runs.
        key: for the starts of the search for the mode.
        start: as for :func:`find_mode`.
    """
    if not problem.errors.has_shared_errors and problem.pooling is None:
        return whiten(problem, key)
    mode = find_mode(problem, key, start)
    return Whitening(jnp.asarray(mode.free), jnp.asarray(mode.axes))


def with_information(problem: Problem, key: jax.Array) -> tuple[Problem, jax.Array | None]:
    """A problem with the information of each group's runs on its deviations, and where its mode is.

    Far from the mode deviations that follow other values, to first order, may overflow: the mode is
    sought again from where it was.

    Args:
        problem: law, priors and runs; without partial pooling it is returned as it is, and no
            start.
        key: for the starts of the search for the mode.
    """
    if not pooled_names(problem):
        return problem, None
    return _informed(problem, jnp.asarray(find_mode(problem, key).free))


@program()
def _informed(problem: Problem, free: jax.Array) -> tuple[Problem, jax.Array]:
    by_site = split(problem, free)
    values, _ = unconstrained(problem, by_site)
    known = informed(problem, values, partial(natural_sites, problem))
    moved = gathered(known, values)
    # Only coordinates of deviations depend on the information.
    start = {name: moved[name] if name.endswith(DEVIATION) else x for name, x in by_site.items()}
    return known, jnp.concatenate([jnp.ravel(x) for x in start.values()])


@program(runs_once=True)
def _descents(problem: Problem, starts: jax.Array) -> QuasiNewton:
    """The ends of descents from starts (starts, size), each part with that leading axis."""

    def descent(start: jax.Array) -> QuasiNewton:
        return bfgs(
            jax.value_and_grad(lambda u: potential_at(problem, u)),
            start,
            max_turns=_MAX_TURNS,
            tolerance=_TOLERANCE,
        )

    return jax.lax.map(descent, starts)
