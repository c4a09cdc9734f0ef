"""Notes on a valid table: designs and values that are worth a look before a fit."""

from jscale.runs.findings._designs import is_input
from jscale.runs.findings._notes import table_notes
from jscale.runs.findings._view import TableView

__all__ = ["TableView", "is_input", "table_notes"]
