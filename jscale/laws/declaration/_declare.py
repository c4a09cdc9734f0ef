"""``@law``: a law is declared once, in its own signature."""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.laws.declaration._check import check
from jscale.laws.declaration._record import Constants, Input, Parameter, Record
from jscale.laws.roles import Role, adjust

F = TypeVar("F", bound=Callable[..., Any])
LawFunction = Callable[..., Any]
"""A law: inputs first (positional), parameters by keyword; carries its :class:`Record`."""

_ATTRIBUTE = "__jscale_record__"


def law(
    *,
    formula: str,
    source: str,
    published: Mapping[str, Constants] | None = None,
    where: Mapping[str, str] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    decreasing: Iterable[str] = (),
    increasing: Iterable[str] = (),
    limits: Mapping[str, str] | None = None,
    ridges: Iterable[str] = (),
    traps: Iterable[str] = (),
) -> Callable[[F], F]:
    """Declare a scaling law: the function itself, with a :class:`Record` of its signature attached.

    Inputs are the positional arguments, parameters the keyword-only ones; each is annotated with a
    role.

    Args:
        formula: the value as text, in the names of the signature and of ``where``.
        source: paper and equation number.
        published: short name → :func:`constants`.
        where: abbreviations used in ``formula``, in order of evaluation.
        functions: that ``formula`` calls by name.
        decreasing: inputs in which the value never grows.
        increasing: inputs in which the value never falls.
        limits: at the edges of the domain, ``"N = inf, D = inf"`` → the value there, as a formula;
            everything else is finite.
        ridges: sentences on parameter trade-offs: which parameters are nearly collinear, and when.
        traps: sentences on pitfalls, for the law's card.

    Raises:
        JscaleError: an argument without a role, a published set that names other parameters, or a
            formula that cannot be parsed or uses a name that is not in the signature.

    Example:
        >>> from jscale.laws import describe, law
        >>> from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient
        >>> @law(formula="E + A * N**-alpha", source="this example", limits={"N = inf": "E"})
        ... def mine(N: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
        ...     '''Loss of an N-parameter model, nats per token.'''
        ...     return E + A * N**-alpha
        ...
        >>> describe(mine).parameter_names
        ('E', 'A', 'alpha')
        >>> round(mine(1e9, E=1.69, A=406.4, alpha=0.34), 3)
        2.044
    """

    def declare(function: F) -> F:
        inputs, parameters, output = _read(function)
        record = Record(
            name=function.__name__,
            summary=_summary(inspect.getdoc(function) or ""),
            subject=(function.__module__ or "user").rsplit(".", 1)[-1].removeprefix("_"),
            inputs=inputs,
            parameters=parameters,
            output=output,
            formula=formula,
            definitions=tuple((where or {}).items()),
            published=dict(published or {}),
            source=source,
            decreasing=tuple(decreasing),
            increasing=tuple(increasing),
            limits=dict(limits or {}),
            ridges=tuple(ridges),
            traps=tuple(traps),
            functions=dict(functions or {}),
        )
        check(record)
        return attach(function, record)

    return declare


def member(
    evaluate: Callable[[Mapping[str, Any]], Any],
    *,
    name: str,
    doc: str,
    subject: str,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    output: Any,
    formula: str,
    source: str,
    where: Mapping[str, str] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    **more: Any,
) -> LawFunction:
    """A law with a variable number of parts, such as breaks, sources or domains.

    Every part has inputs and parameters of its own (``d_1``, ``d_2`` …), so that the runs have a
    column for each, and draws, priors, ``fix`` and ``tie`` work as for any other law.

    Args:
        evaluate: inputs and parameters by name → the value.
        name: of the law, such as ``bnsl(2)``.
        doc: docstring.
        subject: the chapter of the catalogue.
        inputs: name → role, in positional order; a pair (role, default) for an optional input.
        parameters: name → role, in order.
        output: role of the value.
        formula: as for :func:`law`.
        source: as for :func:`law`.
        where: as for :func:`law`.
        functions: that ``formula`` calls by name.
        **more: published, decreasing, increasing, limits, ridges and traps, as for :func:`law`.

    Raises:
        JscaleError: as for :func:`law`.

    Example:
        >>> from jscale import laws
        >>> from jscale.laws.roles import Exponent, Loss, Resource
        >>> law = laws.member(
        ...     lambda values: values["x"] ** -values["c"],
        ...     name="decay",
        ...     doc="Loss of a model, nats per token.",
        ...     subject="user",
        ...     inputs={"x": Resource},
        ...     parameters={"c": Exponent},
        ...     output=Loss,
        ...     formula="x**-c",
        ...     source="this example",
        ... )
        >>> law(100.0, c=0.5)
        0.1
    """
    record = Record(
        name=name,
        summary=_summary(doc),
        subject=subject,
        inputs=tuple(_input(name, label, hint) for label, hint in inputs.items()),
        parameters=tuple(
            Parameter(label, _role(name, label, hint)) for label, hint in parameters.items()
        ),
        output=_role(name, "return", output),
        formula=formula,
        definitions=tuple((where or {}).items()),
        published=dict(more.pop("published", {})),
        source=source,
        limits=dict(more.pop("limits", {})),
        functions=dict(functions or {}),
        **{
            key: tuple(more.pop(key, ())) for key in ("decreasing", "increasing", "ridges", "traps")
        },
    )
    if more:
        raise JscaleError(f"law {name!r}: {enumerated(sorted(more))} cannot be declared")
    check(record)
    return make_law(evaluate, record, doc)


def make_law(evaluate: Callable[[Mapping[str, Any]], Any], record: Record, doc: str) -> LawFunction:
    """A law with the signature of ``record`` that passes its arguments to ``evaluate`` by name."""
    signature = _signature(record)

    def function(*args: Any, **kwargs: Any) -> Any:
        # A TypeError names the argument that is missing or unknown.
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return evaluate(bound.arguments)

    function.__name__ = function.__qualname__ = record.name
    function.__doc__ = doc
    function.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return attach(function, record)


def _signature(record: Record) -> inspect.Signature:
    inputs = [
        inspect.Parameter(
            i.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if i.default is None else i.default,
        )
        for i in record.inputs
    ]
    parameters = [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in record.parameter_names
    ]
    return inspect.Signature([*inputs, *parameters])


def _summary(doc: str) -> str:
    return inspect.cleandoc(doc).split("\n\n")[0].replace("\n", " ")


def _input(law: str, name: str, hint: Any) -> Input:
    hint, default = hint if isinstance(hint, tuple) else (hint, None)
    return Input(name, _role(law, name, hint), default)


def attach(function: F, record: Record) -> F:
    """``function`` with ``record`` attached."""
    setattr(function, _ATTRIBUTE, record)
    return function


def is_law(value: Any) -> bool:
    """Whether ``value`` was declared with ``@law``."""
    return callable(value) and hasattr(value, _ATTRIBUTE)


def describe(law: LawFunction) -> Record:
    """The record of a law.

    Raises:
        JscaleError: ``law`` was not declared with ``@law``.

    Example:
        >>> from jscale import laws
        >>> record = laws.describe(laws.chinchilla)
        >>> record.formula
        'E + A / N**alpha + B / D**beta'
        >>> record.input_names, record.parameter_names
        (('N', 'D'), ('E', 'A', 'B', 'alpha', 'beta'))
    """
    record = getattr(law, _ATTRIBUTE, None)
    if isinstance(law, str):
        call = f"laws.get({shown(law)})"
        raise JscaleError(f": {shown(law)} is a name, not a law; expected {call}", argument="law")
    if record is None:
        raise JscaleError(
            f"{getattr(law, '__name__', law)!r} is not a declared law: "
            "decorate it with @jscale.laws.law"
        )
    return record


def params(law: LawFunction | str, source: str | None = None) -> dict[str, float]:
    """The published constants of a law, or of the law of a name, as a plain dict.

    Args:
        law: a declared law, or its name in the catalogue.
        source: of the constants; the first set by default.

    Raises:
        JscaleError: the law has no such published set; the message lists those that it has.

    Example:
        >>> from jscale import laws
        >>> laws.params(laws.chinchilla, "hoffmann2022_rounded")
        {'E': 1.69, 'A': 406.4, 'B': 410.7, 'alpha': 0.34, 'beta': 0.28}
    """
    if isinstance(law, str):
        from jscale.laws import get  # the catalogue consists of declarations

        law = get(law)
    record = describe(law)
    known = enumerated(record.published)
    if source is None:
        if not record.published:
            raise JscaleError(f"law {record.name!r} has no published constants; fit it to runs")
        source = next(iter(record.published))
    if source not in record.published:
        hint = did_you_mean(source, record.published)
        raise JscaleError(
            f"law {record.name!r} has no published constants {shown(source)} (it has: "
            f"{known}){hint}"
        )
    return dict(record.published[source].values)


def _read(function: Callable) -> tuple[tuple[Input, ...], tuple[Parameter, ...], Role]:
    """Inputs, parameters and output of a function's signature."""
    hints = typing.get_type_hints(function, include_extras=True)
    inputs, parameters = [], []
    for argument in inspect.signature(function).parameters.values():
        role = _role(function.__name__, argument.name, hints.get(argument.name))
        if argument.kind is inspect.Parameter.KEYWORD_ONLY:
            parameters.append(Parameter(argument.name, role))
        elif argument.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and role.prior is not None:
            raise JscaleError(
                f"law {function.__name__!r}: {argument.name!r} has the role of a parameter "
                f"({role.name}); parameters stand behind the *, inputs before it"
            )
        elif argument.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            inputs.append(Input(argument.name, role, _default(function, argument)))
        else:
            raise JscaleError(
                f"law {function.__name__!r}: {argument} must be an argument that can be given by "
                "name"
            )
    return tuple(inputs), tuple(parameters), _role(function.__name__, "return", hints.get("return"))


def _default(function: Callable, argument: inspect.Parameter) -> float | None:
    if argument.default is inspect.Parameter.empty:
        return None
    if not isinstance(argument.default, int | float):
        raise JscaleError(
            f"law {function.__name__!r}: the default of {argument.name!r} must be a number, "
            f"not {shown(argument.default)}"
        )
    return float(argument.default)


def _role(law: str, name: str, hint: Any) -> Role:
    metadata = getattr(hint, "__metadata__", ())
    roles = [m for m in metadata if isinstance(m, Role)]
    if not roles:
        raise JscaleError(
            f"law {law!r}: {shown(name)} has no role; annotate it with one of jscale.laws.roles"
        )
    role = roles[-1]
    for change in metadata:
        if isinstance(change, adjust):
            role = change.apply(role)
    return role
