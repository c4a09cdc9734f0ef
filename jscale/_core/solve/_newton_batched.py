"""Many small minimisations at once, each of which ends independently of the others.

Why it is not one of the others: :mod:`._newton` under ``vmap`` would make every problem wait for
the slowest, and calls LAPACK once a problem. Here a fixed number of lanes share a queue of
problems: a lane whose problem ends records the answer and takes the next problem. The caller
supplies gradients and Gauss-Newton matrices, so no Hessian is taken. A failure in one lane (NaN, a
descent that does not end) does not affect the others.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jscale._core.solve._descent_rules import (
    DAMPING_MAX,
    ROUNDING_SHARE,
    decreased_damping,
    is_negligible,
)

_DECREASE_SHARE = 1e-12
"""A step that predicts a decrease below this share of the objective ends the descent."""
_STAGE_SHARE = 1e-6
"""The same in the stages before the last, after a failed step as well."""
_DAMPING_START, _DAMPING_UP, _DAMPING_DOWN = 1e-3, 10.0, 0.1
_EPSILON = 2.0**-52


class QuadraticModel(NamedTuple):
    """An objective about one point.

    Attributes:
        value: the objective.
        gradient: (k,).
        curvature: (k, k), the Gauss-Newton matrix or the Hessian.
        widths: (k,) positive scales of the curvature along every coordinate.
    """

    value: jax.Array
    gradient: jax.Array
    curvature: jax.Array
    widths: jax.Array


class BatchedDescent(NamedTuple):
    """The ends of all descents.

    Attributes:
        free: (problems, k) the last points; NaN for problems that were not solved.
        value: (problems,) the objectives there.
        steps: (problems,) numbers of evaluations.
        converged: (problems,) whether a descent ended at a minimum.
    """

    free: jax.Array
    value: jax.Array
    steps: jax.Array
    converged: jax.Array


class _Lane(NamedTuple):
    """The problem that a lane works on.

    Attributes:
        problem: its index.
        x: the current point.
        model: the objective about ``x``.
        move: step proposed from ``x``.
        predicted: decrease that an undamped step predicts.
        damping: of the proposed step.
        fresh: the model belongs to an earlier stage or another point, and is to be renewed at
            ``x``.
        converged: the last step failed where it predicted next to nothing.
        failed: the descent ends here without a minimum.
        stage: index of the current stage.
        steps: evaluations so far.
    """

    problem: jax.Array
    x: jax.Array
    model: QuadraticModel
    move: jax.Array
    predicted: jax.Array
    damping: jax.Array
    fresh: jax.Array
    converged: jax.Array
    failed: jax.Array
    stage: jax.Array
    steps: jax.Array


class _Queue(NamedTuple):
    """Rows of ``answers`` by problem, and the index of the ``following`` problem."""

    answers: jax.Array
    following: jax.Array


class _Limits(NamedTuple):
    count: jax.Array
    stages: int
    resolution: jax.Array
    max_steps: int


def eliminate(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """The solution (k,) of a symmetric system (k, k) of unit scale.

    Pivots that are not positive are reflected, so that the solution always has a positive product
    with ``right``. Gauss-Jordan elimination in k steps of arithmetic on whole arrays: LAPACK would
    be called once per lane.
    """
    k = right.shape[0]
    system = jnp.concatenate([matrix, right[:, None]], axis=1)
    for j in range(k):
        # The first column is eliminated and, since no later step reads it, dropped.
        pivot = jnp.maximum(jnp.abs(system[j, 0]), _EPSILON)
        row = system[j, 1:] / pivot
        others = system[:, 1:] - system[:, :1] * row
        is_pivot = (np.arange(k) == j)[:, None]  # numpy's: a constant of the program
        system = jnp.where(is_pivot, row, others)
    return system[:, 0]


def propose(model: QuadraticModel, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A damped Newton step (k,), and the decrease that the undamped step predicts."""
    gradient = model.gradient / model.widths
    curvature = model.curvature / model.widths[:, None] / model.widths
    identity = jnp.eye(gradient.shape[0])
    dampings = jnp.stack([damping, jnp.full_like(damping, _EPSILON)])
    damped, undamped = jax.vmap(lambda d: eliminate(curvature + d * identity, gradient))(dampings)
    return -damped / model.widths, 0.5 * gradient @ undamped


def _select(which: jax.Array, new: Any, old: Any) -> Any:
    """Leaves (lanes, ...) of ``new`` where ``which`` (lanes,) holds, else of ``old``."""
    return jax.tree.map(
        lambda a, b: jnp.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b), new, old
    )


def _is_finite(model: QuadraticModel) -> jax.Array:
    derivatives = model.gradient.sum(-1) + model.curvature.sum((-1, -2))
    return jnp.isfinite(model.value) & jnp.isfinite(derivatives)


def _hand_over(
    lane: _Lane,
    queue: _Queue,
    start_problem: Callable[[jax.Array], _Lane],
    rescale: Callable[[jax.Array, jax.Array], jax.Array],
    limits: _Limits,
) -> tuple[_Lane, _Queue]:
    """Record the answers of lanes that ended, and give those lanes new problems.

    Lanes that converged in a stage before the last go on to the next one.
    """
    # 1. Which lanes end, and which go on to the next stage.
    last = lane.stage == limits.stages - 1
    share = jnp.where(last, _DECREASE_SHARE, _STAGE_SHARE)
    negligible = is_negligible(lane.predicted, lane.model.value, limits.resolution, share)
    converged = lane.converged | (~lane.fresh & negligible)
    done = converged & last
    advances = converged & ~last & ~lane.failed
    finished = done | lane.failed

    # 2. Record answers. Lanes that go on, or hold no problem, write to an index out of range, which
    #    is dropped.
    dtype = lane.x.dtype
    record = jnp.stack([lane.model.value, lane.steps.astype(dtype), done.astype(dtype)], axis=1)
    out_of_range = queue.answers.shape[0]
    target = jnp.where(finished & (lane.problem < limits.count), lane.problem, out_of_range)
    answers = queue.answers.at[target].set(jnp.concatenate([lane.x, record], axis=1), mode="drop")

    # 3. Start the next problems of the queue, and the next stages.
    index = jnp.arange(len(finished))
    following = queue.following + (finished & (index[:, None] >= index)).sum(1) - 1
    continued = lane._replace(
        x=jnp.where(advances[:, None], jax.vmap(rescale)(lane.x, lane.stage), lane.x),
        damping=jnp.where(advances, _DAMPING_START, lane.damping),
        fresh=lane.fresh | advances,
        converged=jnp.zeros_like(converged),
        stage=jnp.where(advances, lane.stage + 1, lane.stage),
    )
    started = start_problem(jnp.where(finished, following, lane.problem))
    return _select(finished, started, continued), _Queue(answers, queue.following + finished.sum())


def _accept(lane: _Lane, trial: jax.Array, model: QuadraticModel, limits: _Limits) -> _Lane:
    """Accept trial points (lanes, k) that decrease the objective, and propose the next steps."""
    # 1. Accept or reject; a fresh lane only learns its model.
    finite = _is_finite(model)
    accepted = finite & (lane.fresh | (model.value <= lane.model.value))

    # 2. A step that predicted next to nothing and failed has reached floating-point precision.
    last = lane.stage == limits.stages - 1
    share = jnp.where(last, ROUNDING_SHARE, _STAGE_SHARE)
    negligible = is_negligible(lane.predicted, lane.model.value, limits.resolution, share)

    # 3. The next damping and step.
    damping = jnp.where(
        accepted, decreased_damping(lane.damping, _DAMPING_DOWN), lane.damping * _DAMPING_UP
    )
    damping = jnp.where(lane.fresh, _DAMPING_START, damping)
    steps = lane.steps + 1
    current = _select(accepted, model, lane.model)
    move, predicted = jax.vmap(propose)(current, damping)

    exhausted = (damping > DAMPING_MAX) | (steps >= limits.max_steps)
    return lane._replace(
        x=jnp.where(accepted[:, None], trial, lane.x),
        model=current,
        move=move,
        predicted=predicted,
        damping=damping,
        fresh=jnp.zeros_like(lane.fresh),
        converged=~lane.fresh & ~accepted & negligible,
        failed=lane.failed | exhausted | (lane.fresh & ~finite),
        steps=steps,
    )


def newton_batched(
    evaluate: Callable[[jax.Array, Any, jax.Array], QuadraticModel],
    rescale: Callable[[jax.Array, jax.Array], jax.Array],
    start_and_data: Callable[[jax.Array], tuple[jax.Array, Any]],
    initial: QuadraticModel,
    count: jax.Array,
    *,
    lanes: int,
    stages: int,
    resolution: jax.Array,
    max_steps: int,
) -> BatchedDescent:
    """Local minima of the first ``count`` of ``problems`` problems.

    Args:
        evaluate: point (k,), the problem's data, stage () → the objective there; traced for one
            lane.
        rescale: point (k,) and the stage that converged → where the next stage starts.
        start_and_data: index of a problem → its start (k,) and its data, any pytree.
        initial: the objectives at the starts in the first stage, with a leading axis of all
            problems that there is room for.
        count: number of problems to solve; the others are reported as not converged.
        lanes: number of problems worked on at any time.
        stages: number of stages of every problem.
        resolution: decrease of the objective that does not matter.
        max_steps: evaluations that a problem may take over all its stages, in addition to the one
            at its start.
    """
    problems = initial.value.shape[0]
    limits = _Limits(count, stages, resolution, max_steps)
    proposals = jax.vmap(propose)(initial, jnp.full((problems,), _DAMPING_START))

    def start_problem(index: jax.Array) -> _Lane:
        row = jnp.minimum(index, problems - 1)
        start, _ = jax.vmap(start_and_data)(row)
        model, move, predicted = jax.tree.map(lambda leaf: leaf[row], (initial, *proposals))
        false, zero = jnp.zeros(index.shape, bool), jnp.zeros_like(index)
        return _Lane(
            problem=index,
            x=start,
            model=model,
            move=move,
            predicted=predicted,
            damping=jnp.full(index.shape, _DAMPING_START),
            fresh=false,
            converged=false,
            failed=~_is_finite(model),
            stage=zero,
            steps=zero,
        )

    def unfinished(carry: tuple[_Lane, _Queue]) -> jax.Array:
        return jnp.any(carry[0].problem < count)

    def advance(carry: tuple[_Lane, _Queue]) -> tuple[_Lane, _Queue]:
        lane, queue = _hand_over(*carry, start_problem, rescale, limits)
        _, data = jax.vmap(start_and_data)(jnp.minimum(lane.problem, problems - 1))
        trial = jnp.where(lane.fresh[:, None], lane.x, lane.x + lane.move)
        model = jax.vmap(evaluate)(trial, data, lane.stage)
        return _accept(lane, trial, model, limits), queue

    first = start_problem(jnp.arange(lanes))
    k = first.x.shape[1]
    blank = jnp.zeros((problems, k + 3)).at[:, : k + 1].set(jnp.nan)
    queue = _Queue(blank, jnp.asarray(lanes))
    _, (answers, _) = lax.while_loop(unfinished, advance, (first, queue))
    return BatchedDescent(
        free=answers[:, :k],
        value=answers[:, k],
        steps=answers[:, k + 1].astype(int),
        converged=answers[:, k + 2] > 0,
    )
