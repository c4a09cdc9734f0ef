"""A weighted sample from proposals that are fitted to points which move to the posterior.

Weights that concentrate on few points tell a proposal little about where the others should go: on
bent ridges of 16 dimensions it takes 20 rounds and more. Gradients tell each point.
"""

import itertools
from collections.abc import Callable

import jax
import numpy as np

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling.importance._mixture import Proposal, Shape, fitted
from jscale.fit.bayes.sampling.importance._moves import Moving, Path, moved
from jscale.fit.bayes.sampling.importance._result import LEAST, Weighted, generator
from jscale.fit.bayes.sampling.importance._rounds import (
    Rounds,
    agree,
    equal,
    nothing,
    smoothed,
    tempered,
)
from jscale.fit.bayes.sampling.importance._weighted import systematic

Density = Callable[[np.ndarray], np.ndarray]

_POINTS, _MOVES = 500, (40, 80, 160)
"""Points that move, and their transitions before each sample."""
_DEAR_POINTS, _DEAR_MOVES = 200, (40,)
"""The same where runs share errors: with a matrix of 240 runs a gradient takes 0.6 ms, and more
moves would take longer than NUTS."""
_START = 5.0
"""Points of the sample before that count, at least, for each dimension: its weights are made more
equal where they do not."""
_SHAPE = Shape(components=12, nu=10.0, inflation=1.35, points=10_000)
"""Of proposals: in many dimensions points in wide tails are wasted."""
_FITS = 3
"""Proposals, each with first centres of its own: where one puts too few points another has more."""
_FLAT, _FLAT_SHARE = 0.5, 0.2
"""Power of the density that bends and components of the tails are fitted to, and share of the
points that count at least."""
_PILOT = 6000
"""First points of a sample."""
_WANTED, _MARGIN = 2.0, 1.1
"""Effective points for each draw that is returned, and points for each that is expected to do."""
_MAX_POINTS = 300_000
"""Of a sample."""
_FARTHEST = 700.0
"""Values of logs and logits beyond which natural values overflow."""


def moved_sample(
    problem: Problem,
    sample: Weighted,
    key: jax.Array,
    *,
    draws: int,
    checkpoint: Checkpoint,
    advanced: Callable[[float], None],
) -> Weighted:
    """The first good sample, or that with the most points that count, ``sample`` included.

    Args:
        problem: law, priors and runs.
        sample: whose weights do not suffice: points start from it.
        key: for starts, momenta and proposals.
        draws: that are to be resampled.
        checkpoint: of the paths of the points, and of densities.
        advanced: called with 1 where a sample is good.
    """
    wanted, best = max(_WANTED * draws, LEAST), sample
    is_dear = problem.errors.has_shared_errors
    points, moves = (_DEAR_POINTS, _DEAR_MOVES) if is_dear else (_POINTS, _MOVES)
    starts = _starts(sample, points, generator(key))
    if starts is None:
        return sample
    moving = Moving(starts)
    for i, transitions in enumerate(moves):
        own_key, name = jax.random.fold_in(key, i), f"moves {i}"
        moving, path = moved(
            problem, moving, own_key, transitions, checkpoint=checkpoint, name=name
        )
        density = _kept(problem, checkpoint, name)
        found = _drawn(density, path, generator(jax.random.fold_in(own_key, 1)), wanted)
        weights, pareto_k, counted = _weighed(found)

        # The weights can be relied on where the points that moved agree with them.
        agreed = counted >= LEAST and agree(equal(moving.free), found)
        result = Weighted(found.free, weights, pareto_k, counted, agreed)
        if result.is_good:
            advanced(1.0)
            return result
        best = max(best, result, key=lambda each: each.effective)
    return best


def _starts(sample: Weighted, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Points (count, size) of a sample by its weights, or by weights that are more equal.

    None where hardly any of the points has a weight.
    """
    counts = (sample.weights > 0) & (np.abs(sample.free) < _FARTHEST).all(axis=1)
    points = sample.free[counts]
    if len(points) < 2 * _START * points.shape[1]:
        return None
    weights = tempered(np.log(sample.weights[counts]), _START * points.shape[1])
    return points[systematic(weights, count, rng)]


def _kept(problem: Problem, checkpoint: Checkpoint, name: str) -> Density:
    """The log densities of points, each array of which is a unit of a checkpoint."""
    numbers = itertools.count()

    def density(points: np.ndarray) -> np.ndarray:
        unit = f"{name} densities {next(numbers)}"
        return checkpoint.unit(unit, lambda: {"values": log_densities(problem, points)})["values"]

    return density


def _drawn(density: Density, path: Path, rng: np.random.Generator, wanted: float) -> Rounds:
    """A sample from proposals that are fitted to a path.

    Args:
        density: log densities of points.
        path: where points have been.
        rng: for centres of components and for points.
        wanted: points that are to count. There are fewer where as many points as are allowed do not
            make even a rough sample.
    """
    proposals = [_fitted(path, rng) for _ in range(_FITS)]

    def extended(sample: Rounds, count: int) -> Rounds:
        for proposal in proposals:
            new = proposal.draw(-(-count // _FITS), rng)
            sample, _ = sample.extended(proposal, new, density(new))
        return sample

    sample = extended(nothing(path.free.shape[1]), _PILOT)
    for target in (wanted, LEAST, LEAST):  # the first points may have promised too much
        count, (_, _, counted) = len(sample.free), _weighed(sample)
        needed, least = (
            int(_MARGIN * count * points / max(counted, 1.0)) for points in (target, LEAST)
        )
        if counted >= target or least > _MAX_POINTS or count >= _MAX_POINTS:
            break
        sample = extended(sample, min(needed, _MAX_POINTS) - count)
    return sample


def _fitted(path: Path, rng: np.random.Generator) -> Proposal:
    count = len(path.free)
    flat = tempered((_FLAT - 1) * path.log_target, _FLAT_SHARE * count)
    return fitted(path.free, np.full(count, 1 / count), flat, rng, _SHAPE)


def _weighed(sample: Rounds) -> tuple[np.ndarray, float, float]:
    """Smoothed weights, the shape of their tail, and how many points count."""
    if not np.isfinite(sample.log_weights).any():
        return np.full(len(sample.free), 1 / len(sample.free)), float("inf"), 0.0
    weights, pareto_k = smoothed(sample.log_weights)
    return weights, pareto_k, 1 / float(np.sum(weights**2))
