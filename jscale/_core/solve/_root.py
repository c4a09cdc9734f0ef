"""A root that is differentiable by the implicit function theorem.

The iterations are not unrolled: derivatives of any order come from the equation that the root
satisfies (``lax.custom_root``), so they hold under ``jit``, ``vmap``, ``grad`` and ``jvp`` and do
not depend on the iterations.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.status import Status

_ROOT_STEPS = 200
"""Brackets are logarithms: bisection alone narrows one of width 100 to rounding in about 60
halvings."""


class Root(NamedTuple):
    """``x`` solves the equation where ``status`` is ``converged``; otherwise ``x`` is NaN."""

    x: jax.Array
    status: jax.Array


def root(function: Callable[[jax.Array], jax.Array], lower: ArrayLike, upper: ArrayLike) -> Root:
    """The root of a scalar ``function`` between ``lower`` and ``upper``.

    Newton's method inside a shrinking bracket, with bisection whenever a Newton step leaves the
    bracket or converges too slowly. Values that ``function`` closes over are differentiated
    through; entries without a root contribute nothing to a derivative.

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
    # As one array: XLA compiles every copy of ``function``, which may itself be a search.
    at_ends = lax.stop_gradient(jax.vmap(function)(jnp.stack([lower, upper])))
    bracketed = jnp.sign(at_ends[0]) * jnp.sign(at_ends[1]) <= 0
    increasing = at_ends[1] > at_ends[0]
    largest = jnp.max(jnp.abs(at_ends))

    def safe(x: jax.Array) -> jax.Array:
        # Where there is no root, substitute an equation that has one: a NaN would spread to the
        # other entries in reverse mode.
        return jnp.where(bracketed, function(jnp.where(bracketed, x, middle)), x - middle)

    def solve(f: Callable[[jax.Array], jax.Array], _: jax.Array) -> tuple[jax.Array, jax.Array]:
        return _safeguarded_newton(f, lower, upper, increasing | ~bracketed, largest)

    x, solver_status = lax.custom_root(safe, middle, solve, _tangent_solve, has_aux=True)
    no_root = int(Status.no_interior_optimum)
    status = jnp.where(bracketed, solver_status.astype(jnp.int32), no_root)
    return Root(jnp.where(status == int(Status.converged), x, jnp.nan), status)


def held_root(
    function: Callable[[jax.Array], jax.Array], x: jax.Array, solved: jax.Array
) -> jax.Array:
    """A root ``x`` that was found before, with its derivatives where it is ``solved``."""

    def safe(y: jax.Array) -> jax.Array:
        return jnp.where(solved, function(jnp.where(solved, y, x)), y - x)

    x = lax.stop_gradient(x)
    return lax.custom_root(safe, x, lambda _, solution: solution, _tangent_solve)


def _tangent_solve(linear: Callable[[jax.Array], jax.Array], y: jax.Array) -> jax.Array:
    return y / linear(jnp.ones_like(y))


class _Bracket(NamedTuple):
    """State of the safeguarded Newton method; ``step`` is the last one taken."""

    step: jax.Array
    x: jax.Array
    left: jax.Array
    right: jax.Array
    count: jax.Array


def _safeguarded_newton(
    f: Callable[[jax.Array], jax.Array],
    lower: jax.Array,
    upper: jax.Array,
    increasing: jax.Array,
    largest: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    eps = jnp.finfo(lower.dtype).eps
    tolerance = 2 * eps

    def unfinished(state: _Bracket) -> jax.Array:
        size = jnp.maximum(jnp.abs(state.x), 1.0)
        return (jnp.abs(state.step) > tolerance * size) & (state.count < _ROOT_STEPS)

    def advance(state: _Bracket) -> _Bracket:
        x = state.x
        value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))

        # 1. Shrink the bracket to the side of the sign change.
        root_is_left = (value > 0) == increasing
        left = jnp.where(root_is_left, state.left, x)
        right = jnp.where(root_is_left, x, state.right)

        # 2. A Newton step, where it stays inside and at least halves the last step (otherwise it
        #    may creep along one end); else bisection.
        newton = x - value / slope
        inside = (newton >= left) & (newton <= right)
        halves = jnp.abs(newton - x) < 0.5 * jnp.abs(state.step)
        candidate = jnp.where(inside & halves, newton, 0.5 * (left + right))
        new = jnp.where(value == 0, x, candidate)
        return _Bracket(new - x, new, left, right, state.count + 1)

    zero = jnp.asarray(0, jnp.int32)
    start = _Bracket(upper - lower, 0.5 * (lower + upper), lower, upper, zero)
    end = lax.while_loop(unfinished, advance, start)

    # At a jump or a pole the sign changes without a root, and the values do not vanish, compared
    # with the ``largest`` at the two ends.
    solved = (end.count < _ROOT_STEPS) & (jnp.abs(f(end.x)) <= eps**0.5 * largest)
    status = jnp.where(solved, int(Status.converged), int(Status.not_converged))
    # ``custom_root`` differentiates its auxiliary output too, so the status is returned as a float.
    return end.x, status.astype(end.x.dtype)
