"""A root and a minimum that are differentiable by the implicit function theorem.

Neither unrolls its iterations: derivatives of any order come from the equation that the solution
satisfies (``lax.custom_root``), so they hold under ``jit``, ``vmap``, ``grad`` and ``jvp`` and do
not depend on how the solution was found.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.status import Status

_ROOT_STEPS = 200
"""Brackets here are logarithms: bisection alone narrows one of width 100 to rounding in about 60
halvings."""
_NEWTON_STEPS = 100
_SECANT = 0.01
"""Distance, in grid spacings, over which the gradient must change as the Hessian says for a minimum
to count."""
_SECANT_ERROR = 0.2
"""Relative error allowed there. A third derivative makes about 1%; a kink or a Hessian lost to
underflow 100%."""


class Root(NamedTuple):
    """``x`` solves the equation where ``status`` is ``converged``; elsewhere ``x`` is NaN."""

    x: jax.Array
    status: jax.Array


def root(function: Callable[[jax.Array], jax.Array], lower: ArrayLike, upper: ArrayLike) -> Root:
    """The root of a scalar ``function`` between ``lower`` and ``upper``.

    Newton's method inside a shrinking bracket, with bisection whenever Newton leaves it or slows
    down. Values that ``function`` closes over are differentiated through; entries without a root
    take no part in a derivative.

    Args:
        function: scalar → scalar, smooth, of opposite signs at the two ends (a zero at an end
            counts as a root).
        lower: scalar, left end.
        upper: scalar, right end, same dtype.

    Returns:
        The root, exact to rounding; ``Status.no_interior_optimum`` (with NaN) where the ends have
        equal signs or a value there is NaN, ``Status.not_converged`` where the sign changes at a
        jump, a pole or a NaN.
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    middle = 0.5 * (lower + upper)
    at_lower, at_upper = function(lower), function(upper)
    bracketed = lax.stop_gradient(jnp.sign(at_lower) * jnp.sign(at_upper) <= 0)
    rising = lax.stop_gradient(at_upper > at_lower)

    def safe(x: jax.Array) -> jax.Array:
        # Where there is no root, an equation that has one: a NaN there would spread to its
        # neighbours in reverse mode.
        return jnp.where(bracketed, function(jnp.where(bracketed, x, middle)), x - middle)

    def solve(f: Callable[[jax.Array], jax.Array], _: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _safeguarded_newton(f, lower, upper, rising | ~bracketed)

    x, status = lax.custom_root(
        safe, middle, solve, lambda g, y: y / g(jnp.ones_like(y)), has_aux=True
    )
    found = jnp.where(bracketed, status.astype(jnp.int32), int(Status.no_interior_optimum))
    return Root(jnp.where(found == int(Status.converged), x, jnp.nan), found)


def _safeguarded_newton(
    f: Callable, lower: jax.Array, upper: jax.Array, rising: jax.Array
) -> tuple[jax.Array, jax.Array]:
    tolerance = 2 * jnp.finfo(lower.dtype).eps

    def unfinished(state):
        step, x, *_, count = state
        return (jnp.abs(step) > tolerance * jnp.maximum(jnp.abs(x), 1.0)) & (count < _ROOT_STEPS)

    def advance(state):
        step, x, left, right, count = state
        value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
        to_left = (value > 0) == rising
        left, right = jnp.where(to_left, left, x), jnp.where(to_left, x, right)
        newton = x - value / slope
        # Newton counts only while it at least halves its step: otherwise it may crawl along one
        # end.
        good = (newton >= left) & (newton <= right) & (jnp.abs(newton - x) < 0.5 * jnp.abs(step))
        new = jnp.where(value == 0, x, jnp.where(good, newton, 0.5 * (left + right)))
        return new - x, new, left, right, count + 1

    start = (upper - lower, 0.5 * (lower + upper), lower, upper, jnp.asarray(0, jnp.int32))
    _, x, *_, count = lax.while_loop(unfinished, advance, start)
    # At a jump or a pole the sign changes without a root: there the values do not vanish.
    largest = jnp.maximum(jnp.abs(f(lower)), jnp.abs(f(upper)))
    solved = (count < _ROOT_STEPS) & (jnp.abs(f(x)) <= jnp.finfo(lower.dtype).eps ** 0.5 * largest)
    status = jnp.where(solved, int(Status.converged), int(Status.not_converged))
    # ``custom_root`` differentiates its auxiliary output too, so the status leaves as a float.
    return x, status.astype(x.dtype)


class Minimum(NamedTuple):
    """``x`` (d,) is the best point of the box; ``status`` says whether it is an interior minimum."""

    x: jax.Array
    status: jax.Array


def argmin(
    function: Callable[[jax.Array], jax.Array],
    lower: ArrayLike,
    upper: ArrayLike,
    points: int | Sequence[int] = 64,
) -> Minimum:
    """The minimum of ``function`` over a box of one to three dimensions.

    A scan of ``points`` per dimension finds the right basin, so that the answer needs no guess;
    Newton's method with reflected negative curvature then goes to rounding. ``function`` may be
    ``inf`` on a part of the box (outside its domain). Values that it closes over are differentiated
    through; entries whose Hessian is singular or not finite take no part in a derivative.

    Args:
        function: (d,) → scalar, twice differentiable where finite.
        lower: (d,) lower corner.
        upper: (d,) upper corner.
        points: grid points of the scan, at least 2, per dimension or the same for all. The first
            dimension is evaluated at once, the others one point after another: give it the most
            points.

    Returns:
        The minimum, and ``Status.no_interior_optimum`` where the function keeps falling towards the
        edge of the box, ``Status.not_converged`` where the best point is not a smooth minimum (a
        kink or a jump), or where the derivatives of ``function`` disagree with each other
        (underflow in float32).
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    counts = (points,) * lower.shape[0] if isinstance(points, int) else tuple(points)
    spacing = (upper - lower) / (jnp.asarray(counts, lower.dtype) - 1)

    def solve(gradient: Callable, _: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, start = _scan(function, lower, upper, counts)
        return _newton(function, start, value, spacing, (lower, upper))

    def tangent_solve(linear: Callable, y: jax.Array) -> jax.Array:
        hessian = jax.vmap(linear, out_axes=1)(jnp.eye(y.shape[0], dtype=y.dtype))
        usable = jnp.all(jnp.isfinite(hessian)) & (jnp.linalg.det(hessian) != 0)
        hessian = jnp.where(usable, hessian, jnp.eye(y.shape[0], dtype=y.dtype))
        return y / hessian[0] if y.shape[0] == 1 else jnp.linalg.solve(hessian, y)

    x, status = lax.custom_root(jax.jacfwd(function), lower, solve, tangent_solve, has_aux=True)
    return Minimum(x, status.astype(jnp.int32))


def _scan(
    function: Callable, lower: jax.Array, upper: jax.Array, counts: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """Value and place of the best point of a regular grid.

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
        here = jnp.argmin(values)
        better = values[here] < best[0]
        return (jnp.where(better, values[here], best[0]), jnp.where(better, x[here], best[1])), None

    mesh = jnp.meshgrid(*fractions[1:], indexing="ij")
    outer = jnp.stack([m.ravel() for m in mesh], axis=1) if mesh else jnp.zeros((1, 0), lower.dtype)
    nothing = jnp.asarray(jnp.inf, lower.dtype), 0.5 * (lower + upper)
    return lax.scan(row, nothing, outer)[0]


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
    start: jax.Array,
    value: jax.Array,
    spacing: jax.Array,
    box: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    lower, upper = box
    eps = jnp.finfo(start.dtype).eps
    small = eps**0.45  # quadratic convergence: what a step of this size leaves is rounding

    def gradient(x: jax.Array) -> jax.Array:
        return jax.jacfwd(function)(x) * spacing

    def unfinished(state: _Step) -> jax.Array:
        return (state.moved > small) & (state.radius > small) & (state.count < _NEWTON_STEPS)

    def advance(state: _Step) -> _Step:
        x, value, radius = state.x, state.value, state.radius
        hessian, slope = jax.jacfwd(lambda x: (gradient(x),) * 2, has_aux=True)(x)
        hessian = hessian * spacing
        curvature, axes = _eigen(hessian)
        floor = eps * (jnp.max(jnp.abs(curvature)) + jnp.max(jnp.abs(slope)))
        move = axes @ (-(axes.T @ slope) / jnp.maximum(jnp.abs(curvature), floor))
        length = jnp.linalg.norm(move)
        move = move * jnp.minimum(1.0, radius / jnp.maximum(length, eps * radius))
        new = jnp.clip(x + move * spacing, lower, upper)
        new_value = function(new)
        # Values differ by rounding alone once the step is small, and cannot judge it.
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
        start, value, jnp.diag(spacing), infinite, infinite, one, jnp.asarray(0, jnp.int32)
    )
    last = lax.while_loop(unfinished, advance, first)
    x = last.x
    inside = jnp.all((x > lower + 1e-3 * spacing) & (x < upper - 1e-3 * spacing)) & jnp.isfinite(
        last.value
    )
    # A step that was small only because the radius cut it is not convergence.
    settled = (last.newton <= 2 * small) & _is_smooth_minimum(gradient, last.hessian, x, spacing)
    status = jnp.where(settled, int(Status.converged), int(Status.not_converged))
    return x, jnp.where(inside, status, int(Status.no_interior_optimum)).astype(x.dtype)


def _is_smooth_minimum(
    gradient: Callable, hessian: jax.Array, x: jax.Array, spacing: jax.Array
) -> jax.Array:
    """Whether the Hessian at ``x`` is positive and predicts the gradient near by."""
    here, near = jax.vmap(gradient)(jnp.stack([x, x + _SECANT * spacing]))
    predicted = _SECANT * jnp.sum(hessian, axis=1)
    error = jnp.linalg.norm(near - here - predicted) / jnp.linalg.norm(predicted)
    return (_eigen(hessian)[0][0] > 0) & (error < _SECANT_ERROR)


def _eigen(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues, the smallest first, and eigenvectors; a 1 x 1 matrix needs no library call, slow
    to compile.
    """
    return (matrix[0], jnp.ones_like(matrix)) if matrix.shape == (1, 1) else jnp.linalg.eigh(matrix)
