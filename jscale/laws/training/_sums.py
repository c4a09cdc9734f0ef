"""Sums over a learning-rate schedule at some of its steps, as the laws of loss curves use them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import as_float
from jscale.laws.training._curves import saturated
from jscale.laws.training._rates import Schedule

_BLOCK = 2048
"""Falls summed at once. A larger block is no faster, and a curve of 1e5 steps needs the memory."""


def area_until(plan: Schedule, t: jax.Array) -> jax.Array:
    """Area under the learning rate up to ``t`` (...).

    The sum of the rates of the steps 0 … t, linear in between.
    """
    step = jnp.clip(jnp.floor(t), 0, plan.last)
    index = lax.stop_gradient(step).astype(jnp.int32)
    rate = jnp.asarray(plan.following, t.dtype)[index]

    # A final rate of 0 adds nothing after infinitely many steps: avoid 0 * inf.
    remainder = jnp.where(jnp.isposinf(t) & (rate == 0), 0.0, t - step)
    return jnp.asarray(plan.areas, t.dtype)[index] + rate * remainder


def _summed(
    contribution: Callable[..., jax.Array], columns: tuple[np.ndarray, ...], zeros: jax.Array
) -> jax.Array:
    """Sum of ``contribution(*columns)`` over its last axis, in blocks of decreases.

    Args:
        contribution: the columns (K,) -> (..., K).
        columns: the decreases (K,) first, then other quantities of the same steps.
        zeros: (...) zeros of the shape and dtype of the sum.
    """
    count = len(columns[0])
    if count <= _BLOCK:
        return jnp.sum(contribution(*(jnp.asarray(c, zeros.dtype) for c in columns)), axis=-1)

    # Pad with decreases of 0 at the last step: they add nothing.
    decreases, *others = columns
    padding = -count % _BLOCK
    padded = [np.append(decreases, np.zeros(padding))]
    padded += [np.append(column, np.repeat(column[-1], padding)) for column in others]
    blocks = tuple(jnp.asarray(c, zeros.dtype).reshape(-1, _BLOCK) for c in padded)

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        return total + jnp.sum(contribution(*block), axis=-1), None

    return lax.scan(add, zeros, blocks)[0]


def common_dtype(*values: ArrayLike) -> tuple[jax.Array, ...]:
    """The values as arrays of one floating dtype."""
    arrays = [jnp.asarray(as_float(v)) for v in values]
    return tuple(a.astype(jnp.result_type(*arrays)) for a in arrays)


def _zeros(*values: jax.Array) -> jax.Array:
    """Zeros of the broadcast shape of the values."""
    return jnp.zeros(jnp.broadcast_shapes(*(v.shape for v in values)), values[0].dtype)


def _arrived(decreases: jax.Array, age: jax.Array, lam: jax.Array) -> jax.Array:
    """Contribution to S2 of decreases (..., K) of an age (..., K) in steps; ``lam`` (..., 1)."""
    return decreases * -jnp.expm1(jnp.maximum(age, 0) * jnp.log(lam)) / (1 - lam)


def annealing_area(plan: Schedule, t: ArrayLike, lam: ArrayLike) -> jax.Array:
    """S2 of the momentum law, its double sum reduced to one sum over the decreases.

    ``sum_k decrease_k * (1 - lam**(t - k + 1)) / (1 - lam)``.
    """
    t, lam = common_dtype(t, lam)

    def contribution(decrease: jax.Array, step: jax.Array) -> jax.Array:
        return _arrived(decrease, t[..., None] - step + 1, lam[..., None])

    return _summed(contribution, (plan.decreases, plan.steps), _zeros(t, lam))


def loss_drop(
    plan: Schedule, t: ArrayLike, C: ArrayLike, beta: ArrayLike, gamma: ArrayLike
) -> jax.Array:
    """``sum_k decrease_k * G(rate_k**-gamma * S_k(t))`` of the multi-power law."""
    t, *theta = common_dtype(t, C, beta, gamma)
    area = area_until(plan, t)[..., None]
    parameters = tuple(p[..., None] for p in theta)

    def contribution(decrease: jax.Array, before: jax.Array, rate: jax.Array) -> jax.Array:
        return decrease * saturated(area - before, rate, parameters)

    columns = plan.decreases, plan.before, plan.rates[plan.steps.astype(int)]
    return _summed(contribution, columns, _zeros(t, *theta))
