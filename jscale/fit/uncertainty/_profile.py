"""Profile likelihood intervals, of parameters and of any number made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.objective import (
    Objective,
    Problem,
    Weights,
    column_of,
    few_clusters_note,
    labels_of,
    params_at,
)
from jscale.fit.optimum import FitState, fit_once, of_number, stiffness
from jscale.fit.uncertainty._ends import estimate
from jscale.fit.uncertainty._identified import unidentified, unidentified_note
from jscale.fit.uncertainty._profile_path import (
    FAILED,
    OPEN,
    REACHED,
    STEPS,
    Side,
    Walk,
    locate,
    walk,
)
from jscale.fit.uncertainty._student import student_quantile
from jscale.fit.uncertainty._targets import Quantity, TargetTransform, named, target_transform
from jscale.laws import LawFunction
from jscale.runs import Runs

SCALINGS = ("likelihood", "fisher", "sandwich", "cluster-sandwich")
_FARTHEST, _FARTHEST_LOG = 1e6, 60.0
"""Distance from the estimate at which a side counts as open: in standard errors, and in the
logarithm."""
_MISS = 1e-5
_LOWER = 1e-6
"""Share of the threshold by which a point of the profile must lie below the fit to say that the fit
was no optimum."""
_ROUNDING = 1e-13
"""Of the objective's value, relative."""


@dataclass(frozen=True)
class Profile:
    """The least objective for every value of a target, and the interval that it makes; everything
    is
    float64.

    Attributes:
        target: name of the number.
        estimate: its value at the best fit.
        level: coverage that the interval is made for.
        low: lower end; the edge of the target's range where the profile never reaches the
            threshold.
        high: upper end, likewise.
        levels: (points,) values of the target, in order.
        deviance: (points,) twice the rise of the objective over its scale; the interval is where it
            is below ``threshold``.
        params: parameter → (points,) the best parameters at every value.
        threshold: quantile of chi-squared with one degree of freedom; where the objective's scale
            is estimated, of F with 1 and n - k degrees of freedom, or by cluster 1 and one less
            than there are clusters.
        scaling: what the objective is measured by: "likelihood" for itself, or the variance that it
            is brought to.
        scale: the number that the objective is divided by.
        stderr: standard error of the target, or of its logarithm, by that variance.
        log: whether the walk and ``stderr`` are on the logarithm.
        status: ``converged``, or ``not_converged`` where a side failed or the fit was no optimum.
        notes: doubts and remarks.
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
        return f"<Profile {self.target}={self.estimate:.6g}: {self.low:.6g} to {self.high:.6g} at {self.level:g}>"


@in_float64
def profile(
    law: LawFunction,
    table: Runs,
    target: str | Quantity | Mapping[str, Quantity],
    *,
    level: float = 0.9,
    objective: str | Objective = "huber",
    scaling: Literal["likelihood", "fisher", "sandwich", "cluster-sandwich"] | None = None,
    by: str | None = None,
    weights: Weights = None,
    starts: int = 64,
) -> Profile:
    """The interval in which the best objective stays within a level's threshold of the least.

    The interval of a function of a target is the function of its interval; nothing is linearised.

    A likelihood is compared with its least by chi-squared. Another objective (squares, a Huber sum)
    has no scale of its
    own, nor has a likelihood whose runs are weighted: its rise is divided by the ratio of the
    target's variance, by default the sandwich, to the one that its curvature implies (Rotnitzky &
    Jewell 1990; Pace, Salvan & Sartori 2011), so that the interval holds for robust objectives and,
    by cluster, for errors that runs share.

    Args:
        law: a declared law.
        table: validated runs.
        target: a parameter, or a JAX function from parameters (by name) to a number; as a mapping,
            under a name. A function that says ``positive = True`` of itself is walked along its
            logarithm.
        level: coverage of the interval.
        objective: as for :func:`jscale.fit.point`.
        scaling: what the objective is measured by: "likelihood", "fisher", "sandwich" or
            "cluster-sandwich"; by default "likelihood" where it is one without weights, else
            "sandwich", and with ``by`` "cluster-sandwich".
        by: column whose equal values make a cluster; "cluster-sandwich" takes ``group``, or the
            sizes, without it.
        weights: as for :func:`jscale.fit.point`.
        starts: number of starting points of the fit.

    Raises:
        JscaleError: as :func:`jscale.fit.point`; or a target, level, scaling or clusters that do
            not make sense.
    """
    check_level(level)
    wanted = named(law, target if isinstance(target, Mapping | str) else [target])
    if len(wanted) != 1:
        raise JscaleError(f"profile takes one target, not {len(wanted)}: {', '.join(wanted)}")
    best, state, data = fit_once(law, table, objective, starts, weights)
    measure = str(scaling or ("cluster-sandwich" if by else default_scaling(state)))
    _check_scaling(measure, state, by)
    labels = None
    if measure == "cluster-sandwich":
        labels = labels_of(table, data, column_of(table, data, by))
    ((name, what),) = wanted.items()
    if state.degrees() <= 0:
        aim, said = (
            target_transform(law, name, what),
            tuple(note for note in best.notes if note.code == "saturated"),
        )
        return _blank(aim, estimate(aim, best.params), level, measure, said)
    found = profiled(state, name, what, level, scaling=measure, labels=labels)
    found = replace(found, notes=(*found.notes, *few_clusters_note(labels)))
    if isinstance(what, str) and what in unidentified(best):
        aim = target_transform(law, name, what)
        notes = (*found.notes, *unidentified_note(best))
        found = replace(found, low=aim.lower, high=aim.upper, stderr=np.inf, notes=notes)
    return (
        found if best.certificate.converged else _uncertified(found, str(best.certificate.status))
    )


def default_scaling(state: FitState) -> str:
    """What an objective is measured by unless somebody says otherwise."""
    return "likelihood" if state.goal.has_scale and state.weights is None else "sandwich"


def _check_scaling(scaling: Any, state: FitState, by: str | None) -> None:
    goal = state.goal
    if scaling not in SCALINGS:
        raise JscaleError(f"scaling must be one of {', '.join(SCALINGS)}, not {scaling!r}")
    if scaling == "likelihood" and not goal.has_scale:
        raise JscaleError(
            f"{goal} is no likelihood; expected scaling 'fisher', 'sandwich' or 'cluster-sandwich'"
        )
    if scaling == "likelihood" and state.weights is not None:
        raise JscaleError(
            f"{goal} of weighted runs is no likelihood; expected scaling 'fisher', 'sandwich' or 'cluster-sandwich'"
        )
    if by is not None and scaling != "cluster-sandwich":
        raise JscaleError(
            f"by={by!r} belongs to the scaling 'cluster-sandwich', not to {scaling!r}"
        )


def _uncertified(found: Profile, status: str) -> Profile:
    message = f"the fit that the profile starts from is not certified: {status}"
    notes = (*found.notes, Note("profile-uncertified", "warning", message, {}))
    return replace(found, notes=notes, status=Status.not_converged)


def profiled(
    state: FitState,
    name: str,
    target: str | Quantity,
    level: float,
    *,
    scaling: str,
    labels: np.ndarray | None = None,
) -> Profile:
    """The profile of one target about a fit; in a float64 scope."""
    aim = target_transform(state.law, name, target)
    start = jnp.asarray(state.free)
    place, gradient = locate(
        state.law, state.goal, aim.function, state.fit_data, (start, aim.choice)
    )
    if not (np.isfinite(place) and np.isfinite(gradient).all()):
        return _nowhere(aim, float(aim.natural(place)), level, scaling)
    spread, unit, known = _scale(state, np.asarray(gradient), scaling, labels, float(place))
    goal = student_quantile(level, np.inf if scaling == "likelihood" else state.degrees(labels))
    farthest = _FARTHEST_LOG if aim.log else _FARTHEST * spread
    request = Walk(
        state.stages, aim.choice, start, *(jnp.asarray(x) for x in (spread, unit, goal, farthest))
    )
    sides = walk(state.law, state.goal, aim.function, state.fit_data, request)
    low, high = (jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), sides) for i in (0, 1))
    levels, rises, free = _joined(low, high, float(place), np.asarray(state.free))
    path = _along(state, free)
    ends, notes = _ends(aim, (low, high), goal, level)
    lowest = float(rises.min())
    lower = lowest < -_LOWER * 0.5 * unit * goal**2 and lowest < -_rounding(state)
    if lower:
        message = f"the profile of {name} passes an objective {-lowest:.3g} below the fit's: the fit was no optimum"
        notes.append(Note("profile-below-fit", "error", message, {"rise": lowest}))
    broken = lower or any(note.code == "profile-failed" for note in notes)
    return Profile(
        target=name,
        estimate=float(aim.natural(place)),
        level=level,
        low=ends[0],
        high=ends[1],
        levels=aim.natural(levels),
        deviance=2 * rises / unit,
        params=path,
        threshold=goal**2,
        scaling=scaling,
        scale=unit,
        stderr=spread if known else np.inf,
        log=aim.log,
        status=Status.not_converged if broken else Status.converged,
        notes=tuple(notes),
    )


def _rounding(state: FitState) -> float:
    """Change of the objective at the fit that arithmetic alone may make."""
    problem = Problem(state.law, state.goal, state.fit_data)
    return problem.resolution + _ROUNDING * abs(float(problem.value(jnp.asarray(state.free))))


def _scale(
    state: FitState, gradient: np.ndarray, scaling: str, labels: np.ndarray | None, place: float
) -> tuple[float, float, bool]:
    """Standard error of the target, the objective's unit, and whether the runs determine them at
    all.
    """
    stiff = float(gradient @ state.stiff_inverse() @ gradient)
    kind = "fisher" if scaling == "likelihood" else scaling
    variance = of_number(gradient, state.free_covariance(kind, labels))
    known = 0 < variance < np.inf and 0 < stiff < np.inf
    unit = 1.0 if scaling == "likelihood" else variance / stiff if known else _dispersion(state)
    return (float(np.sqrt(variance)) if known else 0.1 * max(abs(place), 1.0)), unit, known


def _dispersion(state: FitState) -> float:
    """The objective's unit where the target's own variances are unknown: that of independent
    residuals of one size.
    """
    residual = state.local.residuals
    n, k = state.local.jacobian.shape
    noise = float(np.sum(state.slope(residual) ** 2)) / max(n - k, 1)
    return max(noise / max(float(stiffness(residual, state.slope).mean()), 1e-300), 1e-300)


def _along(state: FitState, free: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters, name → (points,), at free vectors (points, k)."""
    padded = np.resize(
        free, (2 * STEPS + 1, free.shape[1])
    )  # always of one shape, so that it is compiled once
    found = params_at(state.law, state.goal, state.fit_data, jnp.asarray(padded))
    return {name: np.asarray(column)[: len(free)] for name, column in found.items()}


def _joined(
    low: Side, high: Side, place: float, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, rises and free vectors of both sides and of the optimum, in order of level."""
    parts: list[tuple[Any, Any, Any]] = [(np.array([place]), np.zeros(1), free[None])]
    parts += [
        (side.levels[: side.count], side.rises[: side.count], side.free[: side.count])
        for side in (low, high)
    ]
    levels, rises, paths = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(levels, kind="stable")
    return levels[order], rises[order], paths[order]


def _ends(
    aim: TargetTransform, sides: tuple[Side, Side], goal: float, level: float
) -> tuple[list[float], list[Note]]:
    ends, notes = [], []
    for side, edge, word in zip(sides, (aim.lower, aim.upper), ("lower", "upper"), strict=True):
        reached = int(side.outcome) == REACHED
        ends.append(float(aim.natural(side.end)) if reached else edge)
        if int(side.outcome) == OPEN:
            far = float(aim.natural(side.end))
            message = (
                f"{aim.name} has no {word} end at level {level:g}: out to {far:.4g} the objective never rises to the "
                f"threshold"
            )
            notes.append(
                Note(
                    "profile-open",
                    "warning",
                    message,
                    {"target": aim.name, "side": word, "reached": far},
                )
            )
        elif int(side.outcome) == FAILED or abs(float(side.miss)) > _MISS * goal:
            message = f"the walk to the {word} end of {aim.name} met no minimum; that end of the interval is a bound only"
            notes.append(
                Note("profile-failed", "warning", message, {"target": aim.name, "side": word})
            )
    return ends, notes


def _nowhere(aim: TargetTransform, estimate: float, level: float, scaling: str) -> Profile:
    """The profile of a target that has no finite value, or no derivative, at the best fit."""
    message = (
        f"{aim.name} is {estimate:g} at the best fit, or has no derivative there: it has no profile"
    )
    return _blank(
        aim,
        estimate,
        level,
        scaling,
        (Note("profile-failed", "warning", message, {"target": aim.name}),),
    )


def _blank(
    aim: TargetTransform, estimate: float, level: float, scaling: str, notes: tuple[Note, ...]
) -> Profile:
    """A profile without a walk, of which the interval is the whole range."""
    none = np.zeros(0)
    return Profile(
        aim.name,
        estimate,
        level,
        aim.lower,
        aim.upper,
        none,
        none,
        {},
        student_quantile(level, np.inf) ** 2,
        scaling,
        np.inf,
        np.inf,
        aim.log,
        Status.not_converged,
        notes,
    )
