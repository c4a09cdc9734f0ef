"""Posteriors: priors, noise, the NumPyro model, the sampler, diagnostics and predictions."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.fit.bayes._diagnostics import ESS_WARNING, MAX_PARETO_K, RHAT_WARNING
from jscale.fit.bayes._pool import checked_pool, parsed_pool
from jscale.fit.bayes._posterior import Posterior
from jscale.fit.bayes._predict import predict
from jscale.fit.bayes._sample_or_load import load, posterior
from jscale.fit.bayes.priors import parsed_priors

if TYPE_CHECKING:
    from jscale.fit.bayes._model import model
    from jscale.fit.bayes.pooling import PooledPosterior, load_pooled, pooled_posterior

__all__ = [
    "ESS_WARNING",
    "MAX_PARETO_K",
    "RHAT_WARNING",
    "PooledPosterior",
    "Posterior",
    "checked_pool",
    "load",
    "load_pooled",
    "model",
    "parsed_pool",
    "parsed_priors",
    "pooled_posterior",
    "posterior",
    "predict",
]

# NumPyro takes a second to import, and a point fit does not need it.
__getattr__ = lazy_names(
    __name__,
    {
        "model": "jscale.fit.bayes._model",
        **dict.fromkeys(
            ("PooledPosterior", "load_pooled", "pooled_posterior"), "jscale.fit.bayes.pooling"
        ),
    },
)
