"""Formulas written as text, evaluated against the same arrays as the code."""

import functools
import re
from collections.abc import Mapping
from types import CodeType
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import logsumexp

from jscale._core.errors import JscaleError

_FUNCTIONS: dict[str, Any] = {
    "exp": jnp.exp,
    "log": jnp.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "tanh": jnp.tanh,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "where": jnp.where,
    "sum": jnp.sum,
    "logsumexp": logsumexp,
    "inf": jnp.inf,
}
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


@functools.cache
def _compiled(text: str) -> CodeType:
    try:
        return compile(text, f"<formula {text}>", "eval")
    except SyntaxError as error:
        raise JscaleError(f"{text!r} is not a formula: {error.msg}") from None


def names(text: str) -> frozenset[str]:
    """The variables of a formula (function names left out).

    Raises:
        JscaleError: ``text`` is not an expression.
    """
    return frozenset(_compiled(text).co_names) - frozenset(_FUNCTIONS)


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of the formula ``text`` at ``values`` (name → array); formulas come from laws' declarations only."""
    return eval(_compiled(text), {"__builtins__": {}}, {**_FUNCTIONS, **values})


def rename(text: str, replacements: Mapping[str, str]) -> str:
    """The formula with names replaced by the (bracketed) texts that they stand for."""
    return _NAME.sub(lambda m: f"({replacements[m[0]]})" if m[0] in replacements else m[0], text)
