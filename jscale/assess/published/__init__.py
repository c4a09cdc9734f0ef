"""Numbers printed in papers on the public data sets, beside those computed here."""

from jscale.assess.published._reproduce import NotRun, Reproduction, reproduce, reproducible
from jscale.assess.published._row import Paper, Row

__all__ = ["NotRun", "Paper", "Reproduction", "Row", "reproduce", "reproducible"]
