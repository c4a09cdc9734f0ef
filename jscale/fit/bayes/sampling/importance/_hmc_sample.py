"""A weighted sample from proposals that are fitted to chains of Hamiltonian Monte Carlo.

Where the weights of a sample concentrate on few points, they carry little information on the rest
of the posterior; the gradient at each point does.
"""

import itertools
from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling.importance._hmc import Path, State, run_chains
from jscale.fit.bayes.sampling.importance._mixture import Proposal, Shape, fitted
from jscale.fit.bayes.sampling.importance._result import (
    LEAST,
    Weighted,
    counting,
    generator,
)
from jscale.fit.bayes.sampling.importance._rounds import (
    Rounds,
    agree,
    equal,
    nothing,
    smoothed,
    tempered,
)
from jscale.fit.bayes.sampling.importance._weighted import systematic

LogDensity = Callable[[np.ndarray], np.ndarray]

_CHAINS, _BLOCKS = 500, (6, 12, 24)
"""Chains, and blocks of transitions before each sample."""
_EXPENSIVE_CHAINS, _EXPENSIVE_BLOCKS = 200, (8,)
"""The same where runs share errors: with a matrix of 240 runs a gradient takes 0.6 ms, sixty times
as long as without, and NUTS is soon as quick."""
_START = 5.0
"""Points of the sample before that count, at least, for each dimension: its weights are made more
equal where they do not."""
_SHAPE = Shape(components=12, nu=10.0, inflation=1.35, points=10_000)
"""Of proposals. On five tables with 16 unknowns 1 to 15% of their points count; with 5 degrees of
freedom it is 0.4 to 0.9 times as many, and with 40 components no more."""
_FITS = 3
"""Proposals, each with first centres of its own: it takes all of them to miss a region."""
_FLAT, _FLAT_SHARE = 0.5, 0.2
"""Power of the density that bends and components of the tails are fitted to, and share of the
points that count at least."""
_FIRST_POINTS, _MAX_POINTS = 6000, 300_000
"""Of a sample."""
_EXTENSIONS, _MARGIN = 3, 1.25
"""Of a sample: the share of few points that count is often too high. Of the points that are
expected to be needed."""
_LEAST_RAW = 100.0
"""Points that count before weights are smoothed, at least. With fewer one point has 10% of the
weight, which is the sign of a region where proposals are too low."""
_NEAR = 0.5
"""Standard deviations, and share of a variance, that slow chains may be off."""


def hmc_sample(
    problem: Problem, sample: Weighted, key: jax.Array, *, checkpoint: Checkpoint
) -> Weighted:
    """The first good sample, or that with the most points that count, ``sample`` included.

    Args:
        problem: law, priors and runs.
        sample: whose weights do not suffice: chains start from it.
        key: for starts, momenta and proposals.
        checkpoint: of the chains, and of densities.
    """
    is_expensive = problem.errors.has_shared_errors
    count, schedule = (_EXPENSIVE_CHAINS, _EXPENSIVE_BLOCKS) if is_expensive else (_CHAINS, _BLOCKS)
    starts = _starts(sample, count, generator(key))
    if starts is None:
        return sample
    chains = partial(run_chains, problem, checkpoint=checkpoint)
    best, state, drawn = sample, State(starts), None
    for i, blocks in enumerate(schedule):
        own_key, name = jax.random.fold_in(key, i), f"chains {i}"
        state, path = chains(state, own_key, blocks, name=name)
        density = _kept(problem, checkpoint, name)
        rng = generator(jax.random.fold_in(own_key, blocks))
        before, drawn = drawn, _drawn(density, path, rng)
        result = _weighed(drawn, state, before)
        if result.is_good:
            return result
        best = max(best, result, key=lambda each: each.effective)
    return best


def _starts(sample: Weighted, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Points (count, size) of a sample by its weights, or by weights that are more equal.

    None where hardly any of the points has a weight.
    """
    points, log_weights = counting(sample)
    least = _START * points.shape[1]
    if len(points) < 2 * least:
        return None
    return points[systematic(tempered(log_weights, least), count, rng)]


def _kept(problem: Problem, checkpoint: Checkpoint, name: str) -> LogDensity:
    """The log densities of points, each array of which is a unit of a checkpoint."""
    numbers = itertools.count()

    def density(points: np.ndarray) -> np.ndarray:
        unit = f"{name} densities {next(numbers)}"
        return checkpoint.unit(unit, lambda: {"values": log_densities(problem, points)})["values"]

    return density


def _drawn(density: LogDensity, path: Path, rng: np.random.Generator) -> Rounds:
    """A sample from proposals that are fitted to a path, of which just enough points count.

    There are fewer where as many points as are allowed do not make even a rough sample.

    Args:
        density: log densities of points.
        path: where chains have been.
        rng: for centres of components and for points.
    """
    proposals = [_fitted(path, rng) for _ in range(_FITS)]

    def extended(sample: Rounds, count: int) -> Rounds:
        for proposal in proposals:
            new = proposal.draw(-(-count // _FITS), rng)
            sample, _ = sample.extended(proposal, new, density(new))
        return sample

    sample = extended(nothing(path.free.shape[1]), _FIRST_POINTS)
    for _ in range(_EXTENSIONS):
        count, counted = len(sample.free), max(_smoothed(sample)[-1], 1.0)
        needed = int(_MARGIN * count * LEAST / counted)
        if counted >= LEAST or needed > _MAX_POINTS:
            break
        sample = extended(sample, needed - count)
    return sample


def _fitted(path: Path, rng: np.random.Generator) -> Proposal:
    count = len(path.free)
    flat = tempered((_FLAT - 1) * path.log_target, _FLAT_SHARE * count)
    return fitted(path.free, np.full(count, 1 / count), flat, rng, _SHAPE)


def _smoothed(sample: Rounds) -> tuple[np.ndarray, float, float]:
    """Smoothed weights, the shape of their tail, and how many points count: 0 without a density."""
    if not np.isfinite(sample.log_weights).any():
        return np.full(len(sample.free), 1 / len(sample.free)), float("inf"), 0.0
    weights, pareto_k = smoothed(sample.log_weights)
    return weights, pareto_k, 1 / float(np.sum(weights**2))


def _weighed(sample: Rounds, state: State, before: Rounds | None) -> Weighted:
    """A sample with smoothed weights, and whether the chains agree with it.

    Chains that are where proposals are too low have other moments. Slow chains have too: where they
    are not far off, it is enough that the sample before agrees. A mode that no chain has reached is
    missed by all.

    Args:
        sample: from proposals that are fitted to the chains.
        state: where they are.
        before: the sample that was drawn before, if there was one.
    """
    weights, pareto_k, counted = _smoothed(sample)
    chains, agreed = equal(state.free), False
    if sample.effective >= _LEAST_RAW:
        agreed = agree(chains, sample, weights)
        if not agreed and before is not None and before.effective >= _LEAST_RAW:
            are_near = agree(chains, sample, weights, alike=_NEAR)
            agreed = are_near and agree(before, sample, weights)
    return Weighted(sample.free, weights, pareto_k, counted, agreed)
