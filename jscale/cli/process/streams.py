"""Standard streams that are closed, full, or a pipe whose reader has gone."""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

_MODES = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""How the null device replaces a closed stdin, stdout and stderr: printing to a closed stdout is an
error, and messages to a closed stderr are lost."""


def prepare() -> None:
    """Replace standard streams that are closed; write letters that a terminal lacks as escapes.

    The next file that is opened would get the number of a closed stream, and what libraries print
    would be written to it.
    """
    for descriptor, mode in enumerate(_MODES):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free, which is this one

    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def print_error(line: str) -> None:
    """Write a line to stderr, if it can be written."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
    discard_unwritten(sys.stderr)


def discard_unwritten(stream: TextIO) -> None:
    """Redirect a stream that cannot be written to the null device: Python flushes it at exit."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
