"""A posterior as ArviZ takes it, with all groups that its diagnostics and plots need."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import numpyro.distributions as dist

from jscale._core.scope import in_float64
from jscale.fit.bayes import _arviz
from jscale.fit.bayes._model import problem_of, with_priors
from jscale.fit.bayes.export._pointwise import pointwise
from jscale.fit.bayes.export._prior_draws import prior_draws
from jscale.fit.bayes.priors import recorded

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior

_ROW = "run"
"""Dimension of the runs."""


@in_float64
def arviz_tree(posterior: "Posterior", attributes: Mapping[str, Any]) -> Any:
    """What :meth:`Posterior.to_arviz` returns, with attributes on the group ``posterior``."""

    def by_chain(values: np.ndarray) -> np.ndarray:
        return values.reshape(posterior.chains, -1, *values.shape[1:])

    columns = {**posterior.draws, **posterior.noise, **posterior.weights}
    statistics = {"diverging": posterior.diverging}
    if posterior.energy is not None:
        statistics["energy"] = posterior.energy
    groups = {
        "posterior": {name: by_chain(values) for name, values in columns.items()},
        "sample_stats": {name: by_chain(values) for name, values in statistics.items()},
    }
    rows, site = posterior.rows, posterior.errors.site
    if rows is None:
        return _arviz.container(groups, attributes)

    with jax.numpy_dtype_promotion("standard"):
        of_runs = pointwise(posterior)
        prior = _prior(posterior)
    names = [name for name in columns if name in prior]
    if names:
        groups["prior"] = {name: prior[name][None] for name in names}
    observed = rows.loss if posterior.errors.additive else np.log(rows.loss)
    constant = {name: np.asarray(column, float) for name, column in rows.inputs.items()}
    if rows.loss_se is not None:
        constant["loss_se"] = rows.loss_se
    constant |= {n: x for n, x in rows.columns.items() if n not in constant and n.isidentifier()}
    groups |= {
        "log_likelihood": {site: by_chain(of_runs.log_likelihood)},
        "posterior_predictive": {site: by_chain(of_runs.replicate)},
        "observed_data": {site: observed},
        "constant_data": constant,
    }
    dims = {name: [_ROW] for name in (site, *constant)}
    return _arviz.container(groups, attributes, dims)


def _prior(posterior: "Posterior") -> dict[str, np.ndarray]:
    """Draws from the prior, without parameters that depend on one whose prior is not known.

    Of some distributions a posterior holds NumPyro's name only. Their place is taken by one without
    draws.
    """
    assert posterior.rows is not None
    unknown = dist.ImproperUniform(dist.constraints.real, (), ())
    replaced = {name: recorded(text, name) for name, text in posterior.priors.items()}
    priors = {name: unknown if prior is None else prior for name, prior in replaced.items()}
    problem = problem_of(posterior.law, posterior.rows, posterior.errors)
    draws = prior_draws(with_priors(problem, priors))
    return {name: values for name, values in draws.items() if np.isfinite(values).all()}
