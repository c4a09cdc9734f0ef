"""``jscale laws``: the catalogue, the card of one law, and its value and gradient at a point."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale.cli.screen import Prose
from jscale.cli.support import flags, inputs, options, output, parsing
from jscale.cli.support.session import session

if TYPE_CHECKING:
    from jscale.laws import Constants, LawFunction, Record
    from jscale.report.notation import Card


LAW_NAME = Annotated[
    str | None,
    typer.Argument(help="Show the card of this law.", metavar="NAME", show_default=False),
]
AT = Annotated[
    list[str] | None,
    options.option(
        "--at", help="Print value and gradient at these inputs: N=70B,D=1.4T.", metavar="NAME=VALUE"
    ),
]
FOR = Annotated[
    str | None,
    options.option(
        "--for",
        help="List the laws that the columns and the number of runs of this table allow.",
        metavar="RUNS",
    ),
]
LATEX = Annotated[bool, typer.Option("--latex", help="Print the formula as LaTeX.")]


def laws(
    name: LAW_NAME = None,
    *,
    params: options.PARAMS = None,
    at: AT = None,
    latex: LATEX = False,
    table: FOR = None,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: options.OUT_JSON = None,
) -> None:
    """List the laws, show one, or evaluate one with its gradient."""
    if out is not None:
        output.target(out, inputs=[params, table])
    with session():
        if name is None:
            flags.refuse("at", "params", "latex", reason="without the NAME of a law")
            _list(table, as_json, out)
            return
        flags.refuse("table", reason="with the NAME of a law")
        law = inputs.law_of(name)
        if at is not None:
            flags.refuse("latex", reason="with --at, which evaluates the law")
            _evaluate(law, params, at, as_json, out)
        else:
            flags.refuse("params", reason="without --at, such as --at N=7e10,D=1.4e12")
            _card(law, latex, as_json, out)


def _list(table: str | None, as_json: bool, out: str | None) -> None:
    """Print the catalogue, or the laws for a table, one table a subject, or as JSON."""
    from jscale.laws import catalogue, describe

    unfit = {} if table is None else _unfit(table)
    records = [describe(law) for law in catalogue]
    listed = [record for record in records if record.name not in unfit]
    payload: dict[str, Any] = {"laws": [summary(record) for record in listed]}
    if table is not None:
        payload["others"] = unfit
    output.deliver(payload, as_json, out)
    if as_json:
        return

    by_subject: dict[str, list[Record]] = {}
    for record in listed:
        by_subject.setdefault(record.subject, []).append(record)
    headers = ("law", "inputs", "what it is for")
    for subject, group in by_subject.items():
        rows = [(r.name, ", ".join(r.input_names), _purpose(r)) for r in group]
        title = subject.replace("_", " ")
        output.show(output.table(headers, rows, title=title, unbroken=("law",)))
    if table is not None:
        output.show(f"{len(unfit)} other laws need other columns, or more runs than these")


def _purpose(record: "Record") -> str:
    """What a law is for, without the unit that most laws share."""
    return _plain(record.summary).rstrip(".").removesuffix(", nats per token")


def _plain(text: str) -> str:
    """A text of a docstring without the marks around its names."""
    return text.replace("`", "")


def _unfit(source: str) -> dict[str, str]:
    """Law → why a table cannot be fitted with it."""
    from jscale import runs
    from jscale.laws import catalogue, describe

    table = inputs.table_of(source)
    reasons = {}
    for law in catalogue:
        record = describe(law)
        try:
            data = runs.select(table, law)
        except JscaleError as error:
            reasons[record.name] = str(error)
            continue
        assumed = [i.name for i in record.inputs if i.default is not None or i.role.name == "bits"]
        if len(data) < len(record.parameters):
            reasons[record.name] = f"{len(data)} runs for {len(record.parameters)} parameters"
        elif assumed and all(len(set(data.inputs[name].tolist())) == 1 for name in assumed):
            reasons[record.name] = f"{', '.join(assumed)} do not vary"
    return reasons


def summary(record: "Record") -> dict[str, Any]:
    """A law as a JSON object; inputs, parameters and published sources are keyed by name."""
    inputs = {
        i.name: {"unit": i.unit, "meaning": i.role.meaning, "required": i.default is None}
        for i in record.inputs
    }
    parameters = {
        p.name: {
            "unit": p.unit,
            "meaning": p.role.meaning,
            "support": str(p.support),
            "prior": str(p.role.prior),
            "start": p.role.start,
            "coordinate": p.coordinate,
        }
        for p in record.parameters
    }
    published = {source: _constants(constants) for source, constants in record.published.items()}
    return {
        "name": record.name,
        "subject": record.subject,
        "summary": record.summary,
        "inputs": inputs,
        "parameters": parameters,
        "published": published,
        "formula": record.formula,
        "where": dict(record.definitions),
        "output": {"unit": record.output.unit, "meaning": record.output.meaning},
        "decreasing": record.decreasing,
        "increasing": record.increasing,
        "limits": dict(record.limits),
        "ridges": record.ridges,
        "source": record.source,
        "traps": record.traps,
    }


def _constants(constants: "Constants") -> dict[str, Any]:
    return {
        "values": constants.values,
        "source": constants.source,
        "confidence": constants.confidence,
        "stderr": constants.stderr,
        "note": constants.note,
    }


def _card(law: "LawFunction", latex: bool, as_json: bool, out: str | None) -> None:
    from jscale.report.notation import card, latex_lines

    content = card(law)
    payload = summary(content.record)
    if latex:
        payload["latex"] = latex_lines(content.record)
    output.deliver(payload, as_json, out)
    if as_json:
        return
    if latex:
        output.show(*payload["latex"])
        return
    _show_card(content)


def _show_card(content: "Card") -> None:
    """Print a law's card: formula, inputs, parameters, published constants, further facts."""
    record = content.record
    output.show(Prose(f"{record.name}: {_plain(record.summary)}"))
    output.show(Prose(f"  {record.formula}", hang=4))
    output.show(*(Prose(f"  {symbol} = {text}", hang=4) for symbol, text in record.definitions))
    if content.details:
        output.show(Prose(_plain(content.details)))

    inputs = [
        (
            " or ".join(row.columns),
            row.unit,
            row.meaning,
            "" if row.default is None else f"{row.default:g} when left out",
        )
        for row in content.inputs
    ]
    headers = ("column", "unit", "meaning", "")
    output.show(output.table(headers, inputs, title="\ninputs, from the columns of the runs"))

    parameters = [
        (
            row.name,
            row.unit,
            row.meaning,
            row.support,
            row.prior,
            "" if row.start is None else "{:g} to {:g}".format(*row.start),
            row.coordinate,
        )
        for row in content.parameters
    ]
    headers = (
        "name",
        "unit",
        "meaning",
        "support",
        "prior",
        "start range",
        "coordinate",
    )
    output.show(output.table(headers, parameters, title="parameters"))
    output.show("prior and start range are those of the coordinate, at the centre of the runs", "")

    for source, constants in record.published.items():
        _show_constants(source, constants)
    facts = content.facts()
    for kind in ("returns", "source", "monotone", "limits", "ridges", "traps"):
        output.show(*(Prose(fact, hang=2) for fact in facts[kind]))


def _show_constants(source: str, constants: "Constants") -> None:
    """Print a published set of constants."""
    from jscale.laws import CONFIDENCE

    rows = [
        (name, _short(value), _error(constants, name)) for name, value in constants.values.items()
    ]
    code = constants.confidence
    title = f"{source}: {constants.source} [confidence {code}: {CONFIDENCE[code]}]"
    output.show(output.table(("name", "value", "stderr"), rows, title=title, right="lrr"))
    if constants.note:
        output.show(Prose(f"  {constants.note}", hang=2))


def _error(constants: "Constants", name: str) -> str:
    return _short(constants.stderr[name]) if name in constants.stderr else ""


def _short(value: float) -> str:
    """A published number with all its digits."""
    return output.with_power(f"{value:.10g}")


def _evaluate(
    law: "LawFunction", params: str | None, at: list[str], as_json: bool, out: str | None
) -> None:
    """Print the value of a law and its gradient, as a table or as JSON."""
    from jscale.laws import describe

    record = describe(law)
    values = {**_point(record, at), **inputs.params_of(law, params)}
    value, gradient = value_and_gradient(law, values)

    payload = output.plain({"value": value, "gradient": gradient})
    finite = payload["value"] is not None
    payload["status"] = "finite" if finite else "outside the domain of the law"
    output.deliver(payload, as_json, out)
    if not as_json:
        output.show(f"{record.name} = {output.figures(value, 10)} {record.output.unit}")
        rows = [(f"d/d{name}", output.figures(slope, 10)) for name, slope in gradient.items()]
        output.show(output.table(("derivative by", "value"), rows, right="lr"))


def value_and_gradient(
    law: "LawFunction", values: dict[str, float]
) -> tuple[float, dict[str, float]]:
    """The value of a law, and its derivative by every input and parameter, in float64.

    Args:
        law: the law.
        values: every input and parameter by name.

    Returns:
        The value in the law's unit, and name → derivative.
    """
    import jax
    import jax.numpy as jnp

    # One compiled program: operation by operation, start-up would cost more than the evaluation.
    both = jax.jit(jax.value_and_grad(lambda named: jnp.asarray(law(**named))))
    value, gradient = both({name: jnp.asarray(number) for name, number in values.items()})
    return float(value), {name: float(gradient[name]) for name in values}


def _point(record: "Record", at: list[str]) -> dict[str, float]:
    """The inputs of a law from ``--at``, with its defaults.

    Raises:
        JscaleError: an input is missing, unknown or out of range.
    """
    from jscale.laws.declaration import sum_label, sum_of_parts

    values = parsing.values(at, "--at", "N=7e10,D=1.4e12")
    if unknown := [name for name in values if name not in record.input_names]:
        known = ", ".join(record.input_names)
        raise JscaleError(
            f"--at: law {record.name!r} has no input {', '.join(unknown)} (it has: {known})"
        )

    point: dict[str, float] = {}
    for declared in record.inputs:
        value = values.get(declared.name, declared.default)
        if value is None:
            raise JscaleError(
                f"--at: law {record.name!r} also needs {declared.name}, in {declared.unit}"
            )
        if value != declared.default and not declared.role.allows(value):
            raise JscaleError(
                f"--at: {declared.name} = {value:g}: expected {declared.role.expected}"
            )
        point[declared.name] = value

    shares = sum_of_parts(record, point)
    if shares and shares.invalid:
        raise JscaleError(
            f"--at: {sum_label(shares.names)} = {shares.total:g}: expected parts of one whole, "
            f"together {shares.expected}"
        )
    return point
