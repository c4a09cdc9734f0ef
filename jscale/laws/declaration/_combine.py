"""Laws made from laws: constants fixed, parameters tied, an input replaced by another law."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.laws.declaration._check import check_parameters
from jscale.laws.declaration._declare import LawFunction, attach, describe, make_law
from jscale.laws.declaration._derived import Held, derived, derived_with, held_form, set_held
from jscale.laws.declaration._record import Constants, Input, Parameter, Record


def fix(law: LawFunction, **values: float) -> LawFunction:
    """The law with some parameters held at given values.

    Published sets keep their other constants, with a note.

    Args:
        law: a declared law.
        **values: parameter → value, in the parameter's unit. The ends of a parameter's support are
            allowed: E = 0 or a robustness of 0 switches a term off.

    Raises:
        JscaleError: a name that is not a parameter, or a value outside its support.

    Example:
        >>> from jscale import laws
        >>> law = laws.fix(laws.chinchilla, E=1.69)
        >>> laws.describe(law).parameter_names
        ('A', 'B', 'alpha', 'beta')
    """
    record = describe(law)
    _require(record, values)
    if not values:
        return law
    numbers = {name: _number(record, name, value) for name, value in values.items()}
    held = {name: numbers[name] for name in record.parameter_names if name in numbers}
    for p in record.parameters:
        if p.name in held and not p.support.lower <= held[p.name] <= p.support.upper:
            raise JscaleError(
                f"law {record.name!r}: {p.name} = {held[p.name]} lies outside its support, "
                f"{p.support}"
            )
    return derived(law, ("fix", *held.items()), lambda: _fixed(law, held))


def _fixed(law: LawFunction, held: Mapping[str, float]) -> LawFunction:
    """The law with parameters held at valid values."""
    record = describe(law)
    removed = tuple((p, held[p.name]) for p in record.parameters if p.name in held)
    published = {source: _with_note(c, held) for source, c in record.published.items()}
    reduced = _without(replace(record, published=published), set(held))
    fixed = _rebuild(
        lambda arguments: law(**arguments, **held),
        replace(reduced, held=(*record.held, *removed)),
        ", ".join(f"{name}={value:g}" for name, value in held.items()),
        {name: repr(value) for name, value in held.items()},
    )

    inner = held_form(law)
    with_arguments = derived(inner.law, ("held", *held), lambda: _held_law(inner.law, set(held)))
    return set_held(fixed, Held(with_arguments, {**inner.values, **held}))


def _held_law(law: LawFunction, names: set[str]) -> LawFunction:
    """The law with parameters as keyword arguments that are not parameters of its record."""
    return attach(lambda **arguments: law(**arguments), _without(describe(law), names))


def _with_note(published: Constants, held: Mapping[str, float]) -> Constants:
    """The constants with a note of the published values that differ from those held."""
    different = [
        f"{name} = {published.values[name]:g}"
        for name, value in held.items()
        if published.values[name] != value
    ]
    if not different:
        return published

    note = f"published together with {enumerated(different)}, not with the values held here"
    return replace(published, note=f"{published.note}; {note}" if published.note else note)


def tie(law: LawFunction, **names: str) -> LawFunction:
    """The law with some parameters equal to others: ``tie(chinchilla, beta="alpha")``.

    Only published sets in which the tied parameters are equal are kept.

    Raises:
        JscaleError: a name that is not a parameter, or a parameter tied to a tied one.

    Example:
        >>> from jscale import laws
        >>> law = laws.tie(laws.chinchilla, beta="alpha")
        >>> laws.describe(law).parameter_names
        ('E', 'A', 'B', 'alpha')
        >>> round(float(law(7e9, 1e12, **laws.params(law, "muennighoff2023"))), 3)
        2.132
    """
    record = describe(law)
    _require(record, names)
    _require(record, dict.fromkeys(names.values()))
    if not names:
        return law
    if chained := set(names) & set(names.values()):
        raise JscaleError(
            f"law {record.name!r}: {enumerated(sorted(chained))} cannot be tied and be tied to"
        )

    tied_to = {name: names[name] for name in record.parameter_names if name in names}
    return derived(law, ("tie", *tied_to.items()), lambda: _tied(law, tied_to))


def _tied(law: LawFunction, names: Mapping[str, str]) -> LawFunction:
    """The law with parameters (keys) equal to others (values)."""
    record = describe(law)
    # A published set with two values for what is now one parameter does not apply to the tied law.
    agreeing = {
        source: published
        for source, published in record.published.items()
        if all(published.values[name] == published.values[other] for name, other in names.items())
    }

    def evaluate(arguments: Mapping[str, Any]) -> Any:
        tied = {name: arguments[other] for name, other in names.items()}
        return law(**arguments, **tied)

    return _rebuild(
        evaluate,
        _without(replace(record, published=agreeing), set(names)),
        ", ".join(f"{name}={other}" for name, other in names.items()),
        names,
    )


def substitute(law: LawFunction, **laws: LawFunction) -> LawFunction:
    """The law with inputs computed by other laws.

    ``substitute(chinchilla, N=effective_parameters)`` is Chinchilla's law at low precision: it
    takes the inputs and parameters of both, and ``N`` of the outer law is the value of the inner
    one. Several pairs are substituted at the same time: an inner law that takes ``D`` gets the
    ``D`` of the runs, even where another law replaces ``D`` in the outer one.

    Args:
        law: the outer law.
        **laws: ``input=inner`` pairs, one or more.

    Raises:
        JscaleError: no pair, an unknown input, an inner law of another unit, a name with different
            meanings in two of the laws, or inner laws that each take the input that another
            computes.

    Example:
        >>> from jscale import laws
        >>> law = laws.substitute(laws.chinchilla, N=laws.effective_parameters)
        >>> laws.describe(law).input_names
        ('N', 'D', 'P_w', 'P_a', 'P_kv')
    """
    record = describe(law)
    if not laws:
        raise JscaleError("substitute takes one input=law pair or more")
    inners = {name: describe(inner) for name, inner in laws.items()}
    for name, inner in inners.items():
        _check_input(record, name, inner)
    _check_together(inners)
    return derived_with(law, laws, lambda: _composed(law, laws))


def _composed(law: LawFunction, laws: Mapping[str, LawFunction]) -> LawFunction:
    """The law with inputs computed by ``laws``, input → inner law."""
    record = describe(law)
    inners = {name: describe(inner) for name, inner in laws.items()}
    combined = law
    for name in _in_order(inners):
        combined = _substituted(combined, name, laws[name])
    return combined if len(laws) == 1 else _in_order_of_pairs(combined, record, inners)


def _in_order_of_pairs(
    combined: LawFunction, outer: Record, inners: Mapping[str, Record]
) -> LawFunction:
    """The law with name, source, inputs and parameters in the order in which pairs were written."""
    record = describe(combined)
    label = ", ".join(f"{name}={inner.name}" for name, inner in inners.items())
    sources = dict.fromkeys((outer.source, *(inner.source for inner in inners.values())))

    inputs = {i.name: i for i in record.inputs}
    first = dict.fromkeys(name for inner in inners.values() for name in inner.input_names)
    parameters = {p.name: p for p in record.parameters}
    names = [name for part in (outer, *inners.values()) for name in part.parameter_names]

    ordered = replace(
        record,
        name=f"{outer.name}[{label}]",
        source="; ".join(sources),
        inputs=_defaults_last(inputs[name] for name in {**first, **inputs}),
        parameters=tuple(parameters[name] for name in names),
    )
    return make_law(lambda arguments: combined(**arguments), ordered, ordered.summary)


def _defaults_last(inputs: Iterable[Input]) -> tuple[Input, ...]:
    """The inputs in their order, those with a default after those without."""
    return tuple(sorted(inputs, key=lambda i: i.default is not None))


def _in_order(inners: Mapping[str, Record]) -> list[str]:
    """The inputs in an order of substitution in which every inner law sees the inputs of the runs.

    An inner law that takes ``D`` is substituted after the law that replaces ``D``.

    Raises:
        JscaleError: there is no such order.
    """
    order, remaining = [], dict(inners)
    while remaining:
        independent = [
            name
            for name, inner in remaining.items()
            if not (set(remaining) - {name}) & set(inner.input_names)
        ]
        if not independent:
            pairs = " and ".join(f"{inner.name!r} for {name}" for name, inner in remaining.items())
            raise JscaleError(
                f"substitute: {pairs} each take what another of them computes; "
                "write one law of them"
            )
        order.append(independent[0])
        del remaining[independent[0]]
    return order


def _check_together(inners: Mapping[str, Record]) -> None:
    """Check that no two inner laws have one name with two meanings."""
    for (input_a, a), (input_b, b) in itertools.combinations(inners.items(), 2):
        private_a, private_b = (
            {*inner.parameter_names, *(name for name, _ in inner.definitions)} for inner in (a, b)
        )
        clash = private_a & {*private_b, *b.input_names, input_b}
        clash |= private_b & {*a.input_names, input_a}

        units = {i.name: i.unit for i in a.inputs}
        clash |= {i.name for i in b.inputs if units.get(i.name, i.unit) != i.unit}
        if clash:
            raise JscaleError(
                f"substitute: {a.name!r} for {input_a} and {b.name!r} for {input_b} "
                f"both bring {enumerated(sorted(clash))}; expected names of their own"
            )


def _substituted(law: LawFunction, name: str, inner_law: LawFunction) -> LawFunction:
    """The law with one input computed by another law."""
    record, inner = describe(law), describe(inner_law)
    _check_names(record, name, inner)
    others = tuple(i for i in record.inputs if i.name not in {name, *inner.input_names})
    unchanged = {i.name for i in others}

    combined = replace(
        record,
        inputs=_defaults_last((*inner.inputs, *others)),
        parameters=record.parameters + inner.parameters,
        published=_merged(record.published, inner.published),
        source="; ".join(dict.fromkeys((record.source, inner.source))),
        decreasing=tuple(i for i in record.decreasing if i in unchanged),
        increasing=tuple(i for i in record.increasing if i in unchanged),
        limits={},
        ridges=tuple(dict.fromkeys((*record.ridges, *inner.ridges))),
        traps=tuple(dict.fromkeys((*record.traps, *inner.traps))),
        functions={**record.functions, **inner.functions},
    )

    def composed(arguments: Mapping[str, Any]) -> Any:
        of_inner = (*inner.input_names, *inner.parameter_names)
        of_outer = (*record.input_names, *record.parameter_names)
        values = {**arguments, name: inner_law(**{k: arguments[k] for k in of_inner})}
        return law(**{k: values[k] for k in of_outer})

    definitions = {**dict(inner.definitions), name: inner.formula}
    # Anchors are evaluated at the centre of the runs. Where the runs have no column of the outer
    # input, the inner formula replaces it.
    anchors = {} if name in inner.input_names else {name: _written_out(inner)}
    return _rebuild(composed, combined, f"{name}={inner.name}", definitions, anchors)


def _check_input(record: Record, name: str, inner: Record) -> None:
    """Check that the law has the input, in the unit of the inner law's value."""
    outer = {i.name: i for i in record.inputs}
    if name not in outer:
        raise JscaleError(
            f"law {record.name!r} has no input {shown(name)} (it has: "
            f"{enumerated(record.input_names)})"
        )
    if inner.output.unit != outer[name].unit:
        raise JscaleError(
            f"law {record.name!r} takes {name} in {outer[name].unit}, "
            f"law {inner.name!r} gives {inner.output.unit}"
        )


def _check_names(record: Record, name: str, inner: Record) -> None:
    """Check that no name has one meaning in the outer law and another in the inner one."""
    pair = f"{record.name!r} and {inner.name!r}"
    inputs, parameters = set(record.input_names), set(record.parameter_names)
    if shared := parameters & set(inner.parameter_names):
        raise JscaleError(f"{pair} share the parameter names {sorted(shared)}")

    # A name that one of them fixes, ties or abbreviates must not be an argument of the other.
    clash = {k for k, _ in inner.definitions} & (parameters | (inputs - {name}))
    clash |= set(inner.parameter_names) & inputs
    clash |= set(inner.input_names) & parameters
    if clash:
        raise JscaleError(f"{pair} give {enumerated(sorted(clash))} different meanings")


def _merged(outer: Mapping[str, Constants], inner: Mapping[str, Constants]) -> dict[str, Constants]:
    """The constants of the sources that have a set for both laws."""
    merged = {}
    for source, constants in outer.items():
        if source in inner:
            values = {**constants.values, **inner[source].values}
            stderr = {**constants.stderr, **inner[source].stderr}
            merged[source] = replace(constants, values=values, stderr=stderr)
    return merged


def _written_out(record: Record) -> str:
    """The formula with its definitions substituted."""
    text = record.formula
    for name, definition in reversed(record.definitions):
        text = expressions.rename(text, {name: definition})
    return text


def _require(record: Record, names: Mapping[str, Any]) -> None:
    if unknown := [str(n) for n in names if n not in record.parameter_names]:
        raise JscaleError(
            f"law {record.name!r} has no parameter {enumerated(sorted(unknown))} "
            f"(it has: {enumerated(record.parameter_names)})"
        )


def _number(record: Record, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise JscaleError(
            f"law {record.name!r}: {name} must be one number, not {shown(value)}"
        ) from None


def _without(record: Record, names: set[str]) -> Record:
    """The record without some parameters, in the published constants too."""

    def reduced(values: Mapping[str, float]) -> dict[str, float]:
        return {k: v for k, v in values.items() if k not in names}

    published = {
        source: replace(c, values=reduced(c.values), stderr=reduced(c.stderr))
        for source, c in record.published.items()
    }
    parameters = tuple(p for p in record.parameters if p.name not in names)
    return replace(record, parameters=parameters, published=published)


def _rebuild(
    evaluate: Callable[[Mapping[str, Any]], Any],
    record: Record,
    change: str,
    definitions: Mapping[str, str],
    anchors: Mapping[str, str] | None = None,
) -> LawFunction:
    """A law that binds its arguments by name and passes them to ``evaluate``.

    Args:
        evaluate: arguments by name → value.
        record: with the inputs and parameters of the new law, and the name of the old one.
        change: the change, for the name.
        definitions: new abbreviations, evaluated before those of ``record``.
        anchors: name in an anchor → formula that replaces it; by default ``definitions``.
    """
    replacements = definitions if anchors is None else anchors
    new = replace(
        record,
        name=f"{record.name}[{change}]",
        parameters=tuple(_resolved(p, replacements) for p in record.parameters),
        definitions=(*definitions.items(), *record.definitions),
    )
    check_parameters(new)
    return make_law(evaluate, new, record.summary)


def _resolved(parameter: Parameter, replacements: Mapping[str, str]) -> Parameter:
    """The parameter with names in its anchor replaced by formulas."""
    anchor = parameter.role.anchor
    if anchor is None:
        return parameter
    texts = {
        f: expressions.rename(getattr(anchor, f), replacements)
        for f in ("multiplies", "plus", "power")
    }
    return replace(parameter, role=replace(parameter.role, anchor=replace(anchor, **texts)))
