"""Log likelihood of each run, and replicated runs, for every draw of a posterior.

Both are of one distribution: that of a run's (log) loss given the parameters of the draw, and given
what runs share. Where effects and discrepancy were sampled, that is the error about their values in
the draw. Where they were integrated out (normal errors), it is the run given all other runs, so
that leave-one-out estimates are right for runs that share errors (Bürkner et al. 2021).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import program
from jscale.fit.bayes._model import Problem, law_values, problem_of
from jscale.fit.errors import (
    SIGMA_SITE,
    Scale,
    family_distribution,
    group_labels,
    group_sites,
    left_out,
    ratio_site,
    row_scale,
    shared_errors,
)

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior

_BATCH = 16
"""Draws that are computed together."""
_SEED = 1
"""Of the replicated runs, which are the same in every call."""


class Pointwise(NamedTuple):
    """Log likelihood and replicates of the runs, each (draws, rows).

    Attributes:
        log_likelihood: log density of the observed value.
        replicate: a draw from the same distribution: a log loss, or a loss with additive errors.
    """

    log_likelihood: np.ndarray
    replicate: np.ndarray


def pointwise(posterior: "Posterior") -> Pointwise:
    """The runs of a posterior under its draws. Run it in a float64 scope.

    Args:
        posterior: one that holds its runs.
    """
    assert posterior.rows is not None
    problem = problem_of(posterior.law, posterior.rows, posterior.errors)
    keys = jax.random.split(jax.random.key(_SEED), len(posterior.diverging))
    result = _at_draws(problem, *values_of(posterior), keys)
    return Pointwise(*(np.asarray(values)[:, : len(posterior.rows)] for values in result))


def values_of(posterior: "Posterior") -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Parameters of the law, and those of the error model by site, each (draws, ...)."""
    errors, rows = posterior.errors, posterior.rows
    assert rows is not None
    noise = dict(posterior.noise)
    if errors.scale_by is not None:
        names = group_sites(group_labels(errors, rows))
        ratios = [np.log(noise.pop(name) / noise[SIGMA_SITE]) for name in names]
        noise[ratio_site(errors.scale_by)] = np.stack(ratios, axis=1)
    params = {name: jnp.asarray(values) for name, values in posterior.draws.items()}
    others = {n: jnp.asarray(values) for n, values in {**noise, **posterior.weights}.items()}
    return params, others


@program()
def _at_draws(
    problem: Problem,
    params: dict[str, jax.Array],
    noise: dict[str, jax.Array],
    keys: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    def one(draw: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        params, noise, key = draw
        distribution, observed = _distribution(problem, params, noise)
        return jnp.asarray(distribution.log_prob(observed)), distribution.sample(key)

    return map_draws(one, (params, noise, keys))


def map_draws(one: Callable[[Any], Any], draws: Any) -> Any:
    """A function of one draw at each of ``draws`` (draws, ...), several at a time.

    In blocks of one size: a shorter last one would be compiled a second time.
    """
    count = len(jax.tree.leaves(draws)[0])
    blocks = -(-count // _BATCH)
    index = jnp.minimum(jnp.arange(blocks * _BATCH), count - 1)
    padded = jax.tree.map(lambda leaf: leaf[index], draws)
    result = jax.lax.map(one, padded, batch_size=_BATCH)
    return jax.tree.map(lambda leaf: leaf[:count], result)


def predicted_and_observed(problem: Problem, params: Any) -> tuple[jax.Array, jax.Array]:
    """The law and the runs (rows,): log losses, or losses with additive errors."""
    predicted, observed = law_values(problem, params), jnp.asarray(problem.loss)
    if problem.errors.additive:
        return predicted, observed
    return jnp.log(predicted), jnp.log(observed)


def _distribution(problem: Problem, params: Any, noise: Any) -> tuple[Any, jax.Array]:
    """The distribution of each row (rows,) under one draw, and the observed values."""
    errors, arrays = problem.errors, problem.arrays
    predicted, observed = predicted_and_observed(problem, params)
    scale = row_scale(errors, arrays.at, noise, arrays.known)
    if errors.is_joint:
        deviation, total = left_out(errors, arrays, noise, observed - predicted)
        predicted, scale = observed - deviation, Scale(total, total)
    elif errors.has_shared_errors:
        shift, rest = shared_errors(errors, arrays, arrays.at, noise)
        predicted = predicted + shift
        scale = Scale(jnp.sqrt(scale.total**2 + rest), scale.free)
    return family_distribution(errors, predicted, scale, noise), observed
