"""The kinds of intervals, and which of them a table and an objective allow."""

from collections.abc import Mapping, Sequence
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.fit.objective import Objective, default_cluster_column
from jscale.fit.uncertainty._bootstrap import SYMMETRIC
from jscale.fit.uncertainty._covariance import COVARIANCES
from jscale.runs import Data, Runs

BOOTSTRAPS = (
    "bootstrap-rows",
    "bootstrap-cluster",
    "bootstrap-wild",
    "bootstrap-wild-cluster",
    "bootstrap-parametric",
)
PROFILES = ("profile", "cluster-profile")
KINDS = (*COVARIANCES, *BOOTSTRAPS, *PROFILES)
BY_CLUSTER = ("cluster-sandwich", "bootstrap-cluster", "bootstrap-wild-cluster", "cluster-profile")
BOOTSTRAP: Mapping[str, Any] = {
    "bootstrap-rows": "rows",
    "bootstrap-cluster": "cluster",
    "bootstrap-wild": "wild",
    "bootstrap-wild-cluster": "wild",
    "bootstrap-parametric": "parametric",
}
"""The names of the same for :func:`jscale.fit.bootstrap`."""
_SYMMETRIC = tuple(kind for kind, name in BOOTSTRAP.items() if name in SYMMETRIC)


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """``kinds`` without repetitions.

    Raises:
        JscaleError: one that does not exist, or none at all.
    """
    several = (kinds,) if isinstance(kinds, str) else tuple(dict.fromkeys(kinds))
    if unknown := [kind for kind in several if kind not in KINDS]:
        raise JscaleError(f"kinds: {unknown[0]!r} is none of {', '.join(KINDS)}")
    if not several:
        raise JscaleError(
            "kinds is empty; expected at least one, or None for all that the table allows"
        )
    return several


def choose_kinds(
    table: Runs,
    data: Data,
    kinds: Sequence[str] | None,
    by: str | None,
    goal: Objective,
    *,
    clustered: bool = False,
) -> tuple[tuple[str, ...], str | None, list[Note]]:
    """The kinds, the column of the clusters where there are any, and notes where kinds are left
    out.

    Args:
        table: the runs.
        data: those that are fitted.
        kinds: asked for, or None for all that the table and the objective allow.
        by: column of the clusters, or None.
        goal: the objective.
        clustered: whether clusters are needed in any case.

    Raises:
        JscaleError: an unknown kind or one that the objective does not fit, clusters where there
            are none, or a column for kinds that need none.
    """
    asked = None if kinds is None else check_kinds(kinds)
    needs = [f"kind {kind!r}" for kind in asked or () if kind in BY_CLUSTER]
    needs += ["noise 'cluster'"] if clustered else []
    column = by or default_cluster_column(table, data)
    if column is None and needs:
        raise JscaleError(
            f"{table.name}: {needs[0]} needs clusters, and no runs share a group or a size; expected by= with the name "
            "of a column"
        )
    if asked is not None:
        if by is not None and not needs:
            raise JscaleError(
                f"by={by!r} belongs to the kinds {', '.join(BY_CLUSTER)}, none of which is asked for"
            )
        if not goal.symmetric and (unfit := [kind for kind in asked if kind in _SYMMETRIC]):
            raise JscaleError(f"kind {unfit[0]!r} draws symmetric noise, which {goal} does not fit")
        return asked, column if needs else None, []
    notes, left_out = [], set()
    if column is None:
        left_out |= set(BY_CLUSTER)
        message = "no runs share a group or a size: intervals by cluster are left out"
        notes.append(Note("no-clusters", "info", message, {}))
    if not goal.symmetric:
        left_out |= set(_SYMMETRIC)
        message = f"{goal} does not fit symmetric noise: the parametric bootstrap and the wild ones are left out"
        notes.append(Note("no-symmetric", "info", message, {}))
    return tuple(kind for kind in KINDS if kind not in left_out), column, notes
