"""Importance sampling: proposals that adapt to a posterior, and weighted samples of it."""

from jscale.fit.bayes.sampling.importance._adaptive import (
    importance_sample,
    weighted_sample,
)
from jscale.fit.bayes.sampling.importance._hmc_sample import hmc_sample
from jscale.fit.bayes.sampling.importance._mixture import about
from jscale.fit.bayes.sampling.importance._result import (
    Weighted,
    equal_points,
    resampled,
    weighted_mode,
)

__all__ = [
    "Weighted",
    "about",
    "equal_points",
    "hmc_sample",
    "importance_sample",
    "resampled",
    "weighted_mode",
    "weighted_sample",
]
