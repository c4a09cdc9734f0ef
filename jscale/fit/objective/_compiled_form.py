"""What a compiled program is given: rows padded to few sizes, and held constants as arguments.

A program belongs to the shapes of its arguments. Without padding every number of runs would have
programs of its own, which take seconds to compile and 30 MB a fit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from jscale.fit.objective._problem import FitData
from jscale.laws import LawFunction
from jscale.laws.declaration import held_form

_SMALLEST = 32
"""Up to this many rows a step takes the same time."""


_least_rows: ContextVar[int] = ContextVar("least_rows", default=0)


class Compiled(NamedTuple):
    """A law and its data as a compiled program takes them.

    Attributes:
        law: with its held constants as arguments.
        fit_data: with padded rows, and the held constants among the inputs and in the centre.
    """

    law: LawFunction
    fit_data: FitData


@contextmanager
def padded_at_least(rows: int) -> Iterator[None]:
    """A scope in which smaller tables are padded to the size of one with so many rows.

    Fits to some of the runs of a table then have the programs of fits to all.
    """
    token = _least_rows.set(max(rows, _least_rows.get()))
    try:
        yield
    finally:
        _least_rows.reset(token)


def padded_size(rows: int) -> int:
    """The number of rows, padding included, of 32, 64, 128, 192, 256, 384, 512, 768 and so on."""
    rows = max(rows, _least_rows.get())
    size = _SMALLEST
    while size < rows:
        size *= 2
    middle = 3 * size // 4
    return middle if rows <= middle and size >= 256 else size


def pad(values: Any, size: int) -> np.ndarray:
    """``values`` (..., rows) with the first rows once more at the end, (..., size)."""
    array = np.asarray(values)
    rows = array.shape[-1]
    return array if rows == size else array[..., np.arange(size) % rows]


def pad_zeros(values: Any, size: int) -> np.ndarray:
    """``values`` (..., rows) with zeros at the end, (..., size)."""
    array = np.asarray(values)
    padding = [(0, 0)] * (array.ndim - 1) + [(0, size - array.shape[-1])]
    return np.pad(array, padding)


def compiled_form(law: LawFunction, fit_data: FitData) -> Compiled:
    """The law and the data as a compiled program takes them; padded rows have weight 0."""
    if fit_data.count is not None:
        return Compiled(law, fit_data)

    rows = len(fit_data.loss)
    size, held = padded_size(rows), held_form(law)
    weights = np.ones(rows) if fit_data.weights is None else fit_data.weights
    columns = {name: pad(column, size) for name, column in fit_data.inputs.items()}
    padded = fit_data._replace(
        inputs={**columns, **held.values},
        loss=pad(fit_data.loss, size),
        centre={**fit_data.centre, **held.values},
        weights=pad_zeros(weights, size),
        errors=None if fit_data.errors is None else pad(fit_data.errors, size),
        count=rows,
    )
    return Compiled(held.law, padded)
