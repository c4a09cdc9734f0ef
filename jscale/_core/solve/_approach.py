"""A first estimate of where the least value of a function falls through zero."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jscale._core.solve._box_newton import Local, Scalars, local_model, reflected_step
from jscale._core.solve._evaluation import in_turn, scan_box

_HALVINGS = 6
"""Of the range of levels, before Newton's method."""
_STEPS = 6
_LONGEST = 2.0
"""Step of a level, in its logarithm."""


class Approach(NamedTuple):
    """A level near the one where the least value is zero.

    Attributes:
        level: scalar.
        end: a larger level, where the least value is known to be at most zero.
        values: (2,) least values of a grid at two levels on either side.
        found: whether there is such a level; the others mean nothing without it.
    """

    level: jax.Array
    end: jax.Array
    values: jax.Array
    found: jax.Array


class _Bracket(NamedTuple):
    low: jax.Array
    high: jax.Array
    values: jax.Array
    x: jax.Array
    found: jax.Array


def approach(
    function: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
    box: tuple[jax.Array, jax.Array],
    points: Sequence[int],
    end: jax.Array,
) -> Approach:
    """The level at which the least value over a box is zero, for one that falls with the level.

    The least value of a coarse grid is above the least value, so that a level where it is at most
    zero bounds the answer. Newton's method then moves the point of the box and the level together.

    Args:
        function: a point (d,), a level, and an offset that is added to it → scalar.
        box: lower and upper corner, (d,).
        points: of the grid, per dimension.
        end: of the levels, which begin at 0.
    """
    lower, upper = box
    zero = jnp.zeros_like(end)
    function = jax.jit(function)  # traced once, not once for each of its copies and loops

    def least(level: jax.Array) -> tuple[jax.Array, jax.Array]:
        return scan_box(lambda x: function(x, level, zero), lower, upper, points)

    def halve(_: Any, state: _Bracket) -> _Bracket:
        middle = 0.5 * (state.low + state.high)
        value, x = least(middle)
        reached = value <= 0
        low, high = state.values
        return _Bracket(
            jnp.where(reached, state.low, middle),
            jnp.where(reached, middle, state.high),
            jnp.stack([jnp.where(reached, low, value), jnp.where(reached, value, high)]),
            jnp.where(reached, x, state.x),
            state.found | reached,
        )

    at_start, x = least(zero)
    first = _Bracket(zero, end, jnp.stack([at_start, at_start]), x, jnp.asarray(False))
    last = lax.fori_loop(0, _HALVINGS, halve, first)
    counts = jnp.asarray(points, lower.dtype)
    offset = _joint_newton(
        lambda *z: function(jnp.stack(z[:-1]), last.high, z[-1]),
        (*last.x, zero),
        (*((upper - lower) / (counts - 1)), jnp.ones_like(zero)),
        tuple(zip((*lower, -last.high), (*upper, zero), strict=True)),
    )
    level = last.high + jnp.where(jnp.isfinite(offset), offset, 0.0)
    return Approach(level, last.high, last.values, last.found & (at_start > 0) & (level > 0))


def _joint_newton(
    function: Callable, start: Scalars, unit: Scalars, ends: tuple[Scalars, ...]
) -> jax.Array:
    """The last coordinate after a few steps towards a stationary point with the value 0.

    Args:
        function: of scalars, the last of which is the level.
        start: scalars.
        unit: of every one.
        ends: least and largest value of every one.
    """
    eps = float(jnp.finfo(start[0].dtype).eps)

    def look(state: tuple[Scalars, Local]) -> tuple[Scalars, Local]:
        return state[0], local_model(function, unit, state[0])

    def move(state: tuple[Scalars, Local]) -> tuple[Scalars, Local]:
        z, (value, (*slopes, by_level), (*rows, _)) = state
        hessian, cross = tuple(tuple(row[:-1]) for row in rows), tuple(row[-1] for row in rows)
        toward = reflected_step(hessian, tuple(slopes), eps)
        toward = tuple(jnp.clip(each, -1.0, 1.0) for each in toward)

        # At the minimum of this level the value is lower, and its slope another.
        fall = sum(slope * each for slope, each in zip(slopes, toward, strict=True))
        bend = sum(each * by for each, by in zip(toward, cross, strict=True))
        rise = jnp.clip(-(value + 0.5 * fall) / (by_level + bend), -_LONGEST, _LONGEST)
        along = reflected_step(hessian, cross, eps)
        moves = [each + rise * by for each, by in zip(toward, along, strict=True)]
        new = tuple(
            jnp.clip(each + by * size, low, high)
            for each, by, size, (low, high) in zip(z, (*moves, rise), unit, ends, strict=True)
        )
        return new, state[1]

    one = jnp.ones_like(start[0])
    nothing = Local(one, (one,) * len(unit), ((one,) * len(unit),) * len(unit))
    steps = lax.fori_loop(0, _STEPS, lambda _, z: in_turn((look, move), (z, nothing))[0], start)
    return steps[-1]
