"""The first crossing of zero of a falling function whose every value is a search of its own."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.solve._approach import Approach
from jscale._core.status import Status

_STEPS = 200


class Bracket(NamedTuple):
    """Where the function falls through zero: at a distance of 0 to ``width`` from ``base``.

    Attributes:
        base: scalar.
        width: scalar.
        values: (2,) the function at both ends.
        usable: whether it is above zero at the first end and not at the second.
    """

    base: jax.Array
    width: jax.Array
    values: jax.Array
    usable: jax.Array


class Crossing(NamedTuple):
    """The last point, ``base + offset``, what else the function gave there, and a status."""

    base: jax.Array
    offset: jax.Array
    extra: Any
    status: jax.Array


class _State(NamedTuple):
    base: jax.Array
    x: jax.Array
    """The next offset to look at."""
    last: jax.Array
    """The offset looked at before."""
    value: jax.Array
    ends: jax.Array
    """(2,) offsets of the bracket."""
    values: jax.Array
    """(2,) at them."""
    largest: jax.Array
    step: jax.Array
    usable: jax.Array
    count: jax.Array
    extra: Any


Evaluate = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array, Any]]
"""A base and an offset from it → the value there, its derivative, and what else it gives."""


def crossing(
    evaluate: Evaluate,
    bracket: Bracket | jax.Array,
    halvings: int = 0,
    near: Approach | None = None,
    resolution: ArrayLike = 0.0,
) -> Crossing:
    """Where a falling function reaches zero, without derivatives.

    One loop with one copy of the function, however large it is: XLA compiles every copy. Its first
    steps look at both ends and halve the bracket; the others are Newton's, with bisection whenever
    one leaves the bracket or converges too slowly. Points are a base and an offset, so that float32
    resolves a small difference from the start of the last bracket.

    Args:
        evaluate: the function; NaN counts as infinite.
        bracket: a known one, or the end of the search, which begins at 0.
        halvings: of the search, before Newton's method.
        near: the answer of a rough search; where it found one, Newton's method begins there.
        resolution: a value of this size is zero. Steps below that of rounding would only bisect.

    Returns:
        ``Status.no_interior_optimum`` where the function does not reach zero or does so at 0;
        ``not_converged`` where it jumps across.
    """
    known = isinstance(bracket, Bracket)
    first_newton = 0 if known else halvings + 2
    end = bracket.width if known else bracket
    eps, zero = jnp.finfo(end.dtype).eps, jnp.zeros_like(end)

    def unfinished(state: _State) -> jax.Array:
        moving = jnp.abs(state.step) > 2 * eps * jnp.maximum(jnp.abs(state.last), 1.0)
        newton = state.count >= first_newton
        return jnp.where(newton, state.usable & moving & (state.count < _STEPS), True) | (
            state.count == 0
        )

    def advance(state: _State) -> _State:
        x, (left, right), count = state.x, state.ends, state.count
        value, slope, extra = evaluate(state.base, x)
        value = jnp.where(jnp.isnan(value), jnp.inf, value)

        # 1. Shrink the bracket. The far end stays one although the function may be infinite there.
        reached, at_far_end = value <= 0, (count == 0) & (not known)
        low = jnp.where(reached | at_far_end, left, x)
        high = jnp.where(reached, x, right)
        low_value = jnp.where(reached | at_far_end, state.values[0], value)
        high_value = jnp.where(reached, value, state.values[1])
        usable = (state.usable | reached) & (state.base + high > 0)

        # 2. The next point: the near end, the middle, or that of a Newton step which stays inside
        #    and at least halves the last one (otherwise it may creep along one end).
        newton, middle = x - value / slope, 0.5 * (low + high)
        inside = (newton >= low) & (newton <= high)
        halves = jnp.abs(newton - x) < 0.5 * jnp.abs(state.step)
        searching = count < first_newton
        new = jnp.where(inside & halves & ~searching, newton, middle)
        new = jnp.where(jnp.abs(value) <= resolution, x, new)
        new = jnp.where(at_far_end, 0.0, jnp.where(searching, middle, new))

        # 3. After the last halving, offsets are those from the start of the bracket.
        rebased = count == first_newton - 1
        shift = jnp.where(rebased, low, 0.0)
        values = jnp.stack([low_value, high_value])
        return _State(
            base=state.base + shift,
            x=new - shift,
            last=x - shift,
            value=value,
            ends=jnp.stack([low, high]) - shift,
            values=values,
            largest=jnp.where(rebased, jnp.max(jnp.abs(values)), state.largest),
            step=jnp.where(searching, high - low, new - x),
            usable=usable,
            count=count + 1,
            extra=extra,
        )

    shapes = jax.eval_shape(evaluate, zero, end)[2]
    extra = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    start = _started(bracket, extra)
    if near is not None:
        start = _continued(start, near, first_newton)
    last = lax.while_loop(unfinished, advance, start)

    # At a jump the sign changes without a root, and the value does not vanish.
    solved = (last.count < _STEPS) & (jnp.abs(last.value) <= eps**0.5 * last.largest)
    status = jnp.where(solved, int(Status.converged), int(Status.not_converged))
    usable = last.usable
    if near is not None:  # every point looked at is beyond the crossing
        usable &= solved | ~near.found | (last.base + last.ends[0] > 0)
    status = jnp.where(usable, status, int(Status.no_interior_optimum)).astype(jnp.int32)
    return Crossing(last.base, last.last, last.extra, status)


def _started(bracket: Bracket | jax.Array, extra: Any) -> _State:
    """The state before the first look, at the middle of a known bracket or at the far end."""
    known = isinstance(bracket, Bracket)
    end = bracket.width if known else bracket
    zero, infinite = jnp.zeros_like(end), jnp.full((2,), jnp.inf, end.dtype)
    return _State(
        base=bracket.base if known else zero,
        x=0.5 * end if known else end,
        last=zero,
        value=infinite[0],
        ends=jnp.stack([zero, end]),
        values=bracket.values if known else infinite,
        largest=jnp.max(jnp.abs(bracket.values)) if known else infinite[0],
        step=end,
        usable=bracket.usable if known else jnp.asarray(False),
        count=jnp.asarray(0, jnp.int32),
        extra=extra,
    )


def _continued(start: _State, near: Approach, first_newton: int) -> _State:
    """The state at the answer of a rough search, where it found one."""
    begun = start._replace(
        base=near.level,
        x=jnp.zeros_like(near.level),
        ends=jnp.stack([-near.level, near.end - near.level]),
        largest=jnp.max(jnp.abs(near.values)),
        usable=jnp.asarray(True),
        count=jnp.asarray(first_newton, jnp.int32),
    )
    return jax.tree.map(lambda a, b: jnp.where(near.found, a, b), begun, start)
