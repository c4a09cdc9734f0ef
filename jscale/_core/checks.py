"""Checks of arguments that several rooms take alike: counts, keys, levels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jscale._core.arrays import as_float
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


def is_traced(*values: Any) -> bool:
    """Whether any leaf is inside a JAX transformation, so that its value cannot be looked at."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def check_number(name: str, value: Any, above: float = -np.inf, infinite: bool = False) -> Any:
    """``value`` with integers made floats, once each entry is a number above ``above``.

    A traced value is returned as it is.

    Raises:
        JscaleError: text, NaN, a value at or below ``above``, or an infinite one where that is not
            allowed.
    """
    if is_traced(value):
        return value
    try:
        array = np.asarray(value)
        if array.dtype == object and all(type(entry) in (int, float) for entry in array.ravel()):
            array = array.astype(np.float64)  # Python integers beyond 64 bits
    except (ValueError, OverflowError) as error:
        found = (
            "an integer beyond 1.8e308"
            if isinstance(error, OverflowError)
            else "lists of different lengths"
        )
        raise JscaleError(f"{name} must be a number or an array of numbers, not {found}") from None
    if array.dtype == bool or not (
        jnp.issubdtype(array.dtype, jnp.number) and jnp.isrealobj(array)
    ):
        raise JscaleError(f"{name} must be a number, not {value!r}"[:200])
    wide = array.astype(np.float64)
    wrong = np.isnan(wide) | (wide <= above) | (np.isinf(wide) & (not infinite))
    if wrong.any():
        bound = "" if above == -np.inf else f" above {above:g}"
        kind = "number" if infinite else "finite number"
        raise JscaleError(f"{name}{_entry(wrong)} must be a {kind}{bound}, not {wide[wrong][0]:g}")
    return as_float(value if isinstance(value, jax.Array | int | float) else array)


def _entry(wrong: np.ndarray) -> str:
    """Where the first true entry is, such as ``[2]``; empty for a scalar."""
    return "" if wrong.ndim == 0 else f"[{', '.join(map(str, np.argwhere(wrong)[0]))}]"
