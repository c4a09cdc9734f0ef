"""Numbers and name=value pairs as people type them."""

import math
from collections.abc import Iterable

from jscale._core.errors import JscaleError
from jscale._core.numbers import written_number

_INFINITE = ("inf", "infinity")


def number(text: str, what: str) -> float:
    """A finite number such as ``7e10``, ``70B``, ``1.4T``.

    Args:
        text: as typed.
        what: the option or the name, for the message.

    Raises:
        JscaleError: it is not one.
    """
    value = written_number(text.strip())
    if value is None or not math.isfinite(value):
        raise JscaleError(f"{what}: expected a number such as 7e10 or 70B, not {_shown(text)}")
    return value


def above_zero(text: str, what: str, example: str) -> float:
    """A finite number above zero.

    Raises:
        JscaleError: it is not one; the message gives the example.
    """
    value = written_number(text.strip())
    if value is None or not 0 < value < math.inf:
        raise JscaleError(
            f"{what}: expected a number above 0 such as {example}, not {_shown(text)}"
        )
    return value


def many(texts: Iterable[str] | None) -> list[str]:
    """The parts of an option that may be given several times, with commas, or both."""
    return [part.strip() for text in texts or () for part in text.split(",")]


def pairs(texts: Iterable[str] | None, what: str, example: str) -> dict[str, str]:
    """``name=text`` pairs of an option that may be given several times, with commas, or both.

    Raises:
        JscaleError: a part without ``=``, an empty side, or a name given twice.
    """
    found: dict[str, str] = {}
    for part in many(texts):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not (name and equals and text):
            raise JscaleError(f"{what}: expected NAME=VALUE such as {example}, not {_shown(part)}")
        if name in found:
            raise JscaleError(f"{what}: {name} is given twice")
        found[name] = text
    return found


def values(texts: Iterable[str] | None, what: str, example: str) -> dict[str, float]:
    """``name=number`` pairs; ``inf`` is allowed, since it is a number of bits.

    Raises:
        JscaleError: as :func:`pairs`, or a value that is no number.
    """
    return {
        name: math.inf
        if text.lower().removeprefix("+") in _INFINITE
        else number(text, f"{what}: {name}")
        for name, text in pairs(texts, what, example).items()
    }


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
