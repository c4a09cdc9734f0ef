"""Laws of downstream scores and capability density."""

from jscale.laws.tasks._density import (
    capability_density,
    density_growth,
    density_trend,
    doubling_time,
    reference_score,
    reference_size,
)
from jscale.laws.tasks._downstream import error_from_loss, exact_match, pass_rate, score_from_loss
from jscale.laws.tasks._reward import best_of_n_reward, rl_reward
from jscale.laws.tasks._sampling import cluster_accuracy, train_to_test
from jscale.laws.tasks._scores import capability, coverage, observational, optimal_tokens, rl_score

__all__ = [
    "best_of_n_reward",
    "capability",
    "capability_density",
    "cluster_accuracy",
    "coverage",
    "density_growth",
    "density_trend",
    "doubling_time",
    "error_from_loss",
    "exact_match",
    "observational",
    "optimal_tokens",
    "pass_rate",
    "reference_score",
    "reference_size",
    "rl_reward",
    "rl_score",
    "score_from_loss",
    "train_to_test",
]
