"""Whole loss curves under a learning-rate schedule, every step at once, differentiable in the rates
too.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, term

_AT_ONCE = 80.0
"""Logarithm of a pace that float32 can still hold. Beyond it, as at a rate of 0, a fall arrives at
once."""


def saturated(area: jax.Array, rate: jax.Array, theta: tuple[jax.Array, ...]) -> jax.Array:
    """``1 - (1 + C * rate**-gamma * area)**-beta``; 0 without area, 1 where there is some and the
    rate
    is 0.

    Args:
        area: (..., K) area since the fall.
        rate: (K,) rate after the fall.
        theta: C, beta and gamma, (..., 1) each.
    """
    C, beta, gamma = theta
    log_pace = jnp.log(C) - gamma * jnp.log(jnp.where(rate > 0, rate, 1.0))
    begun, ended = area > 0, (rate <= 0) | (log_pace > _AT_ONCE)
    pace = jnp.exp(jnp.where(ended, 0.0, log_pace))
    arrived = -jnp.expm1(-beta * jnp.log1p(pace * jnp.where(begun, area, 0.0)))
    return jnp.where(begun & ended, 1.0, arrived)


def _falls(rates: jax.Array, warmup: int | None) -> jax.Array:
    """Falls of the rate (T + 1,), 0 at step 0 and in the warm-up."""
    falls = jnp.concatenate([jnp.zeros_like(rates[:1]), rates[:-1] - rates[1:]])
    counts = jnp.cumsum(falls > 0) > 0 if warmup is None else jnp.arange(len(falls)) > warmup
    return jnp.where(counts, falls, 0.0)


def momentum_curve(
    rates: ArrayLike, params: Mapping[str, ArrayLike], *, warmup: int | None = None
) -> jax.Array:
    """Loss after every step by :func:`momentum_law`, (T + 1,) nats per token; differentiable in the
    rates too.

    The recursion ``m_i = lam * m_{i-1} + fall_i`` as a parallel scan: the work grows with T, not
    with its square. Infinite as long as the area is 0.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on.
        params: constants of :func:`momentum_law`, scalars.
        warmup: as for :func:`multi_power_curve`.
    """
    rates = inexact(rates)
    falls, lam = _falls(rates, warmup), jnp.asarray(params["lam"], rates.dtype)

    def then(first: tuple, second: tuple) -> tuple:
        return first[0] * second[0], first[1] * second[0] + second[1]

    _, momentum = lax.associative_scan(then, (jnp.broadcast_to(lam, falls.shape), falls))
    return (
        params["L0"]
        + term(params["A"], jnp.cumsum(rates), params["alpha"])
        - params["C"] * jnp.cumsum(momentum)
    )


def multi_power_curve(
    rates: ArrayLike, params: Mapping[str, ArrayLike], *, warmup: int | None = None, block: int = 64
) -> jax.Array:
    """Loss after every step by :func:`multi_power`, (T + 1,) nats per token; differentiable in the
    rates too.

    The work grows with the square of T: 24,000 steps take tens of seconds. ``multi_power(rates)``
    at some of the steps is cheaper. Infinite as long as the area is 0.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on.
        params: constants of :func:`multi_power`, scalars.
        warmup: last step of the warm-up, whose rises do not count; None for the step before the
            first fall, which takes a flat stretch for warm-up too. Give it to differentiate in the
            rates: a rise in that stretch counts then.
        block: steps worked out at once; the memory is ``block * T`` numbers.
    """
    rates = inexact(rates)
    falls, areas = _falls(rates, warmup), jnp.cumsum(rates)
    before = jnp.concatenate([jnp.zeros_like(areas[:1]), areas[:-1]])
    theta = tuple(jnp.asarray(params[n], rates.dtype) for n in ("C", "beta", "gamma"))

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def drop(area: jax.Array) -> jax.Array:
        return jnp.sum(falls * saturated(area - before, rates, theta))

    drops = lax.map(drop, areas, batch_size=block)
    return params["L0"] + term(params["A"], areas, params["alpha"]) - params["B"] * drops
