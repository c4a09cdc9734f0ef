"""Draws by adaptive multiple importance sampling.

Mixtures of Student-t distributions are adapted to the posterior in rounds, from its mode on. The
points of all rounds are weighed by the mixture of all proposals (Cornuet et al. 2012, adaptive
multiple importance sampling; Owen and Zhou 2000, deterministic mixture weights). The draws come
from a sample of its own, under the last proposal, since points have too little weight where a
proposal was adapted to them. Its largest weights are Pareto-smoothed (Vehtari et al. 2024).
"""

import itertools
from collections.abc import Callable

import jax
import numpy as np

from jscale._core.jobs import Checkpoint
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling._mode import find_mode
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling.importance._mixture import Proposal, about, fitted
from jscale.fit.bayes.sampling.importance._result import (
    FARTHEST,
    LEAST,
    Weighted,
    generator,
    resampled,
)
from jscale.fit.bayes.sampling.importance._rounds import (
    Rounds,
    agree,
    has_settled,
    nothing,
    smoothed,
    tempered,
)

_FIRST_ROUND, _MAX_ROUND = 1000, 10_000
"""Points of the first rounds and of the longest; a round has half as many as all before it."""
_WANTED = 2.0
"""Effective points for each draw that is returned."""
_MAX_POINTS = 60_000
"""Points of the last sample, or six for each draw that is returned where that is more; rounds that
adapt take half as many before it."""
_GOOD = 0.75
"""Share of the points of a round that count from which its proposal needs no adaptation."""
_LEARNT = 0.2
"""Share of the effective points that are wanted, from which rounds may be done with adapting."""
_MOST_LEARNT = 1600.0
"""Effective points from which they may be done however many draws are wanted."""
_PILOT = 4000
"""First points of a sample that a proposal has not been adapted to."""
_MARGIN = 1.05
"""Of the points that such a proposal is expected to need."""
_FLAT = 0.5
"""Power of the density that bends and components of the tails are fitted to."""
_TEMPERED = (5.0, 0.02)
"""Effective points for each dimension, and share of all points, from which a proposal is adapted:
weights that concentrate on fewer are raised to a power below 1."""
_SURE_PARETO_K = 0.5
"""Shape of the tail of the weights up to which they have a variance: no more rounds are needed."""


def importance_sample(problem: Problem, key: jax.Array, *, chains: int, draws: int) -> Chains:
    """Draws of every site by importance sampling, resampled to equal weights.

    Args:
        problem: law, priors and runs.
        key: for the proposals.
        chains: groups that the draws are divided into.
        draws: of each group.
    """
    mode_key, sample_key = jax.random.split(key)
    first, checkpoint = about(*find_mode(problem, mode_key)), Checkpoint(None, {})
    count = chains * draws
    sample = weighted_sample(
        problem, first, sample_key, draws=count, checkpoint=checkpoint, advanced=lambda _: None
    )
    return resampled(problem, sample, sample_key, chains=chains, draws=draws)


def weighted_sample(
    problem: Problem,
    first: Proposal,
    key: jax.Array,
    *,
    draws: int,
    checkpoint: Checkpoint,
    advanced: Callable[[float], None],
    name: str = "round",
) -> Weighted:
    """Points of all rounds, with their weights.

    Args:
        problem: law, priors and runs.
        first: the first proposal.
        key: for the proposals.
        draws: that are to be resampled from the points.
        checkpoint: of the densities of each round.
        advanced: called after each round with the share of the effective points that are there.
        name: of a round in the checkpoint.
    """
    rng, size, proposal = generator(key), first.size, first
    wanted, most = max(_WANTED * draws, LEAST), max(_MAX_POINTS, 6 * draws)
    enough, numbers = min(_LEARNT * wanted, _MOST_LEARNT), itertools.count()

    def extended(sample: Rounds, proposal: Proposal, count: int) -> tuple[Rounds, float]:
        new = proposal.draw(count, rng)
        unit = f"{name} {next(numbers)}"
        values = checkpoint.unit(unit, lambda: {"values": log_densities(problem, new)})
        return sample.extended(proposal, new, values["values"])

    learnt, share = extended(nothing(size), proposal, _FIRST_ROUND)
    while True:
        # 1. Rounds that adapt the proposal.
        settled, may_learn = False, True
        while share < _GOOD and not settled and may_learn:
            proposal, before = _adapted(learnt, rng), learnt.moments()
            count = int(np.clip(len(learnt.free) // 2, _FIRST_ROUND, _MAX_ROUND))
            learnt, share = extended(learnt, proposal, count)
            settled = learnt.effective >= enough and has_settled(before, learnt.moments())
            may_learn = len(learnt.free) < most // 2
        if share < _GOOD:
            proposal = _adapted(learnt, rng)

        # 2. A sample of its own from that proposal: points that a proposal was adapted to lie where
        # it is high and have too little weight there, which makes the tails too light.
        sample, share = extended(nothing(size), proposal, _PILOT)
        while (missing := wanted - sample.effective) > 0 and len(sample.free) < most:
            expected = _MARGIN * missing / max(sample.effective, 1.0) * len(sample.free)
            if may_learn and expected > most // 2:
                break
            count = int(np.clip(expected, 1, most - len(sample.free)))
            sample, _ = extended(sample, proposal, count)
            advanced(min(1.0, sample.effective / wanted))

        # 3. It is the result where the rounds before agree.
        weights, pareto_k = smoothed(sample.log_weights)
        is_whole = sample.effective >= wanted and pareto_k <= _SURE_PARETO_K
        agreed = agree(learnt, sample)
        if (is_whole and agreed) or not may_learn:
            break
        learnt, share = learnt.joined(sample), 0.0

    # Smoothing limits the largest weights, which may be the sign of a region without proposals.
    counted = min(sample.effective, 1 / float(np.sum(weights**2)))
    return Weighted(sample.free, weights, pareto_k, counted, agreed)


def _adapted(sample: Rounds, rng: np.random.Generator) -> Proposal:
    """The proposal that is fitted to the points so far."""
    inside = (np.abs(sample.free) < FARTHEST).all(axis=1)
    points, size = sample.free.shape
    least = max(_TEMPERED[0] * size, _TEMPERED[1] * points)
    weights = tempered(sample.log_weights[inside], least)
    flat = tempered((_FLAT * sample.log_target - sample.log_mixture)[inside], least)
    return fitted(sample.free[inside], weights, flat, rng)
