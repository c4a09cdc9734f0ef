"""Validation of every cell; all problems are found before the first one is reported."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, quote, quoted_names
from jscale.laws import catalogue, describe
from jscale.runs.reading._cells import BadCell, TooLarge, flag, is_empty, label, number
from jscale.runs.reading._columns import (
    BIT_COLUMNS,
    COLUMNS,
    KNOWN,
    MAX_BITS,
    TIED_BITS,
    Column,
    Kind,
    Match,
    accepted,
    match,
    missing_column,
)
from jscale.runs.reading._raw import Cells, RawTable

RESOURCES = ("N", "D", "C")
OUTCOMES = frozenset(describe(law).output.column for law in catalogue) - {"", *KNOWN}
"""Columns of what laws predict other than losses and resources; a table with one needs no loss."""
_PLACEHOLDER = 1.0
"""Value of a cell that could not be read: no later check reports it again."""
_LARGEST = np.finfo(np.float64).max
_MAX_TEXT_BYTES = 2**28
"""A numpy text array is padded to its longest entry; a column that would take more is left out."""


class Problems:
    """Invalid cells, counted; the first of them in reading order is kept in full."""

    def __init__(self, raw: RawTable) -> None:
        self._raw = raw
        self._order = {header: i for i, header in enumerate(raw.columns)}
        self._count = 0
        self._first: tuple[int, int, str] | None = None

    def add(
        self, rows: Sequence[int] | np.ndarray, header: str, problem: str, expected: str
    ) -> None:
        """Record the same problem in some rows (counted from 0) of a column."""
        if len(rows) == 0:
            return
        self._count += len(rows)
        row = int(rows[0])
        text = f"column {quote(header)}, {self._raw.place(row)}: {problem}; expected {expected}"
        candidate = (row, self._order[header], text)
        self._first = candidate if self._first is None else min(self._first, candidate)

    def raise_first(self) -> None:
        """Report the first problem and how many more there are.

        Raises:
            JscaleError: there is a problem.
        """
        if self._first is not None:
            more = f" (and {plural(self._count - 1, 'more problem')})" if self._count > 1 else ""
            raise JscaleError(self._first[2] + more)


@dataclass
class CheckedTable:
    """A table whose filled cells are valid; its empty cells are still NaN.

    Attributes:
        raw: the unvalidated table.
        match: which header stands for which known column.
        columns: known column → values.
        extras: header → values of the columns that jscale does not know.
        notes: what was left out.
    """

    raw: RawTable
    match: Match
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def check(raw: RawTable, *, losses: bool = True) -> CheckedTable:
    """Read and validate every cell.

    Args:
        raw: the unvalidated table.
        losses: whether a loss, or another outcome, is required.

    Raises:
        JscaleError: a required column is missing, or a cell does not hold what its column should.
    """
    matched = match(list(raw.columns))
    table = CheckedTable(raw, matched, notes=list(raw.notes))
    problems = Problems(raw)

    for column in COLUMNS:
        if column.name in matched.headers:
            _read_known(table, column, problems)
    known_headers = set(matched.headers.values())
    for header in raw.columns:
        if header not in known_headers:
            _store(table, header, _inferred(raw.take(header), header, problems))

    _check_required(table, losses)
    for name, values in table.columns.items():
        _check_range(matched.headers[name], KNOWN[name], values, problems)
    _check_empty(table, problems, losses)
    problems.raise_first()
    return table


def _read_known(table: CheckedTable, column: Column, problems: Problems) -> None:
    """Read the cells of a known column by its kind."""
    header = table.match.headers[column.name]
    cells = table.raw.take(header)
    if column.kind is Kind.LABEL:
        values = _texts([label(cell) for cell in cells])
    elif column.kind is Kind.INFERRED:
        values = _inferred(cells, header, problems)
    elif column.kind is Kind.FLAG:
        values = _flags(cells, column, header, problems)
    else:
        values = _numbers(cells, column, header, problems)
    _store(table, header, values, column)


def _store(
    table: CheckedTable, header: str, values: np.ndarray, column: Column | None = None
) -> None:
    """Add a column to the table, or leave it out with a note."""
    if values.dtype == object:
        message = f"column {quote(header)} was left out: its texts are too long to keep"
        table.notes.append(Note("column-too-long", "warning", message))
    elif column is None:
        # An empty column without a name is what a separator at the end of each line leaves.
        if not (header in table.raw.unnamed and _all_empty(values)):
            table.extras[header] = values
    # An empty bit column of one part of the network still says that the table is about bits.
    elif column.name in BIT_COLUMNS or column.kind is Kind.FLAG or not _all_empty(values):
        table.columns[column.name] = values
    else:
        message = f"column {quote(header)} is empty and was left out"
        table.notes.append(Note("column-empty", "info", message))


def _numbers(cells: Cells, column: Column, header: str, problems: Problems) -> np.ndarray:
    if isinstance(cells, np.ndarray):
        return cells
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = number(cell, column.kind)
        except BadCell as error:
            problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
            values[row] = _PLACEHOLDER
    return values


def _flags(cells: Cells, column: Column, header: str, problems: Problems) -> np.ndarray:
    values = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = flag(cell)
        except BadCell as error:
            problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
    return values


def _inferred(cells: Cells, header: str, problems: Problems) -> np.ndarray:
    """Float64 when every filled cell is a number, with NaN for an empty one; else text."""
    if isinstance(cells, np.ndarray):
        return cells
    values = np.full(len(cells), np.nan)
    too_large = []
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = number(cell, Kind.INFERRED)
        except TooLarge:
            too_large.append(row)
        except BadCell:
            return _texts([label(cell) for cell in cells])
    if too_large:
        problem = f"{quote(cells[too_large[0]])} is {TooLarge()}"
        problems.add(too_large, header, problem, f"a number of at most {_LARGEST:.2g}, or texts")
    return values


def _texts(texts: list[str]) -> np.ndarray:
    """The texts as a numpy text array, or as objects where padding would take too much memory."""
    padded_bytes = 4 * len(texts) * max(map(len, texts))
    return np.array(texts, dtype=object if padded_bytes > _MAX_TEXT_BYTES else None)


def _all_empty(values: np.ndarray) -> bool:
    if values.dtype.kind == "f":
        return bool(np.isnan(values).all())
    empty = "" if values.dtype.kind == "U" else False
    return not (values != empty).any()


def _check_required(table: CheckedTable, losses: bool) -> None:
    """A table needs a loss (or another outcome) and a column of numbers that it may depend on.

    A table of inputs (not ``losses``) needs the second alone.

    Raises:
        JscaleError: either is missing.
    """
    headers = list(table.raw.columns)
    if losses and "loss" not in table.columns and not OUTCOMES.intersection(table.extras):
        raise JscaleError(missing_column("loss", headers))

    resource = any(name in table.columns for name in (*RESOURCES, *BIT_COLUMNS, TIED_BITS))
    numeric_extra = any(
        values.dtype.kind == "f" and not _all_empty(values) for values in table.extras.values()
    )
    if not (resource or numeric_extra):
        names = ", ".join(accepted(name) for name in RESOURCES)
        raise JscaleError(
            f"no column for N, D or C: expected {names}; the columns are {quoted_names(headers)}"
        )


def _check_range(header: str, column: Column, values: np.ndarray, problems: Problems) -> None:
    """Filled cells of a number must be finite, above zero and, for bits, at most 64."""
    if column.kind not in (Kind.COUNT, Kind.POSITIVE, Kind.BITS):
        return
    largest = MAX_BITS if column.kind is Kind.BITS else _LARGEST
    valid = np.isnan(values) | ((values > 0) & (values <= largest))
    rows = np.flatnonzero(~valid)
    if len(rows):
        problems.add(rows, header, f"{values[rows[0]]:g} is out of range", column.expected)


def _check_empty(table: CheckedTable, problems: Problems, losses: bool) -> None:
    """Every row of N, D and C needs one, or two where there are two columns; and a loss.

    A table of inputs (not ``losses``) needs no loss.
    """
    empty = {
        name: np.isnan(values)
        for name, values in table.columns.items()
        if name in (*RESOURCES, *(("loss", "loss_se") if losses else ()))
    }
    filled_resources = np.zeros(table.raw.rows)
    for name in RESOURCES:
        if name in empty:
            filled_resources += ~empty[name]

    for name, cells in empty.items():
        invalid = cells & (filled_resources < 2) if name in RESOURCES else cells
        header, expected = table.match.headers[name], KNOWN[name].expected
        problem = "the cell is empty or not a number"
        problems.add(np.flatnonzero(invalid), header, problem, expected)
