"""Formulas written as text: their variables, their value, and renaming.

A formula is arithmetic: names, numbers, ``+ - * / **``, comparisons, and calls of named functions.
"""

import ast
import functools
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import logsumexp, ndtr

from jscale._core.errors import JscaleError
from jscale._core.text import quote

MAX_CHARACTERS = 500_000
"""The longest formula of the catalogue, the mixture of 100 sources, has 187,000."""
MAX_DEPTH = 500
"""Nesting of operators; the mixture of 100 sources has 204."""

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
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "where": jnp.where,
    "sum": jnp.sum,
    "logsumexp": logsumexp,
}
_CONSTANTS: dict[str, Any] = {"inf": jnp.inf}
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


@dataclass(frozen=True)
class _Formula:
    """A checked formula.

    Attributes:
        code: to evaluate.
        variables: names that are not called.
        called: names that are called.
    """

    code: CodeType
    variables: frozenset[str]
    called: frozenset[str]


@functools.lru_cache(maxsize=4096)
def _compiled(text: str) -> _Formula:
    """The checked formula of a text.

    Raises:
        JscaleError: the text is not a formula.
    """
    if len(text) > MAX_CHARACTERS:
        raise _not_a_formula(text, f"{len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        # Behind a semicolon Python suggests a setting of its own.
        raise _not_a_formula(text, error.msg.partition(";")[0]) from None
    except (MemoryError, RecursionError):
        raise _nested_too_deep(text) from None
    except ValueError:  # a NUL character or a surrogate
        raise _not_a_formula(text, "a character or a number that cannot be read") from None

    nodes = _nodes(text, tree.body)
    called = {id(node.func): node.func for node in nodes if isinstance(node, ast.Call)}
    _check_constant_parts(text, nodes)
    return _Formula(
        compile(tree, "<formula>", "eval"),
        frozenset(n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in called),
        frozenset(function.id for function in called.values() if isinstance(function, ast.Name)),
    )


def _nodes(text: str, body: ast.expr) -> list[ast.expr]:
    """The nodes of an expression, each before its operands.

    Raises:
        JscaleError: a node that is not arithmetic, or too deep a nesting.
    """
    nodes: list[ast.expr] = []
    level: list[ast.expr] = [body]
    for _ in range(MAX_DEPTH):
        if not level:
            return nodes
        nodes += level
        level = [operand for node in level for operand in _operands(text, node)]
    raise _nested_too_deep(text)


def _operands(text: str, node: ast.expr) -> list[ast.expr]:
    """The expressions directly below a node.

    Raises:
        JscaleError: the node is not arithmetic.
    """
    match node:
        case ast.Name(id=name) if "__" not in name:
            return []
        case ast.Constant(value=value) if type(value) in (int, float):
            return []
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return [operand]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARISONS):
            return [left, right]
        case ast.Call(func=ast.Name() as function, args=arguments, keywords=[]):
            return [function, *arguments]
    raise _not_a_formula(
        text,
        f"{_quoted_part(text, node)} is not arithmetic; expected names, numbers, + - * / **, "
        "comparisons of two values, and functions such as exp",
    )


def _quoted_part(text: str, node: ast.expr) -> str:
    """The text of a node, in quotes; the whole formula where it has several lines."""
    if "\n" in text:
        return quote(text)
    # Python counts the columns in bytes, and its own ``get_source_segment`` is quadratic.
    part = text.encode()[node.col_offset : node.end_col_offset]
    return quote(part.decode(errors="replace"))


def _check_constant_parts(text: str, nodes: list[ast.expr]) -> None:
    """Check that each part without a name is a finite number.

    Python's integers have no largest value: ``9**9**9`` would take minutes and gigabytes.

    Args:
        text: the formula, for messages.
        nodes: of the formula, each before its operands.

    Raises:
        JscaleError: such a part overflows, divides by zero or is not real.
    """
    values: dict[int, float] = {}
    for node in reversed(nodes):
        try:
            value = _constant_value(node, values)
        except (ArithmeticError, ValueError):
            value = math.nan
        if value is None:
            continue
        # A power of a negative number may be complex.
        if isinstance(value, complex) or not math.isfinite(value):
            raise _not_a_formula(text, f"{_quoted_part(text, node)} is not a finite number")
        values[id(node)] = value


def _constant_value(node: ast.expr, values: Mapping[int, float]) -> float | complex | None:
    """The value of a node as a float, given those of its operands; None if it has a name in it."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=op, operand=operand) if id(operand) in values:
            return _OPERATORS[type(op)](values[id(operand)])
        case ast.BinOp(left=left, op=op, right=right) if {id(left), id(right)} <= values.keys():
            return _OPERATORS[type(op)](values[id(left)], values[id(right)])
    return None


def _not_a_formula(text: str, reason: str) -> JscaleError:
    return JscaleError(f"{quote(text)} is not a formula: {reason}")


def _nested_too_deep(text: str) -> JscaleError:
    return _not_a_formula(text, f"operators nested more than {MAX_DEPTH} deep")


def names(text: str) -> frozenset[str]:
    """The variables of a formula, without the names of functions.

    Raises:
        JscaleError: ``text`` is not a formula.
    """
    formula = _compiled(text)
    return (formula.variables | formula.called) - _FUNCTIONS.keys() - _CONSTANTS.keys()


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of a formula.

    Args:
        text: the formula, from the declaration of a law.
        values: variable → array; it may also hold functions that the formula calls.

    Raises:
        JscaleError: ``text`` is not a formula, calls what is not a function, or uses a function as
            a number.
        NameError: a variable has no value.
    """
    formula = _compiled(text)
    scope = {**_FUNCTIONS, **_CONSTANTS, **values}
    for name in formula.called:
        if name in scope and not callable(scope[name]):
            raise _not_a_formula(text, f"{name} is called, but it is not a function")
    for name in formula.variables:
        if name in scope and callable(scope[name]):
            raise _not_a_formula(text, f"{name} is a function, and it is not called")

    # At its first operation JAX imports parts of itself through the ``__import__`` of the formula.
    builtins = {"__import__": __import__}
    return eval(formula.code, {"__builtins__": builtins, **scope})


def rename(text: str, replacements: Mapping[str, str]) -> str:
    """The formula with names replaced by texts, which are put in brackets.

    Raises:
        JscaleError: the result is longer than a formula may be.
    """
    added = sum(len(replacements.get(name, "")) for name in _NAME.findall(text))
    if len(text) + added > MAX_CHARACTERS:
        raise _not_a_formula(
            text, f"more than {MAX_CHARACTERS:,} characters once its names are replaced"
        )

    def replace(name: re.Match[str]) -> str:
        return f"({replacements[name[0]]})" if name[0] in replacements else name[0]

    return _NAME.sub(replace, text)
