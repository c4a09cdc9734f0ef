"""Every kind of interval of every target, side by side."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.fit import _resample
from jscale.fit._bootstrap import SYMMETRIC, Resampling, blindness, resampled, shared, untold
from jscale.fit._clusters import company, few, labels_of
from jscale.fit._intervals_covariance import COVARIANCES
from jscale.fit._intervals_ends import estimate, missing, percentiles, pushed, wald
from jscale.fit._intervals_fit import Quantity, check_level, fit_once, named
from jscale.fit._objective import Objective
from jscale.fit._point import Point
from jscale.fit._profile import default_scaling, profiled
from jscale.fit._profile_aim import aim_at
from jscale.fit._weights import Weights
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

BOOTSTRAPS = (
    "bootstrap-rows", "bootstrap-cluster", "bootstrap-wild", "bootstrap-wild-cluster", "bootstrap-parametric",
)  # fmt: skip
PROFILES = ("profile", "cluster-profile")
KINDS = (*COVARIANCES, *BOOTSTRAPS, *PROFILES)
BY_CLUSTER = ("cluster-sandwich", "bootstrap-cluster", "bootstrap-wild-cluster", "cluster-profile")


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
        return f"<Intervals {describe(self.point.law).name}: {size}; {self.point.certificate.status}>"


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

    "fisher", "sandwich" and "cluster-sandwich" are the estimate and its standard error (delta method), on the logarithm
    of what is positive; the bootstraps are percentiles of refits; "profile" and "cluster-profile" are those of
    :func:`jscale.fit.profile`. Where kinds differ, a belief about the errors makes the difference: "fisher" and
    "bootstrap-parametric" take them as independent and of one size, the sandwich, rows and wild as independent, the
    cluster kinds as independent between clusters.

    Standard errors and profiles go by Student's t, with n - k degrees of freedom or one less than there are clusters;
    the profile of a likelihood by chi-squared. A parameter that the runs do not tell has its whole range in every kind,
    and so has every target where there are as many parameters as runs.

    Source: of the degrees of freedom by cluster, Cameron & Miller 2015.

    Args:
        law: a declared law.
        table: validated runs.
        key: a JAX random key; the same key gives the same bytes.
        targets: parameters, or JAX functions of the parameters by name (see :func:`jscale.fit.profile`); all parameters
            for None.
        kinds: some of :data:`KINDS`; all that the table allows for None.
        level: coverage of the intervals.
        draws: refits of each bootstrap.
        by: column whose equal values make a cluster; ``group``, or the sizes where they repeat, for None.
        objective: as for :func:`jscale.fit.point`.
        weights: as for :func:`jscale.fit.point`.
        starts: number of starting points of the fit.
        progress: show progress bars on stderr.

    Raises:
        JscaleError: as :func:`jscale.fit.point` and :func:`jscale.fit.bootstrap`; an unknown kind or target; or a
            cluster kind for runs that have no clusters.
    """
    check_level(level)
    wanted = named(law, targets)
    best, state, data = fit_once(law, table, objective, starts, weights)
    chosen, column, notes = settle(table, data, kinds, by, state.goal)
    labels = None if column is None else labels_of(table, data, column)
    if any(kind in BOOTSTRAPS for kind in chosen):
        _resample.check(draws, key, "rows", "rademacher")
    notes = [*best.notes, *notes, *few(labels), *blindness(best)]
    whole = whole_range(best, wanted)
    told = {name: target for name, target in wanted.items() if name not in whole}
    aims = {name: aim_at(law, name, target) for name, target in wanted.items()}
    found: dict[tuple[str, str], tuple[float, float]] = {}
    seconds: dict[str, float] = {}
    for kind in chosen:
        began = time.perf_counter()
        clustered = labels if kind in BY_CLUSTER else None
        if not told:
            ends = {}
        elif kind in COVARIANCES:
            spread, df = state.covariance(kind, clustered), state.degrees(clustered)
            ends = {n: wald(aims[n], best.params, spread, level, df) for n in told}
        elif kind in PROFILES:
            scaling = default_scaling(state) if kind == "profile" else "cluster-sandwich"
            ends = {}
            for name, target in told.items():
                made = profiled(state, name, target, level, scaling=scaling, labels=clustered)
                ends[name] = made.interval
                notes += made.notes
        else:
            own = jax.random.fold_in(key, KINDS.index(kind))
            job = Resampling(BOOTSTRAP[kind], clustered, int(draws), own, "rademacher", progress)
            made = resampled(best, state.free, state.goal, data, job)
            notes += [*made.notes, *shared(table, data, job.kind)]
            columns = {n: pushed(aims[n], {p: d[made.settled] for p, d in made.draws.items()}) for n in told}
            ends = {n: percentiles(values, level) for n, values in columns.items()}
            notes += [note for n, values in columns.items() for note in missing(n, kind, values)]
        seconds[kind] = time.perf_counter() - began
        found |= {(name, kind): pair for name, pair in ends.items()}
        found |= {(name, kind): (aims[name].lower, aims[name].upper) for name in whole}
    rows = [
        Interval(name, kind, estimate(aims[name], best.params), *found[name, kind])
        for name in wanted
        for kind in chosen
    ]
    unique = tuple({(n.code, n.message): n for n in notes}.values())
    return Intervals(tuple(rows), level, best, column, draws, seconds, unique)


def whole_range(best: Point, wanted: Mapping[str, str | Quantity]) -> frozenset[str]:
    """The targets of which every interval is the whole range: the runs do not tell them, or nothing at all."""
    saturated = best.n_runs == len(best.params)
    return frozenset(n for n, t in wanted.items() if saturated or (isinstance(t, str) and t in untold(best)))


BOOTSTRAP: Mapping[str, Any] = {
    "bootstrap-rows": "rows", "bootstrap-cluster": "cluster", "bootstrap-wild": "wild",
    "bootstrap-wild-cluster": "wild", "bootstrap-parametric": "parametric",
}  # fmt: skip
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
        raise JscaleError("kinds is empty; expected at least one, or None for all that the table allows")
    return several


def settle(
    table: Runs, data: Data, kinds: Sequence[str] | None, by: str | None, goal: Objective, *, clustered: bool = False
) -> tuple[tuple[str, ...], str | None, list[Note]]:
    """The kinds, the column of the clusters where there are any, and notes where kinds are left out.

    Args:
        table: the runs.
        data: those that are fitted.
        kinds: asked for, or None for all that the table and the objective allow.
        by: column of the clusters, or None.
        goal: the objective.
        clustered: whether clusters are needed in any case.

    Raises:
        JscaleError: an unknown kind or one that the objective does not fit, clusters where there are none, or a column
            for kinds that need none.
    """
    asked = None if kinds is None else check_kinds(kinds)
    needs = [f"kind {kind!r}" for kind in asked or () if kind in BY_CLUSTER]
    needs += ["noise 'cluster'"] if clustered else []
    column = by or company(table, data)
    if column is None and needs:
        raise JscaleError(
            f"{table.name}: {needs[0]} needs clusters, and no runs share a group or a size; expected by= with the name "
            "of a column"
        )
    if asked is not None:
        if by is not None and not needs:
            raise JscaleError(f"by={by!r} belongs to the kinds {', '.join(BY_CLUSTER)}, none of which is asked for")
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
