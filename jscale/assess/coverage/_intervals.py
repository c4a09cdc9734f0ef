"""Intervals of one kind for many simulated tables."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import Arrays, Checkpoint, Progress, workers
from jscale._core.notes import Note
from jscale.assess.coverage._simulated import NestedBootstrap, SimulatedTables, bootstrap_tables
from jscale.fit.objective import params_at
from jscale.fit.optimum import FitState, state_at
from jscale.fit.uncertainty import (
    BOOTSTRAP_KINDS,
    CLUSTER_KINDS,
    COVARIANCE_KINDS,
    PROFILE_KINDS,
    RESAMPLING_OF,
    TargetTransform,
    bootstrap_key,
    default_scaling,
    nan_note,
    percentiles,
    profile_target,
    push_forward,
    wald_interval,
)

TOO_MANY_FAILED = 0.01
"""Share of fits that did not converge above which a note of them is a warning."""

_IntervalAndCodes = tuple[tuple[float, float], frozenset[str]]
"""Both ends of an interval, and the codes of the notes about it."""


@dataclass(frozen=True)
class SimulatedIntervals:
    """Intervals from the fits of simulated tables.

    Attributes:
        state: the fit that the tables were simulated from.
        functions: target → function of the parameters.
        transforms: target → the same in coordinates without bounds.
        level: nominal coverage.
        labels: (rows,) clusters, or None.
        draws: refits of each bootstrap.
        tables: the simulated tables and their fits.
        bar: of the job: a unit an interval, and one a refit of a bootstrap.
        checkpoint: of the simulations and refits that are done.
    """

    state: FitState
    functions: Mapping[str, Any]
    transforms: Mapping[str, TargetTransform]
    level: float
    labels: np.ndarray | None
    draws: int
    tables: SimulatedTables
    bar: Progress
    checkpoint: Checkpoint

    @staticmethod
    def work(kinds: Sequence[str], tables: int, draws: int) -> int:
        """Units of work of all kinds of intervals."""
        return sum(tables * (draws if kind in BOOTSTRAP_KINDS else 1) for kind in kinds)

    def ends(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        """The ends of the intervals of this kind, and notes about them.

        Target → (simulations, 2), NaN for no interval.
        """
        if kind in BOOTSTRAP_KINDS:
            return self._bootstrap_ends(kind)
        if kind in PROFILE_KINDS:
            return self._by_simulation(kind, partial(self._profile_intervals, kind=kind))
        if kind not in COVARIANCE_KINDS:
            raise ValueError(f"unknown kind of interval: {kind!r}")

        state = self.state
        columns = params_at(
            state.law, state.objective, state.fit_data, jnp.asarray(self.tables.free)
        )
        # A dict in the order of the covariance.
        params = {name: np.asarray(column) for name, column in columns.items()}
        return self._by_simulation(kind, partial(self._wald_intervals, kind=kind, params=params))

    def _by_simulation(
        self, kind: str, intervals_of: Callable[[int, FitState], list[_IntervalAndCodes]]
    ) -> tuple[dict[str, np.ndarray], list[Note]]:
        """The intervals of each simulation, computed in threads from the state of its fit."""
        state, count = self.state, len(self.tables.losses)

        def compute(i: int) -> Arrays:
            fit_data = state.fit_data._replace(loss=jnp.asarray(self.tables.losses[i]))
            fitted = state_at(
                state.law, state.objective, fit_data, state.stages, self.tables.free[i]
            )
            return _as_arrays(intervals_of(i, fitted))

        def row(i: int) -> list[_IntervalAndCodes]:
            arrays = self.checkpoint.unit(f"{kind} {i}", partial(compute, i))
            self.bar.advance(1)
            return _from_arrays(arrays)

        rows = [row(0)]  # compiles, so that the threads need not wait for each other
        if count > 1:
            with workers(count - 1) as pool:
                rows += pool.map(row, range(1, count))

        ends, notes = {}, []
        for j, name in enumerate(self.transforms):
            ends[name] = np.array([row[j][0] for row in rows])
            codes = Counter(code for row in rows for code in row[j][1])
            notes += [
                _profile_note(kind, name, code, times / count) for code, times in codes.items()
            ]
        return ends, notes

    def _wald_intervals(
        self, i: int, state: FitState, *, kind: str, params: Mapping[str, np.ndarray]
    ) -> list[_IntervalAndCodes]:
        labels = self.labels if kind in CLUSTER_KINDS else None
        covariance, df = state.covariance(kind, labels), state.degrees(labels)
        estimates = {name: float(column[i]) for name, column in params.items()}
        intervals = [
            wald_interval(transform, estimates, covariance, self.level, df)
            for transform in self.transforms.values()
        ]
        return [(interval, frozenset()) for interval in intervals]

    def _profile_intervals(self, i: int, state: FitState, *, kind: str) -> list[_IntervalAndCodes]:
        del i
        clustered = kind in CLUSTER_KINDS
        scaling = "cluster-sandwich" if clustered else default_scaling(state)
        labels = self.labels if clustered else None
        profiles = [
            profile_target(state, name, function, self.level, scaling=scaling, labels=labels)
            for name, function in self.functions.items()
        ]
        return [(p.interval, frozenset(note.code for note in p.notes)) for p in profiles]

    def _bootstrap_ends(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        labels = self.labels if kind in CLUSTER_KINDS else None
        job = NestedBootstrap(self.state, RESAMPLING_OF[kind], labels, self.draws)
        keys = jax.vmap(partial(bootstrap_key, kind=kind))(self.tables.keys)
        tables = self.tables._replace(keys=keys)
        params, converged = bootstrap_tables(job, tables, kind, self.bar.advance, self.checkpoint)

        ends, notes = {}, _dropped_refits(kind, converged)
        flat = {name: column.ravel() for name, column in params.items()}
        for name, transform in self.transforms.items():
            draws = push_forward(transform, flat).reshape(converged.shape)
            notes += nan_note(name, kind, np.where(converged, draws, 0.0).ravel())
            draws = np.where(converged, draws, np.nan)
            ends[name] = np.array([percentiles(row, self.level, (np.nan, np.nan)) for row in draws])
        return ends, notes


def _as_arrays(intervals: list[_IntervalAndCodes]) -> Arrays:
    """Intervals as a unit of a checkpoint."""
    return {
        "ends": np.array([ends for ends, _ in intervals]),
        "codes": np.array([" ".join(sorted(codes)) for _, codes in intervals]),
    }


def _from_arrays(arrays: Arrays) -> list[_IntervalAndCodes]:
    """The intervals that :func:`_as_arrays` was given."""
    return [
        ((low, high), frozenset(codes.split()))
        for (low, high), codes in zip(
            arrays["ends"].tolist(), arrays["codes"].tolist(), strict=True
        )
    ]


_PROFILE_MESSAGES = {
    "profile-open": "have an open end, which covers every value beyond it",
    "profile-failed": "have an end at which the profile did not converge",
    "profile-below-fit": "reached a lower objective than the fit",
}


def _profile_note(kind: str, name: str, code: str, share: float) -> Note:
    """A note about the share of a target's profiles that have a note of this code."""
    message = f"{share:.1%} of the {kind} intervals of {name} {_PROFILE_MESSAGES[code]}"
    evidence = {"target": name, "kind": kind, "share": share}
    return Note(f"calibrate-{code}", "warning", message, evidence)


def _dropped_refits(kind: str, converged: np.ndarray) -> list[Note]:
    """A note about refits of bootstraps (simulations, draws) that did not converge."""
    share = float(1 - converged.mean())
    if not share:
        return []
    message = (
        f"{share:.2%} of the refits of {kind} did not converge and are left out of its intervals"
    )
    severity = "info" if share <= TOO_MANY_FAILED else "warning"
    return [Note("refits-failed", severity, message, {"kind": kind, "share": share})]
