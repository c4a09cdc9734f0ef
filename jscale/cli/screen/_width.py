"""The width of what goes into a pipe."""

import os

PIPE_WIDTH = 160
"""Columns of a table that goes into a pipe, where the environment names none."""
_LEAST_WIDTH = 40


def pipe_width() -> int | None:
    """The width that the variable ``COLUMNS`` asks for; None where it names none."""
    text = os.environ.get("COLUMNS", "")
    return max(int(text), _LEAST_WIDTH) if text.isdecimal() and int(text) > 0 else None
