"""Clusters of runs whose forecasts are not independent evidence on the coverage of bands."""

import numpy as np

from jscale._core.errors import JscaleError
from jscale.runs import Runs

CANDIDATES = ("trunk", "run_id", "group", "N")
"""Columns of clusters, the first of which that the runs share is the default."""
_LEAST = 8
"""With fewer clusters, the correlation within them cannot be estimated, and no coverage judged."""
_SHARED = 1.2
"""Runs a cluster, below which runs hardly share them; as for cluster-robust errors of fits."""


def clusters(table: Runs, column: str | None) -> tuple[str | None, np.ndarray]:
    """The column of the clusters, and the number of every row's cluster, shape (rows,).

    Args:
        table: validated runs.
        column: whose equal values form a cluster. For None the first of :data:`CANDIDATES` with
            at least 8 values, which runs share; if there is none, every run is its own cluster.

    Raises:
        JscaleError: the table has no such column.
    """
    if column is None:
        column = next((name for name in CANDIDATES if _is_shared(table, name)), None)
    elif column not in table:
        raise JscaleError(f": {table.no_column(column)}", argument="cluster")
    if column is None:
        return None, np.arange(len(table))

    _, labels = np.unique(table[column], return_inverse=True)
    # A run without a label shares nothing.
    empty = _empty(table[column])
    labels[empty] = len(table) + np.flatnonzero(empty)
    return table.find(column), labels


def _is_shared(table: Runs, name: str) -> bool:
    if name not in table:
        return False
    values = table[name][table.kept]
    labels = values[~_empty(values)]
    count = len(np.unique(labels))
    return count >= _LEAST and len(labels) >= _SHARED * count


def _empty(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else values.astype(str) == ""
