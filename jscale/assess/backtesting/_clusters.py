"""Clusters of runs whose forecasts are not independent evidence on the coverage of bands."""

import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit import objective
from jscale.runs import Runs

_LEAST = 8
"""With fewer clusters, the correlation within them cannot be estimated, and no coverage judged."""


def clusters(table: Runs, column: str | None) -> tuple[str | None, np.ndarray]:
    """What clusters have in common, and the number of every row's cluster, shape (rows,).

    Args:
        table: validated runs; rows that are excluded are in clusters of their own.
        column: whose equal values form a cluster. None for the one that fits take by default, if it
            forms 8 clusters or more; if there is none, every run is its own.

    Raises:
        JscaleError: the table has no such column, or it forms no clusters.
    """
    kept = np.flatnonzero(table.kept)
    try:
        groups = objective.clusters(table, kept, column, least=_LEAST)
    except JscaleError as error:
        raise error.renamed({"by": "cluster"}) from None
    labels = len(table) + np.arange(len(table))
    labels[kept] = groups.labels
    return groups.name, labels
