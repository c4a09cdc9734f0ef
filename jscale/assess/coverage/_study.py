"""Intervals of one kind for many simulated tables."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import Progress, workers
from jscale._core.notes import Note
from jscale.assess.coverage._simulated import Nested, nested
from jscale.fit.objective import params_at
from jscale.fit.optimum import FitState, fitted
from jscale.fit.uncertainty import (
    BOOTSTRAP,
    BOOTSTRAPS,
    BY_CLUSTER,
    KINDS,
    PROFILES,
    TargetTransform,
    default_scaling,
    nan_note,
    percentiles,
    profiled,
    push_forward,
    wald,
)

TOO_MANY_FAILED = 0.01
"""Share of fits that did not settle above which a note of them is a warning."""

_End = tuple[tuple[float, float], frozenset[str]]
"""Both ends of an interval, and the codes of the notes about it."""


@dataclass(frozen=True)
class Study:
    """The simulated tables and their fits."""

    state: FitState
    wanted: Mapping[str, Any]
    aims: Mapping[str, TargetTransform]
    level: float
    labels: np.ndarray | None
    draws: int
    losses: np.ndarray
    free: np.ndarray
    keys: jax.Array
    progress: bool

    def ends(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        """Target → (simulations, 2) ends of the intervals of this kind, NaN for none, and what to
        remark of them.
        """
        if kind in BOOTSTRAPS:
            return self._resampled(kind)
        state = self.state
        at = params_at(state.law, state.goal, state.fit_data, jnp.asarray(self.free))
        params = {
            name: np.asarray(column) for name, column in at.items()
        }  # in the covariance's order
        one = self._profiled if kind in PROFILES else partial(self._wald, params=params)
        return self._by_simulation(kind, partial(one, kind=kind))

    def _by_simulation(
        self, kind: str, one: Callable[[int, FitState], list[_End]]
    ) -> tuple[dict[str, np.ndarray], list[Note]]:
        state, count = self.state, len(self.losses)
        with Progress(count, f"{kind} intervals", self.progress) as bar:

            def work(i: int) -> list[_End]:
                fit_data = state.fit_data._replace(loss=jnp.asarray(self.losses[i]))
                found = one(i, fitted(state.law, state.goal, fit_data, state.stages, self.free[i]))
                bar.advance(1)
                return found

            found = [work(0)]  # compiles, so that the threads need not wait for each other
            if count > 1:
                with workers(count - 1) as pool:
                    found += pool.map(work, range(1, count))
        ends = {name: np.array([row[j][0] for row in found]) for j, name in enumerate(self.aims)}
        codes = {
            name: Counter(code for row in found for code in row[j][1])
            for j, name in enumerate(self.aims)
        }
        return ends, [
            _doubt(kind, n, code, times / count)
            for n, each in codes.items()
            for code, times in each.items()
        ]

    def _wald(
        self, i: int, state: FitState, *, kind: str, params: Mapping[str, np.ndarray]
    ) -> list[_End]:
        labels = self.labels if kind in BY_CLUSTER else None
        covariance, df = state.covariance(kind, labels), state.degrees(labels)
        here = {name: float(column[i]) for name, column in params.items()}
        return [
            (wald(aim, here, covariance, self.level, df), frozenset()) for aim in self.aims.values()
        ]

    def _profiled(self, i: int, state: FitState, *, kind: str) -> list[_End]:
        del i
        clustered = kind in BY_CLUSTER
        scaling = "cluster-sandwich" if clustered else default_scaling(state)
        labels = self.labels if clustered else None
        made = [
            profiled(state, name, target, self.level, scaling=scaling, labels=labels)
            for name, target in self.wanted.items()
        ]
        return [(one.interval, frozenset(note.code for note in one.notes)) for one in made]

    def _resampled(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        clustered = kind in BY_CLUSTER
        job = Nested(self.state, BOOTSTRAP[kind], self.labels if clustered else None, self.draws)
        at = KINDS.index(kind)
        keys = jax.vmap(lambda k: jax.random.fold_in(k, at))(self.keys)
        with Progress(len(self.losses) * self.draws, f"{kind} intervals", self.progress) as bar:
            params, settled = nested(job, keys, self.losses, self.free, bar.advance)
        found, notes = {}, _unsettled(kind, settled)
        flat = {name: column.ravel() for name, column in params.items()}
        for name, aim in self.aims.items():
            values = np.where(settled, push_forward(aim, flat).reshape(settled.shape), np.nan)
            notes += nan_note(name, kind, np.where(settled, values, 0.0).ravel())
            found[name] = np.array(
                [percentiles(row, self.level, (np.nan, np.nan)) for row in values]
            )
        return found, notes


_DOUBTS = {
    "profile-open": "have an open end, which covers whatever the truth",
    "profile-failed": "have an end at which the walk met no minimum",
    "profile-below-fit": "passed a better objective than the fit's",
}


def _doubt(kind: str, name: str, code: str, share: float) -> Note:
    """A note of how many profiles of a target had something to say."""
    message = f"{share:.1%} of the {kind} intervals of {name} {_DOUBTS[code]}"
    return Note(
        f"calibrate-{code}", "warning", message, {"target": name, "kind": kind, "share": share}
    )


def _unsettled(kind: str, settled: np.ndarray) -> list[Note]:
    """A note where refits of bootstraps (simulations, draws) were dropped."""
    share = float(1 - settled.mean())
    if not share:
        return []
    message = (
        f"{share:.2%} of the refits of {kind} did not settle and are left out of its intervals"
    )
    severity = "info" if share <= TOO_MANY_FAILED else "warning"
    return [Note("refits-failed", severity, message, {"kind": kind, "share": share})]
