"""What the checks of a table look at, and how they name rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale._core.text import named_rows, row_numbers
from jscale.runs.tables import Match

MAX_ROW_NUMBERS = 100
"""Row numbers that a note lists at most; its ``count`` covers all of them."""

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TableView:
    """What the checks of this module look at.

    Attributes:
        columns: canonical name → values, shape (rows,).
        extras: names of the columns that jscale does not know.
        match: the table's own headers and the scales that they name.
        kept: rows that are not excluded, shape (rows,).
        unfinished: rows that were excluded as failed or going on, shape (rows,).
        loss_unit: unit of the losses.
    """

    columns: Columns
    extras: tuple[str, ...]
    match: Match
    kept: np.ndarray
    unfinished: np.ndarray
    loss_unit: str


def row_evidence(mask: np.ndarray) -> dict[str, object]:
    rows = np.flatnonzero(mask) + 1
    return {"rows": tuple(rows[:MAX_ROW_NUMBERS].tolist()), "count": len(rows)}


def row_text(mask: np.ndarray) -> str:
    """``3, 4``: the numbers of some rows."""
    return row_numbers(np.flatnonzero(mask) + 1)


def rows_text(mask: np.ndarray) -> str:
    """``rows 3, 4``, or ``row 3``."""
    return named_rows(np.flatnonzero(mask) + 1)
