"""Many small minimisations at once, each ending on its own.

A fixed number of lanes share a queue of problems: a lane that ends writes its answer down and takes
the next problem, so that none waits for the slowest. Whatever happens in a lane (NaN, a step
without end) stays there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

DECREASE, ROUNDING = 1e-12, 1e-10
"""A step that promises less than the first share of the objective ends the descent; so does one
that
promises less than
the second and fails to deliver: it met rounding."""
_STAGE = 1e-6
"""The same for the stages that only lead to the last."""
_DAMPING_START, _DAMPING_UP, _DAMPING_DOWN, _DAMPING_MAX = 1e-3, 10.0, 0.1, 1e12
_EPSILON = 2.0**-52


class Model(NamedTuple):
    """An objective about one point: its ``value``, ``gradient`` (k,), curvature (k, k), and
    ``widths``
        (k,).

    The widths are positive scales of the curvature along every coordinate.
    """

    value: jax.Array
    gradient: jax.Array
    curvature: jax.Array
    widths: jax.Array


class Solved(NamedTuple):
    """Answers by problem: ``free`` (problems, k), ``value``, ``steps`` and whether it ``settled``
    (problems,).
    """

    free: jax.Array
    value: jax.Array
    steps: jax.Array
    settled: jax.Array


class _Lane(NamedTuple):
    """A problem in hand: ``fresh`` where the model belongs to another stage or point than ``x``.

    ``move`` is the step proposed from ``x`` and ``promised`` what an undamped one would gain;
    ``settled`` and ``stuck`` say that it ends here.
    """

    problem: jax.Array
    x: jax.Array
    model: Model
    move: jax.Array
    promised: jax.Array
    damping: jax.Array
    fresh: jax.Array
    settled: jax.Array
    stuck: jax.Array
    stage: jax.Array
    steps: jax.Array


class _Queue(NamedTuple):
    """Rows of ``answers`` by problem, and the number of the ``following`` problem."""

    answers: jax.Array
    following: jax.Array


def eliminate(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """The solution (k,) of a symmetric system (k, k) of unit scale.

    Pivots that are not positive are reflected, so that the solution always has a positive product
    with ``right``. Gauss and Jordan's elimination, in k steps of arithmetic on whole arrays: LAPACK
    would be called once a lane.
    """
    k = right.shape[0]
    system = jnp.concatenate([matrix, right[:, None]], axis=1)
    for j in range(k):
        unit = jnp.eye(k)[j]
        pivot = jnp.maximum(jnp.abs(system[j, j]), _EPSILON)
        row = jnp.where(jnp.arange(k + 1) == j, pivot, system[j]) / pivot
        column = jnp.where(unit > 0, pivot - 1.0, system[:, j])
        system = jnp.where((unit > 0)[:, None], row, system - column[:, None] * row)
    return system[:, k]


def propose(model: Model, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A damped Newton step (k,), and what the undamped one promises of the objective."""
    slope = model.gradient / model.widths
    curvature = model.curvature / model.widths[:, None] / model.widths
    both = jnp.stack([damping, jnp.full_like(damping, _EPSILON)])
    damped, free = jax.vmap(lambda d: eliminate(curvature + d * jnp.eye(slope.shape[0]), slope))(
        both
    )
    return -damped / model.widths, 0.5 * slope @ free


class _Limits(NamedTuple):
    count: jax.Array
    stages: int
    resolution: jax.Array
    max_steps: int


def _select(which: jax.Array, new: Any, old: Any) -> Any:
    """Leaves (lanes, ...) of ``new`` where ``which`` (lanes,) holds, else of ``old``."""
    return jax.tree.map(
        lambda a, b: jnp.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b), new, old
    )


def _sound(model: Model) -> jax.Array:
    return jnp.isfinite(model.value) & jnp.isfinite(
        model.gradient.sum(-1) + model.curvature.sum((-1, -2))
    )


def _hand_over(
    lane: _Lane,
    queue: _Queue,
    opened: Callable[[jax.Array], _Lane],
    rescale: Callable[[jax.Array, jax.Array], jax.Array],
    limits: _Limits,
) -> tuple[_Lane, _Queue]:
    """Lanes that ended write down answers and take new problems; those that settled early go to the
    next stage.
    """
    last = lane.stage == limits.stages - 1
    slack = limits.resolution + jnp.where(last, DECREASE, _STAGE) * jnp.abs(lane.model.value)
    settled = lane.settled | (~lane.fresh & (lane.promised <= slack))
    done, onward = settled & last, settled & ~last & ~lane.stuck
    ended = done | lane.stuck
    ends = (lane.model.value, lane.steps.astype(lane.x.dtype), done.astype(lane.x.dtype))
    answer = jnp.concatenate([lane.x, jnp.stack(ends, axis=1)], axis=1)
    # Answers leave through an index that points nowhere for lanes still at work or without a
    # problem.
    nowhere = queue.answers.shape[0]
    where = jnp.where(ended & (lane.problem < limits.count), lane.problem, nowhere)
    answers = queue.answers.at[where].set(answer, mode="drop")
    index = jnp.arange(len(ended))
    taken = queue.following + (ended & (index[:, None] >= index)).sum(1) - 1
    moved = lane._replace(
        x=jnp.where(onward[:, None], jax.vmap(rescale)(lane.x, lane.stage), lane.x),
        damping=jnp.where(onward, _DAMPING_START, lane.damping),
        fresh=lane.fresh | onward,
        settled=jnp.zeros_like(settled),
        stage=jnp.where(onward, lane.stage + 1, lane.stage),
    )
    lane = _select(ended, opened(jnp.where(ended, taken, lane.problem)), moved)
    return lane, _Queue(answers, queue.following + ended.sum())


def _judge(lane: _Lane, trial: jax.Array, model: Model, limits: _Limits) -> _Lane:
    """Take the trial points (lanes, k) that are better, see which lanes are stuck, and plan the
    next steps.
    """
    size, last = jnp.abs(lane.model.value), lane.stage == limits.stages - 1
    sound = _sound(model)
    better = sound & (lane.fresh | (model.value <= lane.model.value))
    # A step that promised next to nothing and does not deliver has met rounding.
    slack = limits.resolution + jnp.where(last, ROUNDING, _STAGE) * size
    damping = jnp.where(
        better, jnp.maximum(lane.damping * _DAMPING_DOWN, 1e-15), lane.damping * _DAMPING_UP
    )
    damping = jnp.where(lane.fresh, _DAMPING_START, damping)
    steps = lane.steps + 1
    kept = _select(better, model, lane.model)
    move, promised = jax.vmap(propose)(kept, damping)
    return lane._replace(
        x=jnp.where(better[:, None], trial, lane.x),
        model=kept,
        move=move,
        promised=promised,
        damping=damping,
        fresh=jnp.zeros_like(lane.fresh),
        settled=~lane.fresh & ~better & (lane.promised <= slack),
        stuck=lane.stuck
        | (damping > _DAMPING_MAX)
        | (steps >= limits.max_steps)
        | (lane.fresh & ~sound),
        steps=steps,
    )


def solve(
    evaluate: Callable[[jax.Array, Any, jax.Array], Model],
    rescale: Callable[[jax.Array, jax.Array], jax.Array],
    begin: Callable[[jax.Array], tuple[jax.Array, Any]],
    opening: Model,
    count: jax.Array,
    *,
    lanes: int,
    stages: int,
    resolution: jax.Array,
    max_steps: int,
) -> Solved:
    """Local minima of the first ``count`` of ``problems`` problems.

    Args:
        evaluate: point (k,), the problem's data, stage () → the objective there; traced for one
            lane.
        rescale: point (k,) and the stage that was settled → where the next stage starts.
        begin: index of a problem → its start (k,) and its data, whatever it is.
        opening: the objectives at the starts in the first stage, with a leading axis of all
            problems there is room for.
        count: number of problems to solve; the answers of the others are not settled.
        lanes: number of problems in hand at any time.
        stages: number of stages that every problem goes through.
        resolution: a decrease of the objective that does not matter.
        max_steps: evaluations a problem may take, over all its stages and beside that at its start.
    """
    limits, problems = _Limits(count, stages, resolution, max_steps), opening.value.shape[0]
    plans = jax.vmap(propose)(opening, jnp.full((problems,), _DAMPING_START))

    def opened(index: jax.Array) -> _Lane:
        at = jnp.minimum(index, problems - 1)
        start, _ = jax.vmap(begin)(at)
        model, move, promised = jax.tree.map(lambda leaf: leaf[at], (opening, *plans))
        no, zero = jnp.zeros(index.shape, bool), jnp.zeros_like(index)
        damping = jnp.full(index.shape, _DAMPING_START)
        return _Lane(
            index, start, model, move, promised, damping, no, no, ~_sound(model), zero, zero
        )

    def advance(carry: tuple[_Lane, _Queue]) -> tuple[_Lane, _Queue]:
        lane, queue = _hand_over(*carry, opened, rescale, limits)
        _, data = jax.vmap(begin)(jnp.minimum(lane.problem, problems - 1))
        trial = jnp.where(lane.fresh[:, None], lane.x, lane.x + lane.move)
        return _judge(lane, trial, jax.vmap(evaluate)(trial, data, lane.stage), limits), queue

    def unfinished(carry: tuple[_Lane, _Queue]) -> jax.Array:
        return jnp.any(carry[0].problem < count)

    first = opened(jnp.arange(lanes))
    k = first.x.shape[1]
    blank = jnp.zeros((problems, k + 3)).at[:, : k + 1].set(jnp.nan)
    _, (answers, _) = lax.while_loop(
        unfinished, advance, (first, _Queue(blank, jnp.asarray(lanes)))
    )
    return Solved(
        answers[:, :k], answers[:, k], answers[:, k + 1].astype(int), answers[:, k + 2] > 0
    )
