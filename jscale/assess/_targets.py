"""Numbers that people read off a fit, as functions of its parameters: exponents, plans, losses."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jscale import plan
from jscale._core.errors import JscaleError
from jscale.assess._target import EXPONENT, exponent, has, known, parameter
from jscale.laws import LawFunction, describe
from jscale.plan._inputs import bind, check_inputs, check_number
from jscale.plan._optimal import ask

_AT_BUDGET = {"N_opt": "N", "D_opt": "D", "P_opt": "P"}
_EXAMPLES = {
    "N_opt": "N_opt@1e24", "D_opt": "D_opt@1e24", "P_opt": "P_opt@1e21", "loss": "loss@1e24 or loss@N=7e10,D=1.4e12",
    "D_crit": "D_crit@N=8e9,P_post=4",
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+]?inf", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Quantity:
    """A number made of a law's parameters; equal ones are the same to JAX, so that compiled code is found again.

    Attributes:
        law: the law.
        name: as it was asked for.
        kind: a parameter, "a", "N_opt", "D_opt", "P_opt", "loss" or "D_crit".
        budget: FLOP, or None.
        at: inputs by name.
    """

    law: LawFunction
    name: str
    kind: str
    budget: float | None
    at: tuple[tuple[str, float], ...]

    @property
    def positive(self) -> bool:
        """Whether it is above zero whatever the parameters, so that errors belong to its logarithm."""
        supports = {p.name: p.support for p in describe(self.law).parameters}
        return supports[self.kind].lower >= 0 if self.kind in supports else self.kind in (EXPONENT, *_EXAMPLES)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """The number at parameters by name, in JAX; NaN where there is none."""
        at: dict[str, Any] = dict(self.at)
        if self.kind == EXPONENT:
            return exponent(self.law, params)
        if self.kind == "D_crit":
            return plan.critical_tokens(self.law, params, **at).D_crit
        if self.budget is not None:
            free = ("N", "D", "P") if self.kind == "P_opt" else ("N", "D")
            return getattr(plan.optimal(self.law, params, self.budget, free=free, **at), self.kind)
        if self.kind == "loss":
            return self.law(**{name: jnp.asarray(value) for name, value in at.items()}, **params)
        return parameter(self.law, self.kind, params)


def quantity(law: LawFunction, text: str) -> Quantity:
    """A number that follows from the parameters of a law, as a JAX function of them.

    Args:
        law: a declared law.
        text: a parameter; ``a``, the exponent ``beta / (alpha + beta)`` of the best size; ``N_opt@1e24``,
            ``D_opt@1e24`` and ``loss@1e24``, the best size, tokens and loss for a budget in FLOP; ``P_opt@1e21``, the
            best training precision; ``loss@N=7e10,D=1.4e12``, the loss there; ``D_crit@N=8e9,P_post=4``, the tokens
            beyond which more data hurt. Other inputs of the law follow after commas: ``N_opt@1e24,P_w=4``.

    Raises:
        JscaleError: the law has no such number, or a budget or an input is missing, unknown or no number.
    """
    kind, mark, rest = text.partition("@")
    kind = kind.strip()
    budget, at = _places(text, rest) if mark else (None, {})
    if has(law, kind) or (kind == EXPONENT and has(law, "alpha") and has(law, "beta")):
        if mark:
            raise JscaleError(f"target {text!r}: {kind} takes neither a budget nor inputs")
    elif kind in _EXAMPLES:
        _check(law, text, kind, budget, at)
    else:
        several = ", ".join([*known(law), *(name for name in _EXAMPLES if name not in known(law))])
        raise JscaleError(f"law {describe(law).name!r} has no target {text!r} (there are: {several})")
    return Quantity(law, text, kind, budget, tuple(sorted(at.items())))


def _places(text: str, rest: str) -> tuple[float | None, dict[str, float]]:
    """The budget and the inputs after the ``@``."""
    budget, at = None, {}
    for part in rest.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            name, value = "", name
        if not _NUMBER.fullmatch(value):
            raise JscaleError(f"target {text!r}: expected a number such as 1e24 or N=8e9, not {part.strip()!r}")
        if name in at or (name in ("", "C") and budget is not None):
            raise JscaleError(f"target {text!r}: {name or 'the budget'} is given twice")
        if name in ("", "C"):
            budget = float(value)
        else:
            at[name] = float(value)
    return budget, at


def _check(law: LawFunction, text: str, kind: str, budget: float | None, at: Mapping[str, float]) -> None:
    """Refuse what the planner would refuse later, with the text that was typed."""
    try:
        if budget is not None and (kind in _AT_BUDGET or kind == "loss"):
            check_number("the budget", budget, above=0.0)
            free = ("N", "D", "P") if kind == "P_opt" else ("N", "D")
            ask(law, free, at, None)
        elif kind == "loss":
            if not at:
                raise JscaleError("needs a budget or inputs")
            bind(law, at, ())
        elif kind == "D_crit":
            if budget is not None:
                raise JscaleError("takes no budget")
            if "N" not in at:
                raise JscaleError("needs N")
            if "D" not in describe(law).input_names:
                raise JscaleError("the law has no input D")
            bind(law, at, ("D",))
        else:
            raise JscaleError("needs a budget, in FLOP")
        check_inputs(law, at)
    except JscaleError as error:
        raise JscaleError(f"target {text!r}: {error} (such as {_EXAMPLES[kind]})") from None
    if any(math.isinf(value) and describe(law).input_names and name in ("N", "D") for name, value in at.items()):
        raise JscaleError(f"target {text!r}: N and D must be finite")
