"""Hamiltonian Monte Carlo with many short chains side by side (Neal 2011).

The covariance of the chains' states is the mass matrix of all of them, and they adapt one step
together, so that a few dozen transitions are a warm-up; NumPyro's kernels adapt each chain by
itself. They need not have mixed: proposals of importance sampling are fitted to their states, and
checked by weights.
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

_LENGTH, _COUNTS = 1.0, (12, 64)
"""Standard deviations that a trajectory of small steps may reach, and limits of the number of its
steps: larger steps go further. The number is uniform from 1 on, and the same for all chains. On one
table of ``precision`` with a step of 0.02, 40 trajectories of up to 48 steps left proposals of
which 2.2% of the points counted, 80 of up to 12 steps 0.6%."""
_JITTER = (0.5, 1.2)
"""Range of the factors of a chain's step: one length for all has resonances."""
_ACCEPTED = 0.8
"""Acceptance that the step is adapted to."""
BLOCK = 5
"""Transitions with one mass matrix and one step."""
_FIRST_STEP, _STEPS = 0.3, (1e-3, 1.5)
"""Standard deviations: the first step, and the limits of all."""

Gradient = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Log density of coordinates (chains, size), and its gradient."""


class State(NamedTuple):
    """Where chains are.

    Attributes:
        free: (chains, size) unconstrained values of the sites.
        step: of all chains, in standard deviations of their states.
    """

    free: np.ndarray
    step: float = _FIRST_STEP


class Path(NamedTuple):
    """Where chains have been.

    Attributes:
        free: (transitions × chains, size).
        log_target: (transitions × chains,) log densities of the posterior.
    """

    free: np.ndarray
    log_target: np.ndarray


class _Point(NamedTuple):
    """Coordinates of chains, with their log density and its gradient."""

    z: np.ndarray
    value: np.ndarray
    slope: np.ndarray


def run_chains(
    problem: Problem,
    state: State,
    key: jax.Array,
    blocks: int,
    *,
    checkpoint: Checkpoint,
    name: str,
) -> tuple[State, Path]:
    """Chains after blocks of :data:`BLOCK` transitions each, and their states in the last half.

    Args:
        problem: law, priors and runs.
        state: where the chains start.
        key: for momenta.
        blocks: two or more.
        checkpoint: of each block.
        name: of these blocks in the checkpoint.
    """
    paths = []
    for i in range(blocks):

        def run(state: State = state, i: int = i) -> Arrays:
            new, path = _block(problem, state, generator(jax.random.fold_in(key, i)))
            return {**path._asdict(), "step": np.array(new.step)}

        done = checkpoint.unit(f"{name} {i}", run)
        paths.append(Path(done["free"], done["log_target"]))
        state = State(done["free"][-len(state.free) :], float(done["step"]))
    kept = paths[blocks // 2 :]
    free, log_target = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return state, Path(free, log_target)


def _block(problem: Problem, state: State, rng: np.random.Generator) -> tuple[State, Path]:
    """Chains after a few transitions whose mass matrix is that of their start."""
    count, size = state.free.shape
    equal = np.full(count, 1 / count)
    mean = mean_of(state.free, equal)
    root = root_of(covariance(state.free, equal))

    def density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = gradients(problem, mean + applied(root, z))
        return values, applied(root.T, slopes)

    z = applied(np.linalg.inv(root), state.free - mean)
    here = _Point(z, *density(z))
    longest = int(np.clip(_LENGTH / state.step, *_COUNTS))
    path, accepted = [], []
    for _ in range(BLOCK):
        momenta = rng.normal(size=(count, size))
        steps = state.step * rng.uniform(*_JITTER, (count, 1))
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
    step = float(np.clip(state.step * np.exp(np.mean(accepted) - _ACCEPTED), *_STEPS))
    free, log_target = (np.concatenate(parts) for parts in zip(*path, strict=True))
    return State(path[-1].free, step), Path(free, log_target)


def _trajectory(
    density: Gradient, here: _Point, momenta: np.ndarray, steps: np.ndarray, length: int
) -> tuple[_Point, np.ndarray]:
    """Where chains are after a number of leapfrog steps, and the probability that each goes there.

    Args:
        density: of the posterior in their coordinates.
        here: where they start.
        momenta: (chains, size).
        steps: (chains, 1).
        length: number of steps.
    """
    there, p = here, momenta
    with np.errstate(over="ignore", invalid="ignore"):  # of divergent ones, which are not taken
        for _ in range(length):
            p = p + 0.5 * steps * there.slope
            z = there.z + steps * p
            there = _Point(z, *density(z))
            p = p + 0.5 * steps * there.slope
        energy = there.value - here.value + 0.5 * ((momenta**2).sum(axis=1) - (p**2).sum(axis=1))
    energy = np.where(np.isfinite(energy), energy, -np.inf)
    return there, np.exp(np.minimum(energy, 0.0))
