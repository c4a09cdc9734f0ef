"""Evaluate a traced program equation by equation, some equations by rules of the caller's."""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

Rule = Callable[[JaxprEqn, list[Any]], list[Any] | None]
"""An equation and its operands → its results, or None for the primitive itself.

Operands are arrays, or whatever objects the caller passed in or a rule returned."""


def evaluate(
    jaxpr: Jaxpr, constants: Sequence[Any], arguments: Sequence[Any], rule: Rule
) -> list[Any]:
    """The outputs of a program.

    Args:
        jaxpr: the program.
        constants: values of its constants.
        arguments: values of its inputs, arrays or objects that ``rule`` understands.
        rule: what to do with an equation, see :data:`Rule`.
    """
    variables = (*jaxpr.constvars, *jaxpr.invars)
    values: dict[Var, Any] = dict(zip(variables, (*constants, *arguments), strict=True))

    def read(atom: Var | Literal) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = rule(equation, operands)
        if results is None:
            results = bind(equation, operands)
        values.update(zip(equation.outvars, results, strict=True))

    return [read(atom) for atom in jaxpr.outvars]


def bind(equation: JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    """The results of an equation's own primitive."""
    params = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*operands, **params)
    return results if equation.primitive.multiple_results else [results]
