"""Whether runs and a law's fit to them can be trusted: checks with codes, and a checklist."""

from jscale.assess.auditing._advice import advice, all_advice
from jscale.assess.auditing._audit import Audit, audit
from jscale.assess.auditing._checklist import MISSING, Answer, Checklist, checklist
from jscale.assess.auditing._doubts import doubts, further_doubts
from jscale.assess.auditing.misfit import LackOfFit, LargestRuns, Trend, lack_of_fit, largest_runs

__all__ = [
    "MISSING",
    "Answer",
    "Audit",
    "Checklist",
    "LackOfFit",
    "LargestRuns",
    "Trend",
    "advice",
    "all_advice",
    "audit",
    "checklist",
    "doubts",
    "further_doubts",
    "lack_of_fit",
    "largest_runs",
]
