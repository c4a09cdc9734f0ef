"""Draws by adaptive importance sampling about the mode: a second where NUTS takes ten.

A multivariate Student-t proposal is moved to the mode and scaled by the curvature there, then
adapted to the posterior by tempered weights until a quarter of its draws count (Cappé et al. 2004,
population Monte Carlo). The weights of the last round are Pareto-smoothed (Vehtari et al. 2024).
"""

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale._core.programs import program
from jscale.fit.bayes._diagnostics import ESS_WARNING, ROUGH_SAMPLING
from jscale.fit.bayes._mode import Mode, find_mode
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes._sampler import Chains
from jscale.fit.bayes._whitening import potential_at, sites_at

NU = 6.0
"""Degrees of freedom of the proposal: wider tails than those of a posterior of a few dozen runs."""
_BATCH = 500
"""Draws of a round of adaptation, and the unit in which the last round is evaluated."""
_ROUNDS = 10
_ENOUGH = 0.25
"""Share of a round's draws that must count, by their effective number, to end the adaptation."""
_TEMPERED = 0.2
"""Share that counts under the tempered weights by which a proposal is adapted."""
_INFLATION = 1.15
"""Of the covariance at each adaptation: a proposal must be wider than its target."""
_PROPOSALS = 2
"""Proposals of the last round for each draw that is returned."""
_MARGIN, _MOST = 1.3, 10
"""More proposals are made where fewer than 400 draws would count, with this margin, up to this many
for each draw that is returned."""
MAX_PARETO_K = 0.7
"""Beyond it, weights have no useful mean (Vehtari et al. 2024)."""


def importance_sample(problem: Problem, key: jax.Array, *, chains: int, draws: int) -> Chains:
    """Draws of every site by importance sampling, resampled to equal weights.

    Args:
        problem: law, priors and runs.
        key: for the proposals.
        chains: groups that the draws are divided into.
        draws: of each group.
    """
    mode_key, sample_key = jax.random.split(key)
    mode = find_mode(problem, mode_key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(sample_key)))

    # 1. Adapt the proposal.
    proposal, share = mode, 0.0
    for _ in range(_ROUNDS):
        free, log_weights = _proposals(problem, proposal, _BATCH, rng)
        share = _effective(log_weights) / _BATCH
        if share >= _ENOUGH:
            break
        proposal = _adapted(free, log_weights)

    # 2. Sample, smooth the largest weights and resample.
    count = chains * draws
    wanted = max(_PROPOSALS * count, _MARGIN * ESS_WARNING / max(share, 1 / _BATCH))
    size = -(-int(min(wanted, _MOST * count)) // _BATCH) * _BATCH
    free, log_weights = _proposals(problem, proposal, size, rng)
    weights, pareto_k = _smoothed(log_weights)
    effective = 1 / float(np.sum(weights**2))
    chosen = rng.permutation(_systematic(weights, count, rng))
    sites = _sites(problem, jnp.asarray(free[chosen].reshape(chains, draws, -1)))
    return Chains(
        {name: np.asarray(values) for name, values in sites.items()},
        diverging=np.zeros((chains, draws), bool),
        notes=_notes(pareto_k, effective),
        effective=effective,
    )


def _notes(pareto_k: float, effective: float) -> tuple[Note, ...]:
    evidence = {"pareto_k": pareto_k, "effective_draws": effective}
    if pareto_k <= MAX_PARETO_K and effective >= ESS_WARNING:
        return ()
    message = (
        f"importance sampling is rough (Pareto k {pareto_k:.2f}, {effective:.0f} effective draws): "
        "sample with NUTS"
    )
    return (Note(ROUGH_SAMPLING, "warning", message, evidence),)


def _proposals(
    problem: Problem, proposal: Mode, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, size) of the proposal, and their normalised log weights (count,)."""
    size = len(proposal.free)
    radius = np.sqrt(rng.chisquare(NU, (count, 1)) / NU)
    z = rng.normal(size=(count, size)) / radius
    free = proposal.free + z @ proposal.axes.T

    log_proposal = -0.5 * (NU + size) * np.log1p(np.sum(z**2, axis=1) / NU)
    batches = jnp.asarray(free.reshape(-1, _BATCH, size))
    log_target = np.concatenate([np.asarray(_log_density(problem, batch)) for batch in batches])
    log_weights = np.where(np.isfinite(log_target), log_target - log_proposal, -np.inf)
    return free, log_weights - _log_sum(log_weights)


def _log_sum(log_weights: np.ndarray) -> float:
    """The log of the sum of weights."""
    return float(np.logaddexp.reduce(log_weights))


def _effective(log_weights: np.ndarray) -> float:
    """Kish's effective number of draws of normalised log weights."""
    return float(np.exp(-_log_sum(2 * log_weights)))


def _adapted(free: np.ndarray, log_weights: np.ndarray) -> Mode:
    """A proposal with the mean and the covariance of draws under tempered weights."""
    finite = np.maximum(log_weights, -1e300)
    low, high = 0.0, 1.0
    for _ in range(30):
        power = (low + high) / 2
        tempered = power * finite - _log_sum(power * finite)
        if _effective(tempered) > _TEMPERED * len(free):
            low = power
        else:
            high = power
    weights = np.exp(low * finite - _log_sum(low * finite))

    mean = weights @ free
    deviations = free - mean
    covariance = _INFLATION * (deviations.T * weights) @ deviations
    covariance += 1e-8 * np.eye(len(mean))
    return Mode(mean, np.linalg.cholesky(covariance))


def _smoothed(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed weights (count,) that sum to 1, and the shape of their tail."""
    from jscale.fit.bayes import _arviz

    smoothed, pareto_k = _arviz.smoothed_weights(log_weights)
    weights = np.exp(smoothed - _log_sum(smoothed))
    return weights / weights.sum(), pareto_k


def _systematic(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Systematic resampling: indices (count,), each as often as its weight within one."""
    positions = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1)


@program()
def _log_density(problem: Problem, free: jax.Array) -> jax.Array:
    """Log density of the posterior at points (batch, size), up to a constant."""
    return -jax.lax.map(lambda u: potential_at(problem, u), free)


@program()
def _sites(problem: Problem, free: jax.Array) -> dict[str, jax.Array]:
    """Site → values (chains, draws) of points (chains, draws, size)."""
    return jax.lax.map(jax.vmap(lambda u: sites_at(problem, u)), free)
