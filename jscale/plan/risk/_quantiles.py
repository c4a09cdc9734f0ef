"""Quantiles over draws, where some draws have no value and others an infinite one."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown


def check_probabilities(quantiles: Any) -> tuple[float, ...]:
    """Probabilities of quantiles as numbers.

    Raises:
        JscaleError: none, one that is not in a list, or one that is not a number from 0 to 1.
    """
    numbers = np.asarray(check_number("quantiles", quantiles), float)
    if numbers.ndim != 1 or not numbers.size or not ((numbers >= 0) & (numbers <= 1)).all():
        raise JscaleError(
            f"must be probabilities between 0 and 1, not {shown(quantiles)}", argument="quantiles"
        )
    return tuple(numbers.tolist())


def worst_mean(values: jax.Array, share: jax.Array) -> jax.Array:
    """The mean of the largest ``share`` of values (draws,)."""
    size = values.shape[0]
    number = jnp.maximum(share * size, 1.0)
    ordered = jnp.sort(values)[::-1]
    weights = jnp.clip(number - jnp.arange(size, dtype=values.dtype), 0.0, 1.0)
    return jnp.sum(jnp.where(weights > 0, ordered, 0.0) * weights) / number


def quantiles_over_draws(
    values: Any, probabilities: Sequence[float], *, xp: ModuleType = jnp
) -> Any:
    """Quantiles along the leading axis: (draws, …) → (quantiles, …).

    Draws without a value (NaN) are left out; the quantiles are NaN where no draw has a value.
    Infinite values are ordered like the others. Quantiles interpolate linearly between draws.

    Args:
        values: floating-point array of shape (draws, …).
        probabilities: each between 0 and 1.
        xp: the array module, ``jax.numpy`` or ``numpy``.
    """
    ordered = xp.sort(values, axis=0)  # NaN last
    last = xp.sum(~xp.isnan(values), axis=0) - 1
    rows = []
    for q in probabilities:
        position = q * last.astype(values.dtype)
        below = xp.clip(xp.floor(position).astype(last.dtype), 0, None)
        above = xp.clip(below + 1, 0, xp.maximum(last, 0))
        low = xp.take_along_axis(ordered, below[None], axis=0)[0]
        high = xp.take_along_axis(ordered, above[None], axis=0)[0]

        # Equal neighbours need no interpolation; for infinite ones it would be inf - inf.
        part = position - below.astype(values.dtype)
        between = (low != high) & (part > 0)
        step = xp.where(between, high, 0.0) - xp.where(between, low, 0.0)
        rows.append(xp.where(between, low + part * step, low))
    return xp.stack(rows)
