"""Where a law misses its runs: the largest of them, trends of residuals, robust fits to both."""

from jscale.assess.auditing.misfit._largest import LargestRuns, largest_runs
from jscale.assess.auditing.misfit._refit import (
    SPARE_RUNS,
    TUNING,
    orthonormal,
    robust_fit,
    study_of,
)
from jscale.assess.auditing.misfit._trends import LackOfFit, Trend, lack_of_fit

__all__ = [
    "SPARE_RUNS",
    "TUNING",
    "LackOfFit",
    "LargestRuns",
    "Trend",
    "lack_of_fit",
    "largest_runs",
    "orthonormal",
    "robust_fit",
    "study_of",
]
