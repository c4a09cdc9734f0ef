"""Draws from the prior of a problem, and what the runs add to it."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro import handlers

from jscale._core.programs import program
from jscale.fit.bayes._diagnostics import overlap
from jscale.fit.bayes._model import Problem, sites
from jscale.fit.bayes.priors import CENTRED
from jscale.fit.bayes.sampling import isolated

COUNT = 4000
"""Draws with which a posterior is compared: the shares of 20 bins are known to a fifteenth."""
_SEED = 0
"""Prior draws are of no run and no chain: they are the same in every call."""


def prior_draws(problem: Problem, *, count: int = COUNT) -> dict[str, np.ndarray]:
    """Draws of every site from the prior, name → (count, ...); NaN under an improper prior."""
    keys = jax.random.split(jax.random.key(_SEED), count)
    return {name: np.asarray(values) for name, values in _draws(problem, keys).items()}


@program(runs_once=True)
def _draws(problem: Problem, keys: jax.Array) -> dict[str, jax.Array]:
    def one(key: jax.Array) -> dict[str, Any]:
        seeded = handlers.substitute(handlers.seed(sites, key), substitute_fn=_improper_value)
        with isolated():
            trace = handlers.trace(seeded).get_trace(problem)
        return {
            name: site["value"]
            for name, site in trace.items()
            if site["type"] in ("sample", "deterministic") and not site.get("is_observed")
        }

    return jax.vmap(one)(keys)


def _improper_value(site: Mapping[str, Any]) -> Any:
    """NaN at a site with an improper prior, which has no draws."""
    is_improper = site["type"] == "sample" and isinstance(site["fn"], dist.ImproperUniform)
    return jnp.asarray(jnp.nan) if is_improper else None


def overlaps(
    problem: Problem, posterior: Mapping[str, np.ndarray], names: Iterable[str]
) -> dict[str, float]:
    """Parameter → overlap of prior and posterior, in the coordinate that has the prior.

    Parameters without a proper prior are left out.

    Args:
        problem: law, priors and runs.
        posterior: site → (chains, draws).
        names: of the parameters.
    """
    prior = prior_draws(problem)
    shared = {}
    for name in names:
        site = f"{name}{CENTRED}" if f"{name}{CENTRED}" in posterior else name
        if site in prior and site in posterior and prior[site].ndim == 1:
            value = overlap(prior[site], posterior[site])
            if np.isfinite(value):
                shared[name] = value
    return shared
