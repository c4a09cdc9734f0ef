"""What the page says in sentences: the decision, and the findings of the analysis."""

from jscale.report.page.findings._decision import Decision, decision
from jscale.report.page.findings._findings import findings
from jscale.report.page.findings._of_fit import Finding

__all__ = [
    "Decision",
    "Finding",
    "decision",
    "findings",
]
