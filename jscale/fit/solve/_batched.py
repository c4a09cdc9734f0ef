"""Thousands of fits of one law to one table at once: resamples, simulated losses, starts."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale._core.jaxprs import by_logarithm, value_and_columns
from jscale._core.solve import Model, Solved, solve
from jscale.fit.objective import FitData, Objective, Problem, floored
from jscale.laws import LawFunction, describe

MAX_STEPS = 100
"""Evaluations of one problem in one stage: bootstrap refits of the Chinchilla runs take 7 on
average and 27 at most."""
_LANES, _NUMBERS = {"cpu": 16}, {"cpu": 2**19}
"""By kind of device: lanes at most, and numbers that a step over all of them may hold, so that it
stays near a core's second-level cache. 8 to 32 lanes differ by 7% in time on a CPU, and 64 take 18%
more than 16. Other devices are given thousands, which nobody has measured."""
_MANY_LANES, _MANY_NUMBERS = 4096, 2**27

_CHUNK, _CELLS = 512, 2**21
"""Problems at a time, and the largest number of weights that a chunk may hold. Neither follows the
machine: the same key gives the same bytes on any number of cores."""


class Batch(NamedTuple):
    """Problems that differ in weights, observations or starts; an axis of length 1 is shared by
    all.

    Attributes:
        weights: (problems or 1, rows) of the runs' contributions; a run of weight 0 is not there at
            all.
        observed: (problems or 1, rows) losses or their logarithms, as the objective compares them.
        starts: (problems or 1, k) free vectors, with the log scale where the objective has one.
        count: how many problems to solve, of those that there is room for.
    """

    weights: jax.Array
    observed: jax.Array
    starts: jax.Array
    count: Any

    @property
    def problems(self) -> int:
        """Number of problems that there is room for."""
        return max(leaf.shape[0] for leaf in (self.weights, self.observed, self.starts))


def lanes_for(rows: int, k: int) -> int:
    """Problems in hand at once for a table of ``rows`` runs and ``k`` parameters."""
    device = jax.default_backend()
    return max(
        1,
        min(
            _LANES.get(device, _MANY_LANES), _NUMBERS.get(device, _MANY_NUMBERS) // (rows * (k + 6))
        ),
    )


def chunk_for(rows: int) -> int:
    """Problems to hand over at once for tables of ``rows`` runs."""
    return max(1, min(_CHUNK, _CELLS // rows))


def _pick(leaf: jax.Array, index: jax.Array) -> jax.Array:
    """A problem's row of a leaf of a batch."""
    return leaf[0] if leaf.shape[0] == 1 else leaf[index]


@partial(jax.jit, static_argnames=("law", "objective"))
def refit_batch(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, batch: Batch
) -> Solved:
    """Fits of the problems of a batch by Gauss-Newton steps, from starts near their optima.

    Args:
        law: a declared law.
        objective: what is minimised, weighted.
        tableau: inputs and centre of the table; its losses and delta are not used.
        stages: (stages,) deltas to go through, the last being the objective's own.
        batch: the problems.
    """
    problem = Problem(law, objective, fit_data)
    rows, k = batch.weights.shape[1], batch.starts.shape[1]
    # The scale of a nearly Laplacian density shrinks with its delta.
    shifts = (
        jnp.log(jnp.minimum(stages[1:] / stages[:-1], 1.0))
        if objective.has_scale
        else jnp.zeros_like(stages[1:])
    )

    begun = batch._replace(starts=batch.starts.at[:, -1].add(-shifts.sum()))

    def begin(index: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return _pick(begun.starts, index), (
            _pick(batch.weights, index),
            _pick(batch.observed, index),
        )

    def rescale(free: jax.Array, stage: jax.Array) -> jax.Array:
        return free.at[-1].add(shifts[jnp.minimum(stage, len(shifts) - 1)]) if len(shifts) else free

    lanes = min(lanes_for(rows, k), batch.problems)
    linearise, model = _parts(law, objective, fit_data)
    return solve(
        lambda free, data, stage: model(free, linearise(free), *data, stages[stage]),
        rescale,
        begin,
        _openings(begun, linearise, partial(model, delta=stages[0]), lanes),
        jnp.asarray(batch.count),
        lanes=lanes,
        stages=len(stages),
        resolution=jnp.asarray(problem.resolution),
        max_steps=MAX_STEPS * len(stages),
    )


class _Linear(NamedTuple):
    """A law about one point, on the objective's scale: ``predictions`` (rows,) and their
    derivatives (k, rows).
    """

    predictions: jax.Array
    columns: jax.Array


def _parts(
    law: LawFunction, objective: Objective, fit_data: FitData
) -> tuple[Callable[[jax.Array], _Linear], Callable[..., Model]]:
    """The law about a point, and from that the objective of one problem: what depends on no problem
    stands alone.
    """
    problem = Problem(law, objective, fit_data)
    count = len(describe(law).parameters)

    @by_logarithm
    def predicted(*free: jax.Array) -> jax.Array:
        loss = problem.predict(free)
        return jnp.log(loss) if objective.on == "log" else loss

    def linearise(free: jax.Array) -> _Linear:
        predictions, columns = value_and_columns(predicted, [free[i] for i in range(count)])
        return _Linear(predictions, jnp.stack(columns))

    def model(
        free: jax.Array, about: _Linear, weights: jax.Array, observed: jax.Array, delta: jax.Array
    ) -> Model:
        present = weights > 0
        jacobian = jnp.where(present, -problem.in_errors(about.columns), 0.0)
        residual = jnp.where(present, problem.in_errors(observed - about.predictions), 0.0)
        scale = free[-1] if objective.has_scale else jnp.zeros(())
        return _model(objective, residual, jacobian, weights=weights, scale=scale, delta=delta)

    return linearise, model


def _openings(
    batch: Batch, linearise: Callable[[jax.Array], _Linear], model: Callable[..., Model], lanes: int
) -> Model:
    """The objectives of all problems at their starts, a few at a time.

    Refits that all begin at one point, as those of a bootstrap do, share the law there: a fit of 7
    evaluations saves an eighth.
    """
    shared = linearise(batch.starts[0]) if batch.starts.shape[0] == 1 else None

    def one(index: jax.Array) -> Model:
        free = _pick(batch.starts, index)
        about = linearise(free) if shared is None else shared
        return model(free, about, _pick(batch.weights, index), _pick(batch.observed, index))

    # In whole blocks: a shorter last one would be compiled a second time.
    blocks = jnp.arange(-(-batch.problems // lanes) * lanes).reshape(-1, lanes)
    found = jax.lax.map(jax.vmap(one), jnp.minimum(blocks, batch.problems - 1))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: batch.problems], found)


def _model(
    objective: Objective,
    residual: jax.Array,
    jacobian: jax.Array,
    *,
    weights: jax.Array,
    scale: jax.Array,
    delta: jax.Array,
) -> Model:
    """Value, gradient, Gauss-Newton matrix and widths from residuals (rows,) and their Jacobian (k,
    rows).
    """

    def slope(r: jax.Array, s: jax.Array) -> jax.Array:
        return objective.slope(r, s, delta)

    def rows(s: jax.Array) -> jax.Array:
        return objective.rows(residual, s, delta)

    one = jnp.ones(())
    pull, bend = jax.jvp(lambda r: slope(r, scale), (residual,), (jnp.ones_like(residual),))
    safe = jnp.where(residual == 0, 1e-300, residual)
    gradient = jacobian @ (weights * pull)
    curvature = (jacobian * (weights * bend)) @ jacobian.T
    # From the reweighted matrix: a Huber loss has no curvature from runs outside delta.
    widths = jnp.sqrt(jacobian**2 @ (weights * slope(safe, scale) / safe))
    if objective.has_scale:
        first, second = jax.jvp(lambda s: jax.jvp(rows, (s,), (one,))[1], (scale,), (one,))
        mixed = jacobian @ (weights * jax.jvp(lambda s: slope(residual, s), (scale,), (one,))[1])
        corner = jnp.append(mixed, weights @ second)
        gradient = jnp.append(gradient, weights @ first)
        curvature = jnp.concatenate(
            [jnp.concatenate([curvature, mixed[:, None]], axis=1), corner[None]]
        )
        widths = jnp.append(widths, jnp.sqrt(weights.sum()))
    return Model(weights @ rows(scale), gradient, curvature, floored(widths))
