"""Formulas written as text, evaluated against the same arrays as the code."""

import functools
import re
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp, ndtr

from jscale._core.arrays import inexact
from jscale._core.errors import JscaleError
from jscale._core.solve import root


def _root(function: Callable[[jax.Array], jax.Array], lower: Any, upper: Any) -> jax.Array:
    """Where ``function`` of one argument changes its sign between ``lower`` and ``upper``, for
    scalars.
    """
    return root(function, inexact(lower), inexact(upper)).x


_FUNCTIONS: dict[str, Any] = {
    "exp": jnp.exp,
    "log": jnp.log,
    "log2": jnp.log2,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "expm1": jnp.expm1,
    "log1p": jnp.log1p,
    "tanh": jnp.tanh,
    "ndtr": ndtr,
    "root": _root,
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

    def used(code: CodeType) -> frozenset[str]:
        inner = (used(c) for c in code.co_consts if isinstance(c, CodeType))
        return frozenset(code.co_names).union(*inner)

    return used(_compiled(text)) - frozenset(_FUNCTIONS)


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of the formula ``text`` at ``values`` (name → array); formulas come from laws'
    declarations only.
    """
    if "__" in text:
        raise NameError(f"{text!r} is not a formula: names with two underscores are Python's own")
    # At its first operation JAX imports parts of itself, by the ``__import__`` that the formula
    # sees.
    return eval(
        _compiled(text), {"__builtins__": {"__import__": __import__}, **_FUNCTIONS, **values}
    )


def rename(text: str, replacements: Mapping[str, str]) -> str:
    """The formula with names replaced by the (bracketed) texts that they stand for."""
    return _NAME.sub(lambda m: f"({replacements[m[0]]})" if m[0] in replacements else m[0], text)
