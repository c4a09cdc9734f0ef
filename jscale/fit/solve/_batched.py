"""Thousands of fits of one law to one table at once: resamples, simulated losses, starts."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale._core.jaxprs import by_logarithm, value_and_columns
from jscale._core.programs import program
from jscale._core.solve import BatchedDescent, QuadraticModel, newton_batched
from jscale.fit.objective import (
    FitData,
    Objective,
    Problem,
    compiled_form,
    floor_widths,
    log_scale_of,
    pad,
    pad_zeros,
    padded_size,
    score_and_derivative,
)
from jscale.laws import LawFunction, describe

MAX_STEPS = 100
"""Evaluations of one problem in one stage: bootstrap refits of the Chinchilla runs take 7 on
average and 27 at most."""
_BATCH_SIZES, _NUMBERS = {"cpu": 16}, {"cpu": 2**19}
"""By kind of device: the most lanes, and the most numbers that a step over all of them may hold, so
that it stays near the size of a core's second-level cache. 8 to 32 lanes differ by 7% in time on a
CPU, and 64 take 18% more than 16."""
_DEVICE_BATCH_SIZES, _DEVICE_NUMBERS = 4096, 2**27
"""The same on other devices; not measured."""

_CHUNK, _CELLS = 512, 2**21
"""Problems per chunk, and the most weights that a chunk may hold. Neither depends on the machine,
so that the same key gives the same bytes on any number of cores."""


class Batch(NamedTuple):
    """Problems that differ in weights, observations or starts.

    An axis of length 1 is shared by all problems.

    Attributes:
        weights: (problems or 1, rows) of the runs' contributions; runs of weight 0 are left out.
        observed: (problems or 1, rows) losses or their logarithms, as the objective compares them.
        starts: (problems or 1, k) free vectors, with the log scale where the objective has one.
        count: number of problems to solve, of those that there is room for.
    """

    weights: Any
    observed: Any
    starts: Any
    count: Any

    @property
    def problems(self) -> int:
        """Number of problems that there is room for."""
        return max(leaf.shape[0] for leaf in (self.weights, self.observed, self.starts))


def lanes_for(rows: int, k: int) -> int:
    """Lanes for a table of ``rows`` runs and ``k`` parameters."""
    device = jax.default_backend()
    lanes = _BATCH_SIZES.get(device, _DEVICE_BATCH_SIZES)
    numbers = _NUMBERS.get(device, _DEVICE_NUMBERS)
    return max(1, min(lanes, numbers // (rows * (k + 6))))


def chunk_for(rows: int) -> int:
    """Problems per chunk for tables of ``rows`` runs."""
    return max(1, min(_CHUNK, _CELLS // padded_size(rows)))


def _row_of(leaf: jax.Array, index: jax.Array) -> jax.Array:
    """The row of a problem in a leaf of a batch."""
    return leaf[0] if leaf.shape[0] == 1 else leaf[index]


def refit_batch(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, batch: Batch
) -> BatchedDescent:
    """Fits of the problems of a batch by Gauss-Newton steps, from starts near their optima.

    Args:
        law: a declared law.
        objective: what is minimised, weighted.
        fit_data: inputs and centre of the table; its losses and delta are not used.
        stages: (stages,) deltas to go through, the last being the objective's own.
        batch: the problems.
    """
    form = compiled_form(law, fit_data)
    size = len(form.fit_data.loss)
    if batch.weights.shape[1] < size:
        batch = batch._replace(weights=pad_zeros(batch.weights, size))
    if batch.observed.shape[1] < size:
        batch = batch._replace(observed=pad(batch.observed, size))
    return _refit_batch(form.law, objective, form.fit_data, stages, batch)


@program("law", "objective")
def _refit_batch(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, batch: Batch
) -> BatchedDescent:
    rows, k = batch.weights.shape[1], batch.starts.shape[1]
    lanes = min(lanes_for(rows, k), batch.problems)
    linearize = _law_linearizer(law, objective, fit_data)
    model_of = _model_of(Problem(law, objective, fit_data))

    # The scale of a nearly Laplacian density is proportional to its delta.
    ratios = jnp.minimum(stages[1:] / stages[:-1], 1.0)
    shifts = jnp.log(ratios) if objective.has_scale else jnp.zeros_like(stages[1:])
    shifted = batch._replace(starts=batch.starts.at[:, -1].add(-shifts.sum()))

    def start_and_data(index: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        data = _row_of(batch.weights, index), _row_of(batch.observed, index)
        return _row_of(shifted.starts, index), data

    def rescale(free: jax.Array, stage: jax.Array) -> jax.Array:
        if not len(shifts):
            return free
        return free.at[-1].add(shifts[jnp.minimum(stage, len(shifts) - 1)])

    def evaluate(
        free: jax.Array, data: tuple[jax.Array, jax.Array], stage: jax.Array
    ) -> QuadraticModel:
        return model_of(free, linearize(free), *data, stages[stage])

    initial = _initial_models(shifted, linearize, partial(model_of, delta=stages[0]), lanes)
    return newton_batched(
        evaluate,
        rescale,
        start_and_data,
        initial,
        jnp.asarray(batch.count),
        lanes=lanes,
        stages=len(stages),
        resolution=jnp.asarray(Problem(law, objective, fit_data).resolution),
        max_steps=MAX_STEPS * len(stages),
    )


class _Linearized(NamedTuple):
    """A law about one point, on the objective's scale.

    Attributes:
        predictions: (rows,).
        columns: (k, rows) derivatives of the predictions.
    """

    predictions: jax.Array
    columns: jax.Array


def _law_linearizer(
    law: LawFunction, objective: Objective, fit_data: FitData
) -> Callable[[jax.Array], _Linearized]:
    """The law about a point (k,), which is the same for all problems that share the point."""
    problem = Problem(law, objective, fit_data)
    count = len(describe(law).parameters)

    @by_logarithm
    def predicted(*free: jax.Array) -> jax.Array:
        loss = problem.predict(free)
        return jnp.log(loss) if objective.on == "log" else loss

    def linearize(free: jax.Array) -> _Linearized:
        predictions, columns = value_and_columns(predicted, [free[i] for i in range(count)])
        return _Linearized(predictions, jnp.stack(columns))

    return linearize


def _model_of(problem: Problem) -> Callable[..., QuadraticModel]:
    """The objective of one problem about a point, from the linearized law there."""

    def model_of(
        free: jax.Array,
        linearized: _Linearized,
        weights: jax.Array,
        observed: jax.Array,
        delta: jax.Array,
    ) -> QuadraticModel:
        # A run of weight 0 may hold a loss that is not finite.
        present = weights > 0
        jacobian = jnp.where(present, -problem.standardized(linearized.columns), 0.0)
        deviation = problem.standardized(observed - linearized.predictions)
        return _quadratic_model(
            problem.objective,
            jnp.where(present, deviation, 0.0),
            jacobian,
            weights=weights,
            log_scale=log_scale_of(problem.objective, free),
            delta=delta,
        )

    return model_of


def _initial_models(
    batch: Batch,
    linearize: Callable[[jax.Array], _Linearized],
    model_of: Callable[..., QuadraticModel],
    lanes: int,
) -> QuadraticModel:
    """The objectives of all problems at their starts, as many at a time as there are lanes.

    Refits with a common start, as those of a bootstrap, share the linearized law there: a fit of 7
    evaluations saves an eighth.
    """
    shared = linearize(batch.starts[0]) if batch.starts.shape[0] == 1 else None

    def one(index: jax.Array) -> QuadraticModel:
        free = _row_of(batch.starts, index)
        linearized = linearize(free) if shared is None else shared
        return model_of(
            free, linearized, _row_of(batch.weights, index), _row_of(batch.observed, index)
        )

    # In blocks of one size: a shorter last one would be compiled a second time.
    blocks = jnp.arange(-(-batch.problems // lanes) * lanes).reshape(-1, lanes)
    models = jax.lax.map(jax.vmap(one), jnp.minimum(blocks, batch.problems - 1))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: batch.problems], models)


def _quadratic_model(
    objective: Objective,
    residual: jax.Array,
    jacobian: jax.Array,
    *,
    weights: jax.Array,
    log_scale: jax.Array,
    delta: jax.Array,
) -> QuadraticModel:
    """The Gauss-Newton model from residuals (rows,) and their Jacobian (k, rows)."""
    # 1. Gradient and Gauss-Newton matrix.
    score, score_derivative = score_and_derivative(objective, residual, log_scale, delta)
    gradient = jacobian @ (weights * score)
    curvature = (jacobian * (weights * score_derivative)) @ jacobian.T

    # 2. Widths from the reweighted matrix: a Huber loss has no curvature from runs outside delta.
    nonzero = jnp.where(residual == 0, 1e-300, residual)
    reweighted = weights * objective.score(nonzero, log_scale, delta) / nonzero
    widths = jnp.sqrt(jacobian**2 @ reweighted)

    # 3. A row and a column for the log scale, with exact derivatives.
    def rows(s: jax.Array) -> jax.Array:
        return objective.rows(residual, s, delta)

    if objective.has_scale:
        one = jnp.ones(())
        first, second = jax.jvp(lambda s: jax.jvp(rows, (s,), (one,))[1], (log_scale,), (one,))
        _, score_by_scale = jax.jvp(
            lambda s: objective.score(residual, s, delta), (log_scale,), (one,)
        )
        mixed = jacobian @ (weights * score_by_scale)
        corner = jnp.append(mixed, weights @ second)
        gradient = jnp.append(gradient, weights @ first)
        curvature = jnp.concatenate(
            [jnp.concatenate([curvature, mixed[:, None]], axis=1), corner[None]]
        )
        widths = jnp.append(widths, jnp.sqrt(weights.sum()))

    value = weights @ rows(log_scale)
    return QuadraticModel(value, gradient, curvature, floor_widths(widths))
