"""Unvalidated tables: columns of cells as the readers of files and of data frames return them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import quoted_names

Cells = np.ndarray | list
"""Either float64 of shape (rows,), with NaN for an empty cell, or a list of cells of any type."""

MAX_COLUMNS = 10_000
MAX_ROWS = 5_000_000
MAX_CELLS = 50_000_000
"""Largest table that is read from a file. A few kilobytes of a compressed file may hold more."""


@dataclass
class RawTable:
    """An unvalidated table.

    Attributes:
        columns: header → cells; all of one length.
        rows: number of data rows.
        lines: line of the file on which each row starts, where the source is a text file.
        unnamed: names that were generated for blank headers.
        notes: what the reader has to say about the source.
        commas_are_free: whether commas do not separate cells and may be decimal signs.
    """

    columns: dict[str, Cells]
    rows: int
    lines: Sequence[int] | None = None
    unnamed: frozenset[str] = frozenset()
    notes: list[Note] = field(default_factory=list)
    commas_are_free: bool = False

    def take(self, header: str) -> Cells:
        """Remove and return the cells of a column, so that a large one is not held twice."""
        cells, self.columns[header] = self.columns[header], []
        return cells

    def place(self, row: int) -> str:
        """``row 3 (line 4)`` for a row counted from 0."""
        line = "" if self.lines is None else f" (line {self.lines[row]})"
        return f"row {row + 1}{line}"


def check_size(rows: int, columns: int, cells: int = 0) -> None:
    """Check that a table in a file is not too large to read.

    Args:
        rows: of the table.
        columns: of the table.
        cells: where there are more than rows times columns, as in nested columns.

    Raises:
        JscaleError: it has too many columns, rows or cells; the message names the limit.
    """
    for count, most, noun in (
        (columns, MAX_COLUMNS, "columns"),
        (rows, MAX_ROWS, "rows"),
        (max(cells, rows * columns), MAX_CELLS, "cells"),
    ):
        if count > most:
            raise JscaleError(
                f"too large a table: {count:,} {noun}; at most {most:,} are read, "
                "so keep one row a run and the columns that a law needs"
            )


def column_names(headers: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Headers without surrounding space; blank ones are called ``column 3``.

    Returns:
        The names, and those of them that were generated.

    Raises:
        JscaleError: two headers are the same, or there are too many.
    """
    check_size(0, len(headers))
    stripped = [header.strip() for header in headers]
    names = [header or f"column {i}" for i, header in enumerate(stripped, 1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise JscaleError(
            f"the header has {quoted_names(repeated)} more than once: "
            "each column needs a name of its own"
        )
    unnamed = (name for name, header in zip(names, stripped, strict=True) if not header)
    return names, frozenset(unnamed)
