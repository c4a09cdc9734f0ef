"""Importance sampling: proposals that adapt to a posterior, and weighted samples of it."""

from jscale.fit.bayes.sampling.importance._adaptive import (
    importance_sample,
    proposal_of,
    weighted_sample,
)
from jscale.fit.bayes.sampling.importance._hmc_sample import hmc_sample
from jscale.fit.bayes.sampling.importance._mixture import about
from jscale.fit.bayes.sampling.importance._result import Weighted, resampled, weighted_mode

__all__ = [
    "Weighted",
    "about",
    "hmc_sample",
    "importance_sample",
    "proposal_of",
    "resampled",
    "weighted_mode",
    "weighted_sample",
]
