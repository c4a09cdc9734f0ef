"""Intervals of one kind for many simulated tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.notes import Note
from jscale._core.scope import to_numpy
from jscale.assess._calibrate_draws import Nested, nested
from jscale.fit import _intervals_kinds as room
from jscale.fit._intervals_ends import percentiles, pushed, wald
from jscale.fit._intervals_fit import Fitted, fitted
from jscale.fit._problem import params_at
from jscale.fit._profile import default_scaling, profiled
from jscale.fit._profile_aim import Aim
from jscale.fit._progress import Progress
from jscale.fit._workers import workers

TOO_MANY_FAILED = 0.01
"""Share of fits from which on it is a warning."""


@dataclass(frozen=True)
class Study:
    """The simulated tables and their fits."""

    state: Fitted
    wanted: Mapping[str, Any]
    aims: Mapping[str, Aim]
    level: float
    labels: np.ndarray | None
    draws: int
    losses: np.ndarray
    free: np.ndarray
    keys: jax.Array
    progress: bool

    def ends(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        """Target → (simulations, 2) ends of the intervals of this kind, and what to remark of them."""
        if kind in room.BOOTSTRAPS:
            return self._resampled(kind)
        state = self.state
        params = to_numpy(params_at(state.law, state.goal, state.tableau, jnp.asarray(self.free)))
        one = self._profiled if kind in room.PROFILES else partial(self._wald, params=params)
        return self._by_simulation(kind, partial(one, kind=kind)), []

    def _by_simulation(
        self, kind: str, one: Callable[[int, Fitted], list[tuple[float, float]]]
    ) -> dict[str, np.ndarray]:
        state, count = self.state, len(self.losses)
        with Progress(count, f"{kind} intervals", self.progress) as bar:

            def work(i: int) -> list[tuple[float, float]]:
                tableau = state.tableau._replace(loss=jnp.asarray(self.losses[i]))
                found = one(i, fitted(state.law, state.goal, tableau, state.stages, self.free[i]))
                bar.advance(1)
                return found

            found = [work(0)]  # compiles, so that the threads need not wait for each other
            if count > 1:
                with workers(count - 1) as pool:
                    found += pool.map(work, range(1, count))
        return {name: np.array([ends[j] for ends in found]) for j, name in enumerate(self.aims)}

    def _wald(self, i: int, state: Fitted, *, kind: str, params: Mapping[str, np.ndarray]) -> list[tuple[float, float]]:
        labels = self.labels if kind in room.BY_CLUSTER else None
        covariance, df = state.covariance(kind, labels), state.degrees(labels)
        here = {name: float(column[i]) for name, column in params.items()}
        return [wald(aim, here, covariance, self.level, df) for aim in self.aims.values()]

    def _profiled(self, i: int, state: Fitted, *, kind: str) -> list[tuple[float, float]]:
        del i
        clustered = kind in room.BY_CLUSTER
        scaling = "cluster-sandwich" if clustered else default_scaling(state)
        labels = self.labels if clustered else None
        return [
            profiled(state, name, target, self.level, scaling=scaling, labels=labels).interval
            for name, target in self.wanted.items()
        ]

    def _resampled(self, kind: str) -> tuple[dict[str, np.ndarray], list[Note]]:
        clustered = kind in room.BY_CLUSTER
        job = Nested(self.state, room.BOOTSTRAP[kind], self.labels if clustered else None, self.draws)
        at = room.KINDS.index(kind)
        keys = jax.vmap(lambda k: jax.random.fold_in(k, at))(self.keys)
        with Progress(len(self.losses) * self.draws, f"{kind} intervals", self.progress) as bar:
            params, settled = nested(job, keys, self.losses, self.free, bar.advance)
        found = {}
        flat = {name: column.ravel() for name, column in params.items()}
        for name, aim in self.aims.items():
            values = np.where(settled, pushed(aim, flat).reshape(settled.shape), np.nan)
            found[name] = np.array([percentiles(row, self.level) for row in values])
        return found, _unsettled(kind, settled)


def _unsettled(kind: str, settled: np.ndarray) -> list[Note]:
    """A note where refits of bootstraps (simulations, draws) were dropped."""
    share = float(1 - settled.mean())
    if not share:
        return []
    message = f"{share:.2%} of the refits of {kind} did not settle and are left out of its intervals"
    severity = "info" if share <= TOO_MANY_FAILED else "warning"
    return [Note("refits-failed", severity, message, {"kind": kind, "share": share})]
