"""Points that Hamiltonian dynamics move to where a posterior has its mass.

A few hundred points move side by side. Their covariance is the mass matrix, and all of them share
one step, so that a few dozen transitions are a warm-up. They need not be mixed: a proposal of
importance sampling is fitted to them, whose weights tell whether it is good.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jscale._core.jobs import Arrays, Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import gradients
from jscale.fit.bayes.sampling.importance._result import generator
from jscale.fit.bayes.sampling.importance._weighted import applied, covariance, mean_of, root_of

_LONGEST, _STEPS_OF_LONGEST = 1.0, (12, 64)
"""Length of a trajectory in standard deviations, at most, and limits of the number of its steps,
which is uniform up to that length and the same for all points. Where the step is a fiftieth, 40
trajectories of up to 50 steps leave better proposals than 120 of up to 12."""
_JITTER = (0.5, 1.2)
"""Range of the factors of a point's step: one length for all has resonances."""
_ACCEPTED = 0.8
"""Acceptance that the step is adapted to."""
_TOGETHER = 5
"""Transitions with one covariance and one step."""
_FIRST_STEP, _STEPS = 0.3, (1e-3, 1.5)
"""Standard deviations: the first step, and the limits of all."""


class Moving(NamedTuple):
    """Points that move.

    Attributes:
        free: (points, size) unconstrained values of the sites.
        step: in standard deviations of the points.
    """

    free: np.ndarray
    step: float = _FIRST_STEP


class Path(NamedTuple):
    """Where points have been.

    Attributes:
        free: (transitions × points, size).
        log_target: (transitions × points,) log densities of the posterior.
    """

    free: np.ndarray
    log_target: np.ndarray


class _Point(NamedTuple):
    """Coordinates of points, with their log density and its gradient."""

    z: np.ndarray
    value: np.ndarray
    slope: np.ndarray


def moved(
    problem: Problem,
    moving: Moving,
    key: jax.Array,
    transitions: int,
    *,
    checkpoint: Checkpoint,
    name: str,
) -> tuple[Moving, Path]:
    """Points after a number of transitions, and where they were after each of the last half.

    Args:
        problem: law, priors and runs.
        moving: the points.
        key: for momenta.
        transitions: a multiple of 10.
        checkpoint: of the path.
        name: of these transitions in the checkpoint.
    """

    def run() -> Arrays:
        rng = generator(key)
        now, paths = moving, []
        for _ in range(transitions // _TOGETHER):
            now, path = _moved_together(problem, now, rng)
            paths.append(path)
        kept = paths[len(paths) // 2 :]
        return {
            "free": np.concatenate([path.free for path in kept]),
            "log_target": np.concatenate([path.log_target for path in kept]),
            "step": np.array(now.step),
        }

    done = checkpoint.unit(name, run)
    free = done["free"]
    last = free[-len(moving.free) :]
    return Moving(last, float(done["step"])), Path(free, done["log_target"])


def _moved_together(
    problem: Problem, moving: Moving, rng: np.random.Generator
) -> tuple[Moving, Path]:
    """Points after a few transitions whose mass matrix is that of their start."""
    count, size = moving.free.shape
    equal = np.full(count, 1 / count)
    mean = mean_of(moving.free, equal)
    root = root_of(covariance(moving.free, equal))

    def density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = gradients(problem, mean + applied(root, z))
        return values, applied(root.T, slopes)

    z = applied(np.linalg.inv(root), moving.free - mean)
    here = _Point(z, *density(z))
    path, accepted = [], []
    for _ in range(_TOGETHER):
        momenta = rng.normal(size=(count, size))
        steps = moving.step * rng.uniform(*_JITTER, (count, 1))
        longest = int(np.clip(_LONGEST / moving.step, *_STEPS_OF_LONGEST))
        length = int(rng.integers(1, longest + 1))
        there, probability = _trajectory(density, here, momenta, steps, length)
        taken = rng.uniform(size=count) < probability
        here = _Point(
            np.where(taken[:, None], there.z, here.z),
            np.where(taken, there.value, here.value),
            np.where(taken[:, None], there.slope, here.slope),
        )
        path.append(Path(mean + applied(root, here.z), here.value))
        accepted.append(probability.mean())
    step = float(np.clip(moving.step * np.exp(np.mean(accepted) - _ACCEPTED), *_STEPS))
    free, log_target = (np.concatenate(parts) for parts in zip(*path, strict=True))
    return Moving(path[-1].free, step), Path(free, log_target)


def _trajectory(
    density: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    here: _Point,
    momenta: np.ndarray,
    steps: np.ndarray,
    length: int,
) -> tuple[_Point, np.ndarray]:
    """Where points are after a number of leapfrog steps, and with which probability each is taken.

    Args:
        density: log density of coordinates (points, size), and its gradient.
        here: where they start.
        momenta: (points, size).
        steps: (points, 1).
        length: number of steps.
    """
    there, p = here, momenta
    with np.errstate(over="ignore", invalid="ignore"):  # divergent ones, which are not taken
        for _ in range(length):
            p = p + 0.5 * steps * there.slope
            z = there.z + steps * p
            there = _Point(z, *density(z))
            p = p + 0.5 * steps * there.slope
        energy = there.value - here.value + 0.5 * ((momenta**2).sum(axis=1) - (p**2).sum(axis=1))
    energy = np.where(np.isfinite(energy), energy, -np.inf)
    return there, np.exp(np.minimum(energy, 0.0))
