"""Derivatives by one coordinate at a time, since each coordinate enters few terms of a law."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jscale._core.jaxprs._interpreter import bind, evaluate

_SUMS = ("add", "add_any")


class _Tangent(NamedTuple):
    """A value that depends linearly on the arguments; ``array`` is None where it is zero."""

    array: jax.Array | None


_ZERO = _Tangent(None)


def value_and_columns(
    function: Callable[..., jax.Array], point: Sequence[jax.Array]
) -> tuple[jax.Array, list[jax.Array]]:
    """``function(*point)`` of any shape, and its derivatives by the arguments, which are scalars.

    The function is linearized once, so that its exponentials are taken once; then each derivative
    is computed by itself, without the terms that its argument does not enter. ``jacfwd`` multiplies
    those by zero, and one ``jvp`` per argument takes every exponential again: XLA does not notice
    in a loop that they are the same.
    """
    value, linear = jax.linearize(function, *point)
    traced = jax.make_jaxpr(linear)(*point)

    def column(i: int) -> jax.Array:
        tangents = [_Tangent(jnp.ones_like(x)) if j == i else _ZERO for j, x in enumerate(point)]
        (out,) = evaluate(traced.jaxpr, traced.consts, tangents, _skip_zeros)
        derivative = out.array if isinstance(out, _Tangent) else None
        return jnp.zeros_like(value) if derivative is None else derivative

    return value, [column(i) for i in range(len(point))]


def _skip_zeros(equation: JaxprEqn, operands: list[Any]) -> list[Any] | None:
    """An equation of a linear program without the operands that are zero."""
    tangents = [x for x in operands if isinstance(x, _Tangent)]
    if not tangents:
        return None

    nonzero = [x.array for x in tangents if x.array is not None]
    if not nonzero:
        return [_ZERO] * len(equation.outvars)

    is_sum = equation.primitive.name in _SUMS and len(tangents) == len(operands)
    if is_sum and len(nonzero) == 1:
        result: Any = equation.outvars[0].aval
        return [_Tangent(jnp.broadcast_to(nonzero[0], result.shape))]

    arrays = [
        _dense(x, atom.aval) if isinstance(x, _Tangent) else x
        for x, atom in zip(operands, equation.invars, strict=True)
    ]
    return [_Tangent(result) for result in bind(equation, arrays)]


def _dense(tangent: _Tangent, aval: Any) -> jax.Array:
    return jnp.zeros(aval.shape, aval.dtype) if tangent.array is None else tangent.array
