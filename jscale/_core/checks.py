"""Checks of arguments that functions of several folders share."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError
from jscale._core.text import shown

_MESSAGE_LIMIT = 200
"""Characters of a message that quotes a value of any kind."""


def check_level(level: Any) -> None:
    """Validate the level of an interval.

    Raises:
        JscaleError: it does not lie between 0 and 1.
    """
    number = isinstance(level, int | float | np.number) and not isinstance(level, bool)
    if not number or not 0 < level < 1:
        raise JscaleError(f"must lie between 0 and 1, not {shown(level)}", argument="level")


def check_key(key: Any) -> None:
    """Validate a single JAX random key, typed or raw.

    Raises:
        JscaleError: not a JAX array, or an array of several keys.
    """
    if not isinstance(key, jax.Array):
        raise JscaleError(
            f"must be a JAX random key such as jax.random.key(0), not {shown(key)}", argument="key"
        )
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if key.shape != (() if typed else (2,)):
        raise JscaleError(
            "must be one JAX random key such as jax.random.key(0), "
            f"not an array of shape {key.shape}",
            argument="key",
        )


def is_whole_number(value: Any, at_least: float = -np.inf) -> bool:
    """Whether ``value`` is a Python or numpy integer (not a bool) of at least ``at_least``."""
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return integer and bool(value >= at_least)


def check_whole_number(name: str, value: Any, at_least: int) -> None:
    """Validate a count.

    Args:
        name: of the argument, for the message.
        value: the argument.
        at_least: smallest allowed value.

    Raises:
        JscaleError: not a whole number of at least ``at_least``.
    """
    if not is_whole_number(value, at_least):
        message = f"must be a whole number of at least {at_least}, not {shown(value)}"
        raise JscaleError(message, argument=name)


def is_traced(*values: Any) -> bool:
    """Whether any leaf is a tracer of a JAX transformation, so that its value is not available."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def check_number(name: str, value: Any, above: float = -np.inf, infinite: bool = False) -> Any:
    """``value`` with integers made floats, once each entry is a number above ``above``.

    A traced value is returned as it is.

    Args:
        name: of the argument, for the message.
        value: a number or an array of numbers.
        above: every entry must exceed it.
        infinite: whether infinite entries are allowed.

    Raises:
        JscaleError: text, NaN, a value at or below ``above``, or an infinite one where that is not
            allowed.
    """
    if is_traced(value):
        return value

    array = _as_array(name, value)
    real = jnp.issubdtype(array.dtype, jnp.number) and jnp.isrealobj(array)
    if array.dtype == bool or not real:
        raise JscaleError(f"must be a number, not {shown(value)}"[:_MESSAGE_LIMIT], argument=name)

    with np.errstate(over="ignore"):  # of a float of more than 64 bits
        entries = array.astype(np.float64)
    invalid = np.isnan(entries) | (entries <= above) | (np.isinf(entries) & (not infinite))
    if invalid.any():
        bound = "" if above == -np.inf else f" above {above:g}"
        kind = "number" if infinite else "finite number"
        first = entries[invalid][0]
        message = f"{index_of_first(invalid)} must be a {kind}{bound}, not {first:g}".strip()
        raise JscaleError(message, argument=name)

    return as_float(value if isinstance(value, jax.Array | int | float) else array)


def _as_array(name: str, value: Any) -> np.ndarray:
    """``value`` as a numpy array; Python integers beyond 64 bits become floats.

    Raises:
        JscaleError: lists of different lengths, or an integer beyond the range of a float.
    """
    try:
        array = np.asarray(value)
        if array.dtype == object and all(type(entry) in (int, float) for entry in array.ravel()):
            array = array.astype(np.float64)
    except OverflowError:
        problem = "an integer beyond 1.8e308"
    except ValueError:
        problem = "lists of different lengths"
    else:
        return array
    raise JscaleError(f"must be a number or an array of numbers, not {problem}", argument=name)


def index_of_first(mask: np.ndarray) -> str:
    """Index of the first true entry, such as ``[2]``; empty for a scalar."""
    if mask.ndim == 0:
        return ""
    return f"[{', '.join(map(str, np.argwhere(mask)[0]))}]"
