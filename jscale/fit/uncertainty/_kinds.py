"""The kinds of intervals, and which of them a table and an objective allow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, shown, text_of
from jscale.fit.objective import Objective, default_cluster_column
from jscale.fit.uncertainty._covariance import COVARIANCE_KINDS
from jscale.fit.uncertainty._resampling import SYMMETRIC, ResamplingKind
from jscale.runs import Data, Runs

RESAMPLING_OF: Mapping[str, ResamplingKind] = {
    "bootstrap-rows": "rows",
    "bootstrap-cluster": "cluster",
    "bootstrap-wild": "wild",
    "bootstrap-wild-cluster": "wild",
    "bootstrap-parametric": "parametric",
}
"""Kind of interval → kind of resampling for :func:`jscale.fit.bootstrap`."""
BOOTSTRAP_KINDS = tuple(RESAMPLING_OF)
_STREAM_OF: Mapping[str, int] = {
    "bootstrap-rows": 3,
    "bootstrap-cluster": 4,
    "bootstrap-wild": 5,
    "bootstrap-wild-cluster": 6,
    "bootstrap-parametric": 7,
}
"""Kind of interval → number of its stream of random numbers.

A number never changes: a new kind takes one of its own, so that the others draw the same tables.
"""
PROFILE_KINDS = ("profile", "cluster-profile")
INTERVAL_KINDS = (*COVARIANCE_KINDS, *BOOTSTRAP_KINDS, *PROFILE_KINDS)
"""Names of the ten kinds of intervals, which ``kinds=`` of :func:`jscale.fit.intervals` takes."""
CLUSTER_KINDS = (
    "cluster-sandwich",
    "bootstrap-cluster",
    "bootstrap-wild-cluster",
    "cluster-profile",
)
_SYMMETRIC_KINDS = tuple(kind for kind, name in RESAMPLING_OF.items() if name in SYMMETRIC)


class ChosenKinds(NamedTuple):
    """Kinds of intervals to compute.

    Attributes:
        kinds: in order.
        by: column of the clusters; None where no kind needs one.
        notes: about kinds that are left out.
    """

    kinds: tuple[str, ...]
    by: str | None
    notes: list[Note]


def bootstrap_key(key: jax.Array, kind: str) -> jax.Array:
    """The random key of a bootstrap from the key that all kinds share.

    Args:
        key: a JAX random key.
        kind: one of :data:`BOOTSTRAP_KINDS`.

    Raises:
        ValueError: a kind that draws no random numbers.
    """
    if kind not in _STREAM_OF:
        raise ValueError(f"kind {kind!r} has no stream of random numbers")
    return jax.random.fold_in(key, _STREAM_OF[kind])


def check_kinds(kinds: Any) -> tuple[str, ...]:
    """``kinds`` without repetitions.

    Raises:
        JscaleError: one that does not exist, or none at all.
    """
    if not isinstance(kinds, Iterable):
        message = f": expected names of kinds such as 'profile', not {shown(kinds)}"
        raise JscaleError(message, argument="kinds")

    requested = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if unknown := [kind for kind in requested if kind not in INTERVAL_KINDS]:
        hint = did_you_mean(text_of(unknown[0]), INTERVAL_KINDS)
        expected = f"expected one of {', '.join(INTERVAL_KINDS)}"
        raise JscaleError(f": unknown kind {shown(unknown[0])}; {expected}{hint}", argument="kinds")
    if not requested:
        message = "is empty; expected at least one, or None for all that the table allows"
        raise JscaleError(message, argument="kinds")
    return tuple(dict.fromkeys(requested))


def choose_kinds(
    table: Runs,
    data: Data,
    kinds: Sequence[str] | None,
    by: str | None,
    objective: Objective,
    *,
    clustered: bool = False,
) -> ChosenKinds:
    """The kinds to compute, with the column of the clusters and notes on kinds that are left out.

    Args:
        table: the runs.
        data: those that are fitted.
        kinds: the requested ones, or None for all that the table and the objective allow.
        by: column of the clusters, or None.
        objective: of the fit.
        clustered: whether clusters are needed in any case, for noise by cluster.

    Raises:
        JscaleError: an unknown kind or one that the objective does not fit, clusters that the table
            does not have, or a column for kinds that need none.
    """
    requested = None if kinds is None else check_kinds(kinds)
    users = [f"kind {shown(kind)}" for kind in requested or () if kind in CLUSTER_KINDS]
    users += ["noise 'cluster'"] if clustered else []
    column = default_cluster_column(table, data) if by is None else by
    if column is None and users:
        raise JscaleError(
            f"{table.name}: {users[0]} needs clusters, and no runs share a trained model, a group "
            "or a size; expected ",
            Argument("by"),
            " with the name of a column",
        )

    if requested is None:
        return _allowed_kinds(column, objective)

    if by is not None and not users:
        message = f" applies only to the kinds {', '.join(CLUSTER_KINDS)}; none is requested"
        raise JscaleError(Argument("by", by), message)
    asymmetric = [kind for kind in requested if kind in _SYMMETRIC_KINDS]
    if asymmetric and not objective.symmetric:
        message = (
            f"kind {shown(asymmetric[0])} draws symmetric noise, which {objective} does not fit"
        )
        raise JscaleError(message)
    return ChosenKinds(requested, column if users else None, [])


def _allowed_kinds(column: str | None, objective: Objective) -> ChosenKinds:
    """All kinds that a table with this column of clusters (None for none) and objective allow."""
    notes, excluded = [], set()
    if column is None:
        excluded |= set(CLUSTER_KINDS)
        message = (
            "no runs share a trained model, a group or a size: intervals by cluster are left out"
        )
        notes.append(Note("no-clusters", "info", message, {}))
    if not objective.symmetric:
        excluded |= set(_SYMMETRIC_KINDS)
        message = (
            f"{objective} does not fit symmetric noise: the parametric bootstrap and the wild "
            "ones are left out"
        )
        notes.append(Note("no-symmetric", "info", message, {}))

    kinds = tuple(kind for kind in INTERVAL_KINDS if kind not in excluded)
    return ChosenKinds(kinds, column, notes)
