"""Refits of one law to many resampled tables, in chunks and on all cores.

A refit that does not converge is repeated by exact Newton steps from several starts.
"""

from typing import Any

import jax
import numpy as np

from jscale._core.jobs import Progress, workers
from jscale._core.scope import to_numpy
from jscale.fit.objective import FitData, Objective, pad_zeros, params_at, spread_starts
from jscale.fit.optimum import FitState
from jscale.fit.solve import AGREEMENT, Batch, chunk_for, descend, refit_batch
from jscale.fit.uncertainty._resampling import Resampler
from jscale.laws import LawFunction, describe

_RETRY_STARTS = 4


class BootstrapRefits:
    """The resampled tables of a bootstrap, by number, and their fits.

    Args:
        state: the fit to the observed runs; refits start from its optimum.
        draw: what draws the tables, by number.
    """

    def __init__(self, state: FitState, draw: Resampler) -> None:
        self._law, self._objective, self._draw = state.law, state.objective, draw
        self._fit_data, self._stages = state.fit_data, state.stages
        # By numpy, whose logarithms differ from those of JAX in the last digit.
        losses = np.asarray(state.fit_data.loss)
        self._observed = np.log(losses) if self._objective.on == "log" else losses
        self._rows = len(losses)
        self._weights = np.ones(self._rows) if state.weights is None else state.weights
        self._start = np.asarray(state.free)
        self._size = chunk_for(self._rows)

    def _params(self, free: Any) -> dict[str, jax.Array]:
        return params_at(self._law, self._objective, self._fit_data, free)

    def _refit_chunk(
        self, key: jax.Array, first: int, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fits of ``count`` tables from number ``first`` on.

        Returns:
            Free vectors (count, k), objectives (count,), and which of them converged (count,).
        """
        drawn, observed = self._draw.tables(key, first, self._size)
        weights = self._weights[None]
        batch = Batch(
            weights=weights if drawn is None else pad_zeros(weights, drawn.shape[1]) * drawn,
            observed=self._observed[None] if observed is None else observed,
            starts=self._start[None],
            count=np.asarray(count),
        )
        solved = refit_batch(self._law, self._objective, self._fit_data, self._stages, batch)
        free, value, converged = (
            np.array(part)[:count] for part in (solved.free, solved.value, solved.converged)
        )
        return free, value, converged

    def compile(self, key: jax.Array) -> None:
        """Compile everything that :meth:`run` calls for a table whose refit converges."""
        self._refit_chunk(key, 0, 0)
        self._params(np.broadcast_to(self._start, (self._size, len(self._start))))

    def run(
        self, draws: int, key: jax.Array, progress: bool
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Parameters, name → (draws,), and which refits converged (draws,)."""

        def work(first: int) -> tuple[np.ndarray, np.ndarray]:
            count = min(self._size, draws - first)
            free, value, converged = self._refit_chunk(key, first, count)
            for i in np.flatnonzero(~converged):
                if pool.cancelled:
                    break
                free[i], converged[i] = self._retry(key, first + int(i), free[i], value[i])
            bar.advance(count)
            return free, converged

        firsts = range(0, draws, self._size)
        with (
            Progress(draws, f"refitting {describe(self._law).name}", progress) as bar,
            workers(len(firsts)) as pool,
        ):
            parts = pool.map(work, firsts)

        free, converged = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return self._in_chunks(free), converged

    def _in_chunks(self, free: np.ndarray) -> dict[str, np.ndarray]:
        """Parameters, name → (draws,), at free vectors (draws, k), by the compiled chunks."""
        draws = len(free)
        padded = np.resize(free, (-(-draws // self._size) * self._size, free.shape[1]))
        chunks = [self._params(padded[i : i + self._size]) for i in range(0, draws, self._size)]
        return {
            name: np.concatenate([np.asarray(chunk[name]) for chunk in chunks])[:draws]
            for name in chunks[0]
        }

    def _retry(
        self, key: jax.Array, index: int, free: np.ndarray, value: float
    ) -> tuple[np.ndarray, bool]:
        drawn, observed = to_numpy(self._draw.table(key, index))
        return retry(
            self._law,
            self._objective,
            self._fit_data,
            self._stages,
            (free, value),
            start=self._start,
            weights=self._weights if drawn is None else self._weights * drawn[: self._rows],
            observed=self._observed if observed is None else observed[: self._rows],
        )


def retry(
    law: LawFunction,
    objective: Objective,
    fit_data: FitData,
    stages: jax.Array,
    reached: tuple[np.ndarray, float],
    *,
    start: np.ndarray,
    weights: Any,
    observed: Any,
) -> tuple[np.ndarray, bool]:
    """The fit of one table by exact Newton steps, where the batched solver did not converge.

    Args:
        law: a declared law.
        objective: what is minimised.
        fit_data: inputs, centre and delta.
        stages: (stages,) deltas to go through.
        reached: free vector and objective where the batched solver stopped.
        start: free vector of the first start; others are spread over the declared ranges.
        weights: (rows,) of the runs.
        observed: (rows,) losses or their logarithms, as the objective compares them.

    Returns:
        The free vector, and whether it is an optimum no worse than the one reached before.
    """
    free, value = reached
    record = describe(law)
    first_start = start[None, : len(record.parameters)]
    starts = np.concatenate([first_start, spread_starts(record, _RETRY_STARTS)])
    loss = np.exp(observed) if objective.on == "log" else observed
    table = fit_data._replace(weights=weights, loss=loss)
    descents = descend(law, objective, table, stages, starts)
    best = int(np.argmin(np.where(np.isfinite(descents.value), descents.value, np.inf)))

    # The two solvers compute powers differently: one optimum differs in its last digits.
    if np.isfinite(value) and not descents.value[best] <= value + AGREEMENT * abs(value):
        return free, False
    return np.asarray(descents.free[best]), bool(descents.converged[best])
