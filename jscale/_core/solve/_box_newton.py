"""Newton's method in a box of few dimensions, written out in scalars.

With arrays of coordinates XLA evaluates the function again for every entry, and does not vectorise
over the problems of a ``vmap``: in two dimensions a step takes eight times as long (measured with
JAX 0.10 on a CPU).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.solve._evaluation import in_turn
from jscale._core.status import Status

_STEPS = 100
_SECANT = 0.01
"""Distance, in grid spacings, over which the gradient must change as the Hessian predicts for a
minimum to count as smooth."""
_SECANT_ERROR = 0.2
"""Relative error allowed there. A third derivative causes about 1%; a kink or a Hessian lost to
underflow 100%."""

Scalars = tuple[jax.Array, ...]
"""One number for every coordinate."""


class Local(NamedTuple):
    """A function about a point, with derivatives by every coordinate in its unit."""

    value: jax.Array
    slopes: Scalars
    hessian: tuple[Scalars, ...]


class _Step(NamedTuple):
    """State of Newton's method; lengths are in grid spacings."""

    x: Scalars
    local: Local
    trial: Scalars
    """The next point."""
    moved: jax.Array
    """Distance to it."""
    newton: jax.Array
    """Length of the full Newton step, which the trust radius and the box cut."""
    radius: jax.Array
    count: jax.Array


def descend_in_box(
    function: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The minimum near a point, and whether it is a smooth one inside the box.

    Args:
        function: (d,) → scalar.
        start: (d,) the point.
        spacing: (d,) unit of length of every coordinate.
        box: lower and upper corner, (d,).

    Returns:
        The last point (d,), and its status as a floating number.
    """
    ends, unit = tuple(zip(*box, strict=True)), tuple(spacing)
    eps = float(jnp.finfo(start.dtype).eps)
    small = eps**0.45  # quadratic convergence: the error after a step of this size is rounding

    def scaled(*x: jax.Array) -> jax.Array:
        return function(jnp.stack(x))

    def unfinished(state: _Step) -> jax.Array:
        return (state.moved > small) & (state.radius > small) & (state.count < _STEPS)

    def look(state: tuple[_Step, Local]) -> tuple[_Step, Local]:
        return state[0], local_model(scaled, unit, state[0].trial)

    def decide(state_and_trial: tuple[_Step, Local]) -> tuple[_Step, Local]:
        state, trial = state_and_trial
        first, value = state.count == 0, trial.value

        # 1. Accept what does not raise the value by more than rounding.
        before, radius = state.local.value, state.radius
        accept = ((value <= before + 8 * eps * jnp.abs(before)) | first) & jnp.isfinite(value)
        larger = jnp.where(first, radius, jnp.minimum(2 * radius, 4.0))
        smaller = jnp.where(first, 0.0, 0.25 * radius)  # without a start the method ends
        radius = jnp.where(accept, larger, smaller)
        x = tuple(jnp.where(accept, b, a) for a, b in zip(state.x, state.trial, strict=True))
        local = jax.tree.map(lambda b, a: jnp.where(accept, b, a), trial, state.local)

        # 2. Newton's step with reflected negative curvature, cut to the trust radius and the box.
        move = reflected_step(local.hessian, local.slopes, eps)
        length = _norm(move)
        share = jnp.minimum(1.0, radius / jnp.maximum(length, eps * radius))
        new = tuple(
            jnp.clip(each + share * by * size, low, high)
            for each, by, size, (low, high) in zip(x, move, unit, ends, strict=True)
        )
        moved = _norm(tuple((b - a) / size for a, b, size in zip(x, new, unit, strict=True)))
        return _Step(x, local, new, moved, length, radius, state.count + 1), trial

    def advance(state: _Step) -> _Step:
        return in_turn((look, decide), (state, state.local))[0]

    one = jnp.ones_like(start[0])
    nothing = Local(jnp.inf * one, (one,) * len(unit), ((one,) * len(unit),) * len(unit))
    first = _Step(
        tuple(start), nothing, tuple(start), one, jnp.inf * one, one, jnp.asarray(0, jnp.int32)
    )
    last = lax.while_loop(unfinished, advance, first)

    # A full step that small needs no other look; one that the radius cut is not taken.
    finite = functools.reduce(jnp.logical_and, map(jnp.isfinite, last.trial))
    usable = finite & (last.radius > small)
    x = tuple(jnp.where(usable, b, a) for a, b in zip(last.x, last.trial, strict=True))
    slopes_at = functools.partial(_slopes, scaled, unit)
    status = _status(slopes_at, last._replace(x=x), small, unit, ends)
    return jnp.stack(x), status.astype(start.dtype)


def local_model(function: Callable, unit: Scalars, x: Scalars) -> Local:
    """The value of a function of scalars, its slopes and its Hessian, of which half is computed."""
    pairs = []
    for i, axis in enumerate(_axes(unit)):
        slopes = functools.partial(_slopes, function, unit, first=i)
        pairs.append(jax.jvp(slopes, x, axis))
    value, slopes = pairs[0][0]
    size = range(len(unit))
    rows = tuple(tuple(pairs[min(i, j)][1][1][abs(i - j)] for j in size) for i in size)
    return Local(value, slopes, rows)


def _slopes(
    function: Callable, unit: Scalars, *x: jax.Array, first: int = 0
) -> tuple[jax.Array, Scalars]:
    """Value at scalars, and slopes by those from the ``first`` on."""
    pairs = [jax.jvp(function, x, axis) for axis in _axes(unit)[first:]]
    return pairs[0][0], tuple(slope for _, slope in pairs)


def _axes(unit: Scalars) -> list[Scalars]:
    """One unit of each coordinate."""
    size = range(len(unit))
    return [tuple(unit[i] if i == j else jnp.zeros_like(unit[i]) for j in size) for i in size]


def _norm(x: Scalars) -> jax.Array:
    if len(x) == 1:
        return jnp.abs(x[0])
    return jnp.sqrt(sum((each**2 for each in x[1:]), x[0] ** 2))


def reflected_step(hessian: tuple[Scalars, ...], slopes: Scalars, eps: float) -> Scalars:
    """The Newton step with the absolute value of every curvature, at least rounding.

    In one and two dimensions it is written out: with the eigenvalues ``m - r`` and ``m + r`` of H,
    every function of H is a multiple of 1 plus one of ``H - m``.
    """
    steepest = functools.reduce(jnp.maximum, map(jnp.abs, slopes))
    if len(slopes) == 1:
        curvature = jnp.abs(hessian[0][0])
        return (-slopes[0] / jnp.maximum(curvature, eps * (curvature + steepest)),)
    if len(slopes) == 2:
        low, high, half, across = _eigenvalues(hessian)
        largest = jnp.maximum(jnp.abs(low), jnp.abs(high))
        floor = eps * (largest + steepest)
        by_low = 1 / jnp.maximum(jnp.abs(low), floor)
        by_high = 1 / jnp.maximum(jnp.abs(high), floor)
        radius = 0.5 * (high - low)
        mean = 0.5 * (by_low + by_high)
        tilt = 0.5 * (by_high - by_low) / jnp.where(radius == 0, 1.0, radius)
        first, second = slopes
        return (
            -(mean * first + tilt * (half * first + across * second)),
            -(mean * second + tilt * (across * first - half * second)),
        )

    curvature, axes = jnp.linalg.eigh(jnp.stack([jnp.stack(row) for row in hessian]))
    slope = jnp.stack(slopes)
    floor = eps * (jnp.max(jnp.abs(curvature)) + steepest)
    return tuple(axes @ (-(axes.T @ slope) / jnp.maximum(jnp.abs(curvature), floor)))


def _eigenvalues(matrix: tuple[Scalars, ...]) -> Scalars:
    """Of a symmetric 2 x 2 matrix: both, half the difference of its diagonal, the number off it."""
    (first, across), (_, second) = matrix
    middle, half = 0.5 * (first + second), 0.5 * (first - second)
    radius = jnp.sqrt(half**2 + across**2)
    return middle - radius, middle + radius, half, across


def _least_eigenvalue(matrix: tuple[Scalars, ...]) -> jax.Array:
    if len(matrix) == 1:
        return matrix[0][0]
    if len(matrix) == 2:
        return _eigenvalues(matrix)[0]
    return jnp.linalg.eigvalsh(jnp.stack([jnp.stack(row) for row in matrix]))[0]


def _status(
    slopes: Callable, last: _Step, small: float, unit: Scalars, ends: tuple[Scalars, ...]
) -> jax.Array:
    """Whether the last point is a smooth minimum inside the box."""
    inside = jnp.isfinite(last.local.value)
    for x, size, (low, high) in zip(last.x, unit, ends, strict=True):
        inside &= (x > low + 1e-3 * size) & (x < high - 1e-3 * size)
    # A step that was small only because the radius cut it is not convergence.
    converged = (last.newton <= 2 * small) & _is_smooth_minimum(slopes, last, unit)
    status = jnp.where(converged, int(Status.converged), int(Status.not_converged))
    return jnp.where(inside, status, int(Status.no_interior_optimum))


def _is_smooth_minimum(slopes: Callable, last: _Step, unit: Scalars) -> jax.Array:
    """Whether the Hessian at the last point is positive and predicts the gradient nearby.

    On one side at least: where the second derivative jumps at the minimum, the point lies on one
    side of the jump. On the other side the function must increase too.
    """
    dtype = last.local.value.dtype
    sides = jnp.asarray([0.0, _SECANT, -_SECANT], dtype)
    points = tuple(x + sides * size for x, size in zip(last.x, unit, strict=True))

    def look(state: tuple[Scalars, jax.Array]) -> tuple[Scalars, jax.Array]:
        return jax.vmap(slopes)(*points)[1], state[1]

    def decide(state: tuple[Scalars, jax.Array]) -> tuple[Scalars, jax.Array]:
        along, hessian = state[0], last.local.hessian
        above = tuple(each[1] - each[0] for each in along)
        below = tuple(each[0] - each[2] for each in along)
        predicted = tuple(_SECANT * sum(row[1:], row[0]) for row in hessian)
        length = _norm(predicted)
        errors = [
            _norm(tuple(a - b for a, b in zip(change, predicted, strict=True))) / length
            for change in (above, below)
        ]
        increases = (sum(above[1:], above[0]) > 0) & (sum(below[1:], below[0]) > 0)
        least, largest = jnp.minimum(*errors), jnp.maximum(*errors)
        smooth = (largest < _SECANT_ERROR) | ((least < _SECANT_ERROR) & increases)
        return along, (_least_eigenvalue(hessian) > 0) & smooth

    nothing = tuple(jnp.zeros(sides.shape, dtype) for _ in points)
    return in_turn((look, decide), (nothing, jnp.asarray(False)))[1]
