"""The names of numbers that follow from a law's parameters, and those that need nothing else."""

from collections.abc import Mapping
from typing import Any

from jscale._core import expressions
from jscale._core.supports import Support
from jscale.laws import LawFunction, describe

EXPONENT = "a"


def known(law: LawFunction) -> list[str]:
    """The names of a law's targets."""
    record = describe(law)
    both = has_exponent(law)
    planned = ["N_opt", "D_opt"] if {"N", "D"} <= set(record.input_names) else []
    return [*record.parameter_names, *([EXPONENT] if both else []), *planned]


def has(law: LawFunction, name: str) -> bool:
    """Whether a law has this parameter, free or tied to others."""
    return name in describe(law).parameter_names or _tied(law, name) is not None


def has_exponent(law: LawFunction) -> bool:
    """Whether a law has alpha and beta, one of which may be held fixed."""
    free = [has(law, name) for name in ("alpha", "beta")]
    return any(free) and all(
        known or n in _held(law) for n, known in zip(("alpha", "beta"), free, strict=True)
    )


def _held(law: LawFunction) -> dict[str, float]:
    return {parameter.name: value for parameter, value in describe(law).held}


def support_of(law: LawFunction, name: str) -> Support | None:
    """Where a parameter may lie, free or tied to one that is free; None for anything else."""
    supports = {p.name: p.support for p in describe(law).parameters}
    return supports.get(name) or supports.get(_tied(law, name) or "")


def _tied(law: LawFunction, name: str) -> str | None:
    """What a parameter is tied to, as a formula of parameters; None where it is not tied."""
    record = describe(law)
    text = dict(record.definitions).get(name)
    found = set(expressions.names(text)) if text is not None else set()
    return text if found and found <= set(record.parameter_names) else None


def parameter(law: LawFunction, name: str, params: Mapping[str, Any]) -> Any:
    """A parameter, free or tied."""
    text = None if name in params else _tied(law, name)
    return params[name] if text is None else expressions.evaluate(text, dict(params))


def exponent(law: LawFunction, params: Mapping[str, Any]) -> Any:
    """The exponent with which the best size grows with compute."""
    held = _held(law)
    alpha, beta = (held[n] if n in held else parameter(law, n, params) for n in ("alpha", "beta"))
    return beta / (alpha + beta)
