"""Log likelihood of clusters of runs, each given the other runs, for every draw of a posterior."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import program
from jscale.fit.bayes._model import Problem, problem_of
from jscale.fit.bayes.export._pointwise import map_draws, predicted_and_observed, values_of
from jscale.fit.errors import (
    ErrorModel,
    FittedRows,
    Placement,
    Scale,
    block_log_likelihoods,
    effect_scale_site,
    effect_site,
    family_distribution,
    row_scale,
    shared_errors,
)

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior

_NODES = 97
"""Nodes of the integral over an effect, dense at its mode: the error is below 1e-6 nats."""
_REACH = 8.0
"""Prior standard deviations of an effect that they span."""
_STEPS, _TAIL = 8, 4.0
"""Steps to the mode of an effect by reweighted least squares, and degrees of freedom of the errors
that set the weights: where the nodes lie need not be exact."""


class _Independent(NamedTuple):
    """Runs about the law and what they share.

    Attributes:
        observed: (rows,).
        predicted: (rows,).
        scale: of the independent errors.
    """

    observed: Any
    predicted: Any
    scale: Scale


class Clustered(NamedTuple):
    """Runs by the cluster that is left out.

    Attributes:
        members: (clusters, most) row numbers of each cluster, -1 where it has fewer.
        of_row: (rows,) cluster of each row; rows that only fill the arrays are in one more.
        integrated: which column of effects is integrated out; None for none.
    """

    members: Any
    of_row: Any
    integrated: int | None


def cluster_log_likelihood(posterior: "Posterior", labels: np.ndarray) -> np.ndarray:
    """Log density of each cluster given all other runs, (draws, clusters). In a float64 scope.

    Of log losses, or of losses with additive errors. Jointly normal errors that runs share have
    their conditional distribution in closed form. Where effects were sampled, those of one column
    whose clusters each lie in a cluster that is left out are integrated out: given its sampled
    effect, a cluster would be known already. Other shared errors are as they were sampled.

    Args:
        posterior: one that holds its runs.
        labels: (rows,) cluster of each run, counted from 0.
    """
    rows = posterior.rows
    assert rows is not None
    problem = problem_of(posterior.law, rows, posterior.errors)
    return log_likelihood_at(problem, rows, labels, *values_of(posterior))


def log_likelihood_at(
    problem: Problem, rows: FittedRows, labels: np.ndarray, params: Any, noise: Any
) -> np.ndarray:
    """What :func:`cluster_log_likelihood` returns, of given values of the parameters."""
    counts = np.bincount(labels)
    members = np.full((len(counts), counts.max()), -1)
    for cluster in range(len(counts)):
        members[cluster, : counts[cluster]] = np.flatnonzero(labels == cluster)
    of_row = np.full(len(problem.loss), len(counts))
    of_row[: len(rows)] = labels
    column = _integrated(problem.errors, problem.arrays.at, labels)
    result = _at_draws(
        problem, jnp.asarray(members), jnp.asarray(of_row), params, noise, column=column
    )
    return np.asarray(result)


def _integrated(errors: ErrorModel, at: Placement, labels: np.ndarray) -> int | None:
    """The first column of sampled effects whose clusters each lie in one that is left out."""
    if errors.is_joint:
        return None
    for i, clusters in enumerate(at.clusters):
        pairs = np.unique(np.stack([np.asarray(clusters)[: len(labels)], labels]), axis=1)
        if len(np.unique(pairs[0])) == pairs.shape[1]:
            return i
    return None


@program("column")
def _at_draws(
    problem: Problem,
    members: jax.Array,
    of_row: jax.Array,
    params: dict[str, jax.Array],
    noise: dict[str, jax.Array],
    *,
    column: int | None,
) -> jax.Array:
    clustered = Clustered(members, of_row, column)

    def one(draw: tuple[Any, Any]) -> jax.Array:
        return _of_clusters(problem, clustered, *draw)

    return map_draws(one, (params, noise))


def _of_clusters(problem: Problem, clustered: Clustered, params: Any, noise: Any) -> jax.Array:
    """Log density of each cluster (clusters,) under one draw."""
    errors, arrays = problem.errors, problem.arrays
    predicted, observed = predicted_and_observed(problem, params)
    if errors.is_joint:
        residual = observed - predicted
        return block_log_likelihoods(errors, arrays, noise, residual, clustered.members)

    scale = row_scale(errors, arrays.at, noise, arrays.known)
    count, column = len(clustered.members), clustered.integrated
    if column is not None:
        assert errors.effects is not None
        noise = {**noise, effect_site(errors.effects[column]): arrays.effects[column]}
    if errors.has_shared_errors:
        shift, rest = shared_errors(errors, arrays, arrays.at, noise)
        predicted = predicted + shift
        scale = Scale(jnp.sqrt(scale.total**2 + rest), scale.free)
    if column is not None:
        assert errors.effects is not None
        spread = noise[effect_scale_site(errors.effects[column])]
        cluster = arrays.at.clusters[column]
        independent = _Independent(observed, predicted, scale)
        own = _over_effects(problem, column, independent, spread, noise)
        # An effect belongs to the cluster of its runs.
        of_effect = jnp.full(len(own), count).at[cluster].min(clustered.of_row)
        return jnp.zeros(count + 1).at[of_effect].add(own)[:count]
    own = family_distribution(errors, predicted, scale, noise).log_prob(observed)
    return jnp.zeros(count + 1).at[clustered.of_row].add(own)[:count]


def _over_effects(
    problem: Problem, column: int, runs: _Independent, spread: Any, noise: Any
) -> jax.Array:
    """Log density (effects,) of the runs of each effect, integrated over it.

    By the trapezoid rule in ``t`` on ``z = mode + width sinh(t)`` for standard normal effects z.

    Args:
        problem: law, priors and runs.
        column: of the effects.
        runs: about the law and all other errors that they share.
        spread: standard deviation of the effects.
        noise: parameters of the error model by site.
    """
    arrays, scale = problem.arrays, runs.scale
    cluster, zeros = arrays.at.clusters[column], jnp.asarray(arrays.effects[column])
    residual = jnp.where(arrays.is_run, runs.observed - runs.predicted, 0.0)
    precision = jnp.where(arrays.is_run, scale.total**-2, 0.0)

    def of_effects(values: jax.Array) -> jax.Array:
        return jnp.zeros((len(zeros), *values.shape[1:])).at[cluster].add(values)

    # 1. The mode of each effect, and its width there.
    def step(_: int, z: jax.Array) -> jax.Array:
        return spread * of_effects(weights(z) * residual) * widths(z) ** 2

    def weights(z: jax.Array) -> jax.Array:
        deviation = residual - spread * z[cluster]
        return precision * (_TAIL + 1) / (_TAIL + precision * deviation**2)

    def widths(z: jax.Array) -> jax.Array:
        return (1.0 + spread**2 * of_effects(weights(z))) ** -0.5

    mode = jax.lax.fori_loop(0, _STEPS, step, zeros)
    width = widths(mode)

    # 2. The runs at every node.
    furthest = jnp.arcsinh((_REACH + jnp.abs(mode)) / width)
    t = furthest[:, None] * jnp.linspace(-1.0, 1.0, _NODES)
    z = mode[:, None] + width[:, None] * jnp.sinh(t)
    at_nodes = Scale(scale.total[:, None], scale.free[:, None])
    loc = runs.predicted[:, None] + spread * z[cluster]
    each = family_distribution(problem.errors, loc, at_nodes, noise).log_prob(
        runs.observed[:, None]
    )
    log_likelihood = of_effects(jnp.where(arrays.is_run[:, None], each, 0.0))

    # 3. The integral.
    log_prior = -0.5 * z**2 - 0.5 * jnp.log(2 * jnp.pi)
    log_step = jnp.log(width * furthest * 2 / (_NODES - 1))[:, None] + jnp.log(jnp.cosh(t))
    return jax.scipy.special.logsumexp(log_likelihood + log_prior + log_step, axis=1)
