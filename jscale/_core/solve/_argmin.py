"""A minimum in a box that is differentiable by the implicit function theorem.

Derivatives of any order come from the condition that the gradient vanishes (``lax.custom_root``),
as those of :mod:`._root`.

Why it is not one of the other Newton methods: it needs no start (a scan of the box finds the
basin), its step is limited by a trust radius in units of the grid, and it ends at the smallest step
that the floating-point precision allows, in float32 as well. The other two (:mod:`._newton`,
:mod:`._newton_batched`) minimise without bounds from a given start, end on the predicted decrease,
and are not differentiable.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.solve._pieces import KINK_STEP, optimality
from jscale._core.status import Status

_NEWTON_STEPS = 100
_SECANT = 0.01
"""Distance, in grid spacings, over which the gradient must change as the Hessian predicts for a
minimum to count as smooth."""
_PATTERN = {1: 9, 2: 5, 3: 3}
"""Points along each dimension of the search for a kink."""
_PATTERN_STEPS = 150
_PLATEAU = {"float32": 0.01, "float64": 0.002}
"""Distance, in grid spacings, over which a plateau is constant."""
_SECANT_ERROR = 0.2
"""Relative error allowed there. A third derivative causes about 1%; a kink or a Hessian lost to
underflow 100%."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["x", "status"], meta_fields=["smooth"]
)
@dataclass(frozen=True)
class Minimum:
    """A minimum in a box.

    Attributes:
        x: (d,) the best point of the box.
        status: whether it is inside and smooth.
        smooth: whether it is known, when code is compiled, that the minimum is not at a kink.
    """

    x: jax.Array
    status: jax.Array
    smooth: bool = False


def argmin(
    function: Callable[[jax.Array], jax.Array],
    lower: ArrayLike,
    upper: ArrayLike,
    points: int | Sequence[int] = 64,
    known: Minimum | None = None,
) -> Minimum:
    """The minimum of ``function`` over a box of one to three dimensions.

    A scan of ``points`` per dimension finds the deepest basin, so that no start is needed; Newton's
    method with reflected negative curvature then converges to floating-point precision.
    ``function`` may be ``inf`` on a part of the box (outside its domain). Values that it closes
    over are differentiated through; entries whose Hessian is singular or not finite contribute
    nothing to a derivative.

    Args:
        function: (d,) → scalar, twice differentiable where finite.
        lower: (d,) lower corner.
        upper: (d,) upper corner.
        points: grid points of the scan, at least 2, per dimension or the same for all. The first
            dimension is evaluated as one array, the others one point after another: give the first
            the most points.
        known: the minimum, where an earlier call with the same numbers found it: only its
            derivatives are computed.

    Returns:
        The minimum, and ``Status.no_interior_optimum`` where the function decreases up to the edge
        of the box, ``Status.kink`` where a slope jumps at the minimum, ``Status.flat`` where it
        is one point of a plateau, and ``Status.not_converged`` where there is no minimum near the
        best point of the scan, or where the derivatives of ``function`` disagree with each other
        (underflow in float32). A jump of the second derivative alone is ``converged``. A kink
        moves with the pieces that meet there; at a jump of the function and on a plateau ``x`` is
        held: its derivatives are 0, which is exact where the place of the jump is given.
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    counts = (points,) * lower.shape[0] if isinstance(points, int) else tuple(points)
    spacing = (upper - lower) / (jnp.asarray(counts, lower.dtype) - 1)

    size = lower.shape[0]
    # The status travels with x, because the conditions depend on it.
    start = Minimum(lower, jnp.asarray(0)) if known is None else lax.stop_gradient(known)
    initial = jnp.append(start.x, start.status.astype(lower.dtype))

    def solve(conditions: Callable, initial: jax.Array) -> jax.Array:
        if known is not None:
            return initial
        best = _scan(function, lower, upper, counts)
        box = lower, upper
        end = _newton(function, best, spacing, box)
        x, status = _at_kink(function, best, end, spacing, box)
        return jnp.concatenate([x, status[None]])

    def conditions(x_and_status: jax.Array) -> jax.Array:
        x, status = x_and_status[:size], x_and_status[size:]
        held = lax.stop_gradient(status)
        if start.smooth:
            slopes = jax.jacfwd(function)(x)
        else:
            slopes = optimality(function, x, held[0] == int(Status.kink), spacing)
        return jnp.concatenate([slopes, status - held])

    def tangent_solve(linear: Callable, y: jax.Array) -> jax.Array:
        unit = jnp.eye(size, size + 1, dtype=y.dtype)
        hessian = jax.vmap(lambda e: linear(e)[:size], out_axes=1)(unit)
        usable = jnp.all(jnp.isfinite(hessian)) & (jnp.linalg.det(hessian) != 0)
        hessian = jnp.where(usable, hessian, jnp.eye(size, dtype=y.dtype))
        x = y[:size] / hessian[0] if size == 1 else jnp.linalg.solve(hessian, y[:size])
        return jnp.concatenate([x, y[size:]])

    solved = lax.custom_root(conditions, initial, solve, tangent_solve)
    x, status = solved[:size], lax.stop_gradient(solved[size]).astype(jnp.int32)
    return Minimum(jnp.where(status == int(Status.flat), lax.stop_gradient(x), x), status)


def _scan(
    function: Callable, lower: jax.Array, upper: jax.Array, counts: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """Value and position of the best point of a regular grid.

    One row of the grid at a time, so that memory stays small under ``vmap``.
    """
    fractions = [jnp.linspace(0, 1, n, dtype=lower.dtype) for n in counts]
    first = fractions[0][:, None]

    def row(best, rest):
        inner = jnp.concatenate(
            [first, jnp.broadcast_to(rest, (counts[0], len(counts) - 1))], axis=1
        )
        x = lower + inner * (upper - lower)
        values = jax.vmap(function)(x)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        lowest = jnp.argmin(values)
        improved = values[lowest] < best[0]
        value = jnp.where(improved, values[lowest], best[0])
        return (value, jnp.where(improved, x[lowest], best[1])), None

    mesh = jnp.meshgrid(*fractions[1:], indexing="ij")
    outer = jnp.stack([m.ravel() for m in mesh], axis=1) if mesh else jnp.zeros((1, 0), lower.dtype)
    initial = jnp.asarray(jnp.inf, lower.dtype), 0.5 * (lower + upper)
    return lax.scan(row, initial, outer)[0]


class _Step(NamedTuple):
    """State of Newton's method; lengths and curvatures are in grid spacings."""

    x: jax.Array
    value: jax.Array
    hessian: jax.Array
    """At the point before this one."""
    newton: jax.Array
    """Length of the last full Newton step, before the trust radius cut it."""
    moved: jax.Array
    radius: jax.Array
    count: jax.Array


def _newton(
    function: Callable,
    best: tuple[jax.Array, jax.Array],
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    (value, start), (lower, upper) = best, box
    eps = float(jnp.finfo(start.dtype).eps)
    small = eps**0.45  # quadratic convergence: the error after a step of this size is rounding

    def gradient(x: jax.Array) -> jax.Array:
        return jax.jacfwd(function)(x) * spacing

    def unfinished(state: _Step) -> jax.Array:
        return (state.moved > small) & (state.radius > small) & (state.count < _NEWTON_STEPS)

    def advance(state: _Step) -> _Step:
        x, value, radius = state.x, state.value, state.radius

        # 1. Gradient and Hessian in grid spacings.
        hessian, slope = jax.jacfwd(lambda x: (gradient(x),) * 2, has_aux=True)(x)
        hessian = hessian * spacing

        # 2. Newton's step with reflected negative curvature, cut to the trust radius.
        curvature, axes = _eigen(hessian)
        floor = eps * (jnp.max(jnp.abs(curvature)) + jnp.max(jnp.abs(slope)))
        move = axes @ (-(axes.T @ slope) / jnp.maximum(jnp.abs(curvature), floor))
        length = jnp.linalg.norm(move)
        move = move * jnp.minimum(1.0, radius / jnp.maximum(length, eps * radius))
        new = jnp.clip(x + move * spacing, lower, upper)

        # 3. Accept what does not raise the value by more than rounding. Once the step is small,
        #    values differ by rounding alone and decide nothing.
        new_value = function(new)
        accept = (new_value <= value + 8 * eps * jnp.abs(value)) | (length <= small)
        accept &= jnp.isfinite(new_value) & jnp.all(jnp.isfinite(new))
        return _Step(
            x=jnp.where(accept, new, x),
            value=jnp.where(accept, new_value, value),
            hessian=hessian,
            newton=length,
            moved=jnp.where(accept, jnp.linalg.norm((new - x) / spacing), jnp.inf),
            radius=jnp.where(accept, jnp.minimum(2 * radius, 4.0), 0.25 * radius),
            count=state.count + 1,
        )

    infinite, one = jnp.full_like(value, jnp.inf), jnp.ones_like(value)
    first = _Step(
        x=start,
        value=value,
        hessian=jnp.diag(spacing),
        newton=infinite,
        moved=infinite,
        radius=one,
        count=jnp.asarray(0, jnp.int32),
    )
    last = lax.while_loop(unfinished, advance, first)
    return last.x, _status(gradient, last, small, spacing, box).astype(last.x.dtype)


def _status(
    gradient: Callable[[jax.Array], jax.Array],
    last: _Step,
    small: float,
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> jax.Array:
    """Whether the last point is a smooth minimum inside the box."""
    x, (lower, upper) = last.x, box
    margin = 1e-3 * spacing
    inside = jnp.all((x > lower + margin) & (x < upper - margin)) & jnp.isfinite(last.value)
    # A step that was small only because the radius cut it is not convergence.
    converged = (last.newton <= 2 * small) & _is_smooth_minimum(gradient, last.hessian, x, spacing)
    status = jnp.where(converged, int(Status.converged), int(Status.not_converged))
    return jnp.where(inside, status, int(Status.no_interior_optimum))


def _is_smooth_minimum(
    gradient: Callable[[jax.Array], jax.Array],
    hessian: jax.Array,
    x: jax.Array,
    spacing: jax.Array,
) -> jax.Array:
    """Whether the Hessian at ``x`` is positive and predicts the gradient a short distance away.

    On one side at least: where the second derivative jumps at the minimum, ``x`` lies on one side
    of the jump. On the other side the function must increase too.
    """
    moves = _SECANT * jnp.stack([spacing, -spacing])
    at_x, *displaced = jax.vmap(gradient)(jnp.concatenate([x[None], x + moves]))
    predicted = _SECANT * jnp.sum(hessian, axis=1)
    changes = jnp.stack([displaced[0] - at_x, at_x - displaced[1]])
    errors = jnp.linalg.norm(changes - predicted, axis=1) / jnp.linalg.norm(predicted)
    increases = jnp.all(jnp.sum(changes, axis=1) > 0)
    smooth = jnp.all(errors < _SECANT_ERROR) | ((jnp.min(errors) < _SECANT_ERROR) & increases)
    return (_eigen(hessian)[0][0] > 0) & smooth


def _at_kink(
    function: Callable,
    best: tuple[jax.Array, jax.Array],
    end: tuple[jax.Array, jax.Array],
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """The minimum by a search without derivatives, where Newton's method did not converge.

    It is accepted at a kink or on a plateau.

    A pattern of points about the best one so far, which shrinks whenever none of them is better;
    entries that converged take no step.
    """
    (level, start), (x, status), (lower, upper) = best, end, box
    dtype, size = x.dtype, x.shape[0]
    eps = float(jnp.finfo(dtype).eps)
    failed = status == int(Status.not_converged)
    axes = [jnp.linspace(-1, 1, _PATTERN[size], dtype=dtype)] * size
    pattern = jnp.stack([a.ravel() for a in jnp.meshgrid(*axes, indexing="ij")], axis=1) * spacing

    def values_at(points: jax.Array) -> jax.Array:
        values = jax.vmap(function)(points)
        return jnp.where(jnp.isnan(values), jnp.inf, values)

    def unfinished(state: tuple[jax.Array, ...]) -> jax.Array:
        return failed & (state[2] > 8 * eps) & (state[3] < _PATTERN_STEPS)

    def advance(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        point, value, width, count = state
        points = jnp.clip(point + width * pattern, lower, upper)
        values = values_at(points)
        least = jnp.argmin(values)
        better = values[least] < value
        point = jnp.where(better, points[least], point)
        return point, jnp.where(better, values[least], value), width * 0.6, count + 1

    first = start, level, jnp.ones((), dtype), jnp.asarray(0, jnp.int32)
    lowest, value, _, _ = lax.while_loop(unfinished, advance, first)

    # As one array: XLA compiles every copy of the function.
    steps, part = KINK_STEP * jnp.diag(spacing), _PLATEAU[dtype.name] * jnp.diag(spacing)
    whole = jnp.eye(size, dtype=bool)
    moves = jnp.concatenate([steps, -steps, 2 * steps, -2 * steps])
    sides = jnp.clip(jnp.concatenate([lowest + part, lowest - part]), lower, upper)
    ends = jnp.concatenate([jnp.where(whole, upper, lowest), jnp.where(whole, lower, lowest)])
    rises = values_at(jnp.concatenate([lowest + moves, sides, ends])) - value
    near, far, beside, at_ends = jnp.split(rises, 4)

    # A kink: the value rises in proportion to the distance on both sides of some axis.
    linear = (near > 0) & (near > 0.4 * far) & jnp.isfinite(far)
    kinked = jnp.any(linear[:size] & linear[size:]) & jnp.all(near > -8 * eps * jnp.abs(value))

    # A plateau: constant to rounding over a part of a grid spacing, with higher values at both ends
    # of the box.
    tolerance = 8 * eps * jnp.abs(value)
    is_level, is_enclosed = jnp.any(beside <= tolerance), jnp.all(at_ends > tolerance)

    inside = jnp.all((lowest > lower + 1e-3 * spacing) & (lowest < upper - 1e-3 * spacing))
    usable = failed & inside & jnp.isfinite(value) & (kinked | is_level)
    without_kink = jnp.where(is_enclosed, int(Status.flat), int(Status.no_interior_optimum))
    outcome = jnp.where(kinked, int(Status.kink), without_kink).astype(status.dtype)
    return jnp.where(usable, lowest, x), jnp.where(usable, outcome, status)


def _eigen(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues in ascending order, and eigenvectors.

    A 1 x 1 matrix needs no library call, which is slow to compile.
    """
    return (matrix[0], jnp.ones_like(matrix)) if matrix.shape == (1, 1) else jnp.linalg.eigh(matrix)
