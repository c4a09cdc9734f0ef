"""Conditions on the rows of a table as text: ``variant == '2x' and N >= 1e8``."""

import re
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, quote, quoted_names
from jscale.runs.tables import BadCell, Kind, fold, label, number

if TYPE_CHECKING:
    from jscale.runs._table import Runs

_AND = re.compile(r"\s+and\s+|\s*&&?\s*", re.IGNORECASE)
_PART = re.compile(r"\s*(.+?)\s*(==|!=|<=|>=|=|<|>)\s*(.*?)\s*")
_MAX_VALUES = 8
_EXAMPLE = "such as variant == '2x' or N >= 1e8 and D < 1T"


def rows_where(table: "Runs", condition: str) -> np.ndarray:
    """The rows that meet a condition: booleans, shape (rows,).

    Args:
        table: the runs.
        condition: comparisons of columns with values by ``==`` (or ``=``), ``!=``, ``<``, ``<=``,
            ``>`` and ``>=``, joined by ``and``; texts may be in quotes, counts may have suffixes.

    Raises:
        JscaleError: it is no such condition, a column is missing or text where a number is
            compared, or no row meets it.
    """
    mask = np.ones(len(table), dtype=bool)
    for text in _AND.split(condition.strip()):
        mask &= _rows_of_part(table, text)
    if not mask.any():
        raise JscaleError(f"where: no row of {table.name} has {condition.strip()}")
    return mask


def _rows_of_part(table: "Runs", text: str) -> np.ndarray:
    found = _PART.fullmatch(text)
    if not found or not found[3]:
        raise JscaleError(f"where: {quote(text)} is no condition; expected one {_EXAMPLE}")
    column, sign, value = found[1].strip("`\"'"), found[2], found[3]
    values = _column(table, column)
    if values.dtype.kind == "f":
        return _compared(values, sign, _number(value, column))
    wanted = value.strip("\"'")
    if sign not in ("==", "=", "!="):
        raise JscaleError(f"where: column {quote(column)} holds text, which has no order ({sign})")
    texts = np.array([label(cell) for cell in values.tolist()])
    if wanted not in texts:
        known = sorted(set(texts.tolist()))
        raise JscaleError(
            f"where: no row of {table.name} has {quote(wanted)} in column {quote(column)}"
            f"{did_you_mean(wanted, known)} (it has: {quoted_names(known, _MAX_VALUES)})"
        )
    return texts != wanted if sign == "!=" else texts == wanted


def _column(table: "Runs", name: str) -> np.ndarray:
    if name not in table:
        similar = [each for each in table if fold(each) == fold(name)]
        if len(similar) != 1:
            raise JscaleError(f"where: {table.no_column(name)}")
        name = similar[0]
    return table[name]


def _number(text: str, column: str) -> float:
    try:
        return number(text.strip("\"'"), Kind.COMPUTE)
    except BadCell as error:
        raise JscaleError(
            f"where: {quote(text)} is {error}, and column {quote(column)} holds numbers"
        ) from None


def _compared(values: np.ndarray, sign: str, value: float) -> np.ndarray:
    if sign in ("==", "="):
        return np.isclose(values, value, rtol=1e-12, atol=0.0)
    if sign == "!=":
        return ~np.isclose(values, value, rtol=1e-12, atol=0.0)
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    return compare[sign](values, value)
