"""Powers as exponentials of logarithms.

XLA's power of two doubles costs seven to ten times its exponential on a CPU, and a scaling law is
little else than powers of constant inputs, whose logarithms are taken once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn, Literal

from jscale._core.jaxprs._interpreter import evaluate

_CALLS = ("jit", "pjit", "closed_call")
"""Primitives that call a program, which is inlined."""


def by_logarithm(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with every ``x**y`` as ``exp(y * log(x))``, but for constant whole ``y``.

    The two are equal to a few units in the last place of the exponent.

    Args:
        function: of pytrees of arrays, traceable; its result is one array.
    """

    def rewritten(*args: Any) -> Any:
        flat, structure = jax.tree.flatten(args)

        def flat_function(*arrays: Any) -> Any:
            return function(*jax.tree.unflatten(structure, arrays))

        traced = jax.make_jaxpr(flat_function)(*flat)
        (out,) = evaluate(traced.jaxpr, traced.consts, flat, _rewrite_power)
        return out

    return rewritten


def _rewrite_power(equation: JaxprEqn, operands: list[Any]) -> list[Any] | None:
    """Powers by logarithms, in inlined calls as well; every other equation as it is."""
    name, program = equation.primitive.name, equation.params.get("jaxpr")
    if name == "pow" and jnp.issubdtype(jnp.result_type(operands[1]), jnp.floating):
        base, exponent = operands
        if isinstance(equation.invars[1], Literal) and float(exponent).is_integer():
            return None  # of a base that may be negative
        return [jnp.exp(exponent * jnp.log(base))]
    if name in _CALLS and program is not None:
        return evaluate(program.jaxpr, program.consts, operands, _rewrite_power)
    return None
