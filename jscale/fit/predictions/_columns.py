"""The columns of new runs that an error model uses, checked before they are looked up."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, shown


def checked_columns(
    columns: Any, needed: Mapping[str, bool], points: int
) -> dict[str, np.ndarray] | None:
    """The columns that an error model uses, each as (points,); None where none is given.

    Args:
        columns: name → value or (points,) values, an empty text for a new group; None for none.
            Those that nothing uses are left out.
        needed: column of the error model → whether it holds numbers above 0, else labels.
        points: number of points.

    Raises:
        JscaleError: not a dict; a name that is nearly that of a column that is missing; values of
            another number than there are points, NaN, or text for numbers.
    """
    if columns is None:
        return None
    if not isinstance(columns, Mapping):
        message = f": expected a dict of columns such as {{'group': 'web'}}, not {shown(columns)}"
        raise JscaleError(message, argument="columns")

    missing = [name for name in needed if name not in columns]
    for name in columns:
        if name not in needed and (hint := did_you_mean(str(name), missing)):
            raise JscaleError(
                f": the error model uses {', '.join(needed)}, not {shown(name)}{hint}",
                argument="columns",
            )
    return {
        name: _values(name, columns[name], points, is_number=is_number)
        for name, is_number in needed.items()
        if name in columns
    }


def _values(name: str, column: Any, points: int, *, is_number: bool) -> np.ndarray:
    values = np.asarray(column)
    expected = "numbers above 0" if is_number else "labels or numbers"
    if values.dtype == object:
        values = values.astype(str)
    if values.ndim > 1 or values.size not in (1, points):
        raise JscaleError(
            f": {name}: got an array of shape {values.shape} for {points:,} points; expected one "
            "value, or one a point",
            argument="columns",
        )
    if values.dtype.kind not in ("fiu" if is_number else "fiubUS"):
        raise JscaleError(f": {name}: expected {expected}, not {shown(column)}", argument="columns")
    values = np.broadcast_to(values.reshape(-1), points)
    if is_number:
        values = values.astype(float)
        empty = ~(np.isfinite(values) & (values > 0))
    else:
        empty = np.isnan(values) if values.dtype.kind == "f" else np.zeros(points, bool)
    if empty.any():
        at = int(np.flatnonzero(empty)[0])
        place = f" at point {at + 1}" if points > 1 else ""
        hint = "" if is_number else ", or an empty text for a new group"
        raise JscaleError(
            f": {name}: {values[at]:g}{place}; expected {expected}{hint}", argument="columns"
        )
    return values
