"""What a posterior is compared with and exported as: prior draws, runs under draws, ArviZ trees."""

from jscale.fit.bayes.export._left_out import LeftOut, Refitted, leave_out, refit_without
from jscale.fit.bayes.export._prior_draws import overlaps, prior_draws
from jscale.fit.bayes.export._replicates import Ranks, Replicates, rank_truth, replicates
from jscale.fit.bayes.export._tree import arviz_tree

__all__ = [
    "LeftOut",
    "Ranks",
    "Refitted",
    "Replicates",
    "arviz_tree",
    "leave_out",
    "overlaps",
    "prior_draws",
    "rank_truth",
    "refit_without",
    "replicates",
]
