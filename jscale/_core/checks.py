"""Checks of arguments that several rooms take alike: counts, keys, levels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError


def check_level(level: Any) -> None:
    """Refuse what is no coverage.

    Raises:
        JscaleError: it does not lie between 0 and 1.
    """
    if (
        isinstance(level, bool)
        or not isinstance(level, int | float | np.number)
        or not 0 < level < 1
    ):
        raise JscaleError(f"level must lie between 0 and 1, not {level!r}")


def check_key(key: Any) -> None:
    """Refuse what is no single random key.

    Raises:
        JscaleError: no JAX array, or an array of keys.
    """
    if not isinstance(key, jax.Array):
        raise JscaleError(f"key must be a JAX random key such as jax.random.key(0), not {key!r}")
    if key.shape != (() if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else (2,)):
        raise JscaleError(
            f"key must be one JAX random key such as jax.random.key(0), not an array of shape {key.shape}"
        )


def check_count(starts: Any) -> None:
    """Refuse what is no number of starts.

    Raises:
        JscaleError: not a whole number of at least 1.
    """
    if isinstance(starts, bool) or not isinstance(starts, int | np.integer) or starts < 1:
        raise JscaleError(f"starts must be a whole number of at least 1, not {starts!r}")
