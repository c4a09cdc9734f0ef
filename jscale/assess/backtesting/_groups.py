"""Splits that leave out each label of a column, or random folds."""

from typing import Any

import jax
import numpy as np

from jscale._core.checks import check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import general, plural, quote
from jscale.assess.backtesting._split import (
    TIE,
    Needs,
    Split,
    Splits,
    check_complete,
    check_split,
    column_named,
)
from jscale.runs import Runs


def leave_each_out(table: Runs, name: Any, needs: Needs) -> Splits:
    """One split for each value of a column: its runs are forecast, all others are fitted.

    Args:
        table: validated runs.
        name: of the column, of labels or of numbers.
        needs: the fewest runs to fit.

    Raises:
        JscaleError: no such column, an empty cell, one value in all runs, or too few runs to fit.
    """
    column = column_named(table, name, "leave_out")
    values, kept = table[column], table.kept
    empty = np.isnan(values) if values.dtype.kind == "f" else values == ""
    check_complete(table, name, kept & empty, "leave_out")

    labels = np.unique(values[kept])
    if len(labels) < 2:
        raise JscaleError(
            f": {table.name}: column {quote(name)} has one value in all runs; without its runs "
            "there are none to fit: expected at least two values",
            argument="leave_out",
        )
    splits = []
    for value in labels:
        text = general(float(value), 4) if values.dtype.kind == "f" else str(value)
        held_out = kept & (values == value)
        split = Split(f"{column} {text}", kept & ~held_out, held_out)
        check_split(table, split, needs, f"without {column} {text}, the table", "leave_out")
        splits.append(split)
    return Splits(f"by leaving out each {column}", None, tuple(splits))


def random_folds(table: Runs, folds: Any, key: jax.Array, needs: Needs) -> Splits:
    """Folds of nearly equal size, each of which is forecast from the others.

    Runs of equal compute, such as replicates, are in one fold.

    Args:
        table: validated runs.
        folds: their number.
        key: a JAX random key.
        needs: the fewest runs to fit.

    Raises:
        JscaleError: not a number of at least 2, fewer runs than folds, or too few runs to fit.
    """
    check_whole_number("folds", folds, at_least=2)
    kept = table.kept
    units = _units(table)[kept]
    count = int(units.max()) + 1
    if count < folds:
        raise JscaleError(
            f": {table.name} has fewer runs than {folds} folds: {plural(count, 'run')} of "
            "different compute",
            argument="folds",
        )
    order = np.asarray(jax.random.permutation(key, count))
    fold_of_unit = np.empty(count, int)
    fold_of_unit[order] = np.arange(count) % folds
    fold = np.full(len(table), -1)
    fold[kept] = fold_of_unit[units]

    splits = []
    for i in range(folds):
        held_out = fold == i
        split = Split(f"fold {i + 1}", kept & ~held_out, held_out)
        check_split(table, split, needs, f"fold {i + 1} of {folds}", "folds")
        splits.append(split)
    return Splits(f"in {folds} random folds", None, tuple(splits))


def _units(table: Runs) -> np.ndarray:
    """Number of the set of runs of equal compute that a run belongs to, shape (rows,)."""
    rows = np.arange(len(table))
    if "C" not in table:
        return np.cumsum(table.kept) - 1
    compute = np.where(table.kept, table["C"], np.inf)
    compute = np.where(np.isnan(compute), -1.0 - rows, compute)
    order = np.argsort(compute, kind="stable")
    ordered = compute[order]
    with np.errstate(invalid="ignore"):
        is_new = np.append(True, np.diff(ordered) > TIE * np.abs(ordered[:-1]))
    units = np.empty(len(table), int)
    units[order] = np.cumsum(is_new) - 1
    return units
