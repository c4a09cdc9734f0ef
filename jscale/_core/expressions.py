"""Formulas written as text: their variables, their value, and renaming."""

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
    """Where ``function`` of one scalar changes its sign between ``lower`` and ``upper``."""
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
    """The variables of a formula, without the names of functions.

    Raises:
        JscaleError: ``text`` is not an expression.
    """
    return _names_of(_compiled(text)) - frozenset(_FUNCTIONS)


def _names_of(code: CodeType) -> frozenset[str]:
    """Names that a code object uses, and those of the functions defined in it."""
    inner = (_names_of(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*inner)


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of a formula.

    Args:
        text: the formula, from the declaration of a law.
        values: variable → array.

    Raises:
        JscaleError: ``text`` is not an expression.
        NameError: a variable has no value, or a name has two underscores.
    """
    if "__" in text:
        raise NameError(f"{text!r} is not a formula: names with two underscores are Python's own")
    # At its first operation JAX imports parts of itself through the ``__import__`` of the formula.
    builtins = {"__import__": __import__}
    return eval(_compiled(text), {"__builtins__": builtins, **_FUNCTIONS, **values})


def rename(text: str, replacements: Mapping[str, str]) -> str:
    """The formula with names replaced by texts, which are put in brackets."""

    def replace(name: re.Match[str]) -> str:
        return f"({replacements[name[0]]})" if name[0] in replacements else name[0]

    return _NAME.sub(replace, text)
