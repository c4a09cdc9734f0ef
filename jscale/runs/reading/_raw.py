"""What the readers of files and of data frames hand over: columns of cells that nobody has judged
yet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import listing

Cells = np.ndarray | list
"""Either float64 of shape (rows,), with NaN for an empty cell, or a list of cells of any type."""

MOST_COLUMNS = 10_000


@dataclass
class Raw:
    """An unchecked table.

    Attributes:
        columns: header → cells; all of one length.
        rows: how many there are.
        lines: line of the file on which each row starts, where the source is a text file.
        unnamed: headers that were blank and got a name here.
        notes: remarks of the reader.
    """

    columns: dict[str, Cells]
    rows: int
    lines: Sequence[int] | None = None
    unnamed: frozenset[str] = frozenset()
    notes: list[Note] = field(default_factory=list)

    def take(self, header: str) -> Cells:
        """The cells of a column, which the table then forgets: a large one need not be held twice."""
        cells, self.columns[header] = self.columns[header], []
        return cells

    def place(self, row: int) -> str:
        """``row 3 (line 4)`` for a row counted from 0."""
        return f"row {row + 1}" + (f" (line {self.lines[row]})" if self.lines is not None else "")


def named(headers: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Headers without surrounding space, blank ones numbered; and which were blank.

    Raises:
        JscaleError: two headers are the same, or there are too many.
    """
    if len(headers) > MOST_COLUMNS:
        raise JscaleError(f"{len(headers):,} columns; at most {MOST_COLUMNS:,} are read")
    names = [header.strip() or f"column {i}" for i, header in enumerate(headers, 1)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise JscaleError(
            f"the header has {listing(twice)} more than once: each column needs a name of its own"
        )
    return names, frozenset(
        name for name, header in zip(names, headers, strict=True) if not header.strip()
    )
