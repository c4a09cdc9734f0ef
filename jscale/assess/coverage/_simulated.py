"""Simulated tables, their fits, and bootstraps of those fits.

Batches of many tables are fitted by one compiled program.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.jobs import Arrays, Checkpoint, workers
from jscale._core.programs import program
from jscale.fit.objective import STUDENT_NU, FitData, Objective, Problem, params_at
from jscale.fit.optimum import FitState
from jscale.fit.solve import Batch, chunk_for, refit_batch
from jscale.fit.uncertainty import resampler, retry, student_quantile
from jscale.laws import LawFunction

_MEDIAN_NORMAL = student_quantile(0.5, math.inf)
"""Median absolute value of a standard normal error."""
_NEIGHBOURS = 15
"""Runs whose residuals give the size of an error of "unequal" noise."""
NOISES = ("normal", "student-t", "residuals", "unequal", "cluster")


@dataclass(frozen=True)
class Noise:
    """The distribution of simulated losses about the law.

    Attributes:
        kind: one of :data:`NOISES`.
        scale: robust standard deviation of the log residuals of runs of size 1.
        sizes: (rows,) of the errors of every run, relative to that.
        residuals: (rows,) of the fit, as those of runs of size 1, for "residuals".
        labels: (rows,) clusters, for "cluster".
        shared: share of the variance common to runs of one cluster, for "cluster".
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

        errors = jax.random.normal(key, rows)
        if self.labels is not None and self.kind == "cluster":
            clusters = (int(self.labels.max()) + 1,)
            common = jax.random.normal(jax.random.fold_in(key, 1), clusters)[self.labels]
            own_share, common_share = float(np.sqrt(1 - self.shared)), float(np.sqrt(self.shared))
            errors = own_share * errors + common_share * common
        return self.scale * sizes * errors


def noise_of(state: FitState, kind: str, labels: np.ndarray | None, shared: float) -> Noise:
    """Noise of the size of a fit's residuals.

    All runs have errors of one size if the objective assumes so.
    """
    predicted = state.linearization.predicted
    n, k = state.linearization.jacobian.shape
    sizes = np.ones(n) if state.sizes is None else state.sizes
    if state.objective.on == "raw":  # equal errors of the loss are unequal ones of its logarithm
        sizes = sizes * np.median(predicted) / predicted

    log_residuals = np.log(np.asarray(state.fit_data.loss) / predicted)
    # Residuals are smaller than errors by the degrees of freedom of the parameters.
    residuals = log_residuals / sizes * (n / max(n - k, 1)) ** 0.5
    centre = 0.0 if state.objective.symmetric else np.median(residuals)
    scale = float(np.median(np.abs(residuals - centre))) / _MEDIAN_NORMAL
    if kind == "unequal" and scale > 0:
        medians = _neighbour_medians(np.abs(residuals), predicted)
        sizes = sizes * medians / _MEDIAN_NORMAL / scale
    return Noise(kind, scale, sizes, residuals, labels, float(shared))


def _neighbour_medians(sizes: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Median (rows,) of sizes (rows,) among the runs nearest in order of ``position``."""
    order, medians = np.argsort(position, kind="stable"), np.empty_like(sizes)
    half = min(_NEIGHBOURS, len(sizes)) // 2
    last = max(len(sizes) - 2 * half - 1, 0)
    for rank, run in enumerate(order):
        first = min(max(rank - half, 0), last)
        medians[run] = np.median(sizes[order[first : first + 2 * half + 1]])
    return medians


def _static(labels: np.ndarray | None) -> tuple[int, ...] | None:
    """Labels as a static argument of a program."""
    return None if labels is None else tuple(labels.tolist())


def _labels(static: tuple[int, ...] | None) -> np.ndarray | None:
    """The labels of a static argument."""
    return None if static is None else np.array(static)


@program("kind", "labels", "shared")
def _simulated_losses(
    kind: str,
    labels: tuple[int, ...] | None,
    shared: float,
    *,
    arrays: tuple[Any, Any, Any],
    predicted: jax.Array,
    keys: jax.Array,
) -> jax.Array:
    """Losses (simulations, rows); ``arrays`` are the scale, sizes and residuals of the noise."""
    noise = Noise(kind, *arrays, _labels(labels), shared)
    return jax.vmap(lambda key: predicted * jnp.exp(noise.draw(key)))(keys)


class SimulatedTables(NamedTuple):
    """Simulated tables and their fits.

    Attributes:
        losses: (simulations, rows).
        free: (simulations, k) free vectors of the fits to ``losses``.
        keys: (simulations,) random keys.
    """

    losses: np.ndarray
    free: np.ndarray
    keys: jax.Array


def simulate_tables(
    state: FitState, noise: Noise, key: jax.Array, simulations: int, checkpoint: Checkpoint
) -> tuple[SimulatedTables, np.ndarray]:
    """Tables of the fitted law with new errors; those whose fit converged.

    Returns:
        The tables, and which of the ``simulations`` they are (simulations,).
    """
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(simulations))
    losses = np.asarray(
        _simulated_losses(
            noise.kind,
            _static(noise.labels if noise.kind == "cluster" else None),
            noise.shared,
            arrays=(
                jnp.asarray(noise.scale),
                jnp.asarray(noise.sizes),
                jnp.asarray(noise.residuals),
            ),
            predicted=jnp.asarray(state.linearization.predicted),
            keys=keys,
        )
    )
    free, converged = _refit_tables(state, losses, checkpoint)
    return SimulatedTables(losses[converged], free[converged], keys[converged]), converged


def _refit_tables(
    state: FitState, losses: np.ndarray, checkpoint: Checkpoint
) -> tuple[np.ndarray, np.ndarray]:
    """Fits of simulated losses, started from the truth.

    Returns:
        Free vectors (simulations, k), and which fits converged (simulations,).
    """
    observed = np.log(losses) if state.objective.on == "log" else losses
    n_rows = losses.shape[1]
    weights = np.ones((1, n_rows)) if state.weights is None else state.weights[None]
    size = chunk_for(n_rows)

    def refit(first: int) -> Arrays:
        count = min(size, len(losses) - first)
        batch = Batch(
            weights=jnp.asarray(weights),
            observed=jnp.asarray(np.resize(observed[first : first + size], (size, n_rows))),
            starts=jnp.asarray(state.free)[None],
            count=jnp.asarray(count),
        )
        free, converged = _solve_batch(state, batch, count)
        return {"free": free, "converged": converged}

    parts = [
        checkpoint.unit(f"tables {first}", partial(refit, first))
        for first in range(0, len(losses), size)
    ]
    free, converged = (np.concatenate([p[name] for p in parts]) for name in ("free", "converged"))
    return free, converged


def _solve_batch(state: FitState, batch: Batch, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first fits of a batch; those that do not converge have a second attempt.

    Returns:
        Free vectors (count, k), and which fits converged (count,).
    """
    solved = refit_batch(state.law, state.objective, state.fit_data, state.stages, batch)
    free, value, converged = (
        np.array(part)[:count] for part in (solved.free, solved.value, solved.converged)
    )

    def entry(leaf: jax.Array, i: int) -> jax.Array:
        return leaf[0] if leaf.shape[0] == 1 else leaf[i]

    for i in np.flatnonzero(~converged).tolist():
        free[i], converged[i] = retry(
            state.law,
            state.objective,
            state.fit_data,
            state.stages,
            (free[i], float(value[i])),
            start=np.asarray(entry(batch.starts, i)),
            weights=entry(batch.weights, i),
            observed=entry(batch.observed, i),
        )
    return free, converged


@dataclass(frozen=True)
class NestedBootstrap:
    """A bootstrap of each of many simulated tables.

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

    @property
    def chunk(self) -> int:
        """Refits of one batch."""
        return chunk_for(self.state.fit_data.loss.shape[0])

    def batch(
        self, tables: SimulatedTables, predicted: np.ndarray, first: int, count: int
    ) -> Batch:
        """The refits from number ``first`` on, of which ``count`` are solved.

        ``predicted`` are the losses (simulations, rows) by the laws fitted to the tables.
        """
        state, (_, rows) = self.state, tables.losses.shape
        numbers = first + np.arange(self.chunk)
        table = np.minimum(numbers // self.draws, len(tables.losses) - 1)
        weights, observed = _resampled(
            self.kind,
            state.objective,
            _static(self.labels),
            state.linearization.jacobian.shape[1],
            sizes=None if state.sizes is None else jnp.asarray(state.sizes),
            base=jnp.ones(rows) if state.weights is None else jnp.asarray(state.weights),
            keys=tables.keys[table],
            numbers=jnp.asarray(numbers % self.draws),
            losses=jnp.asarray(tables.losses[table]),
            predicted=jnp.asarray(predicted[table]),
        )
        return Batch(weights, observed, jnp.asarray(tables.free[table]), jnp.asarray(count))


@program("kind", "objective", "labels", "parameters")
def _resampled(
    kind: str,
    objective: Objective,
    labels: tuple[int, ...] | None,
    parameters: int,
    *,
    sizes: jax.Array | None,
    base: jax.Array,
    keys: jax.Array,
    numbers: jax.Array,
    losses: jax.Array,
    predicted: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Weights and observations (refits, rows) of refits of tables (refits, rows)."""

    def one(
        key: jax.Array, number: jax.Array, losses: jax.Array, predicted: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        draw = resampler(
            kind,
            losses,
            predicted,
            objective=objective,
            parameters=parameters,
            labels=_labels(labels),
            multipliers="rademacher",
            sizes=sizes,
        )
        weights, observed = draw(jax.random.fold_in(key, number))
        weights = base if weights is None else base * weights
        if observed is None:
            observed = jnp.log(losses) if objective.on == "log" else losses
        return weights, observed

    return jax.vmap(one)(keys, numbers, losses, predicted)


@program("law", "objective")
def _predicted(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> jax.Array:
    """Predictions (points, rows) at free vectors (points, k)."""
    return jax.vmap(Problem(law, objective, fit_data).predict)(free)


def bootstrap_tables(
    job: NestedBootstrap,
    tables: SimulatedTables,
    kind: str,
    advance: Callable[[int], None],
    checkpoint: Checkpoint,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A bootstrap of every simulated table.

    Args:
        job: what to resample.
        tables: with the keys of the bootstraps.
        kind: of the intervals, in the names of the units of the checkpoint.
        advance: called with the number of refits done.
        checkpoint: of the batches of refits that are done.

    Returns:
        Parameters, name → (simulations, draws), and which refits converged (simulations, draws).
    """
    state, size = job.state, job.chunk
    shape = (len(tables.losses), job.draws)
    total = len(tables.losses) * job.draws
    starts = jnp.asarray(tables.free)
    predicted = np.asarray(_predicted(state.law, state.objective, state.fit_data, starts))

    def refit(first: int, count: int) -> Arrays:
        free, converged = _solve_batch(state, job.batch(tables, predicted, first, count), count)
        # Of one shape, so that it is compiled once.
        padded = jnp.asarray(np.resize(free, (size, free.shape[1])))
        params = params_at(state.law, state.objective, state.fit_data, padded)
        columns = {name: np.asarray(value)[:count] for name, value in params.items()}
        return {
            **{f"params {name}": column for name, column in columns.items()},
            "converged": converged,
        }

    def work(first: int) -> Arrays:
        count = min(size, total - first)
        result = checkpoint.unit(f"{kind} {first}", partial(refit, first, count))
        advance(count)
        return result

    firsts = range(0, total, size)
    parts = [work(0)]  # compiles, so that the threads need not wait for each other
    if len(firsts) > 1:
        with workers(len(firsts) - 1) as pool:
            parts += pool.map(work, firsts[1:])

    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    converged = columns.pop("converged").reshape(shape)
    params = {name.removeprefix("params "): c.reshape(shape) for name, c in columns.items()}
    return params, converged
