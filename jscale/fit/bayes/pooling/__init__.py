"""Pooled posteriors: parameters of groups of runs that are shared, partial or separate."""

from jscale.fit.bayes._pool import Mode
from jscale.fit.bayes.pooling._pooled import PooledPosterior
from jscale.fit.bayes.pooling._sample import load_pooled, pooled_posterior

__all__ = ["Mode", "PooledPosterior", "load_pooled", "pooled_posterior"]
