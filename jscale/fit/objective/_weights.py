"""How much each run counts in a fit, and how large its error is."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.runs import Data, Runs

STANDARD_ERROR = "loss_se"
Weights = str | ArrayLike | None
"""Name of a column, one number for every row of the table, or None where all runs count once."""


def weigh(table: Runs, data: Data, weights: Weights, on: str) -> Data:
    """``data`` with the weights or the errors of its runs; those that weigh nothing are left out,
    with
    a note.

    A weight multiplies what a run adds to the objective. Standard errors divide the residuals
    instead: for squares that is a weight of the inverse variance, but a Huber sum weighted so would
    rest on the few runs of the smallest errors.

    Args:
        table: where the data are from.
        data: what a law needs of it.
        weights: "loss_se" for errors of the loss or of its logarithm, as ``on`` says, of which only
            ratios matter: they are divided by their median; the name of another column, or one
            number for every row of the table, scaled to a mean of 1.
        on: "log" or "raw", the scale on which the objective compares losses.

    Raises:
        JscaleError: no such column, a weight that is negative or no number, nothing but zeros, or
            errors of the loss for a law of something else.
    """
    if weights is None:
        return data
    if called(table, weights) == STANDARD_ERROR:
        return replace(data, errors=_errors(table, data, on))
    if isinstance(weights, str):
        values, what = _column(table, data, weights), f"column {weights!r}"
    else:
        values, what = _array(table, weights)[data.rows], "weights"
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if bad.size:
        value, row = values[bad[0]], int(data.rows[bad[0]]) + 1
        cell = "the cell is empty" if np.isnan(value) else f"{value:g} is out of range"
        raise JscaleError(
            f"{table.name}: {what}, row {row}: {cell}; expected a weight of 0 or above"
        )
    if not values.any():
        raise JscaleError(f"{table.name}: {what}: every run weighs 0; expected some weight above 0")
    values = values / values.max()
    present = values > 0
    left_out = int((~present).sum())
    notes = data.notes
    if left_out:
        subject = f"{left_out} runs weigh 0 and are" if left_out > 1 else "1 run weighs 0 and is"
        notes = (
            *notes,
            Note(
                "weightless-runs",
                "info",
                f"{subject} left out",
                {"rows": data.rows[~present].tolist()},
            ),
        )
    kept = values[present] / values[present].mean()
    # A likelihood of runs that all count alike is one.
    return replace(
        data.only(present), weights=None if (kept == kept[0]).all() else kept, notes=notes
    )


def called(table: Runs, weights: Weights) -> str | None:
    """What weighed the runs: a column by its canonical name, "given" for numbers, None for nothing."""
    if weights is None or not isinstance(weights, str):
        return None if weights is None else "given"
    return table.find(weights) or weights


def _errors(table: Runs, data: Data, on: str) -> np.ndarray:
    sizes = _column(table, data, STANDARD_ERROR)
    if data.loss_se is None:
        raise JscaleError(
            f"{table.name}: column {STANDARD_ERROR!r} is of the loss, which this law does not predict"
        )
    sizes = sizes if on == "raw" else sizes / data.loss
    return sizes / np.median(sizes)


def _column(table: Runs, data: Data, name: str) -> np.ndarray:
    values = table[name]
    if values.dtype.kind not in "fiub":
        row, text = next(
            (int(i) + 1, str(values[i])) for i in data.rows if not _is_number(str(values[i]))
        )
        raise JscaleError(
            f"{table.name}: column {name!r}, row {row}: {text!r:.40} is no number; expected a weight"
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
            f"weights must be a column's name or numbers, not {type(weights).__name__}"
        ) from None
    if values.shape != (len(table),):
        raise JscaleError(
            f"weights have shape {values.shape}; expected ({len(table)},), one for every row of {table.name}"
        )
    return values
