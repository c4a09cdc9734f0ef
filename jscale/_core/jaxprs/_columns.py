"""Derivatives of every run by every coordinate, each of which touches few of the terms of a law."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal

_SUMS = ("add", "add_any")


class _Nothing:
    """A derivative that is zero, whatever the point."""


_NOTHING = _Nothing()


def value_and_columns(
    function: Callable[..., jax.Array], point: Sequence[jax.Array]
) -> tuple[jax.Array, list[jax.Array]]:
    """``function(*point)`` of any shape, and its derivative by every argument, which are scalars.

    The function is linearised once, so that its exponentials are taken once; then each derivative
    is computed by itself, without the terms in which its argument has no part. ``jacfwd``
    multiplies those by zero, and as many ``jvp`` as arguments take every exponential again: XLA
    does not see in a loop that they are the same.
    """
    value, linear = jax.linearize(function, *point)
    traced = jax.make_jaxpr(linear)(*point)

    def column(i: int) -> jax.Array:
        tangents = [jnp.ones_like(x) if j == i else _NOTHING for j, x in enumerate(point)]
        (out,) = _evaluate(traced.jaxpr, traced.consts, tangents)
        return jnp.zeros_like(value) if out is _NOTHING else out

    return value, [column(i) for i in range(len(point))]


def _evaluate(jaxpr: Jaxpr, constants: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """A linear program at tangents of which some are nothing."""
    known: dict[Any, Any] = dict(
        zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *tangents), strict=True)
    )
    follows = set(jaxpr.invars)

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    def kind(atom: Any) -> Any:
        return atom.aval

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        linear = [not isinstance(atom, Literal) and atom in follows for atom in equation.invars]
        present = [
            x for x, depends in zip(operands, linear, strict=True) if depends and x is not _NOTHING
        ]
        if any(linear):
            follows.update(equation.outvars)
        if any(linear) and not present:
            results = [_NOTHING] * len(equation.outvars)
        elif equation.primitive.name in _SUMS and all(linear) and len(present) == 1:
            results = [jnp.broadcast_to(present[0], kind(equation.outvars[0]).shape)]
        else:
            filled = [
                jnp.zeros(kind(atom).shape, kind(atom).dtype) if x is _NOTHING else x
                for x, atom in zip(operands, equation.invars, strict=True)
            ]
            made = equation.primitive.bind(
                *filled, **equation.primitive.get_bind_params(equation.params)
            )
            results = made if equation.primitive.multiple_results else [made]
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]
