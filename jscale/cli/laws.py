"""``jscale laws``: the catalogue, the card of one law, and its value and gradient at a point."""

from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _options, _output, _parse
from jscale.cli._session import session

if TYPE_CHECKING:
    from jscale.laws import Constants, LawFunction, Record


def laws(
    name: _options.LAW_NAME = None,
    *,
    params: _options.PARAMS = None,
    at: _options.AT = None,
    latex: _options.LATEX = False,
    as_json: _options.AS_JSON = False,
    seed: _options.NO_SEED = 0,
    out: _options.OUT_JSON = None,
) -> None:
    """List the laws, show one, or evaluate one with its gradient."""
    if out is not None:
        _output.target(out)
    with session():
        if name is None:
            if at or latex or params:
                raise JscaleError("--at, --params and --latex need the name of a law")
            _list(as_json, out)
            return
        law = _inputs.law_of(name)
        if at and latex:
            raise JscaleError("--latex writes the law's formula: it does not go with --at")
        if at:
            _evaluate(law, params, at, as_json, out)
        elif params:
            raise JscaleError(
                "--params: say where to evaluate the law, such as --at N=7e10,D=1.4e12"
            )
        else:
            _card(law, latex, as_json, out)


def _list(as_json: bool, out: str | None) -> None:
    from jscale.laws import catalogue, describe

    records = [describe(law) for law in catalogue]
    _output.deliver({"laws": [summary(record) for record in records]}, as_json, out)
    if as_json:
        return
    for subject in dict.fromkeys(record.subject for record in records):
        rows = [
            (
                r.name,
                ", ".join(r.input_names),
                ", ".join(r.parameter_names),
                ", ".join(r.published) or "–",
            )
            for r in records
            if r.subject == subject
        ]
        _output.show(
            _output.table(
                ("law", "inputs", "parameters", "published constants"), rows, title=subject
            )
        )


def summary(record: "Record") -> dict[str, Any]:
    """A law as a JSON object; inputs, parameters and published sources are objects keyed by name."""
    return {
        "name": record.name,
        "subject": record.subject,
        "summary": record.summary,
        "inputs": {
            i.name: {"unit": i.unit, "meaning": i.role.meaning, "required": i.default is None}
            for i in record.inputs
        },
        "parameters": {
            p.name: {
                "unit": p.unit,
                "meaning": p.role.meaning,
                "support": str(p.support),
                "prior": str(p.role.prior),
                "start": p.role.start,
                "coordinate": p.coordinate,
            }
            for p in record.parameters
        },
        "published": {
            source: _constants(constants) for source, constants in record.published.items()
        },
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
    from jscale.laws import CONFIDENCE, describe
    from jscale.report.notation import details, latex_lines
    from jscale.runs import columns_of

    record = describe(law)
    payload = summary(record)
    if latex:
        payload["latex"] = latex_lines(record)
    _output.deliver(payload, as_json, out)
    if as_json:
        return
    if latex:
        _output.show(*payload["latex"])
        return
    _output.show(f"{record.name}: {record.summary}", f"\n  {record.formula}")
    _output.show(*(f"  {symbol} = {text}" for symbol, text in record.definitions))
    if more := details(law):
        _output.show(f"\n{more}")
    columns = columns_of(law)
    inputs = [
        (
            " or ".join(columns[i.name]),
            i.unit,
            i.role.meaning,
            "" if i.default is None else f"{i.default:g} when left out",
        )
        for i in record.inputs
    ]
    headers = ("column", "unit", "meaning", "")
    _output.show(_output.table(headers, inputs, title="\ninputs, from the columns of the runs"))
    parameters = [
        (
            name,
            p["unit"],
            p["meaning"],
            p["support"],
            p["prior"],
            "{:g} to {:g}".format(*p["start"]),
            p["coordinate"],
        )
        for name, p in payload["parameters"].items()
    ]
    headers = (
        "name",
        "unit",
        "meaning",
        "support",
        "prior of …",
        "start of …",
        "… this, at the centre of the runs",
    )
    _output.show(_output.table(headers, parameters, title="parameters"))
    for source, constants in record.published.items():
        values = [
            (name, f"{value:.10g}", _error(constants, name))
            for name, value in constants.values.items()
        ]
        code = constants.confidence
        title = f"{source}: {constants.source} [{code}: {CONFIDENCE[code]}]"
        _output.show(_output.table(("name", "value", "stderr"), values, title=title, right="lrr"))
        if constants.note:
            _output.show(f"  {constants.note}\n")
    _output.show(*_remarks(record))


def _remarks(record: "Record") -> list[str]:
    """What is known of a law beside its numbers, a line each."""
    from jscale.report.notation import returns

    lines = [returns(record), f"source: {record.source}"]
    for words, names in (
        ("never grows with", record.decreasing),
        ("never falls with", record.increasing),
    ):
        lines += [f"{words} {', '.join(names)}"] if names else []
    lines += [f"limit: {text} at {where}" for where, text in record.limits.items()]
    lines += [f"ridge: {ridge}" for ridge in record.ridges]
    return lines + [f"mind: {trap}" for trap in record.traps]


def _error(constants: "Constants", name: str) -> str:
    return f"{constants.stderr[name]:g}" if name in constants.stderr else ""


def _evaluate(
    law: "LawFunction", params: str | None, at: list[str], as_json: bool, out: str | None
) -> None:
    from jscale.laws import describe

    record = describe(law)
    values = {**_point(record, at), **_inputs.params_of(law, params)}
    value, gradient = value_and_gradient(law, values)
    payload = _output.plain({"value": value, "gradient": gradient})
    payload["status"] = (
        "finite" if payload["value"] is not None else "outside the domain of the law"
    )
    _output.deliver(payload, as_json, out)
    if not as_json:
        _output.show(f"{record.name} = {_output.figures(value, 10)} {record.output.unit}")
        rows = [(f"d/d{name}", _output.figures(slope, 10)) for name, slope in gradient.items()]
        _output.show(_output.table(("derivative by", "value"), rows, right="lr"))


def value_and_gradient(
    law: "LawFunction", values: dict[str, float]
) -> tuple[float, dict[str, float]]:
    """The value of a law, and its derivative by every input and parameter, in float64."""
    import jax
    import jax.numpy as jnp

    # Compiled in one piece: operation by operation, start-up would take longer than the sum.
    both = jax.jit(jax.value_and_grad(lambda named: jnp.asarray(law(**named))))
    value, gradient = both({name: jnp.asarray(number) for name, number in values.items()})
    return float(value), {name: float(gradient[name]) for name in values}


def _point(record: "Record", at: list[str]) -> dict[str, float]:
    """The inputs of a law from ``--at``, with its defaults.

    Raises:
        JscaleError: an input is missing, unknown, or cannot be what was given.
    """
    from jscale.laws.declaration import sum_label, sum_of_parts

    given = _parse.values(at, "--at", "N=7e10,D=1.4e12")
    if unknown := [name for name in given if name not in record.input_names]:
        raise JscaleError(
            f"--at: law {record.name!r} has no input {', '.join(unknown)} (it has: {', '.join(record.input_names)})"
        )
    point: dict[str, float] = {}
    for wanted in record.inputs:
        value = given.get(wanted.name, wanted.default)
        if value is None:
            raise JscaleError(
                f"--at: law {record.name!r} also needs {wanted.name}, in {wanted.unit}"
            )
        if value != wanted.default and not wanted.role.allows(value):
            raise JscaleError(f"--at: {wanted.name} = {value:g}: expected {wanted.role.expected}")
        point[wanted.name] = value
    if (found := sum_of_parts(record, point)) and found.wrong:
        raise JscaleError(
            f"--at: {sum_label(found.names)} = {found.total:g}: expected parts of one whole, together {found.expected}"
        )
    return point
