"""One cell as a number, a yes or no, or a text."""

import math
import numbers
import re
from typing import Any

import numpy as np

from jscale._core.text import LONGEST_NUMBER, number_with_suffix, plain_number, text_of
from jscale.runs.tables._columns import Kind
from jscale.runs.tables._units import scaled, unit_of

EMPTY = frozenset({"", "nan", "na", "n/a", "<na>", "null", "none", "-"})
"""Texts (in lower case) that stand for an empty cell."""

_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]++)?")
_SPACED = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u2009\u202f'\u2019][0-9]{3})+(?:\.[0-9]++)?")
_POWER_OF_TEN = re.compile(
    r"([+-]?[0-9]++(?:\.[0-9]*+)?)\s*[×x*·⋅]\s*10\s*(?:\^|\*\*)\s*\{?([+-]?[0-9]{1,3})\}?"
)
_BARE_POWER = re.compile(r"()10(?:\^|\*\*)\{?([+-]?[0-9]{1,3})\}?")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")
_RAISED = re.compile(r"10([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]++)")
_WITH_WORD = re.compile(
    r"([+-]?[0-9]++(?:\.[0-9]*+)?)\s*+(thousand|million|billion|trillion)s?", re.IGNORECASE
)
_WITH_UNIT = re.compile(
    r"([+-]?[0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?)\s*+([a-zA-Z][a-zA-Z/ -]*+)"
)
_LETTERS = {"thousand": "k", "million": "M", "billion": "B", "trillion": "T"}
_ERROR_SIGN = re.compile(r"\s*(?:±|\+/-|\+-|\\pm)\s*")
_LAST_DIGITS = re.compile(r"([0-9]++\.([0-9]++))\(([0-9]{1,3})\)")
_MARKS = ("**", "__", "`")
_YES = frozenset({"1", "1.0", "true", "t", "yes", "y"})
_NO = frozenset({"0", "0.0", "false", "f", "no", "n"})


class BadCell(Exception):
    """A cell that cannot be read; the message says in a few words what is wrong with it."""


class TooLarge(BadCell):
    """A number beyond the range of float64, which must not become infinite."""

    def __init__(self) -> None:
        super().__init__("too large a number")


def is_empty(cell: Any) -> bool:
    """Whether nothing was entered: None, NaN, blank text or a word for "not available"."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in EMPTY):
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    return type(cell).__name__ in ("NAType", "NaTType")


def undecorated(text: str) -> str:
    """A cell without the marks of Markdown around it: ``**1.4T**`` and ```1.4T``` are ``1.4T``."""
    text = text.strip()
    for mark in _MARKS:
        while len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip()
    return text


def with_error(cell: Any) -> tuple[Any, str | None]:
    """A cell as a value and its standard error; None where there is none.

    ``6.23 ± 0.04``, or ``6.23(4)``, whose bracket counts in the last digit.
    """
    if not isinstance(cell, str) or len(cell) > LONGEST_NUMBER:
        return cell, None
    if found := _LAST_DIGITS.fullmatch(undecorated(cell)):
        value, decimals, error = found.groups()
        return value, f"{error}e-{len(decimals)}"
    value, *error = _ERROR_SIGN.split(undecorated(cell))
    return (value, error[0]) if len(error) == 1 and value else (cell, None)


def number(cell: Any, kind: Kind) -> float:
    """A filled cell as a float.

    Text may be a plain number (``70000000``, ``7e7``). In a count it may also carry one of the
    suffixes K, M, B, T for 1e3, 1e6, 1e9, 1e12 in either letter case (``70M``, ``1.4 T``) or
    commas, spaces or apostrophes between groups of three digits (``1,000,000``). Nowhere else,
    since a comma may be a decimal sign and a suffix a unit: ``3,215`` as a loss, ``70G`` as a size
    and ``1_000`` are errors, not guesses. Any number may be written ``2×10²⁰`` or ``2x10^20`` and
    stand in the marks of Markdown; compute may have a unit such as ``3 EFLOP``.

    Raises:
        BadCell: it is not a number.
    """
    if isinstance(cell, str):
        return _number_from_text(cell.strip(), kind)
    if isinstance(cell, bool | np.bool_):
        raise BadCell("a truth value, not a number")
    if isinstance(cell, np.complexfloating):
        raise BadCell("a complex number")
    if isinstance(cell, numbers.Real | np.number) or type(cell).__name__ == "Decimal":
        return _number_from_object(cell)
    raise BadCell(f"of type {type(cell).__name__}, not a number")


def _number_from_object(cell: Any) -> float:
    """A number of Python or NumPy, or a decimal, as a float."""
    try:
        value = float(cell)
    except OverflowError:
        raise TooLarge from None
    except (ValueError, TypeError):  # a signalling NaN of a decimal, a time of NumPy
        raise BadCell("not a number") from None
    if math.isinf(value) and cell != value:
        raise TooLarge
    return value


def _number_from_text(text: str, kind: Kind) -> float:
    if len(text) > LONGEST_NUMBER:
        raise BadCell(f"{len(text):,} characters, too long for a number")
    value = _plain(text, kind)
    if value is None:
        text = _without_powers(undecorated(text))
        value = _plain(text, kind)
    if value is None and kind is Kind.COMPUTE:
        value = _with_unit(text)
    if value is None:
        raise BadCell("not a number")
    if overflows(text, value):
        raise TooLarge
    return value


def _plain(text: str, kind: Kind) -> float | None:
    """A number, in a count also with separators and a suffix; None for any other text."""
    if kind not in (Kind.COUNT, Kind.COMPUTE):
        return plain_number(text)
    if _THOUSANDS.fullmatch(text) or _SPACED.fullmatch(text):
        return float(re.sub(r"[^0-9.]", "", text))
    if words := _WITH_WORD.fullmatch(text):
        text = words[1] + _LETTERS[words[2].lower()]
    return number_with_suffix(text)


def _without_powers(text: str) -> str:
    """``1.31e20`` for ``1.31×10²⁰``, ``1.31x10^20`` and the like."""
    text = _RAISED.sub(lambda found: f"10^{found[1].translate(_SUPERSCRIPTS)}", text)
    found = _POWER_OF_TEN.fullmatch(text) or _BARE_POWER.fullmatch(text)
    return f"{found[1] or 1}e{found[2]}" if found else text


def _with_unit(text: str) -> float | None:
    """Compute with its unit: ``3 EFLOP``, ``1e21 FLOPs``, ``2 PF-days``."""
    found = _WITH_UNIT.fullmatch(text)
    unit = unit_of(found[2], "C", bracketed=False) if found else None
    if found is None or unit is None:
        return None
    return float(scaled([float(found[1])], unit.factor or 1)[0])


def overflows(text: str, value: float) -> bool:
    """Whether a text that was read as an infinite value names a finite number."""
    return math.isinf(value) and "n" not in text.lower()


def flag(cell: Any) -> bool:
    """A filled cell as yes or no.

    Raises:
        BadCell: it is neither.
    """
    word = label(cell).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise BadCell("neither yes nor no")


def label(cell: Any) -> str:
    """A cell as text; an empty one is the empty text, a whole number has no decimal point."""
    if isinstance(cell, str):
        return cell.strip()
    if is_empty(cell):
        return ""
    # As a Python float: a NumPy float of 16 bits has no 1e15 to be compared with.
    if isinstance(cell, float | np.floating):
        value = float(cell)
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return text_of(cell)
