"""The axes of a grid: arrays, lists of things that carry several values, and draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jscale._core.checks import index_of_first
from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown

DRAW = "draw"
"""The axis of parameters that are draws."""
_RESERVED = ("value", "index", "probability", "rank", "point", "candidate", "bin")
"""Names that results have for themselves."""


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: of the axis.
        numbers: name → (entries, …), what the functions can take.
        texts: name → (entries,), which only label the entries.
    """

    name: str
    numbers: Mapping[str, np.ndarray]
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Entries."""
        return len(next(iter({**self.numbers, **self.texts}.values())))

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """All that an entry carries, except arrays."""
        flat = {name: array for name, array in self.numbers.items() if array.ndim == 1}
        return {**self.texts, **flat}

    def coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        """The labels of the entries and what else they carry: name → (axis, array)."""
        columns = self.columns
        labels = columns.get(self.name)
        if labels is None:
            labels = next(iter(self.texts.values()), np.arange(self.size))
        coords = {name: (self.name, array) for name, array in columns.items()}
        return {self.name: (self.name, labels), **coords}


def read_axes(
    axes: Mapping[str, Any], params: Mapping[str, Any] | None
) -> tuple[tuple[Axis, ...], dict[str, float]]:
    """The axes, that of draws last, and the parameters that are single numbers.

    Raises:
        JscaleError: no axis, an empty one, text or NaN where numbers belong, lists of different
            lengths, or a name that is used twice.
    """
    if not isinstance(axes, Mapping) or not axes:
        raise JscaleError(
            f"must map the names of axes to their values, not be {shown(axes)}", argument="axes"
        )
    read = [_axis(str(name), values) for name, values in axes.items()]

    constants: dict[str, float] = {}
    draws: dict[str, np.ndarray] = {}
    for name, value in (params or {}).items():
        array = _numbers("params", name, value)
        if array.ndim:
            draws[name] = array
        else:
            constants[name] = float(array)
    if draws:
        read.append(Axis(DRAW, _of_one_length("params", draws)))

    _check_names(read, constants)
    return tuple(read), constants


def _axis(name: str, values: Any) -> Axis:
    """One axis from an array, a dict of columns, or a list of dicts."""
    where = f"axes: {name!r}"
    if isinstance(values, Sequence) and values and isinstance(values[0], Mapping):
        values = _columns(where, values)
    if not isinstance(values, Mapping):
        array = _numbers(where, "", values)
        if array.ndim > 1:
            raise JscaleError(f"{where}: expected a list of numbers, not shape {array.shape}")
        values = {name: np.atleast_1d(array)}

    numbers: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for column, entries in values.items():
        if _is_text(entries):
            texts[str(column)] = np.asarray(entries)
        else:
            numbers[str(column)] = np.atleast_1d(_numbers(where, f"[{column!r}]", entries))
    if not {**numbers, **texts}:
        raise JscaleError(f"{where} carries nothing; expected at least one list of values")
    _of_one_length(where, {**numbers, **texts})
    return Axis(name, numbers, texts)


def _columns(where: str, rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Rows as columns.

    Raises:
        JscaleError: a row with other names than the first one.
    """
    names = list(rows[0])
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or set(row) != set(names):
            raise JscaleError(
                f"{where}[{number}]: expected {enumerated(names)} as in [0], not {shown(row)}"
            )
    return {name: [row[name] for row in rows] for name in names}


def _is_text(entries: Any) -> bool:
    return np.asarray(entries).dtype.kind in "US" if not hasattr(entries, "aval") else False


def _numbers(where: str, name: str, value: Any) -> np.ndarray:
    """``value`` as an array of floats.

    Raises:
        JscaleError: text, NaN, or lists of different lengths.
    """
    place = f"{where}{name}" if name.startswith("[") else f"{where}: {name}" if name else where
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iufb" or array.dtype == bool:
            array = np.asarray(array.tolist(), np.float64)
        numbers = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise JscaleError(f"{place}: expected numbers, not {shown(value)}") from None
    if array.dtype == bool:
        raise JscaleError(f"{place}: expected numbers, not {shown(value)}")
    if np.isnan(numbers).any():
        raise JscaleError(f"{place}{index_of_first(np.isnan(numbers))} is NaN; expected a number")
    return numbers


def _of_one_length(where: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns.

    Raises:
        JscaleError: they are empty or differ in length.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        sizes = enumerated(f"{name} {length:,}" for name, length in lengths.items())
        raise JscaleError(f"{where}: expected lists of one length, not {sizes}")
    if 0 in lengths.values():
        raise JscaleError(f"{where} is empty; expected at least one value")
    return dict(columns)


def _check_names(axes: Sequence[Axis], constants: Mapping[str, float]) -> None:
    """Check that every name has one meaning.

    Raises:
        JscaleError: a name is used twice, or is one that results have for themselves.
    """
    seen: dict[str, str] = dict.fromkeys(constants, "params")
    for axis in axes:
        for name in (*axis.numbers, *axis.texts):
            if name in seen:
                raise JscaleError(f"{name!r} is given twice: by {seen[name]} and by {axis.name!r}")
            if name in _RESERVED:
                raise JscaleError(f"axes: {name!r} is a name of the results; choose another one")
            seen[name] = f"the axis {axis.name!r}"
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise JscaleError(f"axes: params are draws, which are the axis {DRAW!r}; rename yours")
