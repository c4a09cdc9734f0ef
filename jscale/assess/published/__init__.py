"""What papers printed of the public data sets, and what the same data give here."""

from jscale.assess.published._reproduce import NotRun, Reproduction, reproduce, reproducible
from jscale.assess.published._row import Paper, Row

__all__ = ["NotRun", "Paper", "Reproduction", "Row", "reproduce", "reproducible"]
