"""The covariance of the best parameters, under three assumptions about the errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np

from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import shown
from jscale.fit.objective import (
    Objective,
    Weights,
    cluster_column,
    cluster_labels,
    few_clusters_note,
)
from jscale.fit.optimum import Point, mask_unidentified, resolve_point
from jscale.fit.uncertainty._identified import unidentified
from jscale.laws import LawFunction, describe
from jscale.runs import TableLike

CovarianceKind = Literal["fisher", "sandwich", "cluster-sandwich"]
COVARIANCE_KINDS = ("fisher", "sandwich", "cluster-sandwich")


@dataclass(frozen=True, eq=False)
class Covariance:
    """How far the best parameters would move with other runs of the same kind.

    Attributes:
        kind: "fisher", "sandwich" or "cluster-sandwich".
        matrix: (k, k) in the order of ``point.params``; infinite variance where the data do not
            identify the parameter.
        by: column of the clusters, or None.
        point: the fit.
        notes: warnings and remarks.
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

    def __repr__(self) -> str:
        name = describe(self.point.law).name
        errors = ", ".join(f"{k}±{error:.2g}" for k, error in self.stderr.items())
        clusters = "" if self.by is None else f" by {self.by}"
        return f"<Covariance {name}, {self.kind}{clusters}: {errors}>"


@overload
def covariance(
    law: Point, table: None = None, kind: CovarianceKind = "sandwich", *, by: str | None = None
) -> Covariance: ...


@overload
def covariance(
    law: LawFunction | str,
    table: TableLike,
    kind: CovarianceKind = "sandwich",
    *,
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
) -> Covariance: ...


@in_float64
def covariance(
    law: LawFunction | str | Point,
    table: TableLike | None = None,
    kind: CovarianceKind = "sandwich",
    *,
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
) -> Covariance:
    """The covariance of the parameters of a fit.

    ``covariance(point)`` uses a fit that exists; ``covariance(law, table)`` makes one first.

    "fisher" is the classical estimate, for independent errors of one size: the variance of the
    residuals times the inverse Hessian of the objective, or the inverse Fisher information of a
    likelihood with its free scale. "sandwich" holds for independent errors of any sizes (HC1).
    "cluster-sandwich" sums gradients by cluster first and holds for errors that runs of a cluster
    share (CR1).

    Args:
        law: a fitted :class:`jscale.fit.Point`, or a declared law.
        table: validated runs, with a law only.
        kind: which of the three.
        by: column whose equal values make a cluster; for None the first that runs share of
            ``trunk``, ``run_id``, the trained model, ``group`` and ``N``.
        objective: as for :func:`jscale.fit.point`; None for "huber", or what the point minimised.
        weights: as for :func:`jscale.fit.point`; None for none, or those of the point.
        starts: number of starting points of the fit; None for 64.

    Returns:
        The matrix (k, k) with the kind, the clusters' column, the fit and notes.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; an unknown kind; clusters that the table does not
            have; or arguments that contradict the point.

    Source: Huber 1967; MacKinnon & White 1985 (HC1); Liang & Zeger 1986, Cameron & Miller 2015
        (CR1).

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> fisher = fit.covariance(point, kind="fisher")
        >>> print(fisher.matrix.shape, f"{fisher.stderr['E']:.2f}")
        (5, 5) 0.06
    """
    if isinstance(table, str) and table in COVARIANCE_KINDS:
        raise JscaleError(
            f": {shown(table)} is not a table; did you mean ",
            Argument("kind", table),
            "?",
            argument="table",
        )
    if kind not in COVARIANCE_KINDS:
        message = f"must be one of {', '.join(COVARIANCE_KINDS)}, not {shown(kind)}"
        raise JscaleError(message, argument="kind")
    if by is not None and kind != "cluster-sandwich":
        message = f" belongs to the kind 'cluster-sandwich', not to {shown(kind)}"
        raise JscaleError(Argument("by", by), message)

    best, context = resolve_point(
        law, table, objective=objective, weights=weights, starts=starts, caller="covariance"
    )

    labels, column, notes = None, None, list(best.notes)
    if kind == "cluster-sandwich":
        column = cluster_column(context.table, context.data, by)
        labels = cluster_labels(context.table, context.data, column)
        notes += few_clusters_note(labels)

    matrix = context.state.covariance(kind, labels)
    matrix = mask_unidentified(matrix, tuple(best.params), unidentified(best))
    return Covariance(kind, matrix, column, best, tuple(notes))
