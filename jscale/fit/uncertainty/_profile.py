"""Profile likelihood intervals of parameters and of functions of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale._core.text import enumerated, shown
from jscale.fit.objective import (
    Objective,
    Weights,
    cluster_column,
    cluster_labels,
    few_clusters_note,
)
from jscale.fit.optimum import (
    FitState,
    Point,
    resolve_point,
)
from jscale.fit.uncertainty._ends import target_value
from jscale.fit.uncertainty._identified import unidentified, unidentified_note
from jscale.fit.uncertainty._profile_target import (
    Profile,
    default_scaling,
    profile_target,
    without_path,
)
from jscale.fit.uncertainty._targets import (
    TargetFunction,
    target_transform,
    targets_by_name,
)
from jscale.laws import LawFunction, as_law
from jscale.runs import Runs, TableLike

SCALINGS = ("likelihood", "fisher", "sandwich", "cluster-sandwich")
Scaling = Literal["likelihood", "fisher", "sandwich", "cluster-sandwich"]
ProfileTarget = str | TargetFunction | Mapping[str, TargetFunction]


@overload
def profile(
    law: Point,
    table: ProfileTarget,
    /,
    *,
    level: float = 0.9,
    scaling: Scaling | None = None,
    by: str | None = None,
) -> Profile: ...


@overload
def profile(
    law: Point,
    table: None = None,
    *,
    target: ProfileTarget,
    level: float = 0.9,
    scaling: Scaling | None = None,
    by: str | None = None,
) -> Profile: ...


@overload
def profile(
    law: LawFunction | str,
    table: TableLike,
    target: ProfileTarget,
    *,
    level: float = 0.9,
    objective: str | Objective | None = None,
    scaling: Scaling | None = None,
    by: str | None = None,
    weights: Weights = None,
    starts: int | None = None,
) -> Profile: ...


@in_float64
def profile(
    law: LawFunction | str | Point,
    table: TableLike | ProfileTarget | None = None,
    target: ProfileTarget | None = None,
    *,
    level: float = 0.9,
    objective: str | Objective | None = None,
    scaling: Scaling | None = None,
    by: str | None = None,
    weights: Weights = None,
    starts: int | None = None,
) -> Profile:
    """The profile-likelihood interval of a parameter or of a function of the parameters.

    ``profile(point, target)`` uses a fit that exists; ``profile(law, table, target)`` makes one
    first.

    The interval of a function of a target is the function of its interval; nothing is linearised.

    The objective is minimised over the other parameters at each value of the target. The interval
    holds the values at which twice its increase over the minimum stays below a threshold, which is
    a quantile of chi-squared for a likelihood.

    Another objective (squares, a Huber sum) has no scale of its own, and neither has a likelihood
    of weighted runs. Its increase is divided by the ratio of the target's variance, by default the
    sandwich, to the variance that its curvature implies (Rotnitzky & Jewell 1990; Pace, Salvan &
    Sartori 2011). The interval then holds for robust objectives and, by cluster, for errors that
    runs share.

    Args:
        law: a fitted :class:`jscale.fit.Point`, or a declared law.
        table: validated runs, with a law only; after a point, the target.
        target: a parameter, or a JAX function from parameters (by name) to a number; as a mapping,
            under a name. A function with an attribute ``positive = True`` is profiled along its
            logarithm.
        level: coverage of the interval.
        objective: as for :func:`jscale.fit.point`; None for "huber", or what the point minimised.
        scaling: unit of the objective: "likelihood", "fisher", "sandwich" or "cluster-sandwich"; by
            default "likelihood" for one without weights, else "sandwich", and with ``by``
            "cluster-sandwich".
        by: column whose equal values make a cluster; "cluster-sandwich" takes the first that
            runs share of ``trunk``, ``run_id``, the trained model, ``group`` and ``N`` without it.
        weights: as for :func:`jscale.fit.point`; None for none, or those of the point.
        starts: number of starting points of the fit; None for 64.

    Returns:
        The interval, the path along which it was found, and a status.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; a target, level, scaling or clusters that are not
            possible; or arguments that contradict the point.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> profile = fit.profile(point, "E")
        >>> print(f"{profile.low:.1f} to {profile.high:.1f}", profile.status)
        1.2 to 1.8 converged
    """
    check_level(level)
    name, function, runs = _single_target(law, table, target)
    best, context = resolve_point(
        law, runs, objective=objective, weights=weights, starts=starts, caller="profile"
    )

    state = context.state
    measure = str(scaling or ("cluster-sandwich" if by else default_scaling(state)))
    _check_scaling(measure, state, by)
    labels = None
    if measure == "cluster-sandwich":
        column = cluster_column(context.table, context.data, by)
        labels = cluster_labels(context.table, context.data, column)

    if state.degrees() <= 0:
        transform = target_transform(best.law, name, function)
        notes = tuple(note for note in best.notes if note.code == "saturated")
        return without_path(transform, target_value(transform, best.params), level, measure, notes)

    result = profile_target(state, name, function, level, scaling=measure, labels=labels)
    result = replace(result, notes=(*result.notes, *few_clusters_note(labels)))
    return _with_warnings(result, best, function)


def _single_target(
    law: LawFunction | str | Point, table: Any, target: Any
) -> tuple[str, str | TargetFunction, Runs | None]:
    """Name and function of the target, and the table, from the arguments of :func:`profile`.

    Raises:
        JscaleError: no target or several of them, or one that does not exist.
    """
    if isinstance(law, Point) and target is None and not isinstance(table, Runs):
        table, target = None, table
    if isinstance(law, Point) and table is not None and not isinstance(table, Runs):
        message = (
            f": {shown(table)} is not a table; expected profile(point, target) with one target, "
            "or profile(law, table, target)"
        )
        raise JscaleError(message, argument="table")
    if target is None:
        message = ": none was given; expected a parameter or a function of the parameters"
        raise JscaleError(message, argument="target")

    if isinstance(target, Mapping) and len(target) > 1:
        message = f": profile takes one target, not {len(target)}: {enumerated(target)}"
        raise JscaleError(message, argument="target")

    named = isinstance(target, Mapping | str)
    declared = law.law if isinstance(law, Point) else as_law(law)
    by_name = targets_by_name(declared, target if named else [target], "target")
    ((name, function),) = by_name.items()
    return name, function, table


def _check_scaling(scaling: Any, state: FitState, by: str | None) -> None:
    objective = state.objective
    expected = "expected scaling 'fisher', 'sandwich' or 'cluster-sandwich'"
    if scaling not in SCALINGS:
        message = f"must be one of {enumerated(SCALINGS)}, not {shown(scaling)}"
        raise JscaleError(message, argument="scaling")
    if scaling == "likelihood" and not objective.has_scale:
        raise JscaleError(f"{objective} is not a likelihood; {expected}")
    if scaling == "likelihood" and state.weights is not None:
        raise JscaleError(f"{objective} of weighted runs is not a likelihood; {expected}")
    if by is not None and scaling != "cluster-sandwich":
        message = f" belongs to the scaling 'cluster-sandwich', not to {shown(scaling)}"
        raise JscaleError(Argument("by", by), message)


def _with_warnings(result: Profile, best: Point, target: str | TargetFunction) -> Profile:
    """The profile, with its whole range if unidentified, and a status if the fit is uncertified."""
    if isinstance(target, str) and target in unidentified(best):
        transform = target_transform(best.law, result.target, target)
        notes = (*result.notes, *unidentified_note(best))
        result = replace(
            result, low=transform.lower, high=transform.upper, stderr=np.inf, notes=notes
        )

    if not best.certificate.converged:
        message = (
            f"the fit that the profile starts from is not certified: {best.certificate.status}"
        )
        notes = (*result.notes, Note("profile-uncertified", "warning", message, {}))
        result = replace(result, notes=notes, status=Status.not_converged)
    return result
