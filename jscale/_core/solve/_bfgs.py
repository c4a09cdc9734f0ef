"""BFGS with one evaluation a turn, for objectives whose gradient takes long to compile.

Why it is not one of the others: the Newton methods need second derivatives or residuals, which for
jointly normal errors take ten seconds to compile and a hundred times as long as a gradient to
evaluate. Line searches of libraries contain the objective three or four times, and each copy is
compiled; here a step that fails is halved in the next turn of the one loop.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

_DECREASE = 1e-4
"""Share of the decrease that the gradient predicts which a step must reach (Armijo)."""
_CURVATURE = 1e-10
"""Products of step and change of gradient below this share of their norms leave the matrix as it
is, so that it stays positive definite."""
_LEAST_PRODUCT = 1e-6
"""Share of the tolerance below which such a product is mostly rounding of the gradients, and leaves
the matrix as it is too."""
_MIN_STEP = 1e-10
_FIRST_STEP, _MAX_STEP = 0.5, 5.0
"""Length of the first step and, unless the caller says so, of the longest, in coordinates of unit
size."""


class QuasiNewton(NamedTuple):
    """The end of a descent.

    Attributes:
        free: (k,) the last point.
        value: the objective there.
        inverse_hessian: (k, k) the approximation that the descent has built.
        turns: number of evaluations.
    """

    free: jax.Array
    value: jax.Array
    inverse_hessian: jax.Array
    turns: jax.Array


class _State(NamedTuple):
    x: jax.Array
    value: jax.Array
    gradient: jax.Array
    inverse: jax.Array
    step: jax.Array
    turns: jax.Array
    small: jax.Array


def bfgs(
    value_and_grad: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
    start: jax.Array,
    *,
    max_turns: int,
    tolerance: jax.Array | float,
    max_step: float = _MAX_STEP,
) -> QuasiNewton:
    """A local minimum from ``start``.

    Args:
        value_and_grad: (k,) → scalar and (k,); not finite outside the domain.
        start: (k,) the first point, in coordinates of about unit size.
        max_turns: most evaluations.
        tolerance: decrease of the objective that does not matter; three steps in a row below it end
            the descent.
        max_step: length of the longest step.
    """
    size = start.shape[0]
    identity = jnp.eye(size, dtype=start.dtype)

    def unfinished(state: _State) -> jax.Array:
        return (state.turns < max_turns) & (state.small < 3) & (state.step > _MIN_STEP)

    def turn(state: _State) -> _State:
        direction = -state.inverse @ state.gradient
        length = jnp.linalg.norm(direction)
        direction = direction * jnp.minimum(1.0, max_step / length)
        change = state.step * direction
        value, gradient = value_and_grad(state.x + change)

        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        predicted = jnp.minimum(change @ state.gradient, 0.0)
        accepted = finite & (value <= state.value + _DECREASE * predicted)
        seen = jnp.where(finite, gradient, state.gradient)
        inverse = _updated(state, change, seen, identity, _LEAST_PRODUCT * tolerance)
        decrease = state.value - value
        small = jnp.where(decrease < tolerance, state.small + 1, 0)
        return _State(
            x=jnp.where(accepted, state.x + change, state.x),
            value=jnp.where(accepted, value, state.value),
            gradient=jnp.where(accepted, gradient, state.gradient),
            inverse=jnp.where(accepted, inverse, state.inverse),
            step=jnp.where(accepted, jnp.minimum(1.0, 4 * state.step), state.step / 4),
            turns=state.turns + 1,
            small=jnp.where(accepted, small, state.small),
        )

    # The first value is infinite and its gradient zero, so that the first turn, which does not
    # move, evaluates the start: the objective stands in the loop alone.
    first = _State(
        x=start,
        value=jnp.asarray(jnp.inf, start.dtype),
        gradient=jnp.zeros_like(start),
        inverse=identity,
        step=jnp.asarray(1.0, start.dtype),
        turns=jnp.asarray(0),
        small=jnp.asarray(0),
    )
    end = lax.while_loop(unfinished, turn, first)
    return QuasiNewton(end.x, end.value, end.inverse, end.turns)


def _updated(
    state: _State,
    change: jax.Array,
    gradient: jax.Array,
    identity: jax.Array,
    least: jax.Array | float,
) -> jax.Array:
    """The inverse Hessian after a step; after the first turn, one that limits the first step."""
    difference = gradient - state.gradient
    product = change @ difference
    lengths = jnp.linalg.norm(change) * jnp.linalg.norm(difference)
    enough = product > jnp.maximum(_CURVATURE * lengths, least)
    # The first update starts from the curvature that it measured.
    fresh = jnp.all(jnp.diag(state.inverse) == jnp.diag(state.inverse)[0])
    scale = product / jnp.where(enough, difference @ difference, 1.0)
    base = jnp.where(enough & fresh, scale * identity, state.inverse)
    rho = 1 / jnp.where(enough, product, 1.0)
    left = identity - rho * jnp.outer(change, difference)
    updated = left @ base @ left.T + rho * jnp.outer(change, change)

    is_first = state.turns == 0
    limit = _FIRST_STEP / jnp.maximum(jnp.linalg.norm(gradient), 1e-300)
    limited = jnp.minimum(limit, 1.0) * identity
    return jnp.where(is_first, limited, jnp.where(enough, updated, state.inverse))
