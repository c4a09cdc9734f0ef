"""Samplers of posteriors: adaptive importance sampling, NUTS, and the choice between them."""

from jscale.fit.bayes.sampling._choice import SAMPLERS, Settings, draw
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling._whitening import isolated
from jscale.fit.bayes.sampling.importance import importance_sample

__all__ = [
    "SAMPLERS",
    "Chains",
    "Settings",
    "draw",
    "importance_sample",
    "isolated",
]
