"""Laws made from laws: constants fixed, parameters tied, an input replaced by another law."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale.laws.declaration._check import check_parameters
from jscale.laws.declaration._declare import LawFunction, describe, make_law
from jscale.laws.declaration._record import Constants, Parameter, Record


def fix(law: LawFunction, **values: float) -> LawFunction:
    """The law with some parameters held at given values.

    Args:
        law: a declared law. **values: parameter → value, in the parameter's unit. The ends of a
        parameter's support are allowed: E = 0 or
            a robustness of 0 switches a term off. Published sets keep their other constants, with a
            note.

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
    held = {name: _number(record, name, value) for name, value in values.items()}
    for p in record.parameters:
        if p.name in held and not p.support.lower <= held[p.name] <= p.support.upper:
            raise JscaleError(
                f"law {record.name!r}: {p.name} = {held[p.name]} lies outside its support, {p.support}"
            )
    taken = tuple((p, held[p.name]) for p in record.parameters if p.name in held)
    published = {source: _departed(given, held) for source, given in record.published.items()}
    return _rebuild(
        lambda given: law(**given, **held),
        replace(
            _without(replace(record, published=published), set(held)), held=(*record.held, *taken)
        ),
        ", ".join(f"{name}={value:g}" for name, value in held.items()),
        {name: repr(value) for name, value in held.items()},
    )


def _departed(given: Constants, held: Mapping[str, float]) -> Constants:
    """The constants with a note of the values that were published for what is now held at another."""
    others = [
        f"{name} = {given.values[name]:g}"
        for name, value in held.items()
        if given.values[name] != value
    ]
    if not others:
        return given
    note = f"published together with {', '.join(others)}, not with the values held here"
    return replace(given, note=f"{given.note}; {note}" if given.note else note)


def tie(law: LawFunction, **names: str) -> LawFunction:
    """The law with some parameters equal to others: ``tie(chinchilla, beta="alpha")``.

    Published constants stay where they agree with it.

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
            f"law {record.name!r}: {', '.join(sorted(chained))} cannot be tied and be tied to"
        )
    # A published set that has two values for what is now one parameter says nothing of the tied
    # law.
    agreeing = {
        source: given
        for source, given in record.published.items()
        if all(given.values[name] == given.values[other] for name, other in names.items())
    }
    return _rebuild(
        lambda given: law(**given, **{name: given[other] for name, other in names.items()}),
        _without(replace(record, published=agreeing), set(names)),
        ", ".join(f"{name}={other}" for name, other in names.items()),
        names,
    )


def substitute(law: LawFunction, **laws: LawFunction) -> LawFunction:
    """The law with inputs computed by other laws.

    ``substitute(chinchilla, N=effective_parameters)`` is Chinchilla's law at low precision: it
    takes the inputs and parameters of both, and ``N`` of the outer law is the value of the inner
    one. Several pairs are put in at once: an inner law that takes ``D`` is given the ``D`` of the
    runs, whatever stands for ``D`` in the outer law.

    Args:
        law: the outer law.
        **laws: ``input=inner`` pairs, one or more.

    Raises:
        JscaleError: no pair, an unknown input, an inner law of another unit, a name that means
            something else in another of the laws, or inner laws each of which takes what the other
            one computes.

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
    combined = law
    for name in _in_order(inners):
        combined = _substituted(combined, name, laws[name])
    return combined if len(laws) == 1 else _as_asked(combined, record, inners)


def _as_asked(combined: LawFunction, record: Record, inners: Mapping[str, Record]) -> LawFunction:
    """The law with name, source, inputs and parameters in the order of the pairs, in whichever they
    were put in.
    """
    made = describe(combined)
    inputs = {i.name: i for i in made.inputs}
    wanted = dict.fromkeys(name for inner in inners.values() for name in inner.input_names)
    parameters = {p.name: p for p in made.parameters}
    shown = ", ".join(f"{name}={inner.name}" for name, inner in inners.items())
    whole = replace(
        made,
        name=f"{record.name}[{shown}]",
        source="; ".join(
            dict.fromkeys((record.source, *(inner.source for inner in inners.values())))
        ),
        inputs=tuple(
            sorted((inputs[n] for n in {**wanted, **inputs}), key=lambda i: i.default is not None)
        ),
        parameters=tuple(
            parameters[n] for part in (record, *inners.values()) for n in part.parameter_names
        ),
    )
    return make_law(lambda given: combined(**given), whole, whole.summary)


def _in_order(inners: Mapping[str, Record]) -> list[str]:
    """The inputs in an order in which each inner law comes after those for what it takes, and so is
    given the runs'.

    Raises:
        JscaleError: there is no such order.
    """
    order, left = [], dict(inners)
    while left:
        free = next(
            (n for n, inner in left.items() if not (set(left) - {n}) & set(inner.input_names)), None
        )
        if free is None:
            pairs = " and ".join(f"{inner.name!r} for {name}" for name, inner in left.items())
            raise JscaleError(
                f"substitute: {pairs} each take what another of them computes; write one law of them"
            )
        order.append(free)
        del left[free]
    return order


def _check_together(inners: Mapping[str, Record]) -> None:
    """Refuse inner laws that bring one name with two meanings."""
    for (one, a), (other, b) in itertools.combinations(inners.items(), 2):
        ours, theirs = (
            {*each.parameter_names, *(n for n, _ in each.definitions)} for each in (a, b)
        )
        units = {i.name: i.unit for i in a.inputs}
        clash = ours & {*theirs, *b.input_names, other} | theirs & {*a.input_names, one}
        clash |= {i.name for i in b.inputs if units.get(i.name, i.unit) != i.unit}
        if clash:
            raise JscaleError(
                f"substitute: {a.name!r} for {one} and {b.name!r} for {other} both bring {', '.join(sorted(clash))}; "
                "expected names of their own"
            )


def _substituted(law: LawFunction, name: str, inner_law: LawFunction) -> LawFunction:
    """The law with one input computed by another law."""
    record, inner = describe(law), describe(inner_law)
    _check_names(record, name, inner)
    others = tuple(i for i in record.inputs if i.name not in {name, *inner.input_names})
    combined = replace(
        record,
        inputs=tuple(sorted((*inner.inputs, *others), key=lambda i: i.default is not None)),
        parameters=record.parameters + inner.parameters,
        published=_merged(record.published, inner.published),
        source=record.source
        if record.source == inner.source
        else f"{record.source}; {inner.source}",
        decreasing=tuple(i for i in record.decreasing if i in {o.name for o in others}),
        increasing=tuple(i for i in record.increasing if i in {o.name for o in others}),
        limits={},
        ridges=tuple(dict.fromkeys((*record.ridges, *inner.ridges))),
        traps=tuple(dict.fromkeys((*record.traps, *inner.traps))),
        functions={**record.functions, **inner.functions},
    )

    def composed(given: Mapping[str, Any]) -> Any:
        value = inner_law(**{k: given[k] for k in (*inner.input_names, *inner.parameter_names)})
        outer = {**given, name: value}
        return law(**{k: outer[k] for k in (*record.input_names, *record.parameter_names)})

    definitions = {**dict(inner.definitions), name: inner.formula}
    # Anchors know the runs' centre: where the runs have no column of the outer input, the inner
    # formula stands for it.
    anchors = {} if name in inner.input_names else {name: _written_out(inner)}
    return _rebuild(composed, combined, f"{name}={inner.name}", definitions, anchors)


def _check_input(record: Record, name: str, inner: Record) -> None:
    outer = {i.name: i for i in record.inputs}
    if name not in outer:
        raise JscaleError(
            f"law {record.name!r} has no input {name!r} (it has: {', '.join(record.input_names)})"
        )
    if inner.output.unit != outer[name].unit:
        raise JscaleError(
            f"law {record.name!r} takes {name} in {outer[name].unit}, law {inner.name!r} gives {inner.output.unit}"
        )


def _check_names(record: Record, name: str, inner: Record) -> None:
    pair, outer = f"{record.name!r} and {inner.name!r}", record.input_names
    if shared := set(record.parameter_names) & set(inner.parameter_names):
        raise JscaleError(f"{pair} share the parameter names {sorted(shared)}")
    # A name that one of them fixes, ties or abbreviates must not be an argument of the other.
    hidden = {k for k, _ in inner.definitions} & {*record.parameter_names, *(set(outer) - {name})}
    hidden |= set(inner.parameter_names) & set(outer) | set(inner.input_names) & set(
        record.parameter_names
    )
    if hidden:
        raise JscaleError(f"{pair} give {', '.join(sorted(hidden))} different meanings")


def _merged(outer: Mapping[str, Constants], inner: Mapping[str, Constants]) -> dict[str, Constants]:
    """The constants that one source gives for both laws."""
    return {
        k: replace(
            o, values={**o.values, **inner[k].values}, stderr={**o.stderr, **inner[k].stderr}
        )
        for k, o in outer.items()
        if k in inner
    }


def _written_out(record: Record) -> str:
    """The formula with its definitions put in."""
    text = record.formula
    for name, definition in reversed(record.definitions):
        text = expressions.rename(text, {name: definition})
    return text


def _require(record: Record, names: Mapping[str, Any]) -> None:
    if unknown := [str(n) for n in names if n not in record.parameter_names]:
        raise JscaleError(
            f"law {record.name!r} has no parameter {', '.join(sorted(unknown))} "
            f"(it has: {', '.join(record.parameter_names) or 'none'})"
        )


def _number(record: Record, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise JscaleError(
            f"law {record.name!r}: {name} must be one number, not {value!r}"
        ) from None


def _without(record: Record, names: set[str]) -> Record:
    """The record without some parameters, in the published constants too."""

    def kept(values: Mapping[str, float]) -> dict[str, float]:
        return {k: v for k, v in values.items() if k not in names}

    return replace(
        record,
        parameters=tuple(p for p in record.parameters if p.name not in names),
        published={
            k: replace(c, values=kept(c.values), stderr=kept(c.stderr))
            for k, c in record.published.items()
        },
    )


def _rebuild(
    evaluate: Callable[[Mapping[str, Any]], Any],
    record: Record,
    shown: str,
    definitions: Mapping[str, str],
    anchors: Mapping[str, str] | None = None,
) -> LawFunction:
    """A law that binds its arguments by name and hands them to ``evaluate``.

    Args:
        evaluate: arguments by name → value.
        record: with the inputs and parameters of the new law, and the name of the old one.
        shown: what was changed, for the name.
        definitions: new abbreviations, evaluated before those of ``record``.
        anchors: what the names in anchors stand for, ``definitions`` when not given.
    """
    replacements = definitions if anchors is None else anchors
    new = replace(
        record,
        name=f"{record.name}[{shown}]",
        parameters=tuple(_resolved(p, replacements) for p in record.parameters),
        definitions=(*definitions.items(), *record.definitions),
    )
    check_parameters(new)
    return make_law(evaluate, new, record.summary)


def _resolved(parameter: Parameter, replacements: Mapping[str, str]) -> Parameter:
    """The parameter with the names in its anchor replaced by what they stand for."""
    anchor = parameter.role.anchor
    if anchor is None:
        return parameter
    texts = {
        f: expressions.rename(getattr(anchor, f), replacements)
        for f in ("multiplies", "plus", "power")
    }
    return replace(parameter, role=replace(parameter.role, anchor=replace(anchor, **texts)))
