"""Tables as people keep them, read into validated columns."""

from jscale.runs.reading._read import loss_columns, read
from jscale.runs.tables import BIT_COLUMNS, KNOWN, OFF_BITS

__all__ = [
    "BIT_COLUMNS",
    "KNOWN",
    "OFF_BITS",
    "loss_columns",
    "read",
]
