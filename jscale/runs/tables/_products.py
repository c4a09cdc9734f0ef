"""Columns that the caller states as a number or as a product: ``70M``, ``Step * 512K``."""

from collections.abc import Mapping, Sequence

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import human, quote
from jscale.runs.tables._cells import BadCell, is_empty, number
from jscale.runs.tables._columns import BY_ALIAS, KNOWN, Kind, fold
from jscale.runs.tables._headers import match
from jscale.runs.tables._raw import RawTable
from jscale.runs.tables._units import scaled

_TIMES = "*"
_COMPUTED = (Kind.COUNT, Kind.COMPUTE, Kind.BITS)
"""Kinds of columns that may be stated; a loss or an error is measured."""


def factors_of(named: Mapping[str, str]) -> tuple[str, ...]:
    """The headers, and the factors of products, that stand for columns.

    Args:
        named: column → its name in the source, or a product.
    """
    texts = [text for text in named.values() if isinstance(text, str)]
    parts = [part.strip() for text in texts for part in text.split(_TIMES)]
    return tuple(dict.fromkeys([*texts, *parts]))


def with_products(raw: RawTable, named: Mapping[str, str] | None) -> dict[str, str]:
    """Add the columns that are stated as a number or a product to the table.

    Args:
        raw: gets the columns, and a note on each.
        named: column → its name in the source, a number, or a product of headers and numbers.

    Returns:
        Column → its name in the table.

    Raises:
        JscaleError: a cell of a factor is not a number.
    """
    result = dict(named or {})
    for column, text in result.items():
        known = KNOWN.get(BY_ALIAS.get(fold(column), "")) if isinstance(column, str) else None
        if known is None or known.kind not in _COMPUTED or not isinstance(text, str):
            continue
        factors = _factors(text, known.kind, list(raw.columns))
        if factors is None:
            continue

        values = np.ones(raw.rows)
        written = []
        for factor in factors:
            if not isinstance(factor, str):
                values = values * factor
                written.append(human(factor))
                continue

            unit = _unit(factor, known.name)
            values = values * scaled(_numbers(raw, factor, known.name), unit)
            written.append(quote(factor) + (f" in units of {human(unit)}" if unit > 1 else ""))
        name = known.name if known.name not in raw.columns else f"{known.name} (computed)"
        raw.columns[name] = values
        result[column] = name
        message = f"{known.name} is {' times '.join(written)}, as stated"
        raw.notes.append(Note("column-computed", "info", message, {"column": known.name}))
    return result


def _factors(text: str, kind: Kind, headers: Sequence[str]) -> list[str | float] | None:
    """Numbers and headers whose product a text states; None for a name, known or not."""
    if _header(text, headers) is not None:
        return None
    whole = _number(text, kind)
    if whole is not None:
        return [whole]

    factors: list[str | float] = []
    for part in text.split(_TIMES):
        factor = _header(part, headers)
        if factor is None:
            factor = _number(part, Kind.COUNT)
        if factor is None:
            return None
        factors.append(factor)
    return factors if len(factors) > 1 else None


def _header(text: str, headers: Sequence[str]) -> str | None:
    """The header that a text names, exactly or in another case and punctuation."""
    exact = [each for each in headers if each == text.strip()]
    similar = exact or [each for each in headers if fold(each) == fold(text)]
    return similar[0] if len(similar) == 1 else None


def _number(text: str, kind: Kind) -> float | None:
    try:
        return number(text, kind)
    except BadCell:
        return None


def _unit(header: str, column: str) -> int:
    """The factor that a header names, as ``batch_tokens_k`` does."""
    unit = match([header], {column: header}).units.get(column)
    return (unit.factor or 1) if unit else 1


def _numbers(raw: RawTable, header: str, column: str) -> np.ndarray:
    """A column as numbers, NaN where a cell is empty.

    Raises:
        JscaleError: a cell is not a number.
    """
    cells = raw.columns[header]
    if isinstance(cells, np.ndarray):
        return cells
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = number(cell, Kind.COUNT)
        except BadCell as error:
            raise JscaleError(
                f"column {quote(header)}, {raw.place(row)}: {quote(cell)} is {error}; expected a "
                f"number, since {column} is stated as a product with it"
            ) from None
    return values
