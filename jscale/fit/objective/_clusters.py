"""Clusters of runs that may share errors: their column, the labels, and a note if they are few."""

import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.runs import Data, Runs

MIN_CLUSTERS = 20
"""With fewer, the variance between clusters is itself poorly estimated."""
MIN_RUNS_PER_CLUSTER = 1.2
"""With fewer, runs hardly share clusters; the Chinchilla runs have 1.7 per size."""


def default_cluster_column(table: Runs, data: Data) -> str | None:
    """The column that defines clusters: ``group``, or ``N`` where sizes repeat, or None."""
    for name in ("group", "N"):
        if name in table:
            count = len(np.unique(table[name][data.rows]))
            if count > 1 and len(data) >= MIN_RUNS_PER_CLUSTER * count:
                return name
    return None


def cluster_column(table: Runs, data: Data, by: str | None) -> str:
    """``by``, or the column that :func:`default_cluster_column` returns.

    Raises:
        JscaleError: the table has neither.
    """
    column = default_cluster_column(table, data) if by is None else by
    if column is None:
        raise JscaleError(
            f"{table.name}: no runs share a group or a size; expected ",
            Argument("by"),
            " with the name of a column",
        )
    return column


def cluster_labels(table: Runs, data: Data, by: str) -> np.ndarray:
    """The cluster of every run (rows,), counted from 0.

    Raises:
        JscaleError: there is no such column, a cell of it is empty, all runs are in one cluster, or
            every run is in a cluster of its own.
    """
    if by not in table:
        raise JscaleError(f": {table.no_column(by)}", argument="by")

    values = table[by][data.rows]
    empty = _empty_cells(values)
    if empty.any():
        row = int(data.rows[np.flatnonzero(empty)[0]]) + 1
        raise JscaleError(
            f": {table.name}: column {shown(by)}, row {row}: the cell is empty; clusters need a "
            "value in every row",
            argument="by",
        )
    _, labels = np.unique(values, return_inverse=True)
    if labels.max() == 0:
        raise JscaleError(
            f": {table.name}: column {shown(by)} has one value in all runs; clusters need at "
            "least two",
            argument="by",
        )
    if labels.max() + 1 == len(labels):
        raise JscaleError(
            f": {table.name}: no two runs share a value of {shown(by)}; clusters need some that do",
            argument="by",
        )
    return labels


def _empty_cells(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "U":
        return values == ""
    return np.zeros(len(values), bool)


def few_clusters_note(labels: np.ndarray | None) -> list[Note]:
    """A warning where there are too few clusters to estimate the variance between them."""
    if labels is None or labels.max() + 1 >= MIN_CLUSTERS:
        return []
    count = int(labels.max()) + 1
    message = (
        f"the runs form only {count} clusters: cluster-robust errors are rough, and intervals tend "
        "to be too narrow"
    )
    return [Note("few-clusters", "warning", message, {"clusters": count})]
