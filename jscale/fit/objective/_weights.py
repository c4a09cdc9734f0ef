"""Weights of the runs in a fit, and their standard errors."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.runs import Data, Runs

STANDARD_ERROR = "loss_se"
Weights = str | ArrayLike | None
"""Name of a column, one number for every row of the table, or None where all runs count once."""


def apply_weights(table: Runs, data: Data, weights: Weights, on: str) -> Data:
    """``data`` with the weights or the standard errors of its runs.

    Runs of weight 0 are left out, with a note. A weight multiplies what a run adds to the
    objective. Standard errors divide the residuals instead: for squares that is a weight of the
    inverse variance, but a Huber sum weighted that way would depend on the few runs with the
    smallest errors.

    Args:
        table: the runs.
        data: the columns that a law needs.
        weights: "loss_se" for standard errors of the loss, of which only ratios matter: they are
            divided by their median (with ``on="log"``, after division by the loss); the name of
            another column, or one number for every row of the table, scaled to a mean of 1.
        on: "log" or "raw", the scale on which the objective compares losses.

    Raises:
        JscaleError: no such column, a weight that is negative or not finite, only zeros, or
            standard errors of the loss for a law of another output.
    """
    if weights is None:
        return data
    if weights_name(table, weights) == STANDARD_ERROR:
        return replace(data, errors=_relative_errors(table, data, on))

    # 1. One weight for every run.
    if isinstance(weights, str):
        values, source = _column(table, data, weights), f"column {shown(weights)}"
    else:
        values, source = _array(table, weights)[data.rows], "weights"
    _check_weights(table, data, values, source)

    # 2. Leave out the runs of weight 0.
    values = values / values.max()
    positive = values > 0
    notes = (*data.notes, *_zero_weights_note(data.rows[~positive]))

    # 3. Scale to a mean of 1. A likelihood of equally weighted runs is one without weights.
    positive_values = values[positive]
    scaled = positive_values / positive_values.mean()
    are_equal = (scaled == scaled[0]).all()
    return replace(data.only(positive), weights=None if are_equal else scaled, notes=notes)


def weights_name(table: Runs, weights: Weights) -> str | None:
    """The canonical name of the column of weights, "given" for numbers, None for no weights."""
    if weights is None:
        return None
    if not isinstance(weights, str):
        return "given"
    return table.find(weights) or weights


def _check_weights(table: Runs, data: Data, values: np.ndarray, source: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if bad.size:
        value, row = values[bad[0]], int(data.rows[bad[0]]) + 1
        cell = "the cell is empty" if np.isnan(value) else f"{value:g} is out of range"
        raise JscaleError(
            f"{table.name}: {source}, row {row}: {cell}; expected a weight of 0 or above"
        )
    if not values.any():
        raise JscaleError(
            f"{table.name}: {source}: every run has weight 0; expected a weight above 0"
        )


def _zero_weights_note(rows: np.ndarray) -> list[Note]:
    """That the runs in these ``rows`` of the table are left out."""
    if not rows.size:
        return []
    subject = (
        f"{rows.size} runs have weight 0 and are" if rows.size > 1 else "1 run has weight 0 and is"
    )
    return [Note("weightless-runs", "info", f"{subject} left out", {"rows": rows.tolist()})]


def _relative_errors(table: Runs, data: Data, on: str) -> np.ndarray:
    """Standard errors (rows,) of the loss or of its logarithm, over their median."""
    sizes = _column(table, data, STANDARD_ERROR)
    if data.loss_se is None:
        raise JscaleError(
            f"{table.name}: column {STANDARD_ERROR!r} is of the loss, which this law "
            "does not predict"
        )
    sizes = sizes if on == "raw" else sizes / data.loss
    return sizes / np.median(sizes)


def _column(table: Runs, data: Data, name: str) -> np.ndarray:
    if name not in table:
        raise JscaleError(f": {table.no_column(name)}", argument="weights")

    values = table[name]
    if values.dtype.kind not in "fiub":
        row = next(int(i) for i in data.rows if not _is_number(str(values[i])))
        raise JscaleError(
            f"{table.name}: column {shown(name)}, row {row + 1}: {shown(str(values[row]))} is not "
            "a number; expected a weight"
        )
    return values[data.rows].astype(float)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _array(table: Runs, weights: Any) -> np.ndarray:
    try:
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        raise JscaleError(
            f"must be a column's name or numbers, not {type(weights).__name__}",
            argument="weights",
        ) from None
    if values.shape != (len(table),):
        raise JscaleError(
            f"have shape {values.shape}; expected ({len(table)},), one for every row of "
            f"{table.name}",
            argument="weights",
        )
    return values
