"""The walk along a profile: out from the optimum to where the objective has risen by as much as a
    level allows.

A step minimises ``objective + (mu / 2) (target - c)**2`` over all free coordinates, by the fit's
own Newton method. Its minimum is an exact point of the profile, whatever ``mu``: the least
objective among all parameters with that value of the target, at a value that is found rather than
given. So no constraint has to be solved for, and a target that cannot be reached (the edge of a
range) does no harm.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.jaxprs import by_logarithm
from jscale._core.solve import newton
from jscale.fit.objective import FitData, Objective, Problem, longest_steps, next_stage
from jscale.fit.uncertainty._targets import Target
from jscale.laws import LawFunction, describe

STEPS = 48
"""Minimisations a side; ends on the Chinchilla runs take 7 to 12."""
_STIFFNESS = 50.0
"""Of the penalty, in units of the profile's own curvature: a point then lies within 2% of where it
was sent."""
_STRIDE, _GROWTH = 0.34, 2.5
"""Share of the threshold that a step aims at, and the most by which a step may outgrow the last."""
_TOLERANCE = 1e-7
"""Of the signed root at an end, relative to the threshold's."""
_STALLED = 1e-3
_FAILURES = 5

REACHED, OPEN, FAILED = 0, 1, 2
"""How a side ended: at the threshold; without one, however far it went; or where no minimum was
found."""


class Walk(NamedTuple):
    """What a walk is asked to do.

    Attributes:
        stages: (stages,) deltas of the objective, the last being its own.
        choice: (k,) for :class:`Chosen`.
        start: free vector of the optimum, with the log scale where the objective has one.
        spread: standard deviation of the target.
        unit: the objective rises by half of this at one standard deviation.
        goal: standard deviations to go.
        farthest: distance from the optimum at which a side counts as open.
    """

    stages: Any
    choice: Any
    start: Any
    spread: Any
    unit: Any
    goal: Any
    farthest: Any


class Place(NamedTuple):
    """A point of the profile: where it was sent, the target there, its signed root, and the free
    vector.
    """

    sent: jax.Array
    level: jax.Array
    root: jax.Array
    free: jax.Array


class Side(NamedTuple):
    """One side of a profile; the first ``count`` entries of the paths are points.

    Attributes:
        end: the target where the side ends.
        miss: its signed root there, minus the goal.
        outcome: REACHED, OPEN or FAILED.
        levels: (STEPS,) of the target.
        rises: (STEPS,) of the objective above the optimum's; negative where a better optimum was
            met.
        free: (STEPS, k) free vectors.
        count: number of points.
    """

    end: jax.Array
    miss: jax.Array
    outcome: jax.Array
    levels: jax.Array
    rises: jax.Array
    free: jax.Array
    count: jax.Array


class _State(NamedTuple):
    near: Place
    far: Place
    bracketed: jax.Array
    step: jax.Array
    stalls: jax.Array
    failures: jax.Array
    tries: jax.Array
    finished: jax.Array
    levels: jax.Array
    rises: jax.Array
    free: jax.Array
    count: jax.Array


@partial(jax.jit, static_argnames=("law", "objective", "target"))
def locate(
    law: LawFunction, objective: Objective, target: Target, fit_data: FitData, at: tuple[Any, Any]
) -> Any:
    """The target at a free vector, and its gradient by the law's coordinates (k,); ``at`` has the
    vector and choice.
    """
    coordinates, (free, choice) = Problem(law, objective, fit_data).coordinates, at
    count = len(describe(law).parameters)
    return jax.value_and_grad(lambda z: target(coordinates.to_params(z), choice))(free[:count])


@partial(jax.jit, static_argnames=("law", "objective", "target"))
def walk(
    law: LawFunction, objective: Objective, target: Target, fit_data: FitData, request: Walk
) -> Side:
    """Both sides of a profile, that of smaller values first; leaves have a leading axis of 2."""
    problem = Problem(law, objective, fit_data)
    return lax.map(lambda sign: _side(problem, target, request, sign), jnp.array([-1.0, 1.0]))


def _side(problem: Problem, target: Target, request: Walk, sign: jax.Array) -> Side:
    solve = _solver(problem, target, request)
    value = by_logarithm(problem.value)
    count = len(describe(problem.law).parameters)

    def measure(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return value(z), target(problem.coordinates.to_params(z[:count]), request.choice)

    best, level = measure(request.start)
    first = Place(level, level, jnp.zeros(()), request.start)

    def unfinished(state: _State) -> jax.Array:
        return ~state.finished & (state.tries < STEPS)

    def advance(state: _State) -> _State:
        near, far = state.near, state.far
        sent = jnp.where(
            state.bracketed,
            _between(near, far, request.goal, state.tries),
            near.sent + sign * state.step,
        )
        closer = state.bracketed & (
            jnp.abs(far.root - request.goal) < jnp.abs(near.root - request.goal)
        )
        found, settled = solve(sent, jnp.where(closer, far.free, near.free))
        value, level = measure(found)
        rise = value - best
        sound = settled & jnp.isfinite(level) & jnp.isfinite(rise)
        root = jnp.sqrt(jnp.maximum(2 * rise / request.unit, 0.0))
        return _taken(state, Place(sent, level, root, found), rise, sound, request)

    k = request.start.shape[0]
    blank = _State(
        first,
        first._replace(root=jnp.full((), jnp.inf)),
        jnp.asarray(False),
        _STRIDE * request.goal * request.spread,
        jnp.asarray(0),
        jnp.asarray(0),
        jnp.asarray(0),
        jnp.asarray(False),
        jnp.full(STEPS, level),
        jnp.zeros(STEPS),
        jnp.broadcast_to(request.start, (STEPS, k)),
        jnp.asarray(0),
    )
    last = lax.while_loop(unfinished, advance, blank)
    near_by = jnp.abs(last.near.root - request.goal) <= jnp.abs(last.far.root - request.goal)
    end = jax.tree.map(lambda a, b: jnp.where(near_by, a, b), last.near, last.far)
    failed = last.failures >= _FAILURES
    outcome = jnp.where(last.bracketed, REACHED, jnp.where(failed, FAILED, OPEN))
    return Side(
        end.level, end.root - request.goal, outcome, last.levels, last.rises, last.free, last.count
    )


def _between(near: Place, far: Place, goal: jax.Array, tries: jax.Array) -> jax.Array:
    """Where to go next between two places about the threshold: by the secant, and every fourth time
    half way.
    """
    gap = far.root - near.root
    share = jnp.clip((goal - near.root) / jnp.where(gap > 0, gap, 1.0), 0.0, 1.0)
    share = jnp.where((tries % 4 == 3) | ~jnp.isfinite(share), 0.5, share)
    return near.sent + share * (far.sent - near.sent)


def _taken(state: _State, place: Place, rise: jax.Array, sound: jax.Array, request: Walk) -> _State:
    """The state after one minimisation."""
    beyond = sound & (place.root >= request.goal)
    bracketed = state.bracketed | beyond
    walking = sound & ~bracketed
    moved, gained = jnp.abs(place.level - state.near.level), place.root - state.near.root
    # Aimed at a number of standard deviations by the slope of the last step.
    slope = gained / jnp.abs(place.sent - state.near.sent)
    aimed = _STRIDE * request.goal / jnp.maximum(slope, 1e-300)
    step = jnp.where(
        walking, jnp.clip(aimed, 0.5 * state.step, _GROWTH * state.step), 0.25 * state.step
    )
    stalled = walking & (moved <= _STALLED * state.step) & (gained <= _STALLED * request.goal)
    stalls = jnp.where(stalled, state.stalls + 1, jnp.where(walking, 0, state.stalls))
    failures = jnp.where(sound, state.failures, state.failures + 1)
    near = jax.tree.map(lambda new, old: jnp.where(sound & ~beyond, new, old), place, state.near)
    far = jax.tree.map(lambda new, old: jnp.where(beyond, new, old), place, state.far)
    there = sound & (jnp.abs(place.root - request.goal) <= _TOLERANCE * request.goal)
    out = jnp.abs(place.level - state.levels[-1]) > request.farthest
    tight = bracketed & (jnp.abs(far.sent - near.sent) <= 1e-14 * (1.0 + jnp.abs(near.sent)))
    finished = there & bracketed | tight | (walking & out) | (stalls >= 3) | (failures >= _FAILURES)
    # A side within the tolerance from below needs no point beyond.
    exact = there & ~bracketed
    where = jnp.where(sound, state.count, STEPS)
    return _State(
        near,
        far,
        bracketed | exact,
        step,
        stalls,
        failures,
        state.tries + 1,
        finished | exact,
        state.levels.at[where].set(place.level, mode="drop"),
        state.rises.at[where].set(rise, mode="drop"),
        state.free.at[where].set(place.free, mode="drop"),
        jnp.where(sound, state.count + 1, state.count),
    )


def _solver(
    final: Problem, target: Target, request: Walk
) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """The function from a value of the target and a free vector to the minimum with the penalty
    about
    that value.

    It also says whether the minimum settled.
    """
    objective, coordinates = final.objective, final.coordinates
    stages, count = request.stages, len(describe(final.law).parameters)
    weight = _STIFFNESS * request.unit / request.spread**2
    reach = longest_steps(final.law, objective)

    def aim(z: jax.Array) -> jax.Array:
        return target(coordinates.to_params(z[:count]), request.choice)

    def solve(c: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        def stage(carry, delta):
            free, previous = carry
            free = next_stage(objective, free, delta / previous)
            problem = final._replace(fit_data=final.fit_data._replace(delta=delta))
            smooth = by_logarithm(problem.value)

            def value(z: jax.Array) -> jax.Array:
                total = smooth(z) + 0.5 * weight * (aim(z) - c) ** 2
                return jnp.where(jnp.isfinite(total), total, jnp.inf)

            def widths(z: jax.Array, hessian: jax.Array) -> jax.Array:
                slope = jax.grad(aim)(z)
                slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
                return jnp.sqrt(problem.widths(z, hessian) ** 2 + weight * slope**2)

            descent = newton(value, widths, free, problem.resolution, reach)
            return (descent.free, delta), descent.settled

        if objective.has_scale:  # the stages end at the scale of the start
            start = start.at[-1].add(-jnp.log(jnp.minimum(stages[1:] / stages[:-1], 1.0)).sum())
        (free, _), settled = lax.scan(stage, (start, stages[0]), stages)
        return free, settled[-1]

    return solve
