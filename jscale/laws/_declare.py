"""``@law``: a law is declared once, in its own signature."""

import difflib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from jscale._core import expressions
from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError
from jscale._core.supports import Support, positive, real
from jscale.laws.roles import Role, adjust

F = TypeVar("F", bound=Callable[..., Any])
LawFunction = Callable[..., Any]
"""A law: inputs first (positional), parameters by keyword; carries its :class:`Record`."""

_ATTRIBUTE = "__jscale_record__"
CONFIDENCE: Mapping[str, str] = {
    "P": "primary text or the authors' own code was read",
    "R": "reproduced by re-running the authors' code or data",
    "S2": "two independent transcriptions agree",
    "S1": "one transcription",
    "D": "derived and checked numerically",
}


@dataclass(frozen=True)
class Input:
    """A quantity that the runs supply. ``default`` is None when it is required."""

    name: str
    role: Role
    default: float | None = None

    @property
    def unit(self) -> str:
        return self.role.unit


@dataclass(frozen=True)
class Parameter:
    """A constant of the law, to be taken from a paper or fitted."""

    name: str
    role: Role

    @property
    def unit(self) -> str:
        return self.role.unit

    @property
    def support(self) -> Support:
        """Where the parameter itself may lie (its coordinate may be narrower)."""
        anchor = self.role.anchor
        if anchor is None or self.role.support is real:
            return self.role.support
        return positive if anchor.plus == "0" else real


@dataclass(frozen=True)
class Constants:
    """A published set of constants.

    Attributes:
        values: parameter → value, with every printed digit.
        source: paper and table or equation number.
        confidence: P, R, S2, S1 or D (see :data:`CONFIDENCE`).
        stderr: parameter → published standard error, where there is one.
        note: a caveat.
    """

    values: Mapping[str, float]
    source: str
    confidence: str
    stderr: Mapping[str, float]
    note: str = ""


def constants(
    source: str, confidence: str, *, note: str = "", stderr: Mapping[str, float] | None = None, **values: float
) -> Constants:
    """A published set of constants, for ``@law(published=...)``."""
    if confidence not in CONFIDENCE:
        raise JscaleError(f"confidence must be one of {', '.join(CONFIDENCE)}, not {confidence!r}")
    return Constants(values, source, confidence, stderr or {}, note)


@dataclass(frozen=True)
class Record:
    """Everything that is known of a law.

    Attributes:
        name: of the function.
        summary: first line of the docstring.
        subject: the chapter of the catalogue (module name).
        inputs: what the runs supply, in positional order.
        parameters: what a fit determines, in order.
        output: role of the value.
        formula: text that evaluates to the same value (inside the domain).
        definitions: names used in the formula, evaluated in this order before it.
        published: short name of the source → constants.
        source: paper and equation.
        decreasing: inputs in which the value never grows.
        traps: what goes wrong with this law in practice.
        held: parameters that :func:`fix` took out, with their values.
    """

    name: str
    summary: str
    subject: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    output: Role
    formula: str
    definitions: tuple[tuple[str, str], ...]
    published: Mapping[str, Constants]
    source: str
    decreasing: tuple[str, ...]
    traps: tuple[str, ...]
    held: tuple[tuple[Parameter, float], ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(i.name for i in self.inputs)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def bit_inputs(self) -> tuple[str, ...]:
        """The inputs that count bits."""
        return tuple(i.name for i in self.inputs if i.role.name == "bits")

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The formula's value at ``values`` (inputs and parameters by name; inputs left out take their default)."""
        defaults = {i.name: i.default for i in self.inputs if i.default is not None}
        scope = {name: as_float(value) for name, value in {**defaults, **values}.items()}
        if missing := {*self.input_names, *self.parameter_names} - set(scope):
            raise JscaleError(f"law {self.name!r}: no value given for {', '.join(sorted(missing))}")
        for name, text in self.definitions:
            scope[name] = expressions.evaluate(text, scope)
        return expressions.evaluate(self.formula, scope)


def law(
    *,
    formula: str,
    source: str,
    published: Mapping[str, Constants] | None = None,
    where: Mapping[str, str] | None = None,
    decreasing: Iterable[str] = (),
    traps: Iterable[str] = (),
) -> Callable[[F], F]:
    """Declare a scaling law: reads the signature once, attaches a :class:`Record`, returns the very same function.

    Inputs are the positional arguments, parameters the keyword-only ones; each is annotated with a role.

    Args:
        formula: the value as text, in the names of the signature and of ``where``.
        source: paper and equation number.
        published: short name → :func:`constants`.
        where: abbreviations used in ``formula``, in order of evaluation.
        decreasing: inputs in which the value never grows.
        traps: warnings shown on the law's card.

    Raises:
        JscaleError: an argument without a role, a published set that names other parameters, or a formula that
            cannot be read or has a name that the signature does not have.
    """

    def declare(function: F) -> F:
        record = _read(function, formula, source, dict(published or {}), tuple((where or {}).items()))
        record = replace(record, decreasing=tuple(decreasing), traps=tuple(traps))
        _check(record)
        return attach(function, record)

    return declare


def attach(function: F, record: Record) -> F:
    """``function`` with ``record`` attached."""
    setattr(function, _ATTRIBUTE, record)
    return function


def describe(law: LawFunction) -> Record:
    """The record of a law.

    Raises:
        JscaleError: ``law`` was not declared with ``@law``.
    """
    record = getattr(law, _ATTRIBUTE, None)
    if record is None:
        raise JscaleError(f"{getattr(law, '__name__', law)!r} is not a declared law: decorate it with @jscale.laws.law")
    return record


def params(law: LawFunction, source: str | None = None) -> dict[str, float]:
    """The published constants of a law as a plain dict, by default the first set.

    Raises:
        JscaleError: the law has no such published set; the message lists those that it has.
    """
    record = describe(law)
    known = ", ".join(record.published) or "none"
    if source is None:
        if not record.published:
            raise JscaleError(f"law {record.name!r} has no published constants; fit it to runs")
        source = next(iter(record.published))
    if source not in record.published:
        near = _near(source, record.published)
        raise JscaleError(f"law {record.name!r} has no published constants {source!r} (it has: {known}){near}")
    return dict(record.published[source].values)


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _read(
    function: Callable, formula: str, source: str, published: dict[str, Constants], where: tuple[tuple[str, str], ...]
) -> Record:
    hints = typing.get_type_hints(function, include_extras=True)
    inputs, parameters = [], []
    for argument in inspect.signature(function).parameters.values():
        role = _role(function, argument.name, hints.get(argument.name))
        if argument.kind is inspect.Parameter.KEYWORD_ONLY:
            parameters.append(Parameter(argument.name, role))
        elif argument.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            inputs.append(Input(argument.name, role, _default(function, argument)))
        else:
            raise JscaleError(f"law {function.__name__!r}: {argument} must be an argument that can be given by name")
    summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return Record(
        name=function.__name__,
        summary=summary,
        subject=(function.__module__ or "user").rsplit(".", 1)[-1],
        inputs=tuple(inputs),
        parameters=tuple(parameters),
        output=_role(function, "return", hints.get("return")),
        formula=formula,
        definitions=where,
        published=published,
        source=source,
        decreasing=(),
        traps=(),
    )


def _default(function: Callable, argument: inspect.Parameter) -> float | None:
    if argument.default is inspect.Parameter.empty:
        return None
    if not isinstance(argument.default, int | float):
        raise JscaleError(
            f"law {function.__name__!r}: the default of {argument.name!r} must be a number, not {argument.default!r}"
        )
    return float(argument.default)


def _role(function: Callable, name: str, hint: Any) -> Role:
    metadata = getattr(hint, "__metadata__", ())
    roles = [m for m in metadata if isinstance(m, Role)]
    if not roles:
        raise JscaleError(f"law {function.__name__!r}: {name!r} has no role; annotate it with one of jscale.laws.roles")
    role = roles[-1]
    for change in metadata:
        if isinstance(change, adjust):
            role = change.apply(role)
    return role


def _check(record: Record) -> None:
    known = set(record.input_names) | set(record.parameter_names)
    if taken := known & {name for name, _ in record.definitions}:
        raise JscaleError(f"law {record.name!r}: where gives {', '.join(sorted(taken))} a second meaning")
    for name, text in (*record.definitions, ("formula", record.formula)):
        if unknown := expressions.names(text) - known:
            raise JscaleError(f"law {record.name!r}: {name} uses {', '.join(sorted(unknown))}, not in the signature")
        known.add(name)
    for short, given in record.published.items():
        if not isinstance(given, Constants):
            raise JscaleError(f"law {record.name!r}: make the constants {short!r} with jscale.laws.constants")
        if set(given.values) != set(record.parameter_names) or not set(given.stderr) <= set(given.values):
            raise JscaleError(
                f"law {record.name!r}: constants {short!r} name {sorted({*given.values, *given.stderr})}, "
                f"the signature {sorted(record.parameter_names)}"
            )
    if unknown := set(record.decreasing) - set(record.input_names):
        raise JscaleError(f"law {record.name!r}: decreasing names {sorted(unknown)}, not inputs")
    check_parameters(record)


def check_parameters(record: Record) -> None:
    """Raise JscaleError unless every parameter has a prior, a start range and an anchor that can be evaluated."""
    anchored = {p.name for p in record.parameters if p.role.anchor}
    at_centre = {n + s for n in record.input_names for s in ("", "_low")} | {"loss_min"}
    for p in record.parameters:
        anchor = p.role.anchor
        if p.role.prior is None or p.role.start is None:
            raise JscaleError(f"law {record.name!r}: {p.name!r} needs a role with a prior and a start range")
        if anchor is None:
            continue
        used = frozenset().union(*(expressions.names(t) for t in (anchor.multiplies, anchor.plus, anchor.power)))
        if unknown := used - at_centre - (set(record.parameter_names) - anchored):
            raise JscaleError(f"law {record.name!r}: the anchor of {p.name!r} uses {', '.join(sorted(unknown))}")
