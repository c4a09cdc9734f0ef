"""Clusters of runs that may share errors: one definition for fits, error models, audits, backtests.

Runs share errors where they come from one training: they branch off one trunk, are points of one
run, or are one model quantised in several ways. Runs of one group or of one size often do.
"""

from typing import NamedTuple

import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.runs import Data, Runs

TRUNK = "trunk"
"""Column of the trained model that runs branch off."""
TRAINED_MODEL = "trained model"
"""Name of the clusters of runs of one trained model, where runs are quantised after training."""
CLUSTER_ORDER = (TRUNK, "run_id", TRAINED_MODEL, "group", "N")
"""What defines clusters by default: the first that the runs share."""

MIN_CLUSTERS = 20
"""With fewer, the variance between clusters is itself poorly estimated."""
MIN_RUNS_PER_CLUSTER = 1.2
"""With fewer, runs hardly share clusters; the Chinchilla runs have 1.7 per size."""
TRAINED_ALONE = (TRUNK, "run_id")
"""Columns of single trainings: a run without a label there shares nothing."""
_TRAINED_AS = ("N", "P_w", "P_a", "P_kv", "seed")
"""What runs of one trained model have in common."""


class Clusters(NamedTuple):
    """Clusters of runs.

    Attributes:
        name: the column, or what runs of a cluster have in common; None for independent runs.
        labels: (rows,) counted from 0; all different for independent runs.
    """

    name: str | None
    labels: np.ndarray

    @property
    def count(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1

    def only(self, keep: np.ndarray) -> "Clusters":
        """The clusters of the runs where ``keep`` (booleans, shape (rows,)) is true."""
        return Clusters(self.name, np.unique(self.labels[keep], return_inverse=True)[1])


def clusters(
    table: Runs,
    rows: np.ndarray,
    by: str | None = None,
    *,
    least: int = 2,
    least_sizes: int | None = None,
    columns_only: bool = False,
) -> Clusters:
    """The clusters of some runs of a table.

    Args:
        table: the runs.
        rows: (rows,) their row numbers, counted from 0.
        by: column whose equal values make a cluster, or "trained model". None: the first of
            :data:`CLUSTER_ORDER` with at least ``least`` clusters and 1.2 runs in each, a cell that
            is empty aside; if there is none, every run is its own.
        least: number of clusters by default.
        least_sizes: that of sizes ``N``, where it is another.
        columns_only: whether only columns are taken by default.

    Raises:
        JscaleError: there is no column ``by``, a cell of it is empty, all runs are in one cluster,
            or every run is in a cluster of its own. A run without ``trunk`` or ``run_id`` was
            trained alone, and is such a cluster.
    """
    if by is not None:
        return _named(table, rows, by)
    for name in CLUSTER_ORDER:
        enough = least if name != "N" or least_sizes is None else least_sizes
        if columns_only and name == TRAINED_MODEL:
            continue
        values = _values(table, rows, name)
        if values is not None and _is_shared(name, values, enough):
            return Clusters(name, _labels(values))
    return Clusters(None, np.arange(len(rows)))


def default_cluster_column(table: Runs, data: Data) -> str | None:
    """What defines clusters of the fitted runs by default; None where they are independent."""
    return clusters(table, data.rows).name


def cluster_column(table: Runs, data: Data, by: str | None) -> str:
    """``by``, or what :func:`default_cluster_column` returns.

    Raises:
        JscaleError: the table has neither.
    """
    column = default_cluster_column(table, data) if by is None else by
    if column is None:
        raise JscaleError(
            f"{table.name}: no runs share a trained model, a group or a size; expected ",
            Argument("by"),
            " with the name of a column",
        )
    return column


def cluster_labels(table: Runs, data: Data, by: str) -> np.ndarray:
    """The cluster of every fitted run (rows,), counted from 0.

    Raises:
        JscaleError: as :func:`clusters`.
    """
    return clusters(table, data.rows, by).labels


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


def empty_cells(values: np.ndarray) -> np.ndarray:
    """Which cells of a column are empty (rows,)."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "U":
        return values == ""
    return np.zeros(len(values), bool)


def alone_where_empty(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Labels (rows,) as texts, in which every run without one has its own."""
    alone = [f"run {row + 1}" for row in rows.tolist()]
    return np.where(empty_cells(values), alone, values.astype(str))


def _named(table: Runs, rows: np.ndarray, by: str) -> Clusters:
    """The clusters of a column that the caller names."""
    values = _values(table, rows, by)
    if values is None:
        raise JscaleError(f": {table.no_column(by)}", argument="by")

    name = table.find(by) or by
    empty = empty_cells(values)
    if empty.any() and name not in TRAINED_ALONE:
        row = int(rows[np.flatnonzero(empty)[0]]) + 1
        raise JscaleError(
            f": {table.name}: column {shown(by)}, row {row}: the cell is empty; clusters need a "
            "value in every row",
            argument="by",
        )
    labels = _labels(values)
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
    return Clusters(name, labels)


def _values(table: Runs, rows: np.ndarray, name: str) -> np.ndarray | None:
    """Equal values for runs of a cluster (rows,); None where the table cannot say."""
    if name in table:
        return table[name][rows]
    if name != TRAINED_MODEL or "P_post" not in table or len(np.unique(table["P_post"][rows])) == 1:
        return None
    columns = [table[each][rows].astype(str) for each in _TRAINED_AS if each in table]
    return np.array([" ".join(each) for each in zip(*columns, strict=True)]) if columns else None


def _is_shared(name: str, values: np.ndarray, least: int) -> bool:
    empty = empty_cells(values)
    if empty.any() and name not in TRAINED_ALONE:
        return False
    labels = values[~empty]
    count = len(np.unique(labels))
    return count >= least and len(labels) >= MIN_RUNS_PER_CLUSTER * count


def _labels(values: np.ndarray) -> np.ndarray:
    """Clusters counted from 0; an empty cell is one of its own."""
    labels = np.unique(values, return_inverse=True)[1].reshape(-1)
    empty = np.flatnonzero(empty_cells(values))
    labels[empty] = len(values) + np.arange(len(empty))
    return np.unique(labels, return_inverse=True)[1]
