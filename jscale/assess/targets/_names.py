"""The names of a law's targets, and the values of those that need no plan."""

from collections.abc import Mapping
from typing import Any

from jscale._core import expressions
from jscale._core.supports import Support
from jscale.laws import LawFunction, describe

EXPONENT = "a"
"""The target ``beta / (alpha + beta)``."""
_EXPONENTS = ("alpha", "beta")


def target_names(law: LawFunction) -> list[str]:
    """The parameters of a law, and its targets that need no input of their own."""
    record = describe(law)
    names = list(record.parameter_names)
    if has_exponent(law):
        names.append(EXPONENT)
    if {"N", "D"} <= set(record.input_names):
        names += ["N_opt", "D_opt"]
    return names


def has_parameter(law: LawFunction, name: str) -> bool:
    """Whether a law has this parameter, free or tied to others."""
    return name in describe(law).parameter_names or _tied_formula(law, name) is not None


def has_exponent(law: LawFunction) -> bool:
    """Whether a law has alpha and beta, one of which may be held fixed."""
    held = _held_values(law)
    free = [name for name in _EXPONENTS if has_parameter(law, name)]
    return bool(free) and all(name in free or name in held for name in _EXPONENTS)


def _held_values(law: LawFunction) -> dict[str, float]:
    return {parameter.name: value for parameter, value in describe(law).held}


def support_of(law: LawFunction, name: str) -> Support | None:
    """The support of a parameter, free or tied to a single free one; None for other names."""
    supports = {p.name: p.support for p in describe(law).parameters}
    return supports.get(name) or supports.get(_tied_formula(law, name) or "")


def _tied_formula(law: LawFunction, name: str) -> str | None:
    """The formula, of other parameters, that a parameter is tied to; None if it is not tied."""
    record = describe(law)
    formula = dict(record.definitions).get(name)
    if formula is None:
        return None
    names = set(expressions.names(formula))
    return formula if names and names <= set(record.parameter_names) else None


def parameter(law: LawFunction, name: str, params: Mapping[str, Any]) -> Any:
    """The value of a parameter, free or tied."""
    formula = None if name in params else _tied_formula(law, name)
    return params[name] if formula is None else expressions.evaluate(formula, dict(params))


def exponent(law: LawFunction, params: Mapping[str, Any]) -> Any:
    """The exponent of compute in the compute-optimal size, ``beta / (alpha + beta)``."""
    held = _held_values(law)
    alpha, beta = (
        held[name] if name in held else parameter(law, name, params) for name in _EXPONENTS
    )
    return beta / (alpha + beta)
