"""Small array helpers that keep Python numbers, numpy and JAX arrays apart from each other's surprises."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def as_float(x: ArrayLike) -> Any:
    """``x`` with integers turned into floats.

    A Python int above 2**31 cannot enter a JAX operation in float32 mode; a token count easily is one.
    """
    if isinstance(x, int) and not isinstance(x, bool):
        return float(x)
    if isinstance(x, np.ndarray | np.generic) and not np.issubdtype(x.dtype, np.floating):
        return x.astype(np.float64)
    if isinstance(x, jax.Array) and not jnp.issubdtype(x.dtype, jnp.floating):
        return x.astype(jnp.result_type(float))
    return x


def log(x: ArrayLike) -> jax.Array:
    """Natural logarithm that accepts integer counts of any size."""
    return jnp.log(as_float(x))


def inexact(x: ArrayLike) -> jax.Array:
    """``x`` as a strongly typed floating JAX array in the caller's default precision or its own."""
    x = jnp.asarray(as_float(x))
    return x.astype(x.dtype)
