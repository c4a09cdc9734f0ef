"""Every kind of interval of every target, side by side."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import jax
import numpy as np

from jscale._core.checks import check_key, check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, plural, shown
from jscale.fit.objective import Objective, Weights, cluster_labels, few_clusters_note
from jscale.fit.optimum import FitContext, Point, resolve_point
from jscale.fit.uncertainty._bootstrap import Resampling, bootstrap_point, rows_resampled_note
from jscale.fit.uncertainty._covariance import COVARIANCE_KINDS
from jscale.fit.uncertainty._ends import (
    nan_note,
    percentiles,
    push_forward,
    target_value,
    wald_interval,
)
from jscale.fit.uncertainty._identified import unbounded_targets, unidentified, unidentified_note
from jscale.fit.uncertainty._kinds import (
    BOOTSTRAP_KINDS,
    CLUSTER_KINDS,
    INTERVAL_KINDS,
    PROFILE_KINDS,
    RESAMPLING_OF,
    bootstrap_key,
    check_kinds,
    choose_kinds,
)
from jscale.fit.uncertainty._profile_target import default_scaling, profile_target
from jscale.fit.uncertainty._resampling import check_draws
from jscale.fit.uncertainty._targets import (
    TargetFunction,
    TargetTransform,
    target_transform,
    targets_by_name,
)
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import TableLike

Targets = str | Sequence[str | TargetFunction] | Mapping[str, TargetFunction]


@dataclass(frozen=True)
class Interval:
    """One interval of one target.

    Attributes:
        target: name of the target.
        kind: one of :data:`jscale.fit.INTERVAL_KINDS`.
        estimate: the target at the best fit.
        low: lower end.
        high: upper end.
    """

    target: str
    kind: str
    estimate: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Distance between the ends."""
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of several kinds, side by side.

    Attributes:
        rows: target by target, in the order of the kinds.
        level: nominal coverage.
        point: the fit that they belong to.
        by: column whose equal values make a cluster; None where no kind needs one.
        draws: refits of each bootstrap.
        seconds: kind → wall time, compilation included.
        notes: warnings and remarks, those of the point included.
    """

    rows: tuple[Interval, ...]
    level: float
    point: Point
    by: str | None
    draws: int
    seconds: Mapping[str, float]
    notes: tuple[Note, ...]

    def of(self, target: str, kind: str) -> Interval:
        """The interval of this target and kind.

        Raises:
            JscaleError: there is none.
        """
        for row in self.rows:
            if (row.target, row.kind) == (target, kind):
                return row
        targets, kinds = (self._distinct(name) for name in ("target", "kind"))
        raise JscaleError(
            f"there is no {shown(kind)} interval of {shown(target)}; "
            f"targets: {enumerated(targets)}; kinds: {enumerated(kinds)}"
        )

    def _distinct(self, attribute: str) -> list[str]:
        """The targets, or the kinds, of the intervals, in order."""
        return list(dict.fromkeys(getattr(row, attribute) for row in self.rows))

    def __repr__(self) -> str:
        targets = plural(len(self._distinct("target")), "target")
        kinds = plural(len(self._distinct("kind")), "kind")
        size = f"{targets} x {kinds} at {self.level:.4g}"
        name, ending = describe(self.point.law).name, self.point.certificate.status
        return f"<Intervals {name}: {size}; {ending}>"


@overload
def intervals(
    law: Point,
    table: None = None,
    *,
    key: jax.Array | None = None,
    targets: Targets | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.9,
    draws: int = 1000,
    by: str | None = None,
    progress: bool = False,
) -> Intervals: ...


@overload
def intervals(
    law: LawFunction | str,
    table: TableLike,
    *,
    key: jax.Array | None = None,
    targets: Targets | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.9,
    draws: int = 1000,
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
    progress: bool = False,
) -> Intervals: ...


@in_float64
def intervals(
    law: LawFunction | str | Point,
    table: TableLike | None = None,
    *,
    key: jax.Array | None = None,
    targets: Targets | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.9,
    draws: int = 1000,
    by: str | None = None,
    objective: str | Objective | None = None,
    weights: Weights = None,
    starts: int | None = None,
    progress: bool = False,
) -> Intervals:
    """Intervals of every kind for parameters and functions of them.

    ``intervals(point, ...)`` uses a fit that exists; ``intervals(law, table, ...)`` makes one
    first.

    "fisher", "sandwich" and "cluster-sandwich" are the estimate and its standard error (delta
    method), on a logarithmic scale for positive targets; the bootstraps are percentiles of refits;
    "profile" and "cluster-profile" are those of :func:`jscale.fit.profile`. When kinds disagree,
    they assume different things about the errors:

    - "fisher" and "bootstrap-parametric": independent errors of one size, or of the sizes that the
      weights imply;
    - "sandwich", "bootstrap-rows", "bootstrap-wild" and "profile": independent errors of any sizes
      ("profile" of a likelihood: errors of that likelihood's distribution);
    - the cluster kinds: errors that are independent between clusters.

    Standard errors and profiles use Student's t, with n - k degrees of freedom or one less than
    there are clusters; the profile of a likelihood uses chi-squared. An unidentified parameter has
    its whole range in every kind, and so has every target where there are as many parameters as
    runs.

    Source of the degrees of freedom by cluster: Cameron & Miller 2015.

    Args:
        law: a fitted :class:`jscale.fit.Point`, or a declared law.
        table: validated runs, with a law only.
        key: a JAX random key, for the bootstrap kinds; the same key gives the same bytes.
        targets: parameters, or JAX functions of the parameters by name (see
            :func:`jscale.fit.profile`); all parameters for None.
        kinds: some of :data:`jscale.fit.INTERVAL_KINDS`; all that the table allows for None.
        level: coverage of the intervals.
        draws: refits of each bootstrap.
        by: column whose equal values make a cluster; for None the first that runs share of
            ``trunk``, ``run_id``, the trained model, ``group`` and ``N``.
        objective: as for :func:`jscale.fit.point`; None for "huber", or what the point minimised.
        weights: as for :func:`jscale.fit.point`; None for none, or those of the point.
        starts: number of starting points of the fit; None for 64.
        progress: show progress bars on stderr.

    Returns:
        One row for each target and kind, with the fit and notes.

    Raises:
        JscaleError: as :func:`jscale.fit.point` and :func:`jscale.fit.bootstrap`; an unknown kind
            or target; a cluster kind for runs without clusters; or arguments that contradict the
            point.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> result = fit.intervals(point, key=jax.random.key(1), kinds=["fisher", "sandwich"])
        >>> for kind in ("fisher", "sandwich"):
        ...     row = result.of("alpha", kind)
        ...     print(f"{kind}: {row.low:.2f} to {row.high:.2f}")
        fisher: 0.25 to 0.36
        sandwich: 0.19 to 0.49
    """
    check_level(level)
    check_draws(draws)
    # Every table allows a bootstrap of the rows, so that all kinds need a key.
    _check_key_for(INTERVAL_KINDS if kinds is None else check_kinds(kinds), key)
    # A law that is not one gets its own message from describe.
    requested = targets_by_name(law.law if isinstance(law, Point) else as_law(law), targets)
    best, context = resolve_point(
        law, table, objective=objective, weights=weights, starts=starts, caller="intervals"
    )

    state = context.state
    choice = choose_kinds(context.table, context.data, kinds, by, state.objective)
    labels = None
    if choice.by is not None:
        labels = cluster_labels(context.table, context.data, choice.by)

    unbounded = unbounded_targets(best, requested)
    transforms = {name: target_transform(best.law, name, t) for name, t in requested.items()}
    bounded = {name: target for name, target in requested.items() if name not in unbounded}
    job = _Job(best, context, bounded, transforms, level, labels, key, draws, progress)
    ends, seconds, new_notes = job.all_ends(choice.kinds)
    for name in unbounded:
        full_range = (transforms[name].lower, transforms[name].upper)
        ends |= {(name, kind): full_range for kind in choice.kinds}

    rows = []
    for name, transform in transforms.items():
        estimate = target_value(transform, best.params)
        rows += [Interval(name, kind, estimate, *ends[name, kind]) for kind in choice.kinds]

    notes = [
        *best.notes,
        *choice.notes,
        *few_clusters_note(labels),
        *unidentified_note(best),
        *new_notes,
        *missing_value_notes(rows),
    ]
    unique = tuple({(note.code, note.message): note for note in notes}.values())
    return Intervals(tuple(rows), level, best, choice.by, draws, seconds, unique)


def _check_key_for(kinds: Sequence[str], key: Any) -> None:
    """Check the random key, which only bootstraps need.

    Raises:
        JscaleError: no key for a bootstrap, or something that is not a key.
    """
    if key is not None:
        check_key(key)
        return
    if drawn := [kind for kind in kinds if kind in BOOTSTRAP_KINDS]:
        message = (
            f": none was given, and kind {shown(drawn[0])} draws random numbers; expected a JAX "
            "random key such as jax.random.key(0)"
        )
        raise JscaleError(message, argument="key")


def missing_value_notes(rows: Sequence[Interval]) -> list[Note]:
    """A warning for each target without a value at the fit."""
    names = dict.fromkeys(row.target for row in rows if np.isnan(row.estimate))
    message = "has no value at the best fit, so its intervals are undefined"
    return [
        Note("target-without-value", "warning", f"{name} {message}", {"target": name})
        for name in names
    ]


def _unidentified_targets_note(names: Sequence[str]) -> list[Note]:
    """A warning about bootstraps of functions of unidentified parameters."""
    if not names:
        return []

    message = (
        f"the data may not identify {enumerated(names)}: its standard error is infinite, and "
        "bootstrap intervals can be far too short, since refits start at one point of a ridge and "
        "stay near it; a profile follows the ridge"
    )
    return [Note("unidentified-target", "warning", message, {"targets": list(names)})]


_Ends = dict[str, tuple[float, float]]
"""Target → both ends of its interval."""


@dataclass(frozen=True)
class _Job:
    """A fit and the arguments of :func:`intervals`, with the targets that have finite intervals."""

    best: Point
    context: FitContext
    targets: Mapping[str, str | TargetFunction]
    transforms: Mapping[str, TargetTransform]
    level: float
    labels: np.ndarray | None
    key: Any
    draws: int
    progress: bool

    def all_ends(
        self, kinds: Sequence[str]
    ) -> tuple[dict[tuple[str, str], tuple[float, float]], dict[str, float], list[Note]]:
        """Ends by target and kind, wall time (s) by kind, and notes."""
        ends: dict[tuple[str, str], tuple[float, float]] = {}
        seconds: dict[str, float] = {}
        notes: list[Note] = []
        for kind in kinds:
            start = time.perf_counter()
            by_target, new_notes = self._ends(kind) if self.targets else ({}, [])
            seconds[kind] = time.perf_counter() - start
            notes += new_notes
            ends |= {(name, kind): pair for name, pair in by_target.items()}
        return ends, seconds, notes

    def _ends(self, kind: str) -> tuple[_Ends, Sequence[Note]]:
        labels = self.labels if kind in CLUSTER_KINDS else None
        if kind in COVARIANCE_KINDS:
            return self._wald(kind, labels), []
        if kind in PROFILE_KINDS:
            return self._profile(kind, labels)
        if kind in BOOTSTRAP_KINDS:
            return self._bootstrap(kind, labels)
        raise ValueError(f"unknown kind of interval: {kind!r}")

    def _wald(self, kind: str, labels: np.ndarray | None) -> _Ends:
        state, params = self.context.state, self.best.params
        covariance, df = state.covariance(kind, labels), state.degrees(labels)
        return {
            name: wald_interval(self.transforms[name], params, covariance, self.level, df)
            for name in self.targets
        }

    def _profile(self, kind: str, labels: np.ndarray | None) -> tuple[_Ends, Sequence[Note]]:
        state = self.context.state
        scaling = default_scaling(state) if kind == "profile" else "cluster-sandwich"
        profiles = {
            name: profile_target(state, name, target, self.level, scaling=scaling, labels=labels)
            for name, target in self.targets.items()
        }
        ends = {name: profile.interval for name, profile in profiles.items()}
        return ends, [note for profile in profiles.values() for note in profile.notes]

    def _bootstrap(self, kind: str, labels: np.ndarray | None) -> tuple[_Ends, Sequence[Note]]:
        key = bootstrap_key(self.key, kind)
        request = Resampling(
            RESAMPLING_OF[kind], labels, int(self.draws), key, "rademacher", self.progress
        )
        result = bootstrap_point(self.best, self.context, request)
        converged = {name: column[result.settled] for name, column in result.draws.items()}

        ends, notes = {}, [*result.notes]
        notes += rows_resampled_note(self.context.table, self.context.data, request.kind)
        for name in self.targets:
            transform = self.transforms[name]
            values = push_forward(transform, converged)
            ends[name] = percentiles(values, self.level, (transform.lower, transform.upper))
            notes += nan_note(name, kind, values)
        if unidentified(self.best):
            notes += _unidentified_targets_note(self._infinite_targets())
        return ends, notes

    def _infinite_targets(self) -> tuple[str, ...]:
        """Targets of infinite standard error: they depend on unidentified parameters."""
        ranges = {name: (each.lower, each.upper) for name, each in self.transforms.items()}
        wald = self._wald("sandwich", None)
        return tuple(name for name, ends in wald.items() if ends == ranges[name])
