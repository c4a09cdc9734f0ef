"""Samplers of posteriors: adaptive importance sampling, NUTS, and the choice between them."""

from jscale.fit.bayes.sampling._choice import SAMPLERS, Settings, draw
from jscale.fit.bayes.sampling._importance import importance_sample
from jscale.fit.bayes.sampling._nuts import Chains
from jscale.fit.bayes.sampling._whitening import isolated

__all__ = [
    "SAMPLERS",
    "Chains",
    "Settings",
    "draw",
    "importance_sample",
    "isolated",
]
