"""A root and a minimum that are differentiable by the implicit function theorem.

Neither unrolls its iterations: derivatives of any order come from the equation that the solution satisfies
(``lax.custom_root``), so they hold under ``jit``, ``vmap``, ``grad`` and ``jvp`` and do not depend on how the
solution was found.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.status import Status

_ROOT_STEPS = 200
"""Bisection alone narrows any bracket of doubles in about 1,100 halvings of the exponent; brackets here are logarithms."""
_NEWTON_STEPS = 100


class Root(NamedTuple):
    """``x`` solves the equation where ``status`` is ``converged``; elsewhere ``x`` is NaN."""

    x: jax.Array
    status: jax.Array


def root(function: Callable[[jax.Array], jax.Array], lower: jax.Array, upper: jax.Array) -> Root:
    """The root of a scalar ``function`` between ``lower`` and ``upper``.

    Newton's method inside a shrinking bracket, with bisection whenever Newton leaves it or slows down. Values that
    ``function`` closes over are differentiated through.

    Args:
        function: scalar → scalar, smooth, of opposite signs at the two ends.
        lower: scalar, left end.
        upper: scalar, right end, same dtype.

    Returns:
        The root, exact to rounding, and ``Status.no_interior_optimum`` (with NaN) where the ends have equal signs.
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)

    def solve(f: Callable[[jax.Array], jax.Array], _: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _safeguarded_newton(f, lower, upper)

    x, status = lax.custom_root(
        function, 0.5 * (lower + upper), solve, lambda g, y: y / g(jnp.ones_like(y)), has_aux=True
    )
    return Root(x, status.astype(jnp.int32))


def _safeguarded_newton(f: Callable, lower: jax.Array, upper: jax.Array) -> tuple[jax.Array, jax.Array]:
    at_lower, at_upper = f(lower), f(upper)
    bracketed = at_lower * jnp.sign(at_upper) <= 0
    rising = at_upper > at_lower
    tolerance = 2 * jnp.finfo(lower.dtype).eps

    def unfinished(state):
        step, *_, count = state
        x = state[1]
        return bracketed & (jnp.abs(step) > tolerance * jnp.maximum(jnp.abs(x), 1.0)) & (count < _ROOT_STEPS)

    def advance(state):
        step, x, left, right, count = state
        value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
        to_left = (value > 0) == rising
        left, right = jnp.where(to_left, left, x), jnp.where(to_left, x, right)
        newton = x - value / slope
        # Newton counts only while it at least halves its step: otherwise it may crawl along one end.
        good = (newton > left) & (newton < right) & (jnp.abs(newton - x) < 0.5 * jnp.abs(step))
        new = jnp.where(value == 0, x, jnp.where(good, newton, 0.5 * (left + right)))
        return new - x, new, left, right, count + 1

    start = (upper - lower, 0.5 * (lower + upper), lower, upper, jnp.asarray(0, jnp.int32))
    _, x, *_, count = lax.while_loop(unfinished, advance, start)
    status = jnp.where(
        bracketed,
        jnp.where(count < _ROOT_STEPS, int(Status.converged), int(Status.not_converged)),
        int(Status.no_interior_optimum),
    )
    # ``custom_root`` differentiates its auxiliary output too, so the status leaves as a float.
    return jnp.where(bracketed, x, jnp.nan), status.astype(x.dtype)


class Minimum(NamedTuple):
    """``x`` (d,) is the best point of the box; ``status`` says whether it is an interior minimum."""

    x: jax.Array
    status: jax.Array


def argmin(function: Callable[[jax.Array], jax.Array], lower: jax.Array, upper: jax.Array, points: int = 64) -> Minimum:
    """The minimum of ``function`` over a box of one to three dimensions.

    A scan of ``points`` per dimension finds the right basin, so that the answer needs no guess; Newton's method with
    reflected negative curvature then goes to rounding. ``function`` may be ``inf`` on a part of the box (outside its
    domain). Values that it closes over are differentiated through.

    Args:
        function: (d,) → scalar, twice differentiable where finite.
        lower: (d,) lower corner.
        upper: (d,) upper corner.
        points: grid points per dimension of the scan.

    Returns:
        The minimum, and ``Status.no_interior_optimum`` where the function keeps falling towards the edge of the box.
    """
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    spacing = (upper - lower) / (points - 1)

    def solve(gradient: Callable, _: jax.Array) -> tuple[jax.Array, jax.Array]:
        start = _scan(function, lower, upper, points)
        return _newton(function, start, spacing, lower, upper)

    def tangent_solve(linear: Callable, y: jax.Array) -> jax.Array:
        hessian = jax.vmap(linear, out_axes=1)(jnp.eye(y.shape[0], dtype=y.dtype))
        return jnp.linalg.solve(hessian, y)

    x, status = lax.custom_root(jax.grad(function), lower, solve, tangent_solve, has_aux=True)
    return Minimum(x, status.astype(jnp.int32))


def _scan(function: Callable, lower: jax.Array, upper: jax.Array, points: int) -> jax.Array:
    """The best point of a regular grid; one row of the grid at a time, so memory stays small under ``vmap``."""
    fraction = jnp.linspace(0, 1, points, dtype=lower.dtype)
    dimensions = lower.shape[0]

    def row(best, outer):
        inner = fraction[:, None] if dimensions == 1 else jnp.concatenate(
            [fraction[:, None], jnp.broadcast_to(outer, (points, dimensions - 1))], axis=1
        )
        x = lower + inner * (upper - lower)
        values = jax.vmap(function)(x)
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        here = jnp.argmin(values)
        better = values[here] < best[0]
        return (jnp.where(better, values[here], best[0]), jnp.where(better, x[here], best[1])), None

    mesh = jnp.meshgrid(*[fraction] * (dimensions - 1), indexing="ij")
    outer = jnp.stack([m.ravel() for m in mesh], axis=1) if mesh else jnp.zeros((1, 0), lower.dtype)
    middle = 0.5 * (lower + upper)
    infinity = jnp.full_like(function(middle), jnp.inf)
    return lax.scan(row, (infinity, middle), outer)[0][1]


def _newton(function: Callable, start: jax.Array, spacing: jax.Array, lower: jax.Array, upper: jax.Array):
    eps = jnp.finfo(start.dtype).eps
    small = eps**0.6  # quadratic convergence: the step after one of this size is below rounding
    gradient, hessian = jax.grad(function), jax.hessian(function)

    def unfinished(state):
        *_, step, count = state
        return (step > small) & (count < _NEWTON_STEPS)

    def advance(state):
        x, value, radius, _, count = state
        curvature, axes = jnp.linalg.eigh(hessian(x) * spacing[:, None] * spacing)
        floor = eps * jnp.max(jnp.abs(curvature))
        move = axes @ (-(axes.T @ (gradient(x) * spacing)) / jnp.maximum(jnp.abs(curvature), floor))
        length = jnp.sqrt(jnp.sum(move**2))
        move = move * jnp.minimum(1.0, radius / jnp.maximum(length, eps * radius))
        new = jnp.clip(x + move * spacing, lower, upper)
        new_value = function(new)
        accept = new_value <= value + 8 * eps * jnp.abs(value)
        radius = jnp.where(accept, jnp.minimum(2 * radius, 4.0), 0.25 * radius)
        step = jnp.where(accept, jnp.max(jnp.abs(new - x)), jnp.max(jnp.abs(radius * spacing)))
        return jnp.where(accept, new, x), jnp.where(accept, new_value, value), radius, step, count + 1

    infinite_step = jnp.full_like(function(start), jnp.inf)
    state = (start, function(start), jnp.ones_like(infinite_step), infinite_step, jnp.asarray(0, jnp.int32))
    x, value, _, _, count = lax.while_loop(unfinished, advance, state)
    inside = jnp.all((x > lower + 1e-3 * spacing) & (x < upper - 1e-3 * spacing)) & jnp.isfinite(value)
    settled = jnp.where(count < _NEWTON_STEPS, int(Status.converged), int(Status.not_converged))
    return x, jnp.where(inside, settled, int(Status.no_interior_optimum)).astype(x.dtype)
