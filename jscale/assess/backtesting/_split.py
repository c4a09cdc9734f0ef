"""What a backtest fits and what it forecasts: masks over the rows of a table."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.text import plural, quote
from jscale.runs import Runs

TIE = 1e-9
"""Relative difference up to which two values of a column count as equal."""


@dataclass(frozen=True, eq=False)
class Split:
    """Runs to fit and runs to forecast.

    Attributes:
        label: what is fitted or what is held out, short.
        training: rows of the table to fit, booleans, shape (rows,).
        held_out: rows of the table to forecast, booleans, shape (rows,).
    """

    label: str
    training: np.ndarray
    held_out: np.ndarray


class Splits(NamedTuple):
    """All splits of a backtest.

    Attributes:
        how: the splits in words, such as "by compute".
        column: the column that orders the runs, or None.
        splits: in order.
    """

    how: str
    column: str | None
    splits: tuple[Split, ...]


class Needs(NamedTuple):
    """The fewest runs that all forecasters can be fitted to.

    Attributes:
        runs: the number.
        reason: for messages, such as "law 'chinchilla' with its 5 parameters needs at least 7".
    """

    runs: int
    reason: str


def column_named(table: Runs, name: Any, argument: str) -> str:
    """The canonical name of a column.

    Args:
        table: validated runs.
        name: of the column, canonical or as it was read.
        argument: the argument that it comes from, for messages.

    Raises:
        JscaleError: the table has no such column.
    """
    column = table.find(name)
    if column is None:
        raise JscaleError(f": {table.no_column(name)}", argument=argument)
    return column


def numbers(table: Runs, name: Any, argument: str) -> np.ndarray:
    """A column of numbers without empty cells in the kept rows, shape (rows,).

    Raises:
        JscaleError: no such column, text, or an empty cell.
    """
    column = column_named(table, name, argument)
    values = table[column]
    if values.dtype.kind != "f":
        raise JscaleError(
            f": {table.name}: column {quote(name)} holds no numbers to order the runs by; expected "
            "a column of numbers, or ",
            Argument("leave_out"),
            " for one of labels",
            argument=argument,
        )
    check_complete(table, name, table.kept & np.isnan(values), argument)
    return values


def check_complete(table: Runs, name: Any, empty: np.ndarray, argument: str) -> None:
    """Check that no kept cell of a column is empty.

    Args:
        table: validated runs.
        name: of the column.
        empty: the empty cells, booleans, shape (rows,).
        argument: the argument that names the column, for messages.

    Raises:
        JscaleError: a cell is empty.
    """
    if empty.any():
        row = int(np.flatnonzero(empty)[0]) + 1
        raise JscaleError(
            f": {table.name}: column {quote(name)}, row {row}: the cell is empty; a backtest "
            "needs a value in every row",
            argument=argument,
        )


def check_split(table: Runs, split: Split, needs: Needs, where: str, argument: str | None) -> None:
    """Check that a split leaves enough runs to fit and holds some out.

    Args:
        table: validated runs.
        split: the split.
        needs: the fewest runs to fit.
        where: which split, as the begin of a message.
        argument: the argument that asked for it; None for a default.

    Raises:
        JscaleError: too few runs to fit, or none held out.
    """
    count = int(split.training.sum())
    head = ": " if argument else ""
    if not split.held_out.any():
        raise JscaleError(
            f"{head}{table.name}: {where} holds out no run: all {count} would be fitted",
            argument=argument,
        )
    if count < needs.runs:
        raise JscaleError(
            f"{head}{table.name}: {where} leaves {plural(count, 'run')} to fit; {needs.reason}",
            argument=argument,
        )
