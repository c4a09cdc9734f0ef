"""The covariance of the best parameters, by what is believed of the errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit.objective import Objective, Weights, column_of, few_clusters_note, labels_of
from jscale.fit.optimum import Point, fit_once, mask_unidentified
from jscale.fit.uncertainty._identified import unidentified
from jscale.laws import LawFunction
from jscale.runs import Runs

COVARIANCES = ("fisher", "sandwich", "cluster-sandwich")


@dataclass(frozen=True)
class Covariance:
    """How far the best parameters would move with other runs of the same kind.

    Attributes:
        kind: "fisher", "sandwich" or "cluster-sandwich".
        matrix: (k, k) in the order of ``point.params``; infinite variance where the runs do not
            tell the parameter.
        by: column of the clusters, or None.
        point: the fit.
        notes: doubts and remarks.
    """

    kind: str
    matrix: np.ndarray
    by: str | None
    point: Point
    notes: tuple[Note, ...]

    @property
    def stderr(self) -> Mapping[str, float]:
        """Parameter → standard error."""
        return dict(zip(self.point.params, np.sqrt(np.diag(self.matrix)).tolist(), strict=True))


@in_float64
def covariance(
    law: LawFunction,
    table: Runs,
    kind: Literal["fisher", "sandwich", "cluster-sandwich"] = "sandwich",
    *,
    by: str | None = None,
    objective: str | Objective = "huber",
    weights: Weights = None,
    starts: int = 64,
) -> Covariance:
    """The covariance of the parameters of a fit.

    "fisher" is the classical one, for independent errors of one size: the variance of the residuals
    times the inverse of the objective's stiffness, or the inverse Fisher information of a
    likelihood with its free scale. "sandwich" holds for independent errors of any sizes (HC1).
    "cluster-sandwich" adds up gradients by cluster first and holds for errors that runs of a
    cluster share (CR1).

    Args:
        law: a declared law.
        table: validated runs.
        kind: which of the three.
        by: column whose equal values make a cluster; ``group``, or the sizes where they repeat, for
            None.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`.
        starts: number of starting points of the fit.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; an unknown kind, or clusters that are not there.

    Source: Huber 1967; MacKinnon & White 1985 (HC1); Liang & Zeger 1986, Cameron & Miller 2015
        (CR1).
    """
    if kind not in COVARIANCES:
        raise JscaleError(f"kind must be one of {', '.join(COVARIANCES)}, not {kind!r}")
    if by is not None and kind != "cluster-sandwich":
        raise JscaleError(f"by={by!r} belongs to the kind 'cluster-sandwich', not to {kind!r}")
    best, state, data = fit_once(law, table, objective, starts, weights)
    labels, column, notes = None, None, list(best.notes)
    if kind == "cluster-sandwich":
        column = column_of(table, data, by)
        labels = labels_of(table, data, column)
        notes += few_clusters_note(labels)
    matrix = mask_unidentified(
        state.covariance(kind, labels), tuple(best.params), unidentified(best)
    )
    return Covariance(kind, matrix, column, best, tuple(notes))
