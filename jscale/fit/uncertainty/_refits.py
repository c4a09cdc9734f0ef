"""Refits of one law to many resampled tables: in chunks, on all cores, and once more where one did
not settle.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import Progress, workers
from jscale.fit.objective import FitData, Objective, params_at, spread_starts, tabulate
from jscale.fit.solve import AGREEMENT, Batch, chunk_for, descend, refit_batch
from jscale.fit.uncertainty._resampling import Draw
from jscale.laws import LawFunction, describe
from jscale.runs import Data

_SECOND_STARTS = 4


class Refits:
    """Resampled tables and their fits, by number."""

    def __init__(
        self, law: LawFunction, objective: Objective, data: Data, free: np.ndarray, draw: Draw
    ) -> None:
        self._law, self._objective, self._draw = law, objective, draw
        self._tableau, self._stages = tabulate(law, data, objective)
        self._observed = jnp.asarray(np.log(data.loss) if objective.on == "log" else data.loss)
        self._weights = (
            jnp.ones(len(data)) if self._tableau.weights is None else self._tableau.weights
        )
        self._start = jnp.asarray(free)
        self._size = chunk_for(len(data))
        self._tables = jax.jit(
            lambda key, first: jax.vmap(partial(self._table, key))(first + jnp.arange(self._size))
        )

    def _params(self, free: jax.Array) -> dict[str, jax.Array]:
        return params_at(self._law, self._objective, self._tableau, free)

    def _table(self, key: jax.Array, index: jax.Array) -> tuple[jax.Array | None, jax.Array | None]:
        return self._draw(jax.random.fold_in(key, index))

    def _chunk(
        self, key: jax.Array, first: int, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Free vectors, objectives, and which settled, of ``count`` tables from number ``first``
        on.
        """
        drawn, observed = self._tables(key, first)
        batch = Batch(
            weights=self._weights[None] if drawn is None else self._weights * drawn,
            observed=self._observed[None] if observed is None else observed,
            starts=self._start[None],
            count=jnp.asarray(count),
        )
        solved = refit_batch(self._law, self._objective, self._tableau, self._stages, batch)
        free, value, settled = (
            np.array(part)[:count] for part in (solved.free, solved.value, solved.settled)
        )
        return free, value, settled

    def compile(self, key: jax.Array) -> None:
        """Compile everything that :meth:`run` calls for a table that settles."""
        self._chunk(key, 0, 0)
        self._params(jnp.broadcast_to(self._start, (self._size, len(self._start))))

    def run(
        self, draws: int, key: jax.Array, shown: bool
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Parameters, name → (draws,), and which refits settled (draws,)."""

        def work(first: int) -> tuple[np.ndarray, np.ndarray]:
            count = min(self._size, draws - first)
            free, value, settled = self._chunk(key, first, count)
            for i in np.flatnonzero(~settled):
                if pool.cancelled:
                    break
                free[i], settled[i] = self._again(key, first + int(i), free[i], value[i])
            bar.advance(count)
            return free, settled

        firsts = range(0, draws, self._size)
        with (
            Progress(draws, f"refitting {describe(self._law).name}", shown) as bar,
            workers(len(firsts)) as pool,
        ):
            parts = pool.map(work, firsts)
        free, settled = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        padded = np.resize(free, (-(-draws // self._size) * self._size, free.shape[1]))
        columns = [
            self._params(jnp.asarray(padded[i : i + self._size]))
            for i in range(0, draws, self._size)
        ]
        params = {
            name: np.concatenate([np.asarray(part[name]) for part in columns])[:draws]
            for name in columns[0]
        }
        return params, settled

    def _again(
        self, key: jax.Array, index: int, free: np.ndarray, value: float
    ) -> tuple[np.ndarray, bool]:
        drawn, observed = self._table(key, jnp.asarray(index))
        return retry(
            self._law,
            self._objective,
            self._tableau,
            self._stages,
            (free, value),
            start=self._start,
            weights=self._weights if drawn is None else self._weights * drawn,
            observed=self._observed if observed is None else observed,
        )


def retry(
    law: LawFunction,
    objective: Objective,
    fit_data: FitData,
    stages: jax.Array,
    reached: tuple[np.ndarray, float],
    *,
    start: jax.Array,
    weights: jax.Array,
    observed: jax.Array,
) -> tuple[np.ndarray, bool]:
    """The fit of one table by exact Newton steps, from a start nearby and from elsewhere, and
    whether
    it settled.

    Args:
        law: a declared law.
        objective: what is minimised.
        tableau: inputs, centre and delta.
        stages: (stages,) deltas to go through.
        reached: free vector and objective where the batched solver gave up.
        start: free vector nearby.
        weights: (rows,) of the runs.
        observed: (rows,) losses or their logarithms, as the objective compares them.
    """
    free, value = reached
    record, loss = describe(law), jnp.exp(observed) if objective.on == "log" else observed
    starts = jnp.concatenate(
        [start[None, : len(record.parameters)], spread_starts(record, _SECOND_STARTS)]
    )
    found = descend(law, objective, fit_data._replace(weights=weights, loss=loss), stages, starts)
    best = int(np.argmin(np.where(np.isfinite(found.value), found.value, np.inf)))
    # Both compute powers in their own way: the same optimum differs in its last digits.
    if np.isfinite(value) and not found.value[best] <= value + AGREEMENT * abs(value):
        return free, False
    return np.asarray(found.free[best]), bool(found.settled[best])
