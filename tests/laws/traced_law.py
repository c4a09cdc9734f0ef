"""A function traced once, so that derivatives of it do not run its Python code again."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jscale._core.jaxprs._interpreter import evaluate


def _without_jit(equation: JaxprEqn, operands: list[Any]) -> list[Any] | None:
    """The operations of a compiled function instead of a call of it."""
    if equation.primitive.name not in ("jit", "pjit"):
        return None
    program = equation.params["jaxpr"]
    return evaluate(program.jaxpr, program.consts, operands, _without_jit)


def traced(
    function: Callable[..., Any], arguments: Sequence[jax.Array]
) -> Callable[..., list[jax.Array]]:
    """A function of arrays like ``arguments``, operation by operation: a list of its results.

    The operations are those of the function in the precision of the caller. JAX compiles each of
    them once for all functions.
    """
    program = jax.make_jaxpr(function)(*arguments)

    def evaluate_trace(*values: Any) -> list[jax.Array]:
        return evaluate(program.jaxpr, program.consts, values, _without_jit)

    return evaluate_trace


def with_gradient(function: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, ...]]:
    """The value of an elementwise function and its derivative in every argument, backwards."""

    def value_and_gradient(*arguments: jax.Array) -> tuple[jax.Array, ...]:
        value, pull_back = jax.vjp(function, *arguments)
        return value, *pull_back(jnp.ones_like(value))

    return value_and_gradient
