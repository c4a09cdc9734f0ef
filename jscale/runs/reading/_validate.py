"""Validation of every cell; all problems are found before the first one is reported."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, quote, quoted_names
from jscale.laws.formats import NamedBits
from jscale.runs.tables import (
    BIT_COLUMNS,
    KNOWN,
    MAX_BITS,
    NATS_PER_TOKEN,
    OUTCOMES,
    TIED_BITS,
    Column,
    Kind,
    Match,
    RawTable,
    accepted,
    fold,
    like_losses,
    missing_column,
    outcome_names,
)

RESOURCES = ("N", "D", "C")
PLACEHOLDER = 1.0
"""Value of a cell that could not be read: no later check reports it again."""
LARGEST = np.finfo(np.float64).max
_MEASURED = frozenset(("score", "error", "delta", "loss_u"))
"""Outcomes of an evaluation; a learning rate is a setting more often than an outcome."""
NUMBERS = (Kind.COUNT, Kind.COMPUTE, Kind.POSITIVE, Kind.BITS)
"""Kinds of columns of numbers."""


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
        unfinished: rows that are left out because their run failed or goes on, shape (rows,);
            None where there is none.
        loss_unit: unit of the losses.
        formats: bit column → row → the name of a format that stands there, and its bits.
        stated_errors: standard errors that stand in the cells of the losses.
        lost: row → why it has no loss, where its cell says so.
    """

    raw: RawTable
    match: Match
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    unfinished: np.ndarray | None = None
    loss_unit: str = NATS_PER_TOKEN
    formats: dict[str, dict[int, tuple[str, NamedBits]]] = field(default_factory=dict)
    stated_errors: list[str | None] | None = None
    lost: dict[int, str] = field(default_factory=dict)

    @property
    def kept(self) -> np.ndarray:
        """Rows that are not excluded: booleans, shape (rows,)."""
        if "exclude" not in self.columns:
            return np.ones(self.raw.rows, dtype=bool)
        return ~self.columns["exclude"]


def check_required(table: CheckedTable, losses: bool) -> None:
    """A table needs a loss (or another outcome) and a column of numbers that it may depend on.

    A table of inputs (not ``losses``) needs the second alone.

    Raises:
        JscaleError: either is missing.
    """
    headers = list(table.raw.columns)
    if losses and "loss" not in table.columns:
        _check_outcome(table, headers)

    resource = any(name in table.columns for name in (*RESOURCES, *BIT_COLUMNS, TIED_BITS))
    numeric_extra = any(
        values.dtype.kind == "f" and not all_empty(values) for values in table.extras.values()
    )
    if not (resource or numeric_extra):
        names = ", ".join(accepted(name) for name in RESOURCES)
        raise JscaleError(
            f"no column for N, D or C: expected {names}; the columns are {quoted_names(headers)}"
        )


def _check_outcome(table: CheckedTable, headers: list[str]) -> None:
    """A table without a loss needs another outcome; a note names columns that look like losses.

    Raises:
        JscaleError: it has neither.
    """
    similar = [
        header
        for header in like_losses(list(table.extras))
        if header not in OUTCOMES
        and table.extras[header].dtype.kind == "f"
        and not all_empty(table.extras[header])
    ]
    naming = "--loss NAME or --column loss=NAME, in Python with columns={'loss': NAME}"
    hint = ""
    if similar:
        look = "look like losses" if len(similar) > 1 else "looks like a loss"
        hint = f"; {quoted_names(similar, 4)} {look}: take one with {naming}"
    filled = [header for header, values in table.extras.items() if values.dtype.kind == "f"]
    known = {fold(header) for header in filled}
    outcomes = [
        name
        for name in sorted(OUTCOMES)
        if name in table.extras or known.intersection(outcome_names(name)[1:])
    ]
    if not outcomes:
        hint = hint or f"; say which is the loss with {naming}"
        raise JscaleError(missing_column("loss", headers) + hint)
    message = f"no column for 'loss': only laws of {', '.join(outcomes)} can be fitted{hint}"
    evidence = {"outcomes": tuple(outcomes), "similar": tuple(similar)}
    intended = not similar and not _MEASURED.isdisjoint(outcomes)
    table.notes.append(Note("no-loss", "info" if intended else "warning", message, evidence))


def check_range(
    header: str, column: Column, values: np.ndarray, kept: np.ndarray, problems: Problems
) -> None:
    """Filled cells of a number must be finite, above zero and, for bits, at most 64."""
    if column.kind not in NUMBERS:
        return
    largest = MAX_BITS if column.kind is Kind.BITS else LARGEST
    valid = np.isnan(values) | ((values > 0) & (values <= largest))
    if column.name == "loss":
        valid |= np.isposinf(values)  # such a run diverged: it is left out
    rows = np.flatnonzero(~valid & kept)
    if len(rows):
        expected = column.expected
        if values[rows[0]] == 0:
            expected += "; a column 'exclude' with 1 in the row leaves it out"
        problems.add(rows, header, f"{values[rows[0]]:g} is out of range", expected)


def check_empty(table: CheckedTable, problems: Problems, losses: bool) -> None:
    """Every kept row of N, D and C needs one, or two where there are two columns; and a loss.

    A table of inputs (not ``losses``) needs no loss.
    """
    empty = {
        name: ~np.isfinite(values)
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
        problems.add(np.flatnonzero(invalid & table.kept), header, problem, expected)


def all_empty(values: np.ndarray) -> bool:
    """Whether no cell of a column is filled."""
    if values.dtype.kind == "f":
        return bool(np.isnan(values).all())
    empty = "" if values.dtype.kind == "U" else False
    return not (values != empty).any()
