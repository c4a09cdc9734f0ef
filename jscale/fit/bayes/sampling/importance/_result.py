"""Weighted samples of a posterior, and draws from them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale._core.programs import program
from jscale.fit.bayes._diagnostics import ESS_WARNING, MAX_PARETO_K, ROUGH_SAMPLING
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._mode import Mode
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling._whitening import sites_at
from jscale.fit.bayes.sampling.importance._weighted import covariance, mean_of, root_of, systematic

LEAST = 4 * ESS_WARNING
"""Effective points, at least."""
FARTHEST = 700.0
"""Values of logs and logits beyond which natural values overflow."""


class Weighted(NamedTuple):
    """A weighted sample.

    Attributes:
        free: (points, size) unconstrained values of the sites.
        weights: (points,) smoothed, sum 1.
        pareto_k: shape of the tail of the weights.
        effective: number of points that count.
        agreed: whether another sample has the same means and variances.
    """

    free: np.ndarray
    weights: np.ndarray
    pareto_k: float
    effective: float
    agreed: bool

    @property
    def is_good(self) -> bool:
        """Whether means under the weights can be relied on."""
        return self.agreed and self.pareto_k <= MAX_PARETO_K and self.effective >= LEAST


def counting(sample: Weighted) -> tuple[np.ndarray, np.ndarray]:
    """Points of a sample that have a weight and values that do not overflow, and log weights."""
    counts = (sample.weights > 0) & (np.abs(sample.free) < FARTHEST).all(axis=1)
    return sample.free[counts], np.log(sample.weights[counts])


def resampled(
    problem: Problem, sample: Weighted, key: jax.Array, *, chains: int, draws: int
) -> Chains:
    """Draws of every site, resampled from a weighted sample to equal weights."""
    rng, count = generator(jax.random.fold_in(key, 1)), chains * draws
    chosen = rng.permutation(systematic(sample.weights, count, rng))
    sites = _sites(problem, jnp.asarray(sample.free[chosen].reshape(chains, draws, -1)))
    return Chains(
        {name: np.asarray(values) for name, values in sites.items()},
        diverging=np.zeros((chains, draws), bool),
        notes=rough_notes(sample.pareto_k, sample.effective),
        effective=1 / (1 / sample.effective + 1 / count),
    )


def equal_points(sample: Weighted, key: jax.Array, count: int) -> np.ndarray:
    """Points (count, size) that count alike, resampled from a weighted sample."""
    return sample.free[systematic(sample.weights, count, generator(key))]


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


def generator(key: jax.Array) -> np.random.Generator:
    """Random numbers of NumPy, from a key."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


@program(runs_once=True)
def _sites(problem: Problem, free: jax.Array) -> dict[str, jax.Array]:
    """Site → values (chains, draws) of points (chains, draws, size)."""
    return jax.lax.map(jax.vmap(lambda u: sites_at(problem, u)), free)
