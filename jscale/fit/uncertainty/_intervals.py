"""Every kind of interval of every target, side by side."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jscale._core.checks import check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit.objective import Objective, Weights, few_clusters_note, labels_of
from jscale.fit.optimum import FitState, Point, fit_once
from jscale.fit.uncertainty import _resampling
from jscale.fit.uncertainty._bootstrap import Resampling, resampled, shared
from jscale.fit.uncertainty._covariance import COVARIANCES
from jscale.fit.uncertainty._ends import estimate, nan_note, percentiles, push_forward, wald
from jscale.fit.uncertainty._identified import unbounded_targets, unidentified, unidentified_note
from jscale.fit.uncertainty._kinds import (
    BOOTSTRAP,
    BOOTSTRAPS,
    BY_CLUSTER,
    KINDS,
    PROFILES,
    choose_kinds,
)
from jscale.fit.uncertainty._profile import default_scaling, profiled
from jscale.fit.uncertainty._targets import Quantity, TargetTransform, named, target_transform
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs


@dataclass(frozen=True)
class Interval:
    """One interval of one target.

    Attributes:
        target: name of the number.
        kind: one of :data:`KINDS`.
        estimate: the number at the best fit.
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
        """From end to end."""
        return self.high - self.low


@dataclass(frozen=True)
class Intervals:
    """Intervals of several kinds, side by side.

    Attributes:
        rows: target by target, in the order of the kinds.
        level: coverage that they are made for.
        point: the fit that they belong to.
        by: column whose equal values make a cluster; None where no kind needs one.
        draws: refits of each bootstrap.
        seconds: kind → wall time, compilation included.
        notes: doubts and remarks, those of the point among them.
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
        raise JscaleError(f"there is no {kind!r} interval of {target!r}")

    def __repr__(self) -> str:
        targets, kinds = ({getattr(row, name) for row in self.rows} for name in ("target", "kind"))
        size = f"{len(targets)} targets x {len(kinds)} kinds at {self.level:.4g}"
        return (
            f"<Intervals {describe(self.point.law).name}: {size}; {self.point.certificate.status}>"
        )


@in_float64
def intervals(
    law: LawFunction,
    table: Runs,
    *,
    key: jax.Array,
    targets: str | Sequence[str | Quantity] | Mapping[str, Quantity] | None = None,
    kinds: Sequence[str] | None = None,
    level: float = 0.9,
    draws: int = 1000,
    by: str | None = None,
    objective: str | Objective = "huber",
    weights: Weights = None,
    starts: int = 64,
    progress: bool = False,
) -> Intervals:
    """Intervals of every kind for parameters and for numbers made of them.

    "fisher", "sandwich" and "cluster-sandwich" are the estimate and its standard error (delta
    method), on the logarithm of what is positive; the bootstraps are percentiles of refits;
    "profile" and "cluster-profile" are those of :func:`jscale.fit.profile`. Where kinds differ, a
    belief about the errors makes the difference: "fisher" and "bootstrap-parametric" take them as
    independent and of one size, or of the sizes that weights say, the sandwich, rows and wild as
    independent, the cluster kinds as independent between clusters.

    Standard errors and profiles go by Student's t, with n - k degrees of freedom or one less than
    there are clusters; the profile of a likelihood by chi-squared. A parameter that the runs do not
    tell has its whole range in every kind, and so has every target where there are as many
    parameters as runs.

    Source: of the degrees of freedom by cluster, Cameron & Miller 2015.

    Args:
        law: a declared law.
        table: validated runs.
        key: a JAX random key; the same key gives the same bytes.
        targets: parameters, or JAX functions of the parameters by name (see
            :func:`jscale.fit.profile`); all parameters for None.
        kinds: some of :data:`KINDS`; all that the table allows for None.
        level: coverage of the intervals.
        draws: refits of each bootstrap.
        by: column whose equal values make a cluster; ``group``, or the sizes where they repeat, for
            None.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`.
        starts: number of starting points of the fit.
        progress: show progress bars on stderr.

    Raises:
        JscaleError: as :func:`jscale.fit.point` and :func:`jscale.fit.bootstrap`; an unknown kind
            or target; or a cluster kind for runs that have no clusters.
    """
    check_level(level)
    wanted = named(law, targets)
    best, state, data = fit_once(law, table, objective, starts, weights)
    chosen, column, notes = choose_kinds(table, data, kinds, by, state.goal)
    labels = None if column is None else labels_of(table, data, column)
    if any(kind in BOOTSTRAPS for kind in chosen):
        _resampling.check(draws, key, "rows", "rademacher")
    notes = [*best.notes, *notes, *few_clusters_note(labels), *unidentified_note(best)]
    whole = unbounded_targets(best, wanted)
    aims = {name: target_transform(law, name, target) for name, target in wanted.items()}
    identified = {name: target for name, target in wanted.items() if name not in whole}
    job = _Job(table, best, state, data, identified, aims, level, labels, key, draws, progress)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    seconds: dict[str, float] = {}
    for kind in chosen:
        began = time.perf_counter()
        ends, remarks = job.ends(kind) if identified else ({}, [])
        seconds[kind] = time.perf_counter() - began
        notes += remarks
        found |= {(name, kind): pair for name, pair in ends.items()}
        found |= {(name, kind): (aims[name].lower, aims[name].upper) for name in whole}
    rows = [
        Interval(name, kind, estimate(aims[name], best.params), *found[name, kind])
        for name in wanted
        for kind in chosen
    ]
    notes += valueless(rows)
    unique = tuple({(n.code, n.message): n for n in notes}.values())
    return Intervals(tuple(rows), level, best, column, draws, seconds, unique)


def _along_a_ridge(names: Sequence[str]) -> list[Note]:
    if not names:
        return []
    message = (
        f"these runs may not tell {', '.join(names)}: its standard error is infinite, and bootstrap intervals can be "
        "far too short, since refits begin at one point of a ridge and stay near it; the profile walks along it"
    )
    return [Note("unidentified-target", "warning", message, {"targets": list(names)})]


def valueless(rows: Sequence[Interval]) -> list[Note]:
    """A warning where a target has no value at the fit."""
    names = dict.fromkeys(row.target for row in rows if np.isnan(row.estimate))
    message = "has no value at the best fit: its intervals mean nothing"
    return [
        Note("target-without-value", "warning", f"{name} {message}", {"target": name})
        for name in names
    ]


_Ends = tuple[dict[str, tuple[float, float]], Sequence[Note]]
"""Target → both ends, and what to remark."""


@dataclass(frozen=True)
class _Job:
    """A fit and what is asked of it: the targets that the runs tell, and their aims."""

    table: Runs
    best: Point
    state: FitState
    data: Data
    identified: Mapping[str, str | Quantity]
    aims: Mapping[str, TargetTransform]
    level: float
    labels: np.ndarray | None
    key: jax.Array
    draws: int
    progress: bool

    def ends(self, kind: str) -> _Ends:
        """The intervals of one kind."""
        labels = self.labels if kind in BY_CLUSTER else None
        if kind in COVARIANCES:
            return self._wald(kind, labels)
        return self._profiled(kind, labels) if kind in PROFILES else self._resampled(kind, labels)

    def _wald(self, kind: str, labels: np.ndarray | None) -> _Ends:
        spread, df = self.state.covariance(kind, labels), self.state.degrees(labels)
        return {
            n: wald(self.aims[n], self.best.params, spread, self.level, df) for n in self.identified
        }, []

    def _profiled(self, kind: str, labels: np.ndarray | None) -> _Ends:
        scaling = default_scaling(self.state) if kind == "profile" else "cluster-sandwich"
        made = {
            name: profiled(self.state, name, target, self.level, scaling=scaling, labels=labels)
            for name, target in self.identified.items()
        }
        return {n: one.interval for n, one in made.items()}, [
            note for one in made.values() for note in one.notes
        ]

    def _resampled(self, kind: str, labels: np.ndarray | None) -> _Ends:
        own = jax.random.fold_in(self.key, KINDS.index(kind))
        job = Resampling(BOOTSTRAP[kind], labels, int(self.draws), own, "rademacher", self.progress)
        made = resampled(self.best, self.state.free, self.state.goal, self.data, job)
        settled = {name: column[made.settled] for name, column in made.draws.items()}
        values = {name: push_forward(self.aims[name], settled) for name in self.identified}
        lost = [note for name, column in values.items() for note in nan_note(name, kind, column)]
        notes = [*made.notes, *shared(self.table, self.data, job.kind), *lost]
        ranges = {name: (aim.lower, aim.upper) for name, aim in self.aims.items()}
        found = {
            name: percentiles(column, self.level, ranges[name]) for name, column in values.items()
        }
        return found, [*notes, *_along_a_ridge(self._open() if unidentified(self.best) else ())]

    def _open(self) -> tuple[str, ...]:
        """The targets whose error is infinite, since they rest on what the runs cannot separate."""
        ends, _ = self._wald("sandwich", None)
        return tuple(
            n for n, pair in ends.items() if pair == (self.aims[n].lower, self.aims[n].upper)
        )
