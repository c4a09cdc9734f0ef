"""Weighted points of the rounds of importance sampling."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from jscale.fit.bayes.sampling.importance._mixture import Proposal
from jscale.fit.bayes.sampling.importance._weighted import mean_of

_SETTLED = 0.1
"""Standard deviations by which a round may change means and standard deviations to be the last:
rounds that move along a ridge find new parts of it each time."""
_ALIKE = 0.1
"""Standard deviations, and share of a variance, that rounds which adapt may be off."""
_ERRORS = 4.0
"""Monte-Carlo errors within which moments of independent samples agree."""


class Rounds(NamedTuple):
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

    @property
    def weights(self) -> np.ndarray:
        """(points,) that sum to 1."""
        log_weights = self.log_weights
        return np.exp(log_weights - logsumexp(log_weights))

    @property
    def effective(self) -> float:
        """Number of points that count."""
        return effective(self.log_weights)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (size,) under the weights."""
        weights = self.weights
        mean = mean_of(self.free, weights)
        return mean, np.sqrt(mean_of((self.free - mean) ** 2, weights))

    def extended(
        self, proposal: Proposal, new: np.ndarray, log_target: np.ndarray
    ) -> tuple["Rounds", float]:
        """With new points of a proposal, and the share of these that count by themselves."""
        own, count = proposal.log_density(new), len(new)
        used = {**self.used, proposal: self.used.get(proposal, 0) + count}
        of_old = np.log(count) + proposal.log_density(self.free)
        of_new = [
            np.log(n) + (own if each is proposal else each.log_density(new))
            for each, n in used.items()
        ]
        log_mixture = [np.logaddexp(self.log_mixture, of_old), np.logaddexp.reduce(of_new)]
        rounds = Rounds(
            free=np.concatenate([self.free, new]),
            log_target=np.concatenate([self.log_target, log_target]),
            log_mixture=np.concatenate(log_mixture),
            used=used,
        )
        return rounds, effective(log_target - own) / count

    def joined(self, other: "Rounds") -> "Rounds":
        """With the points of a sample from one other proposal."""
        ((proposal, _),) = other.used.items()
        return self.extended(proposal, other.free, other.log_target)[0]


def equal(free: np.ndarray) -> Rounds:
    """Points (points, size) that count alike."""
    zeros = np.zeros(len(free))
    return Rounds(free, zeros, zeros, {})


def nothing(size: int) -> Rounds:
    """No points of a number of dimensions."""
    return Rounds(np.zeros((0, size)), np.zeros(0), np.zeros(0), {})


def has_settled(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]
) -> bool:
    """Whether a round has changed no mean and no standard deviation by much."""
    changes = np.abs(np.subtract(after, before)) / after[1]
    return bool(np.all(changes < _SETTLED))


def agree(
    first: Rounds, second: Rounds, weights: np.ndarray | None = None, *, alike: float = _ALIKE
) -> bool:
    """Whether means and variances of two samples are equal within errors and a tolerance.

    Args:
        first: a sample.
        second: another.
        weights: of the second, that sum to 1; None for its own.
        alike: standard deviations, and share of a variance, that they may be off besides.
    """
    one, of_one, _ = _estimates(first, first.weights)
    two, of_two, sd = _estimates(second, second.weights if weights is None else weights)
    allowed = alike * np.concatenate([sd, sd**2])
    errors = _ERRORS * np.hypot(of_one, of_two)
    return bool(np.all(np.abs(one - two) <= np.hypot(errors, allowed)))


def _estimates(sample: Rounds, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and variances of the free values, their standard errors, and standard deviations."""
    mean = mean_of(sample.free, weights)
    sd = np.sqrt(mean_of((sample.free - mean) ** 2, weights))
    z = (sample.free - mean) / sd
    values = np.concatenate([mean, sd**2])
    scores = np.concatenate([z, z**2 - 1], axis=1) * np.concatenate([sd, sd**2])
    return values, np.sqrt(mean_of(scores**2, weights**2)), sd


def smoothed(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed weights (count,) that sum to 1, and the shape of their tail."""
    from jscale.fit.bayes import _arviz

    log_weights = log_weights - logsumexp(log_weights)
    with np.errstate(over="ignore"):  # weights of shapes that are out of the question: 1 / inf
        values, pareto_k = _arviz.smoothed_weights(np.maximum(log_weights, -700.0))
    weights = np.exp(values - logsumexp(values))
    return weights / weights.sum(), pareto_k


def effective(log_weights: np.ndarray) -> float:
    """Kish's effective number of points; 0 where none has a density."""
    if not np.isfinite(log_weights).any():
        return 0.0
    total, of_squares = np.asarray(logsumexp(log_weights)), np.asarray(logsumexp(2 * log_weights))
    return float(np.exp(2 * total - of_squares))


def tempered(log_weights: np.ndarray, least: float) -> np.ndarray:
    """Weights (count,) that sum to 1, raised to the power at which as many points count.

    Points without a density count at no power; where no others are left, all count alike.
    """
    if not (inside := np.isfinite(log_weights)).any():
        return np.full(len(log_weights), 1 / len(log_weights))
    finite = log_weights[inside] - log_weights.max()
    low, high = 0.0, 1.0
    if effective(finite) >= least:
        low = 1.0
    for _ in range(0 if low == 1.0 else 30):
        power = (low + high) / 2
        if effective(power * finite) > least:
            low = power
        else:
            high = power
    weights = np.zeros(len(log_weights))
    powered = np.exp(low * finite)
    weights[inside] = powered / powered.sum()
    return weights
