"""Loss curves under a learning-rate schedule: all steps at once, differentiable in the rates."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jscale._core.arrays import inexact, term

_MAX_LOG_PACE = 80.0
"""Largest logarithm of the pace in float32. Above it, as at a rate of 0, a fall is immediate."""


def saturated(area: jax.Array, rate: jax.Array, theta: tuple[jax.Array, ...]) -> jax.Array:
    """Fraction of a fall's effect that has arrived.

    ``1 - (1 + C * rate**-gamma * area)**-beta``: 0 without area, 1 where there is some and the rate
    is 0.

    Args:
        area: (..., K) area since the fall.
        rate: (K,) rate after the fall.
        theta: C, beta and gamma, (..., 1) each.
    """
    C, beta, gamma = theta
    log_pace = jnp.log(C) - gamma * jnp.log(jnp.where(rate > 0, rate, 1.0))
    started = area > 0
    immediate = (rate <= 0) | (log_pace > _MAX_LOG_PACE)

    # Safe operands where the result is 0 or 1.
    pace = jnp.exp(jnp.where(immediate, 0.0, log_pace))
    arrived = -jnp.expm1(-beta * jnp.log1p(pace * jnp.where(started, area, 0.0)))
    return jnp.where(started & immediate, 1.0, arrived)


def _decreases(rates: jax.Array, warmup: int | None) -> jax.Array:
    """Falls of the rate (T + 1,), 0 at step 0 and in the warm-up."""
    decreases = jnp.concatenate([jnp.zeros_like(rates[:1]), rates[:-1] - rates[1:]])
    if warmup is None:
        after_warmup = jnp.cumsum(decreases > 0) > 0
    else:
        after_warmup = jnp.arange(len(decreases)) > warmup
    return jnp.where(after_warmup, decreases, 0.0)


def momentum_curve(
    rates: ArrayLike, params: Mapping[str, ArrayLike], *, warmup: int | None = None
) -> jax.Array:
    """Loss after every step by :func:`momentum_law`, (T + 1,) nats per token.

    Differentiable in the rates and in the constants. The recursion ``m_i = lam * m_{i-1} + fall_i``
    runs as a parallel scan: the work grows with T, not with its square. Infinite as long as the
    area is 0.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on.
        params: constants of :func:`momentum_law`, scalars.
        warmup: as for :func:`multi_power_curve`.

    Example:
        >>> from jscale import laws
        >>> rates = laws.schedule.cosine(100, 3e-4, final=3e-5, warmup=10)
        >>> theta = {"L0": 2.6, "A": 0.1, "alpha": 0.5, "C": 5.0, "lam": 0.95}
        >>> losses = laws.momentum_curve(rates, theta)
        >>> print(f"{losses[50]:.3f} after step 50, {losses[100]:.3f} at the end")
        3.507 after step 50, 3.359 at the end
    """
    return _momentum_curve(inexact(rates), dict(params), warmup)


@functools.partial(jax.jit, static_argnames="warmup")
def _momentum_curve(
    rates: jax.Array, params: Mapping[str, ArrayLike], warmup: int | None
) -> jax.Array:
    decreases, lam = _decreases(rates, warmup), jnp.asarray(params["lam"], rates.dtype)

    # Composition of two affine maps m -> factor * m + fall.
    def compose(first: tuple, second: tuple) -> tuple:
        return first[0] * second[0], first[1] * second[0] + second[1]

    _, momentum = lax.associative_scan(compose, (jnp.broadcast_to(lam, decreases.shape), decreases))
    area_term = term(params["A"], jnp.cumsum(rates), params["alpha"])
    return params["L0"] + area_term - params["C"] * jnp.cumsum(momentum)


def multi_power_curve(
    rates: ArrayLike, params: Mapping[str, ArrayLike], *, warmup: int | None = None, block: int = 64
) -> jax.Array:
    """Loss after every step by :func:`multi_power`, (T + 1,) nats per token.

    Differentiable in the rates and in the constants. The work grows with the square of T: 24,000
    steps take tens of seconds. ``multi_power(rates)`` at some of the steps is cheaper. Infinite as
    long as the area is 0.

    Args:
        rates: (T + 1,) learning rate of every step from 0 on.
        params: constants of :func:`multi_power`, scalars.
        warmup: last step of the warm-up, whose rises do not count; None for the step before the
            first fall, which counts a flat stretch as warm-up too. Give it to differentiate in the
            rates: a rise in that stretch counts then.
        block: steps computed at once; the memory is ``block * T`` numbers.

    Example:
        >>> from jscale import laws
        >>> rates = laws.schedule.cosine(1000, 3e-4, final=3e-5, warmup=100)
        >>> losses = laws.multi_power_curve(rates, laws.params(laws.multi_power(rates)))
        >>> print(f"{losses[500]:.3f} after step 500, {losses[1000]:.3f} at the end")
        4.557 after step 500, 4.277 at the end
    """
    return _multi_power_curve(inexact(rates), dict(params), warmup, block)


@functools.partial(jax.jit, static_argnames=("warmup", "block"))
def _multi_power_curve(
    rates: jax.Array, params: Mapping[str, ArrayLike], warmup: int | None, block: int
) -> jax.Array:
    decreases, areas = _decreases(rates, warmup), jnp.cumsum(rates)
    before = jnp.concatenate([jnp.zeros_like(areas[:1]), areas[:-1]])
    theta = tuple(jnp.asarray(params[n], rates.dtype) for n in ("C", "beta", "gamma"))

    @jax.checkpoint  # pyright: ignore[reportPrivateImportUsage]
    def drop(area: jax.Array) -> jax.Array:
        return jnp.sum(decreases * saturated(area - before, rates, theta))

    drops = lax.map(drop, areas, batch_size=block)
    return params["L0"] + term(params["A"], areas, params["alpha"]) - params["B"] * drops
