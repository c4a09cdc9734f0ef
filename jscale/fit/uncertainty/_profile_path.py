"""The path along a profile, from the optimum to where the objective has risen to the threshold.

A step minimises ``objective + (mu / 2) (target - c)**2`` over all free coordinates, by the fit's
own Newton method. Its minimum is an exact point of the profile, whatever ``mu``: the least
objective among all parameters with that value of the target, at a value that comes out of the
minimisation. So no constraint has to be solved for, and a target that cannot be reached (beyond the
bound of a range) is harmless.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.jaxprs import by_logarithm
from jscale._core.programs import program
from jscale._core.solve import newton
from jscale.fit.objective import (
    Coordinates,
    FitData,
    Objective,
    Problem,
    compiled_form,
    next_stage_start,
    step_limits,
)
from jscale.fit.uncertainty._targets import Target
from jscale.laws import LawFunction, describe
from jscale.laws.declaration import held_form

STEPS = 48
"""Minimisations a side; ends on the Chinchilla runs take 7 to 12."""
_STIFFNESS = 50.0
"""Of the penalty, in units of the profile's own curvature: a step then ends within 2% of ``c``."""
_STRIDE, _GROWTH = 0.34, 2.5
"""Share of the threshold by which a step should raise the signed root, and the largest ratio of a
step to the last one."""
_TOLERANCE = 1e-7
"""Of the signed root at an end, relative to the threshold's."""
_FLAT_TOLERANCE, _MAX_FLAT_STEPS = 1e-3, 3
"""Progress of a step, relative to its size and to the threshold, below which it is flat;
and flat steps in a row that end a side."""
_BISECTION_PERIOD = 4
_SHORTER, _SHORTEST = 0.25, 0.5
"""Ratios of a step to the last one: after a failed minimisation, and the smallest otherwise."""
_MAX_FAILURES = 5
_ROUNDING = 1e-14

REACHED, OPEN, FAILED = 0, 1, 2
"""How a side ended: at the threshold; below it at the largest distance; or where minimisations
failed."""


class PathRequest(NamedTuple):
    """The arguments of a path.

    Attributes:
        stages: (stages,) deltas of the objective, the last being its own.
        choice: (k,) for :class:`ParameterTarget`.
        start: free vector of the optimum, with the log scale where the objective has one.
        spread: standard deviation of the target.
        unit: the objective rises by half of this at one standard deviation.
        threshold: signed root of the deviance at an end, in standard deviations.
        max_distance: distance of the target from the optimum at which a side counts as open.
    """

    stages: Any
    choice: Any
    start: Any
    spread: Any
    unit: Any
    threshold: Any
    max_distance: Any


class PathPoint(NamedTuple):
    """A point of the profile.

    Attributes:
        centre: value of the target about which the penalty was centred.
        level: the target at the minimum.
        root: signed root of the deviance there.
        free: the free vector there.
    """

    centre: jax.Array
    level: jax.Array
    root: jax.Array
    free: jax.Array


class ProfileSide(NamedTuple):
    """One side of a profile; the first ``count`` entries of the paths are points.

    Attributes:
        end: the target where the side ends.
        gap: signed root of the deviance there, minus the threshold.
        outcome: REACHED, OPEN or FAILED.
        levels: (STEPS,) of the target.
        increases: (STEPS,) of the objective above the optimum; negative for a better optimum.
        free: (STEPS, k) free vectors.
        count: number of points.
    """

    end: jax.Array
    gap: jax.Array
    outcome: jax.Array
    levels: jax.Array
    increases: jax.Array
    free: jax.Array
    count: jax.Array


class _State(NamedTuple):
    """State of the iteration; ``inner`` is below the threshold and ``outer``, if any, above."""

    inner: PathPoint
    outer: PathPoint
    bracketed: jax.Array
    step: jax.Array
    flat_steps: jax.Array
    failures: jax.Array
    tries: jax.Array
    finished: jax.Array
    levels: jax.Array
    increases: jax.Array
    free: jax.Array
    count: jax.Array


def target_and_gradient(
    law: LawFunction, objective: Objective, target: Target, fit_data: FitData, at: tuple[Any, Any]
) -> Any:
    """The target at a free vector, and its gradient (k,) by the law's coordinates.

    ``at`` is the pair of the free vector and the choice of the target.
    """
    form = held_form(law)
    return _target_and_gradient(form.law, target, {**fit_data.centre, **form.values}, at)


@program("law", "target")
def _target_and_gradient(
    law: LawFunction, target: Target, centre: Mapping[str, Any], at: tuple[Any, Any]
) -> Any:
    coordinates, (free, choice) = Coordinates(describe(law), centre), at
    count = len(describe(law).parameters)
    return jax.value_and_grad(lambda z: target(coordinates.to_params(z), choice))(free[:count])


def trace_profile(
    law: LawFunction,
    objective: Objective,
    target: Target,
    fit_data: FitData,
    request: PathRequest,
) -> ProfileSide:
    """Both sides of a profile, that of smaller values first; leaves have a leading axis of 2."""
    form = compiled_form(law, fit_data)
    return _trace_profile(form.law, objective, target, form.fit_data, request)


@program("law", "objective", "target")
def _trace_profile(
    law: LawFunction,
    objective: Objective,
    target: Target,
    fit_data: FitData,
    request: PathRequest,
) -> ProfileSide:
    problem = Problem(law, objective, fit_data)
    signs = jnp.array([-1.0, 1.0])
    return lax.map(lambda sign: _trace_side(problem, target, request, sign), signs)


def _trace_side(
    problem: Problem, target: Target, request: PathRequest, sign: jax.Array
) -> ProfileSide:
    solve = _penalised_solver(problem, target, request)
    value = by_logarithm(problem.value)
    count = len(describe(problem.law).parameters)

    def measure(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return value(z), target(problem.coordinates.to_params(z[:count]), request.choice)

    best, level = measure(request.start)

    def unfinished(state: _State) -> jax.Array:
        return ~state.finished & (state.tries < STEPS)

    def advance(state: _State) -> _State:
        inner, outer = state.inner, state.outer
        centre = jnp.where(
            state.bracketed,
            _interpolate(inner, outer, request.threshold, state.tries),
            inner.centre + sign * state.step,
        )
        # The next minimum starts from the end of the bracket that is closer to the threshold.
        gaps = jnp.abs(outer.root - request.threshold), jnp.abs(inner.root - request.threshold)
        closer = state.bracketed & (gaps[0] < gaps[1])
        free, converged = solve(centre, jnp.where(closer, outer.free, inner.free))

        value, level = measure(free)
        increase = value - best
        valid = converged & jnp.isfinite(level) & jnp.isfinite(increase)
        root = jnp.sqrt(jnp.maximum(2 * increase / request.unit, 0.0))
        return _update(state, PathPoint(centre, level, root, free), increase, valid, request)

    first = PathPoint(level, level, jnp.zeros(()), request.start)
    last = lax.while_loop(unfinished, advance, _first_state(first, request))
    return _finish(last, request.threshold)


def _first_state(first: PathPoint, request: PathRequest) -> _State:
    k = request.start.shape[0]
    return _State(
        inner=first,
        outer=first._replace(root=jnp.full((), jnp.inf)),
        bracketed=jnp.asarray(False),
        step=_STRIDE * request.threshold * request.spread,
        flat_steps=jnp.asarray(0),
        failures=jnp.asarray(0),
        tries=jnp.asarray(0),
        finished=jnp.asarray(False),
        levels=jnp.full(STEPS, first.level),
        increases=jnp.zeros(STEPS),
        free=jnp.broadcast_to(request.start, (STEPS, k)),
        count=jnp.asarray(0),
    )


def _finish(last: _State, threshold: jax.Array) -> ProfileSide:
    inner_gap, outer_gap = (
        jnp.abs(last.inner.root - threshold),
        jnp.abs(last.outer.root - threshold),
    )
    inner_closer = inner_gap <= outer_gap
    end = jax.tree.map(lambda a, b: jnp.where(inner_closer, a, b), last.inner, last.outer)
    failed = last.failures >= _MAX_FAILURES
    outcome = jnp.where(last.bracketed, REACHED, jnp.where(failed, FAILED, OPEN))
    return ProfileSide(
        end=end.level,
        gap=end.root - threshold,
        outcome=outcome,
        levels=last.levels,
        increases=last.increases,
        free=last.free,
        count=last.count,
    )


def _interpolate(
    inner: PathPoint, outer: PathPoint, threshold: jax.Array, tries: jax.Array
) -> jax.Array:
    """Next centre between two points that bracket the threshold: secant, every fourth bisection."""
    increase = outer.root - inner.root
    share = jnp.clip((threshold - inner.root) / jnp.where(increase > 0, increase, 1.0), 0.0, 1.0)
    bisect = (tries % _BISECTION_PERIOD == _BISECTION_PERIOD - 1) | ~jnp.isfinite(share)
    return inner.centre + jnp.where(bisect, 0.5, share) * (outer.centre - inner.centre)


def _update(
    state: _State, point: PathPoint, increase: jax.Array, valid: jax.Array, request: PathRequest
) -> _State:
    """The state after one minimisation that ended at ``point``."""
    threshold = request.threshold
    above = valid & (point.root >= threshold)
    bracketed = state.bracketed | above
    outward = valid & ~bracketed
    moved, gained = jnp.abs(point.level - state.inner.level), point.root - state.inner.root

    # The next step should raise the root by a share of the threshold, by the slope of this one.
    slope = gained / jnp.abs(point.centre - state.inner.centre)
    proposed = _STRIDE * threshold / jnp.maximum(slope, 1e-300)
    limited = jnp.clip(proposed, _SHORTEST * state.step, _GROWTH * state.step)
    step = jnp.where(outward, limited, _SHORTER * state.step)

    is_flat = (moved <= _FLAT_TOLERANCE * state.step) & (gained <= _FLAT_TOLERANCE * threshold)
    counted = jnp.where(outward, 0, state.flat_steps)
    flat_steps = jnp.where(outward & is_flat, state.flat_steps + 1, counted)
    failures = jnp.where(valid, state.failures, state.failures + 1)

    inner = jax.tree.map(lambda new, old: jnp.where(valid & ~above, new, old), point, state.inner)
    outer = jax.tree.map(lambda new, old: jnp.where(above, new, old), point, state.outer)
    at_threshold = valid & (jnp.abs(point.root - threshold) <= _TOLERANCE * threshold)
    out_of_range = jnp.abs(point.level - state.levels[-1]) > request.max_distance
    width = jnp.abs(outer.centre - inner.centre)
    narrow = bracketed & (width <= _ROUNDING * (1.0 + jnp.abs(inner.centre)))
    finished = (
        (at_threshold & bracketed)
        | narrow
        | (outward & out_of_range)
        | (flat_steps >= _MAX_FLAT_STEPS)
        | (failures >= _MAX_FAILURES)
    )

    # A point within the tolerance from below is an end; no point above is needed.
    exact = at_threshold & ~bracketed
    slot = jnp.where(valid, state.count, STEPS)
    return _State(
        inner=inner,
        outer=outer,
        bracketed=bracketed | exact,
        step=step,
        flat_steps=flat_steps,
        failures=failures,
        tries=state.tries + 1,
        finished=finished | exact,
        levels=state.levels.at[slot].set(point.level, mode="drop"),
        increases=state.increases.at[slot].set(increase, mode="drop"),
        free=state.free.at[slot].set(point.free, mode="drop"),
        count=jnp.where(valid, state.count + 1, state.count),
    )


def _penalised_solver(
    final: Problem, target: Target, request: PathRequest
) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """The function that minimises the objective with a penalty about a value of the target.

    It takes that value and a free vector to start from, and returns the free vector of the minimum
    and whether it converged.
    """
    objective, coordinates = final.objective, final.coordinates
    stages, count = request.stages, len(describe(final.law).parameters)
    weight = _STIFFNESS * request.unit / request.spread**2
    limits = step_limits(final.law, objective)

    def target_at(z: jax.Array) -> jax.Array:
        return target(coordinates.to_params(z[:count]), request.choice)

    def solve(centre: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
        def stage(carry, delta):
            free, previous = carry
            free = next_stage_start(objective, free, delta / previous)
            problem = final._replace(fit_data=final.fit_data._replace(delta=delta))
            smooth = by_logarithm(problem.value)

            def value(z: jax.Array) -> jax.Array:
                total = smooth(z) + 0.5 * weight * (target_at(z) - centre) ** 2
                return jnp.where(jnp.isfinite(total), total, jnp.inf)

            def widths(z: jax.Array, hessian: jax.Array) -> jax.Array:
                slope = jax.grad(target_at)(z)
                slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
                width = problem.widths(z, *problem.residuals_and_jacobian(z))
                return jnp.sqrt(width**2 + weight * slope**2)

            descent = newton(value, widths, free, problem.resolution, limits)
            return (descent.free, delta), descent.converged

        if objective.has_scale:  # the stages end at the scale of the start
            start = start.at[-1].add(-jnp.log(jnp.minimum(stages[1:] / stages[:-1], 1.0)).sum())
        (free, _), converged = lax.scan(stage, (start, stages[0]), stages)
        return free, converged[-1]

    return solve
