"""Numbers and ``name=value`` pairs from the text of an option."""

import math
import re
from collections.abc import Iterable

from jscale._core.errors import JscaleError
from jscale._core.text import LONGEST_NUMBER, number_with_suffix, shortened, shown

_INFINITE = ("inf", "infinity")
_BYTES = re.compile(r"(.*[0-9.])\s*([kmgt])(i?)b?", re.IGNORECASE)
"""A number, K, M, G or T, and whether it is binary."""
_BINARY = {"k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "t": 2.0**40}


def number(text: str, where: str) -> float:
    """A finite number such as ``7e10``, ``70B``, ``1.4T``.

    Args:
        text: of the option.
        where: the option or the name, for the message.

    Raises:
        JscaleError: not a finite number.
    """
    value = number_with_suffix(text.strip())
    if value is None or not math.isfinite(value):
        raise JscaleError(f"{where}: expected a number such as 7e10 or 70B, not {shown(text)}")
    return value


def above_zero(text: str, where: str, example: str) -> float:
    """A finite number above zero.

    Raises:
        JscaleError: not such a number; the message gives the example.
    """
    value = number_with_suffix(text.strip())
    if value is None or not 0 < value < math.inf:
        raise JscaleError(
            f"{where}: expected a number above 0 such as {example}, not {shown(text)}"
        )
    return value


def byte_count(text: str, where: str, example: str) -> float:
    """A finite number of bytes above zero: ``80GB``, ``80G`` or ``80B`` (8e10), ``80GiB``.

    Raises:
        JscaleError: not such a number; the message gives the example.
    """
    value = number_with_suffix(text.strip())
    if value is None and len(text) <= LONGEST_NUMBER:
        value = _with_byte_unit(text.strip())
    if value is None or not 0 < value < math.inf:
        raise JscaleError(
            f"{where}: expected a number of bytes above 0 such as {example}, not {shown(text)}"
        )
    return value


def _with_byte_unit(text: str) -> float | None:
    parts = _BYTES.fullmatch(text)
    if parts is None:
        return None
    digits, letter = parts[1], parts[2].lower()
    if not parts[3]:
        return number_with_suffix(digits + {"g": "b"}.get(letter, letter))
    count = number_with_suffix(digits)
    return None if count is None else count * _BINARY[letter]


def many(texts: Iterable[str] | None) -> list[str]:
    """The parts of an option that can be repeated, separated by commas, or both."""
    return [part.strip() for text in texts or () for part in text.split(",")]


def pairs(texts: Iterable[str] | None, where: str, example: str) -> dict[str, str]:
    """``name=text`` pairs of an option that can be repeated, separated by commas, or both.

    Raises:
        JscaleError: a part without ``=``, an empty side, or a name given twice.
    """
    values: dict[str, str] = {}
    for part in many(texts):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not (name and equals and text):
            raise JscaleError(f"{where}: expected NAME=VALUE such as {example}, not {shown(part)}")
        if name in values:
            raise JscaleError(f"{where}: {shortened(name)} is given twice")
        values[name] = text
    return values


def values(texts: Iterable[str] | None, where: str, example: str) -> dict[str, float]:
    """``name=number`` pairs; ``inf`` is allowed, since it is a number of bits.

    Raises:
        JscaleError: as :func:`pairs`, or a value that is not a number.
    """
    numbers: dict[str, float] = {}
    for name, text in pairs(texts, where, example).items():
        infinite = text.lower().removeprefix("+") in _INFINITE
        numbers[name] = math.inf if infinite else number(text, f"{where}: {shortened(name)}")
    return numbers
