"""Laws made from laws: constants fixed, parameters tied, an input replaced by another law."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jscale._core import expressions
from jscale._core.errors import JscaleError
from jscale.laws._declare import Constants, LawFunction, Parameter, Record, attach, describe


def fix(law: LawFunction, **values: float) -> LawFunction:
    """The law with some parameters held at given values.

    Args:
        law: a declared law.
        **values: parameter → value, in the parameter's unit.

    Raises:
        JscaleError: a name that is not a parameter, or a value outside its support.
    """
    record = describe(law)
    _require(record, values)
    for p in record.parameters:
        # The edge itself is allowed: fixing E = 0 or a robustness at 0 switches a term off.
        if p.name in values and not p.support.lower <= values[p.name] <= p.support.upper:
            raise JscaleError(f"law {record.name!r}: {p.name} = {values[p.name]} lies outside its support, {p.support}")

    def fixed(*args: Any, **kwargs: Any) -> Any:
        return law(*args, **values, **kwargs)

    shown = ", ".join(f"{k}={v:g}" for k, v in values.items())
    definitions = tuple((k, repr(float(v))) for k, v in values.items())
    return _rebuild(fixed, record, shown, drop=set(values), definitions=definitions)


def tie(law: LawFunction, **names: str) -> LawFunction:
    """The law with some parameters equal to others: ``tie(chinchilla, beta="alpha")``.

    Raises:
        JscaleError: a name that is not a parameter, or a parameter tied to a tied one.
    """
    record = describe(law)
    _require(record, names)
    _require(record, dict.fromkeys(names.values()))
    if chained := set(names) & set(names.values()):
        raise JscaleError(f"law {record.name!r}: {', '.join(sorted(chained))} cannot be tied and be tied to")

    def tied(*args: Any, **kwargs: Any) -> Any:
        return law(*args, **{k: kwargs[v] for k, v in names.items()}, **kwargs)

    shown = ", ".join(f"{k}={v}" for k, v in names.items())
    return _rebuild(tied, record, shown, drop=set(names), definitions=tuple(names.items()))


def substitute(law: LawFunction, **laws: LawFunction) -> LawFunction:
    """The law with an input computed by another law.

    ``substitute(chinchilla, N=effective_parameters)`` is Chinchilla's law at low precision: it takes the inputs and
    parameters of both, and ``N`` of the outer law is the value of the inner one.

    Args:
        law: the outer law.
        **laws: one ``input=inner`` pair.

    Raises:
        JscaleError: not exactly one pair, an unknown input, or a parameter that both laws have.
    """
    record = describe(law)
    if len(laws) != 1:
        raise JscaleError("substitute takes exactly one input=law pair")
    ((name, inner_law),) = laws.items()
    inner = describe(inner_law)
    if name not in record.input_names:
        raise JscaleError(f"law {record.name!r} has no input {name!r} (it has: {', '.join(record.input_names)})")
    if shared := set(record.parameter_names) & set(inner.parameter_names):
        raise JscaleError(f"{record.name!r} and {inner.name!r} share the parameter names {sorted(shared)}")
    inputs = inner.inputs + tuple(i for i in record.inputs if i.name not in {name, *inner.input_names})
    inputs = tuple(sorted(inputs, key=lambda i: i.default is not None))

    def composed(*args: Any, **kwargs: Any) -> Any:
        values = {**dict(zip((i.name for i in inputs), args, strict=False)), **kwargs}
        values = {**{i.name: i.default for i in inputs if i.default is not None}, **values}
        value = inner_law(**{k: values[k] for k in (*inner.input_names, *inner.parameter_names)})
        outer = {**values, name: value}
        return law(**{k: outer[k] for k in (*record.input_names, *record.parameter_names)})

    combined = replace(
        record,
        inputs=inputs,
        parameters=record.parameters + inner.parameters,
        published=_merged(record.published, inner.published),
        decreasing=tuple(i for i in record.decreasing if i != name),
    )
    shown = f"{name}={inner.name}"
    return _rebuild(composed, combined, shown, definitions=(*inner.definitions, (name, inner.formula)))


def _merged(outer: Mapping[str, Constants], inner: Mapping[str, Constants]) -> dict[str, Constants]:
    both = [k for k in outer if k in inner]
    return {k: replace(outer[k], values={**outer[k].values, **inner[k].values}) for k in both}


def _require(record: Record, names: Mapping[str, Any]) -> None:
    if unknown := set(names) - set(record.parameter_names):
        raise JscaleError(
            f"law {record.name!r} has no parameter {', '.join(sorted(unknown))} "
            f"(it has: {', '.join(record.parameter_names)})"
        )


def _rebuild(
    function: Callable[..., Any],
    record: Record,
    shown: str,
    *,
    drop: set[str] = frozenset(),  # pyright: ignore[reportArgumentType]
    definitions: tuple[tuple[str, str], ...] = (),
) -> LawFunction:
    """``function`` with a changed record, a name that says what was changed, and a signature of its own."""
    kept = tuple(_resolved(p, dict(definitions)) for p in record.parameters if p.name not in drop)
    published = {
        k: replace(c, values={n: v for n, v in c.values.items() if n not in drop}) for k, c in record.published.items()
    }
    new = replace(
        record,
        name=f"{record.name}[{shown}]",
        parameters=kept,
        definitions=(*definitions, *record.definitions),
        published=published,
    )
    function.__name__ = function.__qualname__ = new.name
    function.__doc__ = record.summary
    positional = [
        inspect.Parameter(
            i.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if i.default is None else i.default,
        )
        for i in new.inputs
    ]
    keyword = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in new.parameter_names]
    function.__signature__ = inspect.Signature([*positional, *keyword])  # pyright: ignore[reportFunctionMemberAccess]
    return attach(function, new)


def _resolved(parameter: Parameter, definitions: dict[str, str]) -> Parameter:
    """The parameter with fixed and tied names in its anchor replaced by what they stand for."""
    anchor = parameter.role.anchor
    if anchor is None:
        return parameter
    texts = {f: expressions.rename(getattr(anchor, f), definitions) for f in ("multiplies", "plus", "power")}
    return replace(parameter, role=replace(parameter.role, anchor=replace(anchor, **texts)))
