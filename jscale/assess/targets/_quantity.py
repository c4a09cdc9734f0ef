"""Numbers that people read off a fit, as functions of its parameters: exponents, plans, losses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import jax.numpy as jnp

from jscale import plan
from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.numbers import written_number
from jscale._core.status import Status
from jscale.assess.targets._names import (
    EXPONENT,
    exponent,
    has,
    has_exponent,
    known,
    parameter,
    support_of,
)
from jscale.laws import LawFunction, describe
from jscale.plan.budget import build_problem
from jscale.plan.problem import POST, bind, check_inputs

_AT_BUDGET = ("N_opt", "D_opt", "P_opt")
_DERIVED = (*_AT_BUDGET, "loss", "D_crit")
_LEAST_BUDGET = 6.0
"""FLOP of one parameter and one token; plans for less mean nothing, and come out as NaN."""
_SHOWN = {"N": "7e10", "D": "1.4e12"}
"""Inputs in examples."""


@dataclass(frozen=True)
class Quantity:
    """A number made of a law's parameters; equal ones are the same to JAX, so that compiled code is
    found again.

    Attributes:
        law: the law.
        name: as it was asked for, without spaces.
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
        support = support_of(self.law, self.kind)
        if (
            support is not None
        ):  # as for the parameter itself: a share of 1 at most has no business on a logarithm
            return support.lower == 0 and support.upper == math.inf
        return self.kind in (EXPONENT, *_DERIVED)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """The number at parameters by name, in JAX; NaN where there is none."""
        return self.with_status(params)[0]

    def with_status(self, params: Mapping[str, Any]) -> tuple[Any, Any]:
        """The number, and how the plan behind it ended, as the code of a
        :class:`~jscale._core.status.Status`.
        """
        at: dict[str, Any] = dict(self.at)
        if self.kind == "D_crit":
            found = plan.critical_tokens(self.law, params, **at)
            return found.D_crit, found.status
        if self.budget is not None:
            free = ("N", "D", "P") if self.kind == "P_opt" else ("N", "D")
            best = plan.optimal(self.law, params, self.budget, free=free, **at)
            return getattr(best, self.kind), best.status
        return self._closed(params), jnp.asarray(int(Status.converged))

    def _closed(self, params: Mapping[str, Any]) -> Any:
        """A number that needs no plan."""
        if self.kind == EXPONENT:
            return exponent(self.law, params)
        if self.kind == "loss":
            return self.law(**{name: jnp.asarray(value) for name, value in self.at}, **params)
        return parameter(self.law, self.kind, params)


def quantity(law: LawFunction, text: str) -> Quantity:
    """A number that follows from the parameters of a law, as a JAX function of them.

    Args:
        law: a declared law.
        text: a parameter; ``a``, the exponent ``beta / (alpha + beta)`` of the best size;
            ``N_opt@1e24``, ``D_opt@1e24`` and ``loss@1e24``, the best size, tokens and loss for a
            budget in FLOP; ``P_opt@1e21``, the best training precision; ``loss@N=70B,D=1.4T``, the
            loss there; ``D_crit@N=8B,P_post=4``, the tokens beyond which more data hurt. Other
            inputs of the law follow after commas: ``N_opt@1e24,P_w=4``. K, M, B and T after a
            number stand for 1e3, 1e6, 1e9 and 1e12.

    Raises:
        JscaleError: the law has no such number, or a budget or an input is missing, unknown or no
            number.
    """
    names = _names(law)
    if not isinstance(text, str):
        raise JscaleError(f"a target is a text such as {names[0]!r}, not {text!r:.60}")
    text = ",".join(
        "=".join(piece.strip() for piece in part.split("=")) for part in text.split(",")
    )
    kind, mark, rest = (piece.strip() for piece in text.partition("@"))
    text = f"{kind}{mark}{rest}"
    budget, at = _places(text, rest) if mark else (None, {})
    if has(law, kind) or (kind == EXPONENT and has_exponent(law)):
        if mark:
            raise JscaleError(f"target {text!r}: {kind} takes neither a budget nor inputs")
    elif kind in _DERIVED:
        _check(law, text, kind, budget, at)
    else:
        near = get_close_matches(kind.casefold(), {name.casefold(): name for name in names}, 1)
        meant = next((name for name in names if near and name.casefold() == near[0]), None)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise JscaleError(
            f"law {describe(law).name!r} has no target {text!r} (it has: {', '.join(names)}){hint}"
        )
    return Quantity(law, text, kind, budget, tuple(sorted(at.items())))


def _names(law: LawFunction) -> list[str]:
    """The targets of a law, those beyond its parameters without their budgets and inputs."""
    record = describe(law)
    plans, bits = (
        {"N", "D"} <= set(record.input_names),
        any(name != POST for name in record.bit_inputs),
    )
    turns = plans and "D" not in record.decreasing
    return [
        *known(law),
        *(["P_opt"] if plans and bits else []),
        "loss",
        *(["D_crit"] if turns else []),
    ]


def _example(law: LawFunction, kind: str) -> str:
    """How a target of this law is written."""
    record = describe(law)
    if kind in _AT_BUDGET:
        return f"{kind}@1e24"
    if kind == "D_crit":
        return "D_crit@N=8e9" + (f",{POST}=4" if POST in record.input_names else "")
    places = ",".join(
        f"{i.name}={_SHOWN.get(i.name, '…')}" for i in record.inputs if i.default is None
    )
    return (
        f"loss@1e24 or loss@{places}" if {"N", "D"} <= set(record.input_names) else f"loss@{places}"
    )


def _places(text: str, rest: str) -> tuple[float | None, dict[str, float]]:
    """The budget and the inputs after the ``@``."""
    budget, at = None, {}
    for part in rest.split(","):
        name, equals, value = part.partition("=")
        if equals and not name:
            raise JscaleError(
                f"target {text!r}: no name before {part!r}; expected a number such as 1e24 or N=8e9"
            )
        if not equals:
            name, value = "", name
        number = written_number(value)
        if number is None:
            raise JscaleError(
                f"target {text!r}: expected a number such as 1e24 or N=8e9, not {part!r}"
            )
        if name in at or (name in ("", "C") and budget is not None):
            raise JscaleError(f"target {text!r}: {name or 'the budget'} is given twice")
        if name in ("", "C"):
            budget = number
        else:
            at[name] = number
    return budget, at


class _Incomplete(JscaleError):
    """Something is missing, so that an example helps."""


def _check(
    law: LawFunction, text: str, kind: str, budget: float | None, at: Mapping[str, float]
) -> None:
    """Refuse what the planner would refuse later, with the text that was typed."""
    try:
        if kind in _AT_BUDGET or (kind == "loss" and budget is not None):
            build_problem(law, ("N", "D", "P") if kind == "P_opt" else ("N", "D"), at, None)
            if budget is None:
                raise _Incomplete("needs a budget, in FLOP")
            check_number("the budget", budget, above=0.0)
            if budget < _LEAST_BUDGET:
                raise JscaleError(
                    f"the budget must be at least {_LEAST_BUDGET:g} FLOP, not {budget:g}"
                )
        elif kind == "loss":
            if not at:
                raise _Incomplete(
                    "needs a budget or inputs" if "D_opt" in known(law) else "needs inputs"
                )
            bind(law, at, ())
        else:
            if "D" not in describe(law).input_names:
                raise JscaleError("the law has no input D")
            if budget is not None:
                raise _Incomplete("takes no budget")
            if "N" not in at:
                raise _Incomplete("needs N")
            bind(law, at, ("D",))
        check_inputs(law, at)
    except _Incomplete as error:
        raise JscaleError(f"target {text!r}: {error} (such as {_example(law, kind)})") from None
    except JscaleError as error:
        raise JscaleError(f"target {text!r}: {error}") from None
    if any(math.isinf(value) and name in ("N", "D") for name, value in at.items()):
        raise JscaleError(f"target {text!r}: N and D must be finite")
