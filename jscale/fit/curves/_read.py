"""The curves of a table: the checkpoints of each run, in their order."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.runs import Runs


class Curve(NamedTuple):
    """The checkpoints of one run.

    Attributes:
        label: of the run.
        x: (points,) logarithm of the tokens, increasing.
        y: (points,) logarithm of the loss.
        end: logarithm of the tokens that the run is planned for.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    end: float

    @property
    def finished(self) -> bool:
        """Whether the run has reached its planned end, to a thousandth."""
        return self.x[-1] > self.end - 1e-3

    def until(self, x: float) -> "Curve":
        """The part up to ``x``, with the same end."""
        seen = self.x <= x + 1e-9
        return self._replace(x=self.x[seen], y=self.y[seen])


def read_curves(table: Runs, by: str, horizon: str | float) -> list[Curve]:
    """The runs with two checkpoints or more.

    Args:
        table: validated runs, one row a checkpoint.
        by: column with the label of each row's run.
        horizon: tokens at the end of every run, or the column that has them.

    Raises:
        JscaleError: a column is missing or not numeric, a horizon is not a positive number
            or differs within a run, or no run has two checkpoints.
    """
    ends = _ends(table, horizon)
    _check_column(table, by, "by")
    if "D" not in table or "loss" not in table:
        raise JscaleError(f"{table.name}: training curves need the columns D and loss")

    curves = list(_curves(table, by, ends))
    if not curves:
        raise JscaleError(
            f"{table.name}: no run of column {shown(by)} has two checkpoints: final losses are "
            "not training curves"
        )
    return curves


def _ends(table: Runs, horizon: str | float) -> np.ndarray:
    """Tokens at the end of the run of each row."""
    if not isinstance(horizon, str):
        number = np.asarray(check_number("horizon", horizon, above=0.0))
        if number.ndim > 0:
            raise JscaleError(
                f"must be one number of tokens or the name of a column, not {shown(horizon)}",
                argument="horizon",
            )
        return np.full(len(table), float(number))

    _check_column(table, horizon, "horizon")
    if table[horizon].dtype.kind not in "fiu":
        raise JscaleError(
            f": column {shown(horizon)} of {table.name} is not numeric; expected tokens",
            argument="horizon",
        )
    return np.asarray(table[horizon], float)


def _check_column(table: Runs, name: object, argument: str) -> None:
    if not isinstance(name, str) or name not in table:
        raise JscaleError(
            f": {table.name} has no column {shown(name)}; it has {enumerated(table)}",
            argument=argument,
        )


def _curves(table: Runs, by: str, ends: np.ndarray) -> Iterator[Curve]:
    rows = np.flatnonzero(table.kept & (table["loss"] > 0))
    D, loss = np.asarray(table["D"], float), np.asarray(table["loss"], float)

    labels, run_of_row = np.unique(np.asarray(table[by])[rows].astype(str), return_inverse=True)
    for i, label in enumerate(labels):
        own = rows[run_of_row == i]
        own = own[np.argsort(D[own], kind="stable")]
        own = own[np.append(np.diff(D[own]) > 0, True)]
        end = np.unique(ends[own])
        if len(end) > 1 or not (np.isfinite(end) & (end > 0)).all():
            found = enumerated(f"{tokens:g}" for tokens in end)
            raise JscaleError(
                f"{table.name}: run {shown(str(label))} has the horizons {found}; expected one "
                "positive number of tokens"
            )
        if len(own) > 1:
            yield Curve(str(label), np.log(D[own]), np.log(loss[own]), float(np.log(end[0])))
