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
from jscale.laws.tasks._scores import capability, coverage, observational, optimal_tokens, rl_score

__all__ = [
    "capability",
    "capability_density",
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
    "rl_score",
    "score_from_loss",
]
