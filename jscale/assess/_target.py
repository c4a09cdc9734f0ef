"""The number that a specification curve is about: a parameter, an exponent, or the plan for a budget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale import plan
from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.laws import LawFunction, describe
from jscale.plan._inputs import bind, check_inputs, check_number

EXPONENT = "a"
PLANNED = ("N_opt", "D_opt")


@dataclass(frozen=True)
class Target:
    """A number from the parameters of one law.

    Attributes:
        name: of the number.
        value: parameters by name → the number, a status code that is 0 where there is one, and its gradient by name.
    """

    name: str
    value: Callable[[Mapping[str, float]], tuple[float, int, Mapping[str, float]]]

    def at(self, params: Mapping[str, float], covariance: np.ndarray) -> tuple[float, float, Status]:
        """The number, its standard error by the delta method, and whether there is such a number."""
        value, status, gradient = self.value(params)
        slope = np.array([gradient[name] for name in params])
        used = slope != 0
        inner = covariance[np.ix_(used, used)]
        variance = float(slope[used] @ inner @ slope[used]) if np.isfinite(inner).all() else np.inf
        return value, float(np.sqrt(variance)), Status(status)


def turning_point(name: str, law: LawFunction) -> float | None:
    """Where a conclusion turns: 1/2 for the exponent of size (above it size grows faster than data), 0 for signs."""
    if name == EXPONENT and name not in describe(law).parameter_names:
        return 0.5
    supports = {p.name: p.support for p in describe(law).parameters}
    return 0.0 if name in supports and supports[name].lower < 0 < supports[name].upper else None


def target_of(name: str, law: LawFunction, budget: float | None, at: Mapping[str, float]) -> Target:
    """The target of this name for a law.

    Raises:
        JscaleError: the law has no such number, or a budget is missing, superfluous or not above 0.
    """
    record = describe(law)
    if name in PLANNED:
        if budget is None:
            raise JscaleError(f"target {name!r} needs a budget, in FLOP")
        check_number("budget", budget, above=0.0)
        bind(law, at, ("N", "D"))
        check_inputs(law, at)
        return Target(name, _differentiated(lambda params: _planned(name, law, params, budget, at)))
    if budget is not None or at:
        raise JscaleError(f"a budget and inputs belong to the targets {' and '.join(PLANNED)}, not to {name!r}")
    if has(law, name):
        return Target(name, _differentiated(lambda params: parameter(law, name, params)))
    if name == EXPONENT and has(law, "alpha") and has(law, "beta"):
        return Target(name, _differentiated(lambda params: exponent(law, params)))
    raise JscaleError(f"law {record.name!r} has no target {name!r} (it has: {', '.join(known(law))})")


def known(law: LawFunction) -> list[str]:
    """The names of a law's targets."""
    record = describe(law)
    both = has(law, "alpha") and has(law, "beta")
    planned = list(PLANNED) if {"N", "D"} <= set(record.input_names) else []
    return [*record.parameter_names, *([EXPONENT] if both else []), *planned]


def has(law: LawFunction, name: str) -> bool:
    """Whether a law has this parameter, free or tied to others."""
    return name in describe(law).parameter_names or _tied(law, name) is not None


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
    alpha, beta = (parameter(law, name, params) for name in ("alpha", "beta"))
    return beta / (alpha + beta)


def _planned(name: str, law: LawFunction, params: Mapping[str, Any], budget: float, at: Mapping[str, float]) -> Any:
    inputs: dict[str, Any] = dict(at)
    best = plan.optimal(law, params, budget, **inputs)
    return getattr(best, name), best.status


def _differentiated(function: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Value, status and gradient of a number, compiled once."""

    def with_status(params: Mapping[str, Any]) -> tuple[Any, Any]:
        found = function(params)
        value, status = found if isinstance(found, tuple) else (found, jnp.asarray(int(Status.converged)))
        return jnp.asarray(value), status

    compiled = jax.jit(jax.value_and_grad(with_status, has_aux=True))

    def value(params: Mapping[str, float]) -> tuple[float, int, Mapping[str, float]]:
        (number, status), gradient = compiled({k: jnp.asarray(v) for k, v in params.items()})
        return float(number), int(status), {k: float(v) for k, v in gradient.items()}

    return value
