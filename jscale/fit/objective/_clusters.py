"""Which runs may share errors: the column of the clusters, every run's cluster, and how many there
are.
"""

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.runs import Data, Runs

FEW = 20
"""Below this, the spread between clusters is itself hardly known."""
COMPANY = 1.2
"""Runs per cluster above which there is something to share; the Chinchilla runs have 1.7 a size."""


def default_cluster_column(table: Runs, data: Data) -> str | None:
    """The column whose equal values may share errors: ``group``, or the sizes where they repeat;
    None for none.
    """
    for name in ("group", "N"):
        if name in table:
            count = len(np.unique(table[name][data.rows]))
            if count > 1 and len(data) >= COMPANY * count:
                return name
    return None


def column_of(table: Runs, data: Data, by: str | None) -> str:
    """``by``, or the column that :func:`default_cluster_column` finds.

    Raises:
        JscaleError: there is none.
    """
    column = by or default_cluster_column(table, data)
    if column is None:
        raise JscaleError(
            f"{table.name}: no runs share a group or a size; expected by= with the name of a column"
        )
    return column


def labels_of(table: Runs, data: Data, by: str) -> np.ndarray:
    """The cluster of every run (rows,), counted from 0.

    Raises:
        JscaleError: there is no such column, a cell of it is empty, or its values make one cluster
            or no company.
    """
    values = table[by][data.rows]
    empty = (
        np.isnan(values)
        if values.dtype.kind == "f"
        else values == ""
        if values.dtype.kind == "U"
        else None
    )
    if empty is not None and empty.any():
        row = int(data.rows[np.flatnonzero(empty)[0]]) + 1
        raise JscaleError(
            f"{table.name}: column {by!r}, row {row}: the cell is empty; clusters need a value in every row"
        )
    _, labels = np.unique(values, return_inverse=True)
    if labels.max() == 0:
        raise JscaleError(
            f"{table.name}: column {by!r} has one value in all runs; clusters need at least two"
        )
    if labels.max() + 1 == len(labels):
        raise JscaleError(
            f"{table.name}: no two runs share a value of {by!r}; clusters need some that do"
        )
    return labels


def few_clusters_note(labels: np.ndarray | None) -> list[Note]:
    """A warning where there are too few clusters to tell how much they differ."""
    if labels is None or labels.max() + 1 >= FEW:
        return []
    count = int(labels.max()) + 1
    message = f"the runs form only {count} clusters: errors by cluster are rough, and intervals tend to be short"
    return [Note("few-clusters", "warning", message, {"clusters": count})]
