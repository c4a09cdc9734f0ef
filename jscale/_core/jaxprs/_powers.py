"""Powers as exponentials of logarithms.

XLA's power of two doubles costs seven to ten times its exponential on a CPU, and a scaling law is
little else than powers of inputs that stay as they are, whose logarithms are taken once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal

_INLINED = ("jit", "pjit", "closed_call")


def by_logarithm(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with every ``x**y`` as ``exp(y * log(x))``, equal to a few units of the
    exponent's
    last digits.

    Args:
        function: of pytrees of arrays, traceable; its result is one array.
    """

    def rewritten(*args: Any) -> Any:
        leaves, shape = jax.tree.flatten(args)
        traced = jax.make_jaxpr(lambda *flat: function(*jax.tree.unflatten(shape, flat)))(*leaves)
        (out,) = _evaluate(traced.jaxpr, traced.consts, leaves)
        return out

    return rewritten


def _evaluate(jaxpr: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    known: dict[Any, Any] = dict(
        zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True)
    )

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        inner = equation.params.get("jaxpr")
        if equation.primitive.name == "pow" and jnp.issubdtype(
            jnp.result_type(operands[1]), jnp.floating
        ):
            base, exponent = operands
            results = [jnp.exp(exponent * jnp.log(base))]
        elif equation.primitive.name in _INLINED and inner is not None:
            results = _evaluate(inner.jaxpr, inner.consts, operands)
        else:
            params = equation.primitive.get_bind_params(equation.params)
            made = equation.primitive.bind(*operands, **params)
            results = made if equation.primitive.multiple_results else [made]
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]
