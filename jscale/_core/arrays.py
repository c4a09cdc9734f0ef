"""Small array helpers that keep Python numbers, numpy and JAX arrays apart from each other's surprises."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def as_float(x: ArrayLike) -> Any:
    """``x`` with integers and booleans turned into floats.

    A Python int above 2**31 cannot enter a JAX operation in float32 mode, and a numpy one wraps around; a token count
    easily is one.
    """
    if isinstance(x, int):
        return float(x)
    if isinstance(x, np.ndarray | np.generic) and not jnp.issubdtype(x.dtype, jnp.floating):
        return x.astype(np.float64)
    if isinstance(x, jax.Array) and not jnp.issubdtype(x.dtype, jnp.floating):
        return x.astype(jnp.result_type(float))
    return x


def log(x: ArrayLike) -> jax.Array:
    """Natural logarithm that accepts integer counts of any size."""
    return jnp.log(as_float(x))


def term(coefficient: Any, resource: ArrayLike, exponent: Any) -> Any:
    """``coefficient * resource**-exponent``, the building block of scaling laws.

    Python numbers and numpy arrays stay what they are. Where a JAX ``resource`` is 0 or less (no parameter is left
    that counts), the term is infinite, with zero gradients instead of NaN.
    """
    resource = as_float(resource)
    if not isinstance(resource, jax.Array):
        return coefficient * resource**-exponent
    none = resource <= 0  # False at NaN, so that NaN stays NaN
    return jnp.where(none, jnp.inf, coefficient * jnp.where(none, 1.0, resource) ** -exponent)


def power_sum(a: Any, b: Any, power: Any) -> Any:
    """``(a**(1 / power) + b**(1 / power))**power`` for ``a`` and ``b`` of 0 or more.

    By the share of the smaller in the larger: with a power of 0.03 each of the two overflows float32 from 14 on.
    Infinite, with zero gradients beyond those of ``a`` and ``b``, where one of them is.
    """
    numpy: Any = jnp if any(isinstance(x, jax.Array) for x in (a, b, power)) else np
    high, low = numpy.maximum(a, b), numpy.minimum(a, b)
    alone = (high == 0) | numpy.isinf(high)
    safe = numpy.where(alone, 1.0, high)
    share = numpy.where(alone, 0.0, low / safe)
    return numpy.where(alone, high, safe * (1 + share ** (1 / power)) ** power)


def inexact(x: ArrayLike) -> jax.Array:
    """``x`` as a strongly typed floating JAX array in the caller's default precision or its own."""
    x = jnp.asarray(as_float(x))
    return x.astype(x.dtype)
