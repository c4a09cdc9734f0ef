"""The points of a forecast: inputs checked against the law, as columns of one length."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, general, shown
from jscale.laws import Input, LawFunction, Record, describe
from jscale.laws.declaration import require_compilable, sum_label, sum_of_parts
from jscale.runs.reading import KNOWN

_EXAMPLES = {"N": "7e10", "D": "1.4e12", "C": "5.88e23"}
"""Values of an example in a message; of other inputs the typical one."""


def checked_inputs(law: LawFunction, inputs: Any) -> dict[str, np.ndarray]:
    """The inputs of a forecast as float64 columns of one length.

    Args:
        law: a declared law.
        inputs: input name → number or (points,) numbers; inputs with a default may be left out.

    Returns:
        Input → (points,), in the order of the law; without those that were left out.

    Raises:
        JscaleError: an input is unknown, missing, not one number a point or outside the domain of
            the law; lengths differ; or there is no point.
    """
    record = describe(law)
    if not isinstance(inputs, Mapping):
        message = f": expected a dict such as {{{example(record, pairs=': ')}}}"
        raise JscaleError(f"{message}, not {shown(inputs)}", argument="inputs")
    _check_names(record, inputs)

    declared = [each for each in record.inputs if each.name in inputs]
    columns = {each.name: _column(each, inputs[each.name]) for each in declared}
    lengths = {name: len(column) for name, column in columns.items() if len(column) != 1}
    if len(set(lengths.values())) > 1:
        counts = enumerated(f"{name} {length:,}" for name, length in lengths.items())
        raise JscaleError(
            f": the numbers of values differ ({counts}); expected one length", argument="inputs"
        )
    points = next(iter(lengths.values()), 1)
    if not points:
        raise JscaleError(": there is no point; expected at least one", argument="inputs")

    columns = {name: np.broadcast_to(column, points) for name, column in columns.items()}
    for each in declared:
        _check_domain(each, columns[each.name])
    _check_shares(record, columns)
    require_compilable(law, all_inputs(law, columns))
    return columns


def all_inputs(law: LawFunction, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every input of a law as (points,), those that were left out at their defaults."""
    points = len(next(iter(columns.values()))) if columns else 1
    return {
        each.name: columns[each.name]
        if each.name in columns
        else np.full(points, each.default, np.float64)
        for each in describe(law).inputs
    }


def example(record: Record, *, pairs: str = "=", separator: str = ",") -> str:
    """Values of the required inputs of a law, for messages: ``N=7e10,D=1.4e12``.

    Args:
        record: of the law.
        pairs: what stands between a name and its value; with ``": "`` names are quoted, as in a
            dict.
        separator: what stands between two inputs.
    """
    required = [each for each in record.inputs if each.default is None] or list(record.inputs[:1])
    parts = [each for each in required if each.role.parts]
    texts = []
    for each in required:
        if each.role.parts:
            value = general(1 / (len(parts) + (each.role.parts == "some")), 4)
        else:
            typical = each.role.typical if each.role.typical is not None else 1.0
            value = _EXAMPLES.get(each.name, general(typical, 3))
        name = repr(each.name) if pairs == ": " else each.name
        texts.append(f"{name}{pairs}{value}")
    return (", " if pairs == ": " else separator).join(texts)


def _check_names(record: Record, inputs: Mapping[Any, Any]) -> None:
    takes = f": law {record.name!r} takes {enumerated(record.input_names)}"
    for name in inputs:
        if name not in record.input_names:
            hint = _near_input(record, str(name))
            raise JscaleError(f"{takes}, not {shown(name)}{hint}", argument="inputs")
    missing = [each for each in record.inputs if each.default is None and each.name not in inputs]
    if missing:
        names = enumerated(f"{each.name} ({each.unit})" for each in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise JscaleError(f"{takes}; {names} {verb} missing", argument="inputs")


def _near_input(record: Record, name: str) -> str:
    """The end of a message about an unknown input: the nearest one by name, or by a column's."""
    names = {known: known for known in record.input_names}
    for each in record.inputs:
        column = KNOWN.get(each.name)
        names |= dict.fromkeys(column.aliases, each.name) if column else {}
    hint = did_you_mean(name, names)
    close = hint.rpartition(" '")[2].removesuffix("'?")
    return f"; did you mean {names[close]!r}?" if close in names else ""


def _column(each: Input, value: Any) -> np.ndarray:
    """The values of an input, (points,) or (1,)."""
    expected = f"expected {each.role.expected}"
    try:
        column = np.asarray(value)
        is_number = column.dtype != bool and column.dtype.kind in "iuf"
        # Integers beyond 64 bits are Python objects in a numpy array.
        if column.dtype == object and all(type(x) in (int, float) for x in column.ravel()):
            is_number = True
        column = np.asarray(value, np.float64) if is_number else column
    except (OverflowError, ValueError, TypeError):
        is_number = False
        column = np.empty(0)
    if not is_number:
        raise JscaleError(f": {each.name}: {expected}, not {shown(value)}", argument="inputs")
    if column.ndim > 1:
        raise JscaleError(
            f": {each.name} is an array of shape {column.shape}; "
            "expected one number a point, in an array of shape (points,)",
            argument="inputs",
        )
    return np.atleast_1d(column)


def _check_domain(each: Input, column: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        valid = np.asarray(each.role.allows(column)) & ~np.isnan(column)
    if each.default is not None:
        valid |= column == each.default
    if not valid.all():
        at = int(np.flatnonzero(~valid)[0])
        place = f" (point {at + 1})" if len(column) > 1 else ""
        raise JscaleError(
            f": {each.name} = {column[at]:g}{place}: expected {each.role.expected}",
            argument="inputs",
        )


def _check_shares(record: Record, columns: Mapping[str, np.ndarray]) -> None:
    """Shares of one whole must add up."""
    total = sum_of_parts(record, columns)
    if total is not None and total.invalid.any():
        at = int(np.flatnonzero(total.invalid)[0])
        place = f" (point {at + 1})" if len(total.total) > 1 else ""
        raise JscaleError(
            f": {sum_label(total.names)} = {total.total[at]:g}{place}: expected parts of one "
            f"whole, together {total.expected}",
            argument="inputs",
        )
