"""Which runs share a trained model, and so may share an error."""

from typing import NamedTuple

import numpy as np

from jscale.fit.objective import cluster_labels, default_cluster_column
from jscale.runs import Data, Runs

LEAST_CLUSTERS = 6
"""Fewer clusters than this cannot show how much their runs share: columns that form fewer are not
taken unless they are named."""
LEAST_SIZES = 10
"""Runs of one size are trained apart, as a rule, and share less. With fewer sizes than this they
count as independent, so that a test can find anything: what is particular to a size is misfit."""
_TRUNK = "trunk"
_TRAINED = ("N", "P_w", "P_a", "P_kv", "seed")
"""What runs of one trained model have in common where they are quantised after training."""


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


def shared_clusters(table: Runs, data: Data, by: str | None = None) -> Clusters:
    """The clusters of the fitted runs.

    Args:
        table: the runs.
        data: those that were fitted.
        by: column of the clusters. None: the column ``trunk``; the trained model where runs are
            quantised after training; ``group``; or the sizes, if they repeat. A column that forms
            fewer than six clusters is passed over, and so are fewer than ten sizes.

    Raises:
        JscaleError: ``by`` is not a column that forms clusters.
    """
    if by is not None:
        return Clusters(table.find(by), cluster_labels(table, data, by))

    if (trunks := _trunks(table, data)) is not None:
        return trunks
    if "P_post" in table and len(np.unique(table["P_post"][data.rows])) > 1:
        names = [name for name in _TRAINED if name in table]
        columns = np.stack([table[name][data.rows] for name in names], axis=1)
        labels = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
        if LEAST_CLUSTERS <= labels.max() + 1 < len(labels):
            return Clusters("trained model", labels)
    for name in (default_cluster_column(table, data), "N"):
        if name is not None and name in table:
            labels = np.unique(table[name][data.rows], return_inverse=True)[1]
            least = LEAST_SIZES if name == "N" else LEAST_CLUSTERS
            if least <= labels.max() + 1 < len(labels):
                return Clusters(name, labels)
    return Clusters(None, np.arange(len(data)))


def _trunks(table: Runs, data: Data) -> Clusters | None:
    """Runs that branch off one run; a run without a trunk is a cluster of its own."""
    if _TRUNK not in table:
        return None
    names = table[_TRUNK][data.rows].astype(str)
    alone = np.char.add("\0", np.arange(len(names)).astype(str))
    labels = np.unique(np.where(names == "", alone, names), return_inverse=True)[1]
    return Clusters(_TRUNK, labels) if LEAST_CLUSTERS <= labels.max() + 1 < len(labels) else None
