"""The profile of one target about a fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.fit.objective import (
    Problem,
    objective_at,
    params_at,
)
from jscale.fit.optimum import (
    FitState,
    delta_method_variance,
    smoothed_score_derivative,
)
from jscale.fit.uncertainty._ends import student_quantile
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
from jscale.fit.uncertainty._targets import (
    TargetFunction,
    TargetTransform,
    target_transform,
)

_MAX_DISTANCE, _MAX_LOG_DISTANCE = 1e6, 60.0
"""Distance from the estimate at which a side counts as open: in standard errors, and in the
logarithm."""
_GAP_TOLERANCE = 1e-5
"""Distance of an end from the threshold, relative to it, above which the side has failed."""
_BELOW_TOLERANCE = 1e-6
"""Share of the threshold by which a point of the profile must lie below the fit to show that the
fit was not an optimum."""
_ROUNDING = 1e-13
"""Rounding error of the objective, relative to its value."""


@dataclass(frozen=True, eq=False)
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
        status: ``converged``, or ``not_converged`` where a side failed or the fit was not an
            optimum.
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


def default_scaling(state: FitState) -> str:
    """The unit in which an objective is measured by default."""
    return "likelihood" if state.objective.has_scale and state.weights is None else "sandwich"


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
    low, high = (jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], both) for i in (0, 1))

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
        params=_path_params(state, free),
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
    law, objective, fit_data = state.law, state.objective, state.fit_data
    problem = Problem(law, objective, fit_data)
    at_fit = objective_at(law, objective, fit_data, jnp.asarray(state.free))
    rounding = problem.resolution + _ROUNDING * abs(at_fit)
    if lowest >= -_BELOW_TOLERANCE * 0.5 * threshold or lowest >= -rounding:
        return []

    message = (
        f"the profile of {name} passes an objective {-lowest:.3g} below the fit's: "
        "the fit was not an optimum"
    )
    return [Note("profile-below-fit", "error", message, {"rise": lowest})]


def _scale(
    state: FitState, gradient: np.ndarray, scaling: str, labels: np.ndarray | None, centre: float
) -> tuple[float, float, bool]:
    """Standard error of the target, the objective's unit, and whether both are finite."""
    curvature = float(gradient @ state.inverse_curvature() @ gradient)
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
    with np.errstate(over="ignore"):
        noise = float(np.sum(state.score(residual) ** 2)) / max(n - k, 1)
    return max(
        noise / max(float(smoothed_score_derivative(residual, state.score).mean()), 1e-300), 1e-300
    )


def _path_params(state: FitState, free: np.ndarray) -> dict[str, np.ndarray]:
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
    return without_path(transform, estimate, level, scaling, (note,))


def without_path(
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
