"""Simulated tables, their fits, and bootstraps of those fits: batches of many tables by one
compiled program.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import workers
from jscale.fit.objective import Problem, params_at
from jscale.fit.optimum import FitState
from jscale.fit.solve import Batch, chunk_for, refit_batch
from jscale.fit.uncertainty import STUDENT_NU, drawing, retry, student_quantile

_MEDIAN_NORMAL = student_quantile(0.5, math.inf)
"""Median size of a standard normal error."""
_NEIGHBOURS = 15
NOISES = ("normal", "student-t", "residuals", "unequal", "cluster")


@dataclass(frozen=True)
class Noise:
    """How simulated losses scatter about the law.

    Attributes:
        kind: one of :data:`NOISES`.
        scale: robust standard deviation of the log residuals of runs of size 1.
        sizes: (rows,) of the errors of every run, relative to that.
        residuals: (rows,) of the fit, as those of runs of size 1, for "residuals".
        labels: (rows,) clusters, for "cluster".
        shared: share of the variance that runs of a cluster have in common, for "cluster".
    """

    kind: str
    scale: float
    sizes: np.ndarray
    residuals: np.ndarray
    labels: np.ndarray | None
    shared: float

    def draw(self, key: jax.Array) -> jax.Array:
        """Errors (rows,) of the log loss."""
        rows, sizes = (len(self.sizes),), jnp.asarray(self.sizes)
        if self.kind == "residuals":
            return sizes * jax.random.choice(key, jnp.asarray(self.residuals), rows)
        if self.kind == "student-t":
            ratio = _MEDIAN_NORMAL / student_quantile(0.5, STUDENT_NU)
            return self.scale * ratio * sizes * jax.random.t(key, STUDENT_NU, rows)
        own = jax.random.normal(key, rows)
        if self.labels is not None and self.kind == "cluster":
            common = jax.random.normal(jax.random.fold_in(key, 1), (int(self.labels.max()) + 1,))[
                self.labels
            ]
            own = float(np.sqrt(1 - self.shared)) * own + float(np.sqrt(self.shared)) * common
        return self.scale * sizes * own


def noise_of(state: FitState, kind: str, labels: np.ndarray | None, shared: float) -> Noise:
    """Noise of the size that the runs of a fit show; of one size where the objective takes them for
    that.
    """
    n, k = state.local.jacobian.shape
    sizes = np.ones(n) if state.sizes is None else state.sizes
    if state.goal.on == "raw":  # equal errors of the loss are unequal ones of its logarithm
        sizes = sizes * np.median(state.local.predicted) / state.local.predicted
    log_residuals = np.log(np.asarray(state.fit_data.loss) / state.local.predicted)
    # Residuals are smaller than errors by what the parameters have taken up.
    residuals = log_residuals / sizes * (n / max(n - k, 1)) ** 0.5
    centre = 0.0 if state.goal.symmetric else np.median(residuals)
    scale = float(np.median(np.abs(residuals - centre))) / _MEDIAN_NORMAL
    if kind == "unequal" and scale > 0:
        sizes = (
            sizes * _neighbours(np.abs(residuals), state.local.predicted) / _MEDIAN_NORMAL / scale
        )
    return Noise(kind, scale, sizes, residuals, labels, float(shared))


def _neighbours(sizes: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Median (rows,) of sizes (rows,) among the runs nearest in order of ``along``."""
    order, found = np.argsort(along, kind="stable"), np.empty_like(sizes)
    half = min(_NEIGHBOURS, len(sizes)) // 2
    for place, run in enumerate(order):
        first = min(max(place - half, 0), max(len(sizes) - 2 * half - 1, 0))
        found[run] = np.median(sizes[order[first : first + 2 * half + 1]])
    return found


@dataclass(frozen=True)
class Nested:
    """Bootstraps of many simulated tables.

    Attributes:
        state: the fit that tables are simulated from.
        kind: of the bootstrap, as :func:`jscale.fit.bootstrap` calls it.
        labels: (rows,) clusters, or None.
        draws: refits of each table.
    """

    state: FitState
    kind: str
    labels: np.ndarray | None
    draws: int

    def tables(self) -> Callable[..., Batch]:
        """Keys, losses, predictions and free vectors of all tables, and the number of the first
        refit → a batch.
        """
        state, on, size = (
            self.state,
            self.state.goal.on,
            chunk_for(self.state.fit_data.loss.shape[0]),
        )
        drawn = partial(
            drawing,
            self.kind,
            goal=state.goal,
            parameters=state.local.jacobian.shape[1],
            labels=self.labels,
            multipliers="rademacher",
            sizes=state.sizes,
        )
        base = (
            jnp.ones(state.fit_data.loss.shape)
            if state.weights is None
            else jnp.asarray(state.weights)
        )

        @jax.jit
        def make(
            keys: jax.Array, losses: jax.Array, predicted: jax.Array, free: jax.Array, first: Any
        ) -> Batch:
            number = first + jnp.arange(size)
            table = jnp.minimum(number // self.draws, len(losses) - 1)

            def one(i: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
                draw = drawn(losses[i], predicted[i])
                weights, observed = draw(jax.random.fold_in(keys[i], number % self.draws))
                seen = jnp.log(losses[i]) if on == "log" else losses[i]
                return (base if weights is None else base * weights), (
                    seen if observed is None else observed
                )

            weights, observed = jax.vmap(one)(table, number)
            left = jnp.maximum(len(losses) * self.draws - first, 0)
            return Batch(weights, observed, free[table], jnp.minimum(left, size))

        return make


def simulated(state: FitState, noise: Noise, keys: jax.Array) -> np.ndarray:
    """Losses (simulations, rows) of the fitted law with errors drawn anew."""
    predicted = jnp.asarray(state.local.predicted)
    return np.asarray(jax.jit(jax.vmap(lambda key: predicted * jnp.exp(noise.draw(key))))(keys))


def refitted(state: FitState, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Free vectors (simulations, k) of the fits of simulated losses, from the truth, and which
    settled.
    """
    seen = np.log(losses) if state.goal.on == "log" else losses
    base = np.ones((1, losses.shape[1])) if state.weights is None else state.weights[None]
    size, parts = chunk_for(losses.shape[1]), []
    for first in range(0, len(losses), size):
        rows = np.resize(seen[first : first + size], (size, losses.shape[1]))
        count = min(size, len(losses) - first)
        batch = Batch(
            jnp.asarray(base), jnp.asarray(rows), jnp.asarray(state.free)[None], jnp.asarray(count)
        )
        parts.append(_settled(state, batch, count))
    free, settled = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return free, settled


def _settled(state: FitState, batch: Batch, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Free vectors (count, k) of the first fits of a batch and which settled, at a second attempt
    if need be.
    """
    solved = refit_batch(state.law, state.goal, state.fit_data, state.stages, batch)
    free, value, settled = (
        np.array(part)[:count] for part in (solved.free, solved.value, solved.settled)
    )

    def pick(leaf: jax.Array, i: int) -> jax.Array:
        return leaf[0] if leaf.shape[0] == 1 else leaf[i]

    for i in np.flatnonzero(~settled).tolist():
        free[i], settled[i] = retry(
            state.law,
            state.goal,
            state.fit_data,
            state.stages,
            (free[i], float(value[i])),
            start=pick(batch.starts, i),
            weights=pick(batch.weights, i),
            observed=pick(batch.observed, i),
        )
    return free, settled


@partial(jax.jit, static_argnames=("law", "objective"))
def _predicted(law: Any, objective: Any, fit_data: Any, free: jax.Array) -> jax.Array:
    """Predictions (points, rows) at free vectors (points, k)."""
    return jax.vmap(Problem(law, objective, fit_data).predict)(free)


def nested(
    job: Nested,
    keys: jax.Array,
    losses: np.ndarray,
    free: np.ndarray,
    advance: Callable[[int], None],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameters, name → (simulations, draws), of bootstraps of every simulated table, and which
    refits settled.
    """
    state, size, total = (
        job.state,
        chunk_for(job.state.fit_data.loss.shape[0]),
        len(losses) * job.draws,
    )
    make = job.tables()
    predicted = _predicted(state.law, state.goal, state.fit_data, jnp.asarray(free))
    arrays = (keys, jnp.asarray(losses), predicted, jnp.asarray(free))

    def work(first: int) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
        count = min(size, total - first)
        free, settled = _settled(state, make(*arrays, jnp.asarray(first)), count)
        padded = jnp.asarray(
            np.resize(free, (size, free.shape[1]))
        )  # of one shape, so that it is compiled once
        params = params_at(state.law, state.goal, state.fit_data, padded)
        advance(count)
        return {name: np.asarray(value)[:count] for name, value in params.items()}, settled

    firsts = range(0, total, size)
    work_of = [work(0)]  # compiles, so that the threads need not wait for each other
    if len(firsts) > 1:
        with workers(len(firsts) - 1) as pool:
            work_of += pool.map(work, firsts[1:])
    shape = (len(losses), job.draws)
    params = {
        name: np.concatenate([part[name] for part, _ in work_of]).reshape(shape)
        for name in work_of[0][0]
    }
    return params, np.concatenate([settled for _, settled in work_of]).reshape(shape)
