"""Arithmetic that is the same for Python numbers, numpy arrays and JAX arrays."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike


def as_float(x: ArrayLike) -> Any:
    """``x`` with integers and booleans turned into floats.

    A Python int above 2**31 is an error in a JAX operation in float32 mode, and a numpy one wraps
    around; token counts are that large.
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

    Python numbers and numpy arrays give results of their kind. Where a JAX ``resource`` is 0 or
    less (a model without effective parameters), the term is infinite, with zero gradients instead
    of NaN.
    """
    resource = as_float(resource)
    if not isinstance(resource, jax.Array):
        return coefficient * resource**-exponent

    # False at NaN, so that NaN stays NaN.
    exhausted = resource <= 0
    positive = jnp.where(exhausted, 1.0, resource)
    return jnp.where(exhausted, jnp.inf, coefficient * positive**-exponent)


def power_sum(a: Any, b: Any, power: Any) -> Any:
    """``(a**(1 / power) + b**(1 / power))**power`` for ``a`` and ``b`` of 0 or more.

    It is computed in units of the larger of the two: with a power of 0.03 each of them overflows
    float32 from 14 on. The unit is a constant to derivatives; that of a maximum is undefined where
    both are equal. Python numbers and numpy arrays give results of their kind. Where one is
    infinite or both are 0, the sum is the larger.
    """
    if not any(isinstance(x, jax.Array) for x in (a, b, power)):
        unit = np.maximum(a, b)
        unit = np.where((unit == 0) | np.isinf(unit), 1.0, unit)[()]
        total = unit * ((a / unit) ** (1 / power) + (b / unit) ** (1 / power)) ** power
        plain = all(isinstance(x, int | float) for x in (a, b, power))
        return float(total) if plain else total

    larger = jnp.maximum(a, b)
    degenerate = (larger == 0) | jnp.isinf(larger)
    unit = lax.stop_gradient(jnp.where(degenerate, 1.0, larger))
    first, second = (jnp.where(degenerate, 1.0, x) / unit for x in (a, b))
    total = unit * (first ** (1 / power) + second ** (1 / power)) ** power
    return jnp.where(degenerate, larger, total)


def inexact(x: ArrayLike) -> jax.Array:
    """``x`` as a strongly typed floating JAX array in the caller's default precision or its own."""
    x = jnp.asarray(as_float(x))
    return x.astype(x.dtype)


@jax.custom_jvp
def _divide(x: jax.Array, y: jax.Array) -> jax.Array:
    return x / y


@_divide.defjvp
def _divide_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    (x, y), (x_dot, y_dot) = primals, tangents
    quotient = _divide(x, y)
    return quotient, _divide(x_dot - quotient * y_dot, y)


def ratio(x: Any, y: Any) -> Any:
    """``x / y``, whose derivatives have no high powers of ``y``.

    JAX's own second derivative has ``y**-3``, which underflows in float32 above 1e12 parameters, so
    that the Hessian is 0 there. Its first derivative has ``y**-2``, which underflows above 1e19
    FLOP per second.
    """
    if isinstance(x, jax.Array) or isinstance(y, jax.Array):
        return _divide(x, y)
    return x / y


def standard_normal(key: jax.Array, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of ``jax.random.normal`` under JAX's default generator.

    They depend on the key and on their position alone.

    JAX compiles a program for each shape, in a tenth of a second. Here it draws a power of two of
    numbers, of which the first are taken, so that most shapes share a program.
    """
    count = math.prod(shape)
    drawn = jax.random.normal(key, (max(256, 1 << (count - 1).bit_length()),))
    return np.asarray(drawn)[:count].reshape(shape)
