"""Targets of intervals: a parameter or a function of the parameters, on an unbounded scale."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws import LawFunction, describe

_MESSAGE_LIMIT = 400
"""Characters of a message that quotes the exception of a user's function."""

TargetFunction = Callable[[Mapping[str, Any]], Any]
"""A number computed from the parameters, in JAX: parameters by name → scalar."""


@dataclass(frozen=True)
class ParameterTarget:
    """One of the parameters of a law; all of them share one compiled program.

    Attributes:
        names: of all parameters.
        logs: which of them are taken on a logarithmic scale.
    """

    names: tuple[str, ...]
    logs: tuple[bool, ...]

    def __call__(self, params: Any, choice: jax.Array) -> jax.Array:
        """The parameter at which ``choice`` (k,) is 1; it is 0 elsewhere."""
        values = [
            jnp.log(params[name]) if log else params[name]
            for name, log in zip(self.names, self.logs, strict=True)
        ]
        return jnp.sum(jnp.where(choice > 0, jnp.stack(values), 0.0))


@dataclass(frozen=True)
class FunctionTarget:
    """A function of the parameters, or its logarithm."""

    function: TargetFunction
    log: bool

    def __call__(self, params: Any, choice: jax.Array) -> jax.Array:
        """The number; ``choice`` is not used."""
        del choice
        value = jnp.asarray(self.function(params))
        value = value.astype(jnp.result_type(float))
        return jnp.log(value) if self.log else value


Target = ParameterTarget | FunctionTarget


@dataclass(frozen=True)
class TargetTransform:
    """A target on the scale on which profiles and standard errors take it.

    Attributes:
        name: of the target.
        function: compiled once for all parameters of a law, and once for each function.
        choice: (k,) 1 at the chosen parameter; zeros for a function.
        log: whether the scale is logarithmic.
        lower: lower bound of the target itself.
        upper: upper bound of the target itself.
    """

    name: str
    function: Target
    choice: Any
    log: bool
    lower: float
    upper: float

    def natural(self, level: Any) -> Any:
        """The target itself from its value on this scale."""
        return np.exp(level) if self.log else np.asarray(level)


def target_transform(law: LawFunction, name: str, target: str | TargetFunction) -> TargetTransform:
    """The scale of a target: logarithmic if it is positive, else its own.

    A parameter is positive by its support, a function if it has ``positive = True``.

    Raises:
        JscaleError: a function that JAX cannot trace, or that returns no real number.
    """
    record = describe(law)
    logs = tuple(p.support.lower == 0 and p.support.upper == np.inf for p in record.parameters)
    if isinstance(target, str):
        at = record.parameter_names.index(target)
        support = record.parameters[at].support
        choice = np.eye(len(logs))[at]
        function = ParameterTarget(record.parameter_names, logs)
        lower, upper = float(support.lower), float(support.upper)
        return TargetTransform(name, function, choice, logs[at], lower, upper)

    _check_function(law, name, target, "targets")
    log = bool(getattr(target, "positive", False))
    lower = 0.0 if log else -np.inf
    choice = np.zeros(len(logs))
    return TargetTransform(name, FunctionTarget(target, log), choice, log, lower, np.inf)


def _check_function(law: LawFunction, name: str, function: TargetFunction, argument: str) -> None:
    """Trace a function once, before anything is computed with it.

    Raises:
        JscaleError: as :func:`target_transform`.
    """
    known = describe(law).parameter_names
    expected = (
        f": {shown(name)} must be a JAX function from a dict of the parameters "
        f"({enumerated(known)}) to one real number"
    )
    params = {each: jax.ShapeDtypeStruct((), jnp.result_type(float)) for each in known}
    try:
        result: Any = jax.eval_shape(function, params)
    except Exception as error:  # a user's function may raise anything
        first_line = next(iter(str(error).splitlines()), "")
        message = f"{expected}; it raised {type(error).__name__}: {first_line}"
        raise JscaleError(message[:_MESSAGE_LIMIT], argument=argument) from error

    shape, dtype = getattr(result, "shape", None), getattr(result, "dtype", None)
    if shape is None or dtype is None:
        raise JscaleError(f"{expected}, not to a {type(result).__name__}", argument=argument)
    if shape != ():
        raise JscaleError(f"{expected}, not to an array of shape {shape}", argument=argument)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise JscaleError(f"{expected}, not to one of type {dtype}", argument=argument)


def targets_by_name(
    law: LawFunction, targets: Any, argument: str = "targets"
) -> dict[str, str | TargetFunction]:
    """Targets by name; all parameters for None.

    Args:
        law: a declared law.
        targets: a name or a function, several of them, or names → functions.
        argument: the caller's name of ``targets``, for messages.

    Raises:
        JscaleError: a name that is not a parameter, something that is neither a name nor a
            function, or a function that JAX cannot trace.
    """
    known = describe(law).parameter_names
    if targets is None:
        return {name: name for name in known}

    by_name = dict(targets) if isinstance(targets, Mapping) else _label(targets, argument)
    if not by_name:
        message = "is empty; expected at least one, or None for all parameters"
        raise JscaleError(message, argument=argument)
    for name, target in by_name.items():
        if isinstance(target, str) and target not in known:
            is_quantity = target == "a" or "@" in target
            hint = "" if is_quantity else did_you_mean(target, known)
            raise JscaleError(
                f": law {describe(law).name!r} has no parameter {shown(target)} "
                f"(it has: {enumerated(known)}){hint}; any other target "
                "is a function of the parameters, which assess.quantity makes from a text such as "
                "'a' or 'N_opt@1e24'",
                argument=argument,
            )
        if not (isinstance(target, str) or callable(target)):
            raise JscaleError(
                f": expected a parameter or a function of the parameters, not {shown(target)}",
                argument=argument,
            )
        if not isinstance(target, str):
            _check_function(law, name, target, argument)
    return by_name


def _label(targets: Any, argument: str) -> dict[str, Any]:
    """A target or several of them under their own names.

    Raises:
        JscaleError: two have the same name.
    """
    if isinstance(targets, str) or callable(targets):
        several = [targets]
    elif isinstance(targets, Iterable):
        several = list(targets)
    else:
        message = f": expected parameters or functions of the parameters, not {shown(targets)}"
        raise JscaleError(message, argument=argument)
    labels = [
        each if isinstance(each, str) else str(getattr(each, "__name__", each)) for each in several
    ]
    if repeated := [label for label in labels if labels.count(label) > 1]:
        message = f": two are named {shown(repeated[0])}; expected each under a name of its own"
        raise JscaleError(message, argument=argument)
    return dict(zip(labels, several, strict=True))
