"""Objectives and constraints: laws, costs and functions of the variables by name."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.laws import describe
from jscale.plan.problem import POST, charged_bits

SENSES = ("<=", ">=", "==")


@dataclass(frozen=True)
class Named:
    """A function of the variables and parameters by name; hashable.

    Attributes:
        function: a law, or any function whose arguments are names of variables and parameters.
        structure: the tree of a cost, whose ``flops`` is the function; None for a function.
        label: for messages and multipliers.
    """

    function: Any
    structure: Any
    label: str

    def arguments(self, known: frozenset[str]) -> tuple[str, ...]:
        """Names that the function takes.

        Raises:
            JscaleError: it needs one that is neither a variable nor a parameter.
        """
        if self.structure is not None:
            self._require({"N", "D"} - known)
            return ()
        record = _record(self.function)
        if record is not None:
            required = {i.name for i in record.inputs if i.default is None}
            needed = required | set(record.parameter_names)
            covered = known | covered_inputs(record, known)
            self._require(needed - covered)
            every = (*record.input_names, *record.parameter_names)
            return tuple(name for name in every if name in covered)

        parameters = inspect.signature(self.function).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return tuple(sorted(known))
        needed = {p.name for p in parameters if p.default is p.empty}
        self._require(needed - known)
        return tuple(p.name for p in parameters if p.name in known)

    def uses(self, known: frozenset[str]) -> set[str]:
        """The variables and parameters that the function takes, by their own names."""
        if self.structure is not None:
            return {"N", "D", *(known & {"P", "P_w", "P_a"})}
        record = _record(self.function)
        if record is None:
            return set(self.arguments(known))
        used = set(self.arguments(known)) & set(known)
        stems = {name.rpartition("_")[0] for name in covered_inputs(record, known)}
        return used | (stems & known) | ({"P"} & known if stems else set())

    def _require(self, missing: set[str]) -> None:
        if missing:
            raise JscaleError(
                f"{self.label} needs {enumerated(sorted(missing))}; expected among the variables "
                "or the parameters"
            )

    def __call__(
        self, values: Mapping[str, jax.Array], params: Mapping[str, jax.Array], leaves: Any
    ) -> jax.Array:
        """The value, a scalar."""
        if self.structure is not None:
            cost = self.function if leaves is None else self.structure.unflatten(leaves)
            bits = charged_bits(values)
            return jnp.asarray(cost.flops(values["N"], values["D"], bits))
        record = _record(self.function)
        scope = dict(params) | dict(values)
        if record is not None:
            scope |= _expanded(record, values)
        names = self.arguments(frozenset(scope))
        return jnp.asarray(self.function(**{name: scope[name] for name in names}))


def _record(function: Any) -> Any:
    try:
        return describe(function)
    except JscaleError:
        return None


def covered_inputs(record: Any, known: frozenset[str]) -> set[str]:
    """Inputs of a law that variables of another name stand for: ``P`` and shares ``mix``."""
    covered = set()
    if "P" in known and "P" not in record.input_names:
        covered |= {name for name in record.bit_inputs if name != POST}
    for name in record.input_names:
        stem, _, number = name.rpartition("_")
        if stem in known and number.isdigit():
            covered.add(name)
    return covered


def _expanded(record: Any, values: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    expanded = {}
    for name in covered_inputs(record, frozenset(values)):
        stem, _, number = name.rpartition("_")
        if name in values:
            continue
        if stem in values and number.isdigit():
            expanded[name] = values[stem][int(number) - 1]
        else:
            expanded[name] = values["P"]
    return expanded


def named(function: Any, what: str) -> tuple[Named, list[Any] | None]:
    """The function by name, and the numbers of a cost that is a pytree of them.

    Raises:
        JscaleError: neither a function nor a cost.
    """
    if hasattr(function, "flops") and hasattr(function, "tokens"):
        leaves, structure = jax.tree.flatten(function)
        is_leaf = len(leaves) == 1 and leaves[0] is function
        label = str(getattr(function, "name", what))
        kept = function if is_leaf else None
        return Named(kept, structure, label), None if is_leaf else leaves
    if not callable(function):
        raise JscaleError(f"{what} must be a law, a cost or a function, not {shown(function)}")
    return Named(function, None, getattr(function, "__name__", what)), None


Constraint = tuple[Callable[..., Any] | Any, str, Any]
"""A function or a cost, one of ``<=``, ``>=`` and ``==``, and the bound."""
