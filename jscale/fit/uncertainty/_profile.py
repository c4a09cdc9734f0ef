"""Profile likelihood intervals of parameters and of functions of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.objective import (
    Objective,
    Problem,
    Weights,
    cluster_column,
    cluster_labels,
    few_clusters_note,
    params_at,
)
from jscale.fit.optimum import (
    FitState,
    Point,
    delta_method_variance,
    resolve_point,
    smoothed_score_derivative,
)
from jscale.fit.uncertainty._ends import target_value
from jscale.fit.uncertainty._identified import unidentified, unidentified_note
from jscale.fit.uncertainty._profile_path import (
    FAILED,
    OPEN,
    REACHED,
    STEPS,
    PathRequest,
    ProfileSide,
    target_and_gradient,
    trace_profile,
)
from jscale.fit.uncertainty._student import student_quantile
from jscale.fit.uncertainty._targets import (
    TargetFunction,
    TargetTransform,
    target_transform,
    targets_by_name,
)
from jscale.laws import LawFunction
from jscale.runs import Runs

SCALINGS = ("likelihood", "fisher", "sandwich", "cluster-sandwich")
Scaling = Literal["likelihood", "fisher", "sandwich", "cluster-sandwich"]
ProfileTarget = str | TargetFunction | Mapping[str, TargetFunction]

_MAX_DISTANCE, _MAX_LOG_DISTANCE = 1e6, 60.0
"""Distance from the estimate at which a side counts as open: in standard errors, and in the
logarithm."""
_GAP_TOLERANCE = 1e-5
"""Distance of an end from the threshold, relative to it, above which the side has failed."""
_BELOW_TOLERANCE = 1e-6
"""Share of the threshold by which a point of the profile must lie below the fit to show that the
fit was no optimum."""
_ROUNDING = 1e-13
"""Rounding error of the objective, relative to its value."""


@dataclass(frozen=True)
class Profile:
    """The least objective for every value of a target, and the interval that it implies.

    Everything is float64.

    Attributes:
        target: name of the target.
        estimate: its value at the best fit.
        level: nominal coverage of the interval.
        low: lower end; the bound of the target's range where the profile never reaches the
            threshold.
        high: upper end, likewise.
        levels: (points,) values of the target, in increasing order.
        deviance: (points,) twice the increase of the objective over its scale; the interval is
            where it is below ``threshold``.
        params: parameter → (points,) the best parameters at every value.
        threshold: quantile of chi-squared with one degree of freedom; where the objective's scale
            is estimated, of F with 1 and n - k degrees of freedom, or by cluster 1 and one less
            than there are clusters.
        scaling: unit of the objective: "likelihood" for its own, else the variance to which it is
            scaled.
        scale: the number that the objective is divided by.
        stderr: standard error of the target, or of its logarithm, by that variance.
        log: whether the path and ``stderr`` are those of the logarithm.
        status: ``converged``, or ``not_converged`` where a side failed or the fit was no optimum.
        notes: warnings and remarks.
    """

    target: str
    estimate: float
    level: float
    low: float
    high: float
    levels: np.ndarray
    deviance: np.ndarray
    params: Mapping[str, np.ndarray]
    threshold: float
    scaling: str
    scale: float
    stderr: float
    log: bool
    status: Status
    notes: tuple[Note, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high

    def __repr__(self) -> str:
        ends = f"{self.low:.6g} to {self.high:.6g} at {self.level:g}"
        return f"<Profile {self.target}={self.estimate:.6g}: {ends}>"


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
    law: LawFunction,
    table: Runs,
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
    law: LawFunction | Point,
    table: Runs | ProfileTarget | None = None,
    target: ProfileTarget | None = None,
    *,
    level: float = 0.9,
    objective: str | Objective | None = None,
    scaling: Scaling | None = None,
    by: str | None = None,
    weights: Weights = None,
    starts: int | None = None,
) -> Profile:
    """The interval in which the best objective stays within a level's threshold of the least.

    ``profile(point, target)`` uses a fit that exists; ``profile(law, table, target)`` makes one
    first.

    The interval of a function of a target is the function of its interval; nothing is linearised.

    A likelihood is compared with its least by chi-squared. Another objective (squares, a Huber sum)
    has no scale of its own, and neither has a likelihood of weighted runs: its increase is divided
    by the ratio of the target's variance, by default the sandwich, to the one that its curvature
    implies (Rotnitzky & Jewell 1990; Pace, Salvan & Sartori 2011), so that the interval holds for
    robust objectives and, by cluster, for errors that runs share.

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
        by: column whose equal values make a cluster; "cluster-sandwich" takes ``group``, or the
            sizes, without it.
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
        1.8 to 1.9 converged
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
        return _without_path(transform, target_value(transform, best.params), level, measure, notes)

    result = profile_target(state, name, function, level, scaling=measure, labels=labels)
    result = replace(result, notes=(*result.notes, *few_clusters_note(labels)))
    return _mark_doubtful(result, best, function)


def _single_target(
    law: LawFunction | Point, table: Any, target: Any
) -> tuple[str, str | TargetFunction, Runs | None]:
    """Name and function of the target, and the table, from the arguments of :func:`profile`.

    Raises:
        JscaleError: no target or several of them, or one that does not exist.
    """
    if isinstance(law, Point) and target is None and not isinstance(table, Runs):
        table, target = None, table
    if target is None:
        message = ": none was given; expected a parameter or a function of the parameters"
        raise JscaleError(message, argument="target")

    named = isinstance(target, Mapping | str)
    declared = law.law if isinstance(law, Point) else law
    by_name = targets_by_name(declared, target if named else [target])
    if len(by_name) != 1:
        raise JscaleError(f"profile takes one target, not {len(by_name)}: {', '.join(by_name)}")
    ((name, function),) = by_name.items()
    return name, function, table


def default_scaling(state: FitState) -> str:
    """The unit in which an objective is measured by default."""
    return "likelihood" if state.objective.has_scale and state.weights is None else "sandwich"


def _check_scaling(scaling: Any, state: FitState, by: str | None) -> None:
    objective = state.objective
    expected = "expected scaling 'fisher', 'sandwich' or 'cluster-sandwich'"
    if scaling not in SCALINGS:
        message = f"must be one of {', '.join(SCALINGS)}, not {scaling!r}"
        raise JscaleError(message, argument="scaling")
    if scaling == "likelihood" and not objective.has_scale:
        raise JscaleError(f"{objective} is not a likelihood; {expected}")
    if scaling == "likelihood" and state.weights is not None:
        raise JscaleError(f"{objective} of weighted runs is not a likelihood; {expected}")
    if by is not None and scaling != "cluster-sandwich":
        message = f" belongs to the scaling 'cluster-sandwich', not to {scaling!r}"
        raise JscaleError(Argument("by", by), message)


def _mark_doubtful(result: Profile, best: Point, target: str | TargetFunction) -> Profile:
    """The profile, with its whole range if unidentified, and a status if the fit is uncertified."""
    if isinstance(target, str) and target in unidentified(best):
        whole = target_transform(best.law, result.target, target)
        notes = (*result.notes, *unidentified_note(best))
        result = replace(result, low=whole.lower, high=whole.upper, stderr=np.inf, notes=notes)

    if not best.certificate.converged:
        message = (
            f"the fit that the profile starts from is not certified: {best.certificate.status}"
        )
        notes = (*result.notes, Note("profile-uncertified", "warning", message, {}))
        result = replace(result, notes=notes, status=Status.not_converged)
    return result


def profile_target(
    state: FitState,
    name: str,
    target: str | TargetFunction,
    level: float,
    *,
    scaling: str,
    labels: np.ndarray | None = None,
) -> Profile:
    """The profile of one target about a fit; in a float64 scope."""
    transform = target_transform(state.law, name, target)
    law, objective, fit_data = state.law, state.objective, state.fit_data
    start = jnp.asarray(state.free)
    at = (start, transform.choice)
    centre, gradient = target_and_gradient(law, objective, transform.function, fit_data, at)
    if not (np.isfinite(centre) and np.isfinite(gradient).all()):
        return _without_value(transform, float(transform.natural(centre)), level, scaling)

    spread, unit, known = _scale(state, np.asarray(gradient), scaling, labels, float(centre))
    df = np.inf if scaling == "likelihood" else state.degrees(labels)
    threshold = student_quantile(level, df)
    max_distance = _MAX_LOG_DISTANCE if transform.log else _MAX_DISTANCE * spread
    numbers = (jnp.asarray(x) for x in (spread, unit, threshold, max_distance))
    request = PathRequest(state.stages, transform.choice, start, *numbers)
    both = trace_profile(law, objective, transform.function, fit_data, request)
    low, high = (jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), both) for i in (0, 1))

    levels, increases, free = _joined(low, high, float(centre), np.asarray(state.free))
    ends, notes = _ends(transform, (low, high), threshold, level)
    notes += _below_fit_note(state, name, float(increases.min()), unit * threshold**2)
    failed = any(note.code in ("profile-failed", "profile-below-fit") for note in notes)
    return Profile(
        target=name,
        estimate=float(transform.natural(centre)),
        level=level,
        low=ends[0],
        high=ends[1],
        levels=transform.natural(levels),
        deviance=2 * increases / unit,
        params=_params_along(state, free),
        threshold=threshold**2,
        scaling=scaling,
        scale=unit,
        stderr=spread if known else np.inf,
        log=transform.log,
        status=Status.not_converged if failed else Status.converged,
        notes=tuple(notes),
    )


def _below_fit_note(state: FitState, name: str, lowest: float, threshold: float) -> list[Note]:
    """An error where the profile passes below the fit.

    ``lowest`` is the least increase of the objective, and ``threshold`` twice its increase at an
    end.
    """
    problem = Problem(state.law, state.objective, state.fit_data)
    at_fit = float(problem.value(jnp.asarray(state.free)))
    rounding = problem.resolution + _ROUNDING * abs(at_fit)
    if lowest >= -_BELOW_TOLERANCE * 0.5 * threshold or lowest >= -rounding:
        return []

    message = (
        f"the profile of {name} passes an objective {-lowest:.3g} below the fit's: "
        "the fit was no optimum"
    )
    return [Note("profile-below-fit", "error", message, {"rise": lowest})]


def _scale(
    state: FitState, gradient: np.ndarray, scaling: str, labels: np.ndarray | None, centre: float
) -> tuple[float, float, bool]:
    """Standard error of the target, the objective's unit, and whether both are finite."""
    curvature = float(gradient @ state.stiff_inverse() @ gradient)
    kind = "fisher" if scaling == "likelihood" else scaling
    variance = delta_method_variance(gradient, state.free_covariance(kind, labels))
    known = 0 < variance < np.inf and 0 < curvature < np.inf
    spread = float(np.sqrt(variance)) if known else 0.1 * max(abs(centre), 1.0)

    if scaling == "likelihood":
        unit = 1.0
    elif known:
        unit = variance / curvature
    else:
        unit = _dispersion(state)
    return spread, unit, known


def _dispersion(state: FitState) -> float:
    """The objective's unit for independent residuals of one size.

    It stands in where the target's own variances are unknown.
    """
    residual = state.linearization.residuals
    n, k = state.linearization.jacobian.shape
    noise = float(np.sum(state.score(residual) ** 2)) / max(n - k, 1)
    return max(noise / max(float(smoothed_score_derivative(residual, state.score).mean()), 1e-300), 1e-300)


def _params_along(state: FitState, free: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters, name → (points,), at free vectors (points, k)."""
    # Always of one shape, so that it is compiled once.
    padded = np.resize(free, (2 * STEPS + 1, free.shape[1]))
    params = params_at(state.law, state.objective, state.fit_data, jnp.asarray(padded))
    return {name: np.asarray(column)[: len(free)] for name, column in params.items()}


def _joined(
    low: ProfileSide, high: ProfileSide, centre: float, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, increases and free vectors of both sides and the optimum, in order of level."""
    parts: list[tuple[Any, Any, Any]] = [(np.array([centre]), np.zeros(1), free[None])]
    for side in (low, high):
        n = int(side.count)
        parts.append((side.levels[:n], side.increases[:n], side.free[:n]))

    levels, increases, paths = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(levels, kind="stable")
    return levels[order], increases[order], paths[order]


def _ends(
    transform: TargetTransform,
    sides: tuple[ProfileSide, ProfileSide],
    threshold: float,
    level: float,
) -> tuple[list[float], list[Note]]:
    """Lower and upper end, and notes on sides that are open or failed."""
    ends, notes = [], []
    bounds = (transform.lower, transform.upper)
    for side, bound, word in zip(sides, bounds, ("lower", "upper"), strict=True):
        outcome = int(side.outcome)
        value = float(transform.natural(side.end))
        ends.append(value if outcome == REACHED else bound)
        evidence: dict[str, Any] = {"target": transform.name, "side": word}
        if outcome == OPEN:
            message = (
                f"{transform.name} has no {word} end at level {level:g}: out to {value:.4g} the "
                "objective never rises to the threshold"
            )
            evidence["reached"] = value
            notes.append(Note("profile-open", "warning", message, evidence))
        elif outcome == FAILED or abs(float(side.gap)) > _GAP_TOLERANCE * threshold:
            message = (
                f"the path to the {word} end of {transform.name} found no minimum; "
                "that end of the interval is only a bound"
            )
            notes.append(Note("profile-failed", "warning", message, evidence))
    return ends, notes


def _without_value(
    transform: TargetTransform, estimate: float, level: float, scaling: str
) -> Profile:
    """The profile of a target that has no finite value, or no derivative, at the best fit."""
    message = (
        f"{transform.name} is {estimate:g} at the best fit, or has no derivative there: "
        "it has no profile"
    )
    note = Note("profile-failed", "warning", message, {"target": transform.name})
    return _without_path(transform, estimate, level, scaling, (note,))


def _without_path(
    transform: TargetTransform,
    estimate: float,
    level: float,
    scaling: str,
    notes: tuple[Note, ...],
) -> Profile:
    """A profile without points; its interval is the whole range."""
    empty = np.zeros(0)
    return Profile(
        target=transform.name,
        estimate=estimate,
        level=level,
        low=transform.lower,
        high=transform.upper,
        levels=empty,
        deviance=empty,
        params={},
        threshold=student_quantile(level, np.inf) ** 2,
        scaling=scaling,
        scale=np.inf,
        stderr=np.inf,
        log=transform.log,
        status=Status.not_converged,
        notes=notes,
    )
