"""Targets of a fit as functions of its parameters: exponents, plans, losses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jscale import plan
from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale._core.text import did_you_mean, enumerated, number_with_suffix, shortened, shown
from jscale.assess.targets._names import (
    EXPONENT,
    exponent,
    has_exponent,
    has_parameter,
    parameter,
    support_of,
    target_names,
)
from jscale.fit.predictions import example
from jscale.laws import LawFunction, as_law, describe
from jscale.plan.budget import build_problem
from jscale.plan.problem import POST, bind, check_inputs

_AT_BUDGET = ("N_opt", "D_opt", "P_opt")
_DERIVED = (*_AT_BUDGET, "loss", "D_crit")
_MIN_BUDGET = 6.0
"""FLOP of one parameter and one token; plans for less are meaningless, and NaN."""
_LONGEST_TARGET = 5000
"""Characters of a target; one with an input for each of 100 sources has 1,500."""
_EXPECTED_NUMBER = "expected a number such as 1e24 or N=8e9"


@dataclass(frozen=True)
class Quantity:
    """A number that follows from a law's parameters.

    Equal quantities hash alike, so that JAX reuses compiled code.

    Attributes:
        law: the law.
        name: as requested, without spaces.
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
        """Whether it is positive for all parameters, so that errors apply to its logarithm.

        A parameter is when its support is all positive numbers; a share of at most 1 is not.
        """
        support = support_of(self.law, self.kind)
        if support is not None:
            return support.lower == 0 and support.upper == math.inf
        return self.kind in (EXPONENT, *_DERIVED)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """The number at parameters by name, in JAX; NaN where there is none."""
        return self.with_status(params)[0]

    def with_status(self, params: Mapping[str, Any]) -> tuple[Any, Any]:
        """The number, and the status of the plan that it is from.

        The status is the code of a :class:`~jscale._core.status.Status`.
        """
        at: dict[str, Any] = dict(self.at)
        if self.kind == "D_crit":
            critical = plan.critical_tokens(self.law, params, **at)
            return critical.D_crit, critical.status
        if self.budget is not None:
            free = _free_variables(self.kind)
            best = plan.optimal(self.law, params, self.budget, free=free, **at)
            return getattr(best, self.kind), best.status
        return self._without_plan(params), jnp.asarray(int(Status.converged))

    def _without_plan(self, params: Mapping[str, Any]) -> Any:
        if self.kind == EXPONENT:
            return exponent(self.law, params)
        if self.kind == "loss":
            return self.law(**{name: jnp.asarray(value) for name, value in self.at}, **params)
        return parameter(self.law, self.kind, params)


def _free_variables(kind: str) -> tuple[str, ...]:
    """The variables that the plan of a target chooses."""
    return ("N", "D", "P") if kind == "P_opt" else ("N", "D")


def quantity(law: LawFunction | str, text: str) -> Quantity:
    """A number that follows from the parameters of a law, as a JAX function of them.

    Args:
        law: a declared law, or the name of one of the catalogue.
        text: a parameter; ``a``, the exponent ``beta / (alpha + beta)`` of the compute-optimal
            size; ``N_opt@1e24``, ``D_opt@1e24`` and ``loss@1e24``, the best size, tokens and loss
            for a budget in FLOP; ``P_opt@1e21``, the best training precision;
            ``loss@N=70B,D=1.4T``, the loss there; ``D_crit@N=8B,P_post=4``, the tokens beyond which
            more data hurts. Other inputs of the law follow after commas: ``N_opt@1e24,P_w=4``. K,
            M, B and T after a number mean 1e3, 1e6, 1e9 and 1e12.

    Raises:
        JscaleError: the law has no such number, or a budget or an input is missing, unknown or not
            a number.

    Example:
        >>> from jscale import assess, laws
        >>> theta = laws.params(laws.chinchilla)
        >>> print(f"a = {assess.quantity(laws.chinchilla, 'a')(theta):.3f}")
        a = 0.456
        >>> loss = assess.quantity(laws.chinchilla, "loss@N=70B,D=1.4T")
        >>> print(f"{loss(theta):.3f} nats per token")
        1.921 nats per token
    """
    law = as_law(law)
    names = _names(law)
    if not isinstance(text, str) or len(text) > _LONGEST_TARGET:
        raise JscaleError(f"a target must be a text such as {shown(names[0])}, not {shown(text)}")

    # Spaces around the parts do not matter: "N_opt @ 1e24" is "N_opt@1e24".
    parts = [[piece.strip() for piece in part.split("=")] for part in text.split(",")]
    text = ",".join("=".join(pieces) for pieces in parts)
    kind, mark, rest = (piece.strip() for piece in text.partition("@"))
    text = f"{kind}{mark}{rest}"

    budget, at = _budget_and_inputs(law, text, rest) if mark else (None, {})
    if has_parameter(law, kind) or (kind == EXPONENT and has_exponent(law)):
        if mark:
            raise JscaleError(f"target {shown(text)}: {kind} takes neither a budget nor inputs")
    elif kind in _DERIVED:
        _check(law, text, kind, budget, at)
    else:
        # A long list is cut: the targets that every law has come before its own parameters.
        parameters = set(describe(law).parameter_names)
        by_interest = sorted(names, key=parameters.__contains__)
        raise JscaleError(
            f"law {describe(law).name!r} has no target {shown(text)} "
            f"(it has: {enumerated(by_interest)}){did_you_mean(kind, names)}"
        )
    return Quantity(law, text, kind, budget, tuple(sorted(at.items())))


def _names(law: LawFunction) -> list[str]:
    """The targets of a law; derived ones without their budgets and inputs."""
    record = describe(law)
    has_plans = {"N", "D"} <= set(record.input_names)
    names = target_names(law)
    if has_plans and any(name != POST for name in record.bit_inputs):
        names.append("P_opt")
    names.append("loss")
    if has_plans and "D" not in record.decreasing:
        names.append("D_crit")
    return names


def _example(law: LawFunction, kind: str) -> str:
    """How a target of this law is written."""
    record = describe(law)
    inputs = example(record).split(",")
    chosen: tuple[str, ...] = ("N", "D")
    if kind == "P_opt":  # a plan of the bits chooses those of every part
        chosen = ("N", "D", *(name for name in record.bit_inputs if name != POST))
    at_budget = ",".join(["1e24", *(each for each in inputs if each.split("=")[0] not in chosen)])
    if kind in _AT_BUDGET:
        return f"{kind}@{at_budget}"
    if kind == "D_crit":
        others = [each for each in inputs if each[:2] not in ("N=", "D=") and POST not in each]
        post = [f"{POST}=4"] if POST in record.input_names else []
        return f"D_crit@{','.join(['N=8e9', *post, *others])}"
    if {"N", "D"} <= set(record.input_names):
        return f"loss@{at_budget} or loss@{','.join(inputs)}"
    return f"loss@{','.join(inputs)}"


def _budget_and_inputs(
    law: LawFunction, text: str, rest: str
) -> tuple[float | None, dict[str, float]]:
    """The budget and the inputs after the ``@``; C is an input where the law has it as one."""
    takes_compute = "C" in describe(law).input_names
    budget, at = None, {}
    for part in rest.split(","):
        name, equals, value = part.partition("=")
        if equals and not name:
            raise JscaleError(
                f"target {shown(text)}: no name before {shown(part)}; {_EXPECTED_NUMBER}"
            )
        if not equals:
            name, value = "", name
        number = number_with_suffix(value)
        if number is None:
            raise JscaleError(f"target {shown(text)}: {_EXPECTED_NUMBER}, not {shown(part)}")

        if takes_compute and not name:
            name = "C"
        is_budget = not takes_compute and name in ("", "C")
        if name in at or (is_budget and budget is not None):
            raise JscaleError(
                f"target {shown(text)}: {shortened(name) or 'the budget'} is given twice"
            )
        if is_budget:
            budget = number
        else:
            at[name] = number
    return budget, at


class _IncompleteError(JscaleError):
    """A budget or an input is missing, so that an example helps."""


def _check(
    law: LawFunction, text: str, kind: str, budget: float | None, at: Mapping[str, float]
) -> None:
    """Check a target as its plan will, with the text as typed in the message."""
    try:
        if kind in _AT_BUDGET or (kind == "loss" and budget is not None):
            build_problem(law, _free_variables(kind), at, None)
            _check_budget(budget)
        elif kind == "loss":
            if not at:
                has_plans = "D_opt" in target_names(law)
                needed = "a budget or inputs" if has_plans else "inputs"
                raise _IncompleteError(f"needs {needed}")
            bind(law, at, ())
        else:
            _check_critical(law, budget, at)
        check_inputs(law, at)
    except _IncompleteError as error:
        raise JscaleError(
            f"target {shown(text)}: {error} (such as {_example(law, kind)})"
        ) from None
    except JscaleError as error:
        raise JscaleError(f"target {shown(text)}: {error}") from None
    if any(math.isinf(value) and name in ("N", "D") for name, value in at.items()):
        raise JscaleError(f"target {shown(text)}: N and D must be finite")


def _check_budget(budget: float | None) -> None:
    if budget is None:
        raise _IncompleteError("needs a budget, in FLOP")
    check_number("the budget", budget, above=0.0)
    if budget < _MIN_BUDGET:
        raise JscaleError(f"the budget must be at least {_MIN_BUDGET:g} FLOP, not {budget:g}")


def _check_critical(law: LawFunction, budget: float | None, at: Mapping[str, float]) -> None:
    for name in ("D", "N"):
        if name not in describe(law).input_names:
            raise JscaleError(f"the law has no input {name}")
    if budget is not None:
        raise _IncompleteError("takes no budget")
    if "N" not in at:
        raise _IncompleteError("needs N")
    bind(law, at, ("D",))
