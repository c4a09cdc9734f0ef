"""Draws by adaptive multiple importance sampling.

Mixtures of Student-t distributions are adapted to the posterior in rounds, from its mode on. The
points of all rounds count, weighed by the mixture of all proposals (Cornuet et al. 2012, adaptive
multiple importance sampling; Owen and Zhou 2000, deterministic mixture weights), and the largest
weights are Pareto-smoothed (Vehtari et al. 2024).
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from jscale._core.jobs import Checkpoint
from jscale._core.notes import Note
from jscale._core.programs import program
from jscale.fit.bayes._diagnostics import ESS_WARNING, MAX_PARETO_K, ROUGH_SAMPLING
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling._mixture import (
    Proposal,
    about,
    covariance,
    fitted,
    mean_of,
    root_of,
    systematic,
)
from jscale.fit.bayes.sampling._mode import Mode, find_mode
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling._whitening import sites_at

_FIRST_ROUND, _MAX_ROUND = 1000, 10_000
"""Points of the first rounds and of the longest; a round has half as many as all before it."""
_WANTED = 2.0
"""Effective points for each draw that is returned."""
_LEAST = 4 * ESS_WARNING
"""Effective points, at least."""
_MAX_POINTS = 60_000
"""Points of all rounds, or six for each draw that is returned where that is more."""
_GOOD = 0.75
"""Share of the points of a round that count from which its proposal needs no adaptation."""
_MARGIN = 1.05
"""Of the points that such a proposal is expected to need."""
_COMPONENTS = 16
_POINTS_PER_COMPONENT = 10
"""Effective points for each dimension and component of a mixture."""
_TEMPERED = (5.0, 0.02)
"""Effective points for each dimension, and share of all points, from which a proposal is adapted:
weights that concentrate on fewer are raised to a power below 1."""
_SETTLED = 0.05
"""Standard deviations by which a round may change means and standard deviations to be the last:
rounds that move along a ridge find new parts of it each time."""
_SURE_PARETO_K = 0.5
"""Shape of the tail of the weights up to which they have a variance: no more rounds are needed."""


class Weighted(NamedTuple):
    """A weighted sample.

    Attributes:
        free: (points, size) unconstrained values of the sites.
        weights: (points,) smoothed, sum 1.
        pareto_k: shape of the tail of the weights.
        effective: number of points that count.
    """

    free: np.ndarray
    weights: np.ndarray
    pareto_k: float
    effective: float

    @property
    def is_good(self) -> bool:
        """Whether means under the weights can be relied on."""
        return self.pareto_k <= MAX_PARETO_K and self.effective >= _LEAST


def importance_sample(problem: Problem, key: jax.Array, *, chains: int, draws: int) -> Chains:
    """Draws of every site by importance sampling, resampled to equal weights.

    Args:
        problem: law, priors and runs.
        key: for the proposals.
        chains: groups that the draws are divided into.
        draws: of each group.
    """
    mode_key, sample_key = jax.random.split(key)
    mode, checkpoint = find_mode(problem, mode_key), Checkpoint(None, {})
    count = chains * draws
    sample = weighted_sample(
        problem, mode, sample_key, draws=count, checkpoint=checkpoint, advanced=lambda _: None
    )
    return resampled(problem, sample, sample_key, chains=chains, draws=draws)


def weighted_sample(
    problem: Problem,
    mode: Mode,
    key: jax.Array,
    *,
    draws: int,
    checkpoint: Checkpoint,
    advanced: Callable[[float], None],
) -> Weighted:
    """Points of all rounds, with their weights.

    Args:
        problem: law, priors and runs.
        mode: where the first proposal lies.
        key: for the proposals.
        draws: that are to be resampled from the points.
        checkpoint: of the densities of each round.
        advanced: called after each round with the share of the effective points that are there.
    """
    rng, size = _generator(key), len(mode.free)
    wanted, most = max(_WANTED * draws, _LEAST), max(_MAX_POINTS, 6 * draws)
    proposal, count = about(mode.free, mode.axes), _FIRST_ROUND
    sample = _Rounds(np.zeros((0, size)), np.zeros(0), np.zeros(0), {})
    moments = (np.zeros(size), np.zeros(size))
    for i in itertools.count():
        new = proposal.draw(count, rng)
        values = checkpoint.unit(
            f"round {i}", lambda new=new: {"values": log_densities(problem, new)}
        )
        sample, share = sample.extended(proposal, new, values["values"])
        effective = _effective(sample.log_weights)
        advanced(min(1.0, effective / wanted))
        before, moments = moments, sample.moments()
        if len(sample.free) >= most or (
            effective >= wanted
            and _has_settled(before, moments)
            and smoothed(sample.log_weights)[1] <= _SURE_PARETO_K
        ):
            break

        if share >= _GOOD and effective < wanted:
            missing = _MARGIN * (wanted - effective) / share
            count = int(np.clip(missing, _FIRST_ROUND, most))
        else:
            proposal = _adapted(sample, rng)
            count = int(np.clip(len(sample.free) // 2, _FIRST_ROUND, _MAX_ROUND))

    weights, pareto_k = smoothed(sample.log_weights)
    # Smoothing limits the largest weights, which may be the sign of a region without proposals.
    counted = min(effective, 1 / float(np.sum(weights**2)))
    return Weighted(sample.free, weights, pareto_k, counted)


class _Rounds(NamedTuple):
    """The points of all rounds.

    Attributes:
        free: (points, size).
        log_target: (points,) log densities of the posterior.
        log_mixture: (points,) log of the sum of the proposals' densities times their points.
        used: proposal → its points.
    """

    free: np.ndarray
    log_target: np.ndarray
    log_mixture: np.ndarray
    used: dict[Proposal, int]

    @property
    def log_weights(self) -> np.ndarray:
        """(points,)."""
        return self.log_target - self.log_mixture

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (size,) under the weights."""
        log_weights = self.log_weights
        weights = np.exp(log_weights - logsumexp(log_weights))
        mean = mean_of(self.free, weights)
        return mean, np.sqrt(mean_of((self.free - mean) ** 2, weights))

    def extended(
        self, proposal: Proposal, new: np.ndarray, log_target: np.ndarray
    ) -> tuple["_Rounds", float]:
        """With new points of a proposal, and the share of these that count by themselves."""
        own, count = proposal.log_density(new), len(new)
        used = {**self.used, proposal: self.used.get(proposal, 0) + count}
        of_old = np.log(count) + proposal.log_density(self.free)
        of_new = [
            np.log(n) + (own if each is proposal else each.log_density(new))
            for each, n in used.items()
        ]
        log_mixture = [np.logaddexp(self.log_mixture, of_old), np.logaddexp.reduce(of_new)]
        rounds = _Rounds(
            free=np.concatenate([self.free, new]),
            log_target=np.concatenate([self.log_target, log_target]),
            log_mixture=np.concatenate(log_mixture),
            used=used,
        )
        return rounds, _effective(log_target - own) / count


def _has_settled(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]
) -> bool:
    """Whether a round has changed no mean and no standard deviation by much."""
    changes = np.abs(np.subtract(after, before)) / after[1]
    return bool(np.all(changes < _SETTLED))


def _adapted(sample: _Rounds, rng: np.random.Generator) -> Proposal:
    """The proposal that is fitted to the points so far."""
    points, size = sample.free.shape
    least = max(_TEMPERED[0] * size, _TEMPERED[1] * points)
    weights = _tempered(sample.log_weights, least)
    enough = 1 / float(np.sum(weights**2)) / (_POINTS_PER_COMPONENT * size)
    return fitted(sample.free, weights, int(np.clip(enough, 1, _COMPONENTS)), rng)


def resampled(
    problem: Problem, sample: Weighted, key: jax.Array, *, chains: int, draws: int
) -> Chains:
    """Draws of every site, resampled from a weighted sample to equal weights."""
    rng, count = _generator(jax.random.fold_in(key, 1)), chains * draws
    chosen = rng.permutation(systematic(sample.weights, count, rng))
    sites = _sites(problem, jnp.asarray(sample.free[chosen].reshape(chains, draws, -1)))
    return Chains(
        {name: np.asarray(values) for name, values in sites.items()},
        diverging=np.zeros((chains, draws), bool),
        notes=rough_notes(sample.pareto_k, sample.effective),
        effective=1 / (1 / sample.effective + 1 / count),
    )


def rough_notes(pareto_k: float, effective: float) -> tuple[Note, ...]:
    """A note where the weights of a sample have no useful mean."""
    evidence = {"pareto_k": pareto_k, "effective_draws": effective}
    if pareto_k <= MAX_PARETO_K and effective >= ESS_WARNING:
        return ()
    message = (
        f"importance sampling is rough (Pareto k {pareto_k:.2f}, {effective:.0f} effective draws): "
        "sample with NUTS"
    )
    return (Note(ROUGH_SAMPLING, "warning", message, evidence),)


def weighted_mode(sample: Weighted) -> Mode:
    """The mean and a root of the covariance of a weighted sample: coordinates for NUTS."""
    mean = mean_of(sample.free, sample.weights)
    return Mode(mean, root_of(covariance(sample.free, sample.weights)))


def smoothed(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed weights (count,) that sum to 1, and the shape of their tail."""
    from jscale.fit.bayes import _arviz

    log_weights = log_weights - logsumexp(log_weights)
    with np.errstate(over="ignore"):  # weights of shapes that are out of the question: 1 / inf
        values, pareto_k = _arviz.smoothed_weights(np.maximum(log_weights, -700.0))
    weights = np.exp(values - logsumexp(values))
    return weights / weights.sum(), pareto_k


def _generator(key: jax.Array) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _effective(log_weights: np.ndarray) -> float:
    """Kish's effective number of points; 0 where none has a density."""
    if not np.isfinite(log_weights).any():
        return 0.0
    total, of_squares = np.asarray(logsumexp(log_weights)), np.asarray(logsumexp(2 * log_weights))
    return float(np.exp(2 * total - of_squares))


def _tempered(log_weights: np.ndarray, least: float) -> np.ndarray:
    """Weights (count,) that sum to 1, raised to the power at which as many points count.

    Points without a density count at no power; where no others are left, all count alike.
    """
    if not (inside := np.isfinite(log_weights)).any():
        return np.full(len(log_weights), 1 / len(log_weights))
    finite = log_weights[inside] - log_weights.max()
    low, high = 0.0, 1.0
    if _effective(finite) >= least:
        low = 1.0
    for _ in range(0 if low == 1.0 else 30):
        power = (low + high) / 2
        if _effective(power * finite) > least:
            low = power
        else:
            high = power
    weights = np.zeros(len(log_weights))
    powered = np.exp(low * finite)
    weights[inside] = powered / powered.sum()
    return weights


@program()
def _sites(problem: Problem, free: jax.Array) -> dict[str, jax.Array]:
    """Site → values (chains, draws) of points (chains, draws, size)."""
    return jax.lax.map(jax.vmap(lambda u: sites_at(problem, u)), free)
