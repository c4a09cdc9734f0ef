"""The record of a law: everything that is known of it, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jscale._core import expressions
from jscale._core.arrays import as_float
from jscale._core.errors import JscaleError
from jscale._core.supports import Support, positive, real
from jscale._core.text import enumerated, shown
from jscale.laws.roles import Role

CONFIDENCE: Mapping[str, str] = {
    "P": "primary text or the authors' own code was read",
    "R": "reproduced by re-running the authors' code or data",
    "S2": "two independent transcriptions agree",
    "S1": "one transcription",
    "D": "derived and checked numerically",
}
"""Code of how well a published constant is known → what was read or run."""


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
    """A constant of the law, published or fitted."""

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

    @property
    def coordinate(self) -> str:
        """The quantity that has the prior and the start range, as a formula at the runs' centre."""
        anchor = self.role.anchor
        if anchor is None:
            return self.name
        text = self.name if anchor.multiplies == "1" else f"{self.name} * {anchor.multiplies}"
        if anchor.plus != "0":
            text = f"{text} + {anchor.plus}".replace("+ -", "- ")
        return text if anchor.power == "1" else f"({text})**{anchor.power}"


def _named(parameter: Parameter) -> frozenset[str]:
    """The names in a parameter's anchor."""
    anchor = parameter.role.anchor
    return frozenset() if anchor is None else anchor.names


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
    source: str,
    confidence: str,
    *,
    note: str = "",
    stderr: Mapping[str, float] | None = None,
    **values: float,
) -> Constants:
    """A published set of constants, for ``@law(published=...)``.

    Example:
        >>> from jscale import laws
        >>> given = laws.constants("Hoffmann et al. 2022, eq. 10", "S2", E=1.69, alpha=0.34)
        >>> given.values
        {'E': 1.69, 'alpha': 0.34}
    """
    if confidence not in CONFIDENCE:
        raise JscaleError(
            f"must be one of {enumerated(CONFIDENCE)}, not {shown(confidence)}",
            argument="confidence",
        )
    return Constants(values, source, confidence, stderr or {}, note)


@dataclass(frozen=True)
class Record:
    """The declaration of a law.

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
        increasing: inputs in which the value never falls.
        limits: at the edges of the domain, ``"N = inf, D = inf"`` → the value there, as a formula.
        ridges: parameter trade-offs, directions that the data hardly identify.
        traps: pitfalls of this law in practice.
        functions: that the formula calls, besides the usual ones.
        held: parameters that :func:`fix` removed, with their values.
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
    increasing: tuple[str, ...]
    limits: Mapping[str, str]
    ridges: tuple[str, ...]
    traps: tuple[str, ...]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    held: tuple[tuple[Parameter, float], ...] = ()

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(i.name for i in self.inputs)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def in_order_of_anchors(self) -> tuple[Parameter, ...]:
        """The parameters, each after those that its anchor names.

        Parameters without an anchor come first, anchors that name each other in a circle last.
        """
        order: list[Parameter] = []
        remaining = list(self.parameters)
        while remaining:
            unknown = {p.name for p in remaining}
            plain = [p for p in remaining if p.role.anchor is None]
            ready = plain or [p for p in remaining if not unknown & _named(p)] or remaining
            order += ready
            remaining = [p for p in remaining if p not in ready]
        return tuple(order)

    @property
    def bit_inputs(self) -> tuple[str, ...]:
        """The inputs that count bits."""
        return tuple(i.name for i in self.inputs if i.role.name == "bits")

    @property
    def charged_bits(self) -> tuple[str, ...]:
        """The inputs whose wider number of bits a FLOP of training is charged by.

        A matrix product runs at the wider of its two operands, so they are ``P_w`` and ``P_a``, or
        a single ``P`` of every part. None for a law of the bits of weights alone: weights in few
        bits are dequantised for the product and save memory, but no training compute. The bits of
        the KV cache enter the attention scores, which ``6 N D`` leaves out.
        """
        bits = self.bit_inputs
        for names in (("P_w", "P_a"), ("P",)):
            if set(names) <= set(bits):
                return names
        return ()

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The formula's value.

        Args:
            values: inputs and parameters by name; an absent input takes its default.

        Raises:
            JscaleError: a value is missing.
        """
        defaults = {i.name: i.default for i in self.inputs if i.default is not None}
        scope = {**defaults, **self.functions, **values}
        scope = {name: as_float(value) for name, value in scope.items()}
        if missing := {*self.input_names, *self.parameter_names} - set(scope):
            raise JscaleError(
                f"law {self.name!r}: no value given for {enumerated(sorted(missing))}"
            )
        for name, text in self.definitions:
            scope[name] = expressions.evaluate(text, scope)
        return expressions.evaluate(self.formula, scope)

    def at_limits(self, values: Mapping[str, Any]) -> list[tuple[dict[str, Any], Any]]:
        """For every limit, the inputs that it names and the value there.

        Args:
            values: every other input, and all parameters.
        """
        limits = []
        for where, text in self.limits.items():
            inputs = {name: self._value_of(at, values) for name, at in edge(where)}
            limits.append((inputs, self._value_of(text, {**values, **inputs})))
        return limits

    def _value_of(self, text: str, values: Mapping[str, Any]) -> Any:
        scope = dict(values)
        for name, definition in self.definitions:
            if name in expressions.names(text):
                scope[name] = expressions.evaluate(definition, scope)
        return expressions.evaluate(text, {**self.functions, **scope})


def edge(where: str) -> list[tuple[str, str]]:
    """``"N = inf, P = n * gamma"`` → [("N", "inf"), ("P", "n * gamma")]."""
    pairs = [part.partition("=") for part in where.split(",")]
    if any(not sign for _, sign, _ in pairs):
        raise JscaleError(f"a limit reads like 'N = inf, D = inf', not {shown(where)}")
    return [(name.strip(), at.strip()) for name, _, at in pairs]
