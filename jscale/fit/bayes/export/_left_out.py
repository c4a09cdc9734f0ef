"""Leave-one-out predictive densities of clusters of runs: by Pareto smoothing, and by refits."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.fit.bayes import _arviz
from jscale.fit.bayes._model import Problem, problem_of, with_priors
from jscale.fit.bayes.export._by_cluster import cluster_log_likelihood, log_likelihood_at
from jscale.fit.bayes.priors import recorded
from jscale.fit.bayes.sampling import importance_sample
from jscale.laws import describe

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior


class LeftOut(NamedTuple):
    """Log predictive densities of clusters, each given the runs of the others.

    Attributes:
        elpd: (clusters,) nats.
        log_likelihood: (clusters,) log of the mean density under the whole posterior, nats.
        pareto_k: (clusters,) shape of the tail of the importance ratios.
    """

    elpd: np.ndarray
    log_likelihood: np.ndarray
    pareto_k: np.ndarray


def leave_out(posterior: "Posterior", labels: np.ndarray) -> LeftOut:
    """Pareto-smoothed leave-one-out densities of clusters. In a float64 scope.

    Args:
        posterior: one that holds its runs.
        labels: (rows,) cluster of each run, counted from 0.
    """
    with jax.numpy_dtype_promotion("standard"):
        density = cluster_log_likelihood(posterior, labels)
    chains = density.reshape(posterior.chains, -1, density.shape[1])
    elpd, pareto_k = _arviz.leave_one_out(chains, _independent_share(posterior))
    whole = np.logaddexp.reduce(density, axis=0) - np.log(len(density))
    return LeftOut(elpd, whole, pareto_k)


def _independent_share(posterior: "Posterior") -> float:
    """Effective draws as a share of all; it widens the part of the tail that is smoothed."""
    effective = np.mean([row["ess_bulk"] for row in posterior.summary.values()])
    return float(np.clip(effective / len(posterior.diverging), 0.01, 1.0))


class Refitted(NamedTuple):
    """The density of a cluster under a posterior of the other runs.

    Attributes:
        elpd: nats.
        notes: of the sampler.
    """

    elpd: float
    notes: tuple[Note, ...]


def refit_without(
    posterior: "Posterior", labels: np.ndarray, cluster: int, key: jax.Array
) -> Refitted:
    """The log predictive density of a cluster, from a posterior that has not seen it.

    The likelihood of its runs is left out; priors, and what is standardised over the runs, stay
    those of the whole table, as they do when ratios are smoothed. The draws come from importance
    sampling, as many as the posterior has, whatever drew that.

    Args:
        posterior: one that holds its runs.
        labels: (rows,) cluster of each run, counted from 0.
        cluster: the one to leave out.
        key: of the draws.

    Raises:
        JscaleError: a prior of the caller is known by its NumPyro name only.
    """
    rows = posterior.rows
    assert rows is not None
    problem = _with_own_priors(posterior)
    is_run = np.asarray(problem.arrays.is_run).copy()
    is_run[: len(rows)] &= labels != cluster
    masked = replace(problem, arrays=problem.arrays._replace(is_run=is_run))

    with jax.numpy_dtype_promotion("standard"):
        draws = len(posterior.diverging)
        result = importance_sample(masked, key, chains=1, draws=draws)
        sites = {name: jnp.asarray(values[0]) for name, values in result.sites.items()}
        names = describe(posterior.law).parameter_names
        params = {name: sites[name] for name in names}
        noise = {name: values for name, values in sites.items() if name not in params}
        density = log_likelihood_at(problem, rows, labels, params, noise)[:, cluster]
    elpd = float(np.logaddexp.reduce(density) - np.log(len(density)))
    return Refitted(elpd, result.notes)


def _with_own_priors(posterior: "Posterior") -> Problem:
    assert posterior.rows is not None
    problem = problem_of(posterior.law, posterior.rows, posterior.errors)
    priors = {}
    for name, text in posterior.priors.items():
        prior = recorded(text, name)
        if prior is None:
            raise JscaleError(
                f"the posterior of {posterior.law_name} has priors that its record names only "
                f"({text}); expected priors such as 'lognormal(0.2, 1)'"
            )
        priors[name] = prior
    return with_priors(problem, priors)
