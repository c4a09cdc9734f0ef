"""A law traced once, so that derivatives of it do not run its Python code again."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jscale import laws
from jscale._core.jaxprs._interpreter import evaluate


def _without_jit(equation: JaxprEqn, operands: list[Any]) -> list[Any] | None:
    """The operations of a compiled function instead of a call of it."""
    if equation.primitive.name not in ("jit", "pjit"):
        return None
    program = equation.params["jaxpr"]
    return evaluate(program.jaxpr, program.consts, operands, _without_jit)


def traced_once(law: laws.LawFunction, names: Sequence[str]) -> Callable[..., jax.Array]:
    """The law as a function of scalars in the order of ``names``, operation by operation.

    The operations are those of the law in the precision of the caller. JAX compiles each of them
    once for all laws.
    """
    scalars = [jax.ShapeDtypeStruct((), jnp.result_type(float)) for _ in names]
    program = jax.make_jaxpr(lambda *values: law(**dict(zip(names, values, strict=True))))(*scalars)

    def function(*values: Any) -> jax.Array:
        (value,) = evaluate(program.jaxpr, program.consts, values, _without_jit)
        return value

    return function
