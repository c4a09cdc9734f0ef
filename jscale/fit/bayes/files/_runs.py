"""The check of the error model of a file, its parameters, and the runs that it was fitted to."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.fit.bayes.files._layout import INDUCING, LOSS, LOSS_SE, column_variable
from jscale.fit.errors import ErrorModel, FittedRows, columns_needed
from jscale.laws import Record

_MAX_INDUCING = 1000


class InvalidAttributeError(Exception):
    """An attribute is wrong: its name, and what was expected."""


def error_model(text: Any) -> ErrorModel:
    """The error model of the attribute ``errors``, with the columns named that it depends on.

    Raises:
        InvalidAttributeError: the text describes no such model.
    """
    try:
        errors = ErrorModel.parse(text)
    except JscaleError as error:
        raise InvalidAttributeError("errors", f"expected an error model ({error})") from None
    if errors.effects == () or errors.discrepancy == ():
        raise InvalidAttributeError("errors", "expected the columns of effects and discrepancy")
    return errors


def fitted_rows(
    where: str,
    record: Record,
    errors: ErrorModel,
    arrays: Mapping[str, np.ndarray],
    columns: Any,
) -> FittedRows | None:
    """The runs of a file; None in one of an earlier version, which has none.

    Args:
        where: head of a message.
        record: of the law.
        errors: the error model.
        arrays: variable of the groups of the runs → values.
        columns: text of the attribute ``columns``.

    Raises:
        JscaleError: a variable is missing, of another shape, or has values that no runs have.
        InvalidAttributeError: the attribute is wrong.
    """
    if not arrays and not (columns_needed(errors) or errors.discrepancy or errors.known):
        return None
    entries = _entries(columns)

    # 1. The variables that there must be; other programs may have added more.
    single = [LOSS, *record.input_names] + [LOSS_SE] * errors.known
    single += [column_variable(i) for i in range(len(entries))]
    expected = single + [INDUCING] * (errors.discrepancy is not None)
    if missing := [name for name in expected if name not in arrays]:
        raise JscaleError(f"{where}: no variable {enumerated(missing)} of the runs; sample again")

    # 2. Shapes and values.
    shape = arrays[LOSS].shape
    for name in single:
        if arrays[name].shape != shape or len(shape) != 1:
            raise JscaleError(
                f"{where}: variable {shown(name)} of the runs is of shape {arrays[name].shape}; "
                f"expected that of 'loss', a row for each run"
            )
    low = -np.inf if errors.additive else 0.0
    _check_values(where, arrays, LOSS, low=low)
    for name in record.input_names:
        _check_values(where, arrays, name, low=-np.inf, may_be_infinite=True)
    if errors.known:
        _check_values(where, arrays, LOSS_SE, low=0.0)
    return FittedRows(
        inputs={name: arrays[name] for name in record.input_names},
        loss=arrays[LOSS],
        loss_se=arrays[LOSS_SE] if errors.known else None,
        columns=_columns(where, errors, arrays, entries),
        inducing=_inducing(where, errors, arrays),
    )


def _entries(text: Any) -> list[tuple[str, list[str] | None]]:
    """The attribute ``columns``."""
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise InvalidAttributeError("columns", "expected JSON") from None
    entries: list[tuple[str, list[str] | None]] = []
    for entry in content if isinstance(content, list) else [None]:
        match entry:
            case [str(name), None]:
                entries.append((name, None))
            case [str(name), [*labels]] if labels and all(isinstance(x, str) for x in labels):
                entries.append((name, labels))
            case _:
                raise InvalidAttributeError("columns", "expected a list of [name, labels or null]")
    return entries


def _columns(
    where: str,
    errors: ErrorModel,
    arrays: Mapping[str, np.ndarray],
    entries: list[tuple[str, list[str] | None]],
) -> dict[str, np.ndarray]:
    """The columns of the error model by name."""
    columns: dict[str, np.ndarray] = {}
    for i, (name, labels) in enumerate(entries):
        variable = column_variable(i)
        if labels is None:
            _check_values(where, arrays, variable, low=-np.inf)
            columns[name] = arrays[variable]
            continue
        codes = arrays[variable]
        if not np.isin(codes, np.arange(len(labels))).all():
            raise JscaleError(
                f"{where}: variable {shown(variable)} of the runs has values other than positions "
                f"in a list of {len(labels)} labels"
            )
        columns[name] = np.array(labels)[codes.astype(int)]

    needed = columns_needed(errors, columns)
    if missing := [name for name in needed if name not in columns]:
        raise InvalidAttributeError(
            "columns", f"expected {enumerated(needed)}, and {enumerated(missing)} is missing"
        )
    for name, is_number in needed.items():
        values = columns[name]
        if is_number and (values.dtype.kind != "f" or not (values > 0).all()):
            raise InvalidAttributeError(
                "columns", f"expected numbers above 0 in {shown(name)}, on which the scale depends"
            )
    return columns


def _inducing(
    where: str, errors: ErrorModel, arrays: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    if errors.discrepancy is None:
        return None
    points = arrays[INDUCING]
    is_table = points.ndim == 2 and points.shape[1] == len(errors.discrepancy)
    if not is_table or not 0 < len(points) <= _MAX_INDUCING:
        raise JscaleError(
            f"{where}: variable {shown(INDUCING)} is of shape {points.shape}; expected up to "
            f"{_MAX_INDUCING:,} rows of {len(errors.discrepancy)} coordinates"
        )
    _check_values(where, arrays, INDUCING, low=-np.inf)
    return points


def _check_values(
    where: str,
    arrays: Mapping[str, np.ndarray],
    name: str,
    *,
    low: float,
    may_be_infinite: bool = False,
) -> None:
    """Check that values lie above ``low`` and are finite."""
    values = arrays[name]
    valid = ~np.isnan(values) if may_be_infinite else np.isfinite(values) & (values > low)
    if not valid.all():
        row = int(np.argwhere(~valid)[0][0])
        expected = "numbers" if may_be_infinite else f"finite values above {low:g}"
        raise JscaleError(
            f"{where}: variable {shown(name)} of the runs has {values[~valid][0]:g} in row "
            f"{row + 1}; expected {expected}"
        )
