"""Unchecked columns turned into validated ones; every mistake is found before the first is
reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import listing, plural, quote
from jscale.laws import catalogue, describe
from jscale.runs.reading._cells import BadCell, flag, is_empty, label, number
from jscale.runs.reading._columns import (
    BIT_COLUMNS,
    COLUMNS,
    KNOWN,
    MOST_BITS,
    TIED_BITS,
    Column,
    Kind,
    Match,
    accepted,
    match,
    missing,
)
from jscale.runs.reading._raw import Cells, Raw

RESOURCES = ("N", "D", "C")
_MOST_TEXT_BYTES = 2**28
"""A numpy text array is padded to its longest entry; a column of free text that would take more is
left out."""


class Problems:
    """Bad cells, counted; the first of them in reading order is kept in full."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._order = {header: i for i, header in enumerate(raw.columns)}
        self._count = 0
        self._first: tuple[int, int, str] | None = None

    def add(self, rows: Sequence[int] | np.ndarray, header: str, what: str, expected: str) -> None:
        """Record the same mistake in some rows (counted from 0) of a column."""
        if len(rows) == 0:
            return
        self._count += len(rows)
        row = int(rows[0])
        text = f"column {quote(header)}, {self._raw.place(row)}: {what}; expected {expected}"
        self._first = min((row, self._order[header], text), self._first or (self._raw.rows, 0, ""))

    def stop_if_any(self) -> None:
        """Report the first problem and how many more there are.

        Raises:
            JscaleError: there is a problem.
        """
        if self._first is not None:
            more = f" (and {plural(self._count - 1, 'more problem')})" if self._count > 1 else ""
            raise JscaleError(self._first[2] + more)


@dataclass
class Checked:
    """A table in the making: its filled cells are right, its empty ones are still NaN.

    Attributes:
        raw: what was read.
        match: which header stands for which known column.
        columns: known column → values.
        extras: header → values of the columns that are not known.
        notes: what was left out.
    """

    raw: Raw
    match: Match
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def check(raw: Raw) -> Checked:
    """Read and judge every cell.

    Raises:
        JscaleError: a required column is missing, or a cell does not hold what its column should.
    """
    found = match(list(raw.columns))
    table = Checked(raw, found, notes=list(raw.notes))
    problems = Problems(raw)
    for column in COLUMNS:
        if column.name in found.headers:
            _read_known(table, column, problems)
    known = set(found.headers.values())
    for header in raw.columns:
        if header not in known:
            _keep(table, header, _loose(raw.take(header)))
    _require(table)
    for name, values in table.columns.items():
        _check_range(found.headers[name], KNOWN[name], values, problems)
    _check_empty(table, problems)
    problems.stop_if_any()
    return table


def _read_known(table: Checked, column: Column, problems: Problems) -> None:
    header = table.match.headers[column.name]
    cells = table.raw.take(header)
    if column.kind is Kind.LABEL:
        values = _texts([label(cell) for cell in cells])
    elif column.kind is Kind.LOOSE:
        values = _loose(cells)
    elif column.kind is Kind.FLAG:
        values = _flags(cells, column, header, problems)
    else:
        values = _numbers(cells, column, header, problems)
    _keep(table, header, values, column)


def _keep(table: Checked, header: str, values: np.ndarray, column: Column | None = None) -> None:
    """Put a column where it belongs, or leave it out with a note."""
    if values.dtype == object:
        message = f"column {quote(header)} was left out: its texts are too long to keep"
        table.notes.append(Note("column-too-long", "warning", message))
    elif column is None and not (header in table.raw.unnamed and _all_empty(values)):
        table.extras[header] = values
    # An empty bit column of one part of the network still says that the table is about bits.
    elif column and (
        column.name in BIT_COLUMNS or column.kind is Kind.FLAG or not _all_empty(values)
    ):
        table.columns[column.name] = values
    elif column:
        message = f"column {quote(header)} is empty and was left out"
        table.notes.append(Note("column-empty", "info", message))


def _numbers(cells: Cells, column: Column, header: str, problems: Problems) -> np.ndarray:
    if isinstance(cells, np.ndarray):
        return cells
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if not is_empty(cell):
            try:
                values[row] = number(cell, column.kind)
            except BadCell as error:
                problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
                values[row] = 1.0  # a value that no later check complains of again
    return values


def _flags(cells: Cells, column: Column, header: str, problems: Problems) -> np.ndarray:
    values = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        if not is_empty(cell):
            try:
                values[row] = flag(cell)
            except BadCell as error:
                problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
    return values


def _loose(cells: Cells) -> np.ndarray:
    """Float64 when every filled cell is a number, with NaN for an empty one; else text."""
    if isinstance(cells, np.ndarray):
        return cells
    try:
        return np.array([np.nan if is_empty(cell) else number(cell, Kind.LOOSE) for cell in cells])
    except BadCell:
        return _texts([label(cell) for cell in cells])


def _texts(texts: list[str]) -> np.ndarray:
    """The texts as a padded numpy array, or as objects where the padding would take too much
    memory.
    """
    padded = 4 * len(texts) * max(map(len, texts))
    return np.array(texts, dtype=object if padded > _MOST_TEXT_BYTES else None)


def _all_empty(values: np.ndarray) -> bool:
    return (
        bool(np.isnan(values).all()) if values.dtype.kind == "f" else not values.astype(bool).any()
    )


OUTCOMES = frozenset(describe(law).output.column for law in catalogue) - {"", *KNOWN}
"""Columns of what laws predict beside losses and resources: a table that has one of them needs no
loss."""


def _require(table: Checked) -> None:
    headers = list(table.raw.columns)
    if "loss" not in table.columns and not OUTCOMES.intersection(table.extras):
        raise JscaleError(missing("loss", headers))
    numeric = any(
        values.dtype.kind == "f" and not _all_empty(values) for values in table.extras.values()
    )
    if not (
        numeric or any(name in table.columns for name in (*RESOURCES, *BIT_COLUMNS, TIED_BITS))
    ):
        names = ", ".join(accepted(name) for name in RESOURCES)
        raise JscaleError(
            f"no column for N, D or C: expected {names}; the columns are {listing(headers)}"
        )


def _check_range(header: str, column: Column, values: np.ndarray, problems: Problems) -> None:
    """Filled cells of a number must be finite, above zero and, for bits, at most 64."""
    if column.kind in (Kind.COUNT, Kind.POSITIVE, Kind.BITS):
        limit = MOST_BITS if column.kind is Kind.BITS else np.finfo(np.float64).max
        bad = np.flatnonzero(~np.isnan(values) & ~((values > 0) & (values <= limit)))
        if len(bad):
            problems.add(bad, header, f"{values[bad[0]]:g} is out of range", column.expected)


def _check_empty(table: Checked, problems: Problems) -> None:
    """A loss is needed in every row, and of N, D and C one, or two where there are two columns."""
    empty = {
        name: np.isnan(v)
        for name, v in table.columns.items()
        if name in (*RESOURCES, "loss", "loss_se")
    }
    resources = [empty[name] for name in RESOURCES if name in empty]
    filled = np.sum([~e for e in resources], axis=0) if resources else np.zeros(table.raw.rows)
    for name, cells in empty.items():
        wrong = cells & (filled < 2) if name in RESOURCES else cells
        what = "the cell is empty or not a number"
        problems.add(np.flatnonzero(wrong), table.match.headers[name], what, KNOWN[name].expected)
