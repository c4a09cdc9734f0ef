"""The report as one HTML file."""

from jscale.report.page._write import write

__all__ = [
    "write",
]
