"""Whether a law fits the runs: trends of residuals, and the runs with the largest compute."""

from jscale.assess.auditing._doubts import doubts
from jscale.assess.auditing._largest import LargestRuns, largest_runs
from jscale.assess.auditing._trends import LackOfFit, Trend, lack_of_fit

__all__ = ["LackOfFit", "LargestRuns", "Trend", "doubts", "lack_of_fit", "largest_runs"]
