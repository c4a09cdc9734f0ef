"""Tables as people keep them, read into validated columns."""

from jscale.runs.reading._columns import BIT_COLUMNS, KNOWN, OFF_BITS
from jscale.runs.reading._read import read

__all__ = [
    "BIT_COLUMNS",
    "KNOWN",
    "OFF_BITS",
    "read",
]
