"""What a posterior is compared with and exported as: prior draws, runs under draws, ArviZ trees."""

from jscale.fit.bayes.export._prior_draws import overlaps, prior_draws
from jscale.fit.bayes.export._tree import arviz_tree

__all__ = ["arviz_tree", "overlaps", "prior_draws"]
