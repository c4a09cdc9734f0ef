"""What a grid computes at a point: named functions of the values of the axes."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jscale._core import expressions
from jscale._core.errors import Argument, JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws import LawFunction, describe
from jscale.laws.declaration import is_law
from jscale.plan.problem import BoundLaw, bind

VALUE = "value"
"""The name of an objective that has no other."""


@dataclass(frozen=True)
class Quantity:
    """One number at every point.

    Attributes:
        name: of the quantity, or the text of a constraint.
        function: of the named values.
        takes: names of values that it takes.
    """

    name: str
    function: Callable[..., Any]
    takes: tuple[str, ...]

    @property
    def is_formula(self) -> bool:
        """Whether it is written as text, which is its name if it is a constraint."""
        return isinstance(self.function, _Formula)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The quantity, from values by name."""
        return self.function(**{name: values[name] for name in self.takes})


@dataclass(frozen=True)
class _Formula:
    """Arithmetic written as text."""

    text: str

    def __call__(self, **values: Any) -> Any:
        return expressions.evaluate(self.text, values)


@dataclass(frozen=True)
class _Law:
    """A law with its inputs and parameters by name; ``P`` stands for all bits of training."""

    bound: BoundLaw
    parameters: tuple[str, ...]

    def __call__(self, **values: Any) -> Any:
        params = {name: values.pop(name) for name in self.parameters}
        return self.bound.loss(values, params)


def read_objective(
    objective: Any, names: Sequence[str], params: Sequence[str]
) -> tuple[Quantity, ...]:
    """The quantities of an objective, in order; the first one is minimised.

    Args:
        objective: a function, law, cost or formula, or several by name.
        names: of values that functions can take.
        params: those of them that a function with ``**theta`` gets.

    Raises:
        JscaleError: not a function, or it takes something that has no value.
    """
    if not isinstance(objective, Mapping):
        objective = {VALUE: objective}
    if not objective:
        raise JscaleError("must be a function, or functions by name", argument="objective")

    known = list(names)
    quantities = []
    for name, function in objective.items():
        if str(name) in known:
            raise JscaleError(f": {name!r} is an axis or a parameter too", argument="objective")
        quantities.append(_quantity(str(name), function, (known, params), f"objective: {name!r}"))
        known.append(str(name))
    return tuple(quantities)


def read_constraints(
    where: Any, names: Sequence[str], params: Sequence[str]
) -> tuple[Quantity, ...]:
    """The constraints: functions or formulas that are true where a point is feasible.

    Raises:
        JscaleError: as :func:`read_objective`.
    """
    if where is None:
        return ()
    listed = where if isinstance(where, Sequence) and not isinstance(where, str) else (where,)
    constraints = []
    for number, each in enumerate(listed):
        name = each if isinstance(each, str) else f"where[{number}]"
        constraints.append(_quantity(name, each, (names, params), "where"))
    return tuple(constraints)


def _quantity(
    name: str, function: Any, names: tuple[Sequence[str], Sequence[str]], where: str
) -> Quantity:
    """One quantity, of values whose names are known; the second ones are parameters."""
    known, params = names
    if isinstance(function, str):
        takes = sorted(expressions.names(function))
        _check_known(where, takes, known)
        return Quantity(name, _Formula(function), tuple(takes))
    if is_law(function):
        return _law(name, function, known, where)

    function = getattr(function, "flops", function)
    if not callable(function):
        raise JscaleError(
            f"{where}: expected a law, a cost, a formula or a function of the axes, "
            f"not {shown(function)}"
        )
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise JscaleError(f"{where}: the names that it takes cannot be read") from None
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.POSITIONAL_ONLY in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
        raise JscaleError(f"{where}: expected a function that takes axes by name")
    named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    required = [p.name for p in named if p.default is inspect.Parameter.empty]
    _check_known(where, required, known)
    takes = [p.name for p in named if p.name in known]
    if inspect.Parameter.VAR_KEYWORD in kinds:
        takes += [each for each in params if each not in takes]
    return Quantity(name, function, tuple(takes))


def _law(name: str, law: LawFunction, known: Sequence[str], where: str) -> Quantity:
    """A law, whose parameters come from ``params`` or from axes."""
    record = describe(law)
    if missing := [name for name in record.parameter_names if name not in known]:
        raise JscaleError(
            f"{where} has the parameters {enumerated(missing)}, which no axis gives; give ",
            Argument("params"),
        )
    inputs = [each for each in record.input_names if each in known]
    if "P" in known and record.bit_inputs and "P" not in inputs:
        inputs.append("P")
    try:
        bound = bind(law, inputs, ())
    except JscaleError as error:
        raise JscaleError(f"{where}: {error}") from None
    return Quantity(name, _Law(bound, record.parameter_names), (*inputs, *record.parameter_names))


def _check_known(where: str, takes: Sequence[str], known: Sequence[str]) -> None:
    missing = [name for name in takes if name not in known]
    if missing:
        hint = did_you_mean(missing[0], known)
        raise JscaleError(
            f"{where} takes {enumerated(missing)}, which neither an axis nor params give{hint}; "
            f"there are {enumerated(known)}"
        )


def at_a_point(
    quantities: tuple[Quantity, ...],
    constraints: tuple[Quantity, ...],
    values: Mapping[str, Any],
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Every quantity, and whether all constraints hold, from the scalars of one point.

    Raises:
        JscaleError: a quantity is not one number, or a function fails.
    """
    known = dict(values)
    results = {}
    for quantity in quantities:
        number = _scalar(f"objective: {quantity.name!r}", quantity, known)
        results[quantity.name] = known[quantity.name] = number
    holds = jnp.asarray(True)
    for constraint in constraints:
        mask = _scalar(f"where: {shown(constraint.name)}", constraint, known)
        holds = holds & (mask if mask.dtype == bool else mask != 0)
    return results, holds


def _scalar(where: str, quantity: Quantity, values: Mapping[str, Any]) -> jax.Array:
    """A quantity of one point as a scalar.

    Raises:
        JscaleError: it is not a scalar, or the function fails.
    """
    try:
        value = jnp.asarray(quantity(values))
    except JscaleError:
        raise
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        raise JscaleError(
            f"{where} decides by a value of an axis, or turns it into NumPy; expected a function "
            "that JAX can trace (jnp.where instead of if)"
        ) from None
    except Exception as error:  # noqa: BLE001 (whatever a user's function raises)
        raise JscaleError(f"{where} failed: {type(error).__name__}: {error}") from None
    if value.shape:
        raise JscaleError(f"{where} has shape {value.shape} at a point; expected one number")
    if jnp.iscomplexobj(value):
        raise JscaleError(f"{where} is complex; expected a real number")
    if value.dtype != bool:
        value = value.astype(jnp.result_type(float))
    return value
