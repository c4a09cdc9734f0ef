"""Pieces of messages: values, names, counts and hints as short texts on one line."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_QUOTE_LIMIT = 40
"""Characters of a quoted value; a longer one is cut and ends in an ellipsis."""
_SHOWN_LIMIT = 60
"""Characters of a value as Python writes it, and of a name in a list."""
_NAMES_LIMIT = 12
_LINE_LIMIT = 1000
_WORD_LIMIT = 200
"""Characters of a word of a message; a longer one, such as a path, loses its middle."""
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_LARGEST_WITH_SUFFIX = 1e15
_SMALLEST_WITHOUT_POWER = 1e-3


def text_of(value: object) -> str:
    """``str(value)``, or the name of its type where Python cannot print it."""
    try:
        return str(value)
    # An integer with more digits than Python prints, a list nested too deeply, or an object of a
    # library that cannot be printed for any other reason.
    except Exception:  # noqa: BLE001
        return f"a very long {type(value).__name__}"


def quote(value: object) -> str:
    """A value in quotes, cut to 40 characters, with control characters escaped."""
    text = text_of(value)
    if len(text) > _QUOTE_LIMIT:
        text = text[: _QUOTE_LIMIT - 1] + "…"
    return repr(text)


def shown(value: object) -> str:
    """A value as Python writes it, on one line and cut to 60 characters."""
    if isinstance(value, str) and len(value) > _SHOWN_LIMIT:
        return repr(value[: _SHOWN_LIMIT - 1] + "…")
    # A text of a million digits or entries would take long to write.
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001
        return text_of(value)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= _SHOWN_LIMIT else text[: _SHOWN_LIMIT - 1] + "…"


def one_line(text: str) -> str:
    """A message on one line of at most 1,000 characters, with control characters escaped.

    The middle of a very long word is left out, then that of the message.
    """
    if "\n" in text:
        text = " ".join(text.split())
    if len(text) > _WORD_LIMIT:
        text = " ".join(_without_middle(word, _WORD_LIMIT) for word in text.split(" "))
        text = _without_middle(text, _LINE_LIMIT)
    return text if text.isprintable() else inline(text, len(text) * 10)


def _without_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2 - 1]} … {text[-(limit // 2) + 2 :]}"


def inline(text: str, limit: int = 160) -> str:
    """A path or a name on one line, without quotes.

    Args:
        text: any text; characters that cannot be printed are escaped.
        limit: characters of a long text that are kept. They are its last ones, since a path ends in
            the name of the file.
    """
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return line if len(line) <= limit else "…" + line[-limit:]


def quoted_path(path: object) -> str:
    """A path in quotes on one line; of a long one the end."""
    return f"'{inline(text_of(path))}'"


def listing(items: Iterable[str], limit: int | None = None, last: str = " and ") -> str:
    """``a``, ``a and b``, ``a, b and c``; ``none`` for an empty list.

    Args:
        items: texts, in order.
        limit: items to name; a longer list ends in ``and 3 more``. None names all.
        last: what stands before the last item of a list that is named in full.

    Example:
        >>> from jscale.report import tables
        >>> tables.listing(["N", "D", "C"])
        'N, D and C'
    """
    items = list(items)
    if not items:
        return "none"
    if limit is not None and len(items) > limit:
        return f"{', '.join(items[:limit])} and {len(items) - limit:,} more"
    *first, final = items
    return ", ".join(first) + last + final if first else final


def shortened(name: object) -> str:
    """A name without quotes, of at most 60 characters."""
    return _without_middle(text_of(name), _SHOWN_LIMIT)


def enumerated(names: Iterable[object], last: str = ", ") -> str:
    """``a, b, c``: names without quotes, of which at most 12 are spelled out; ``none`` if empty."""
    return listing(map(shortened, names), _NAMES_LIMIT, last=last)


def quoted_names(names: Iterable[object], limit: int = 12) -> str:
    """``'a', 'b', 'c'``: names in quotes, of which at most ``limit`` are spelled out."""
    return listing([quote(name) for name in names], limit, last=", ")


def row_numbers(rows: "Sequence[int] | np.ndarray", limit: int = 5) -> str:
    """``3, 4, 9``: row numbers, of which at most ``limit`` are spelled out."""
    return listing([str(row) for row in rows], limit, last=", ")


def named_rows(rows: "Sequence[int] | np.ndarray") -> str:
    """``row 3``, or ``rows 3, 4, 9`` with at most five numbers spelled out."""
    return f"{'row' if len(rows) == 1 else 'rows'} {row_numbers(rows)}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: ``1 row``, ``1,200 rows``.

    Example:
        >>> from jscale.report import tables
        >>> tables.plural(1200, "row")
        '1,200 rows'
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def general(value: float, digits: int) -> str:
    """A number to so many significant digits in plain ASCII: ``0.0123``, ``6e20``."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def human(
    value: float,
    digits: int = 3,
    *,
    plain: Callable[[float, int], str] = general,
    power: Callable[[float, int], str] = general,
) -> str:
    """A count as people write it: ``70M``, ``1.4T``, ``6e20``.

    Args:
        value: parameters, tokens, or any other number.
        digits: significant digits.
        plain: formats what stands before a suffix, and numbers that need none.
        power: formats numbers of 1e15 and more, and those below 0.001.

    Example:
        >>> human(1.4e12), human(5.88e20)
        ('1.4T', '5.88e20')
    """
    if not math.isfinite(value):
        return plain(value, digits)

    # The rounded value decides on the suffix: 999,999 is 1M.
    rounded = float(f"{value:.{digits - 1}e}")
    size = abs(rounded)
    if size >= _LARGEST_WITH_SUFFIX or 0 < size < _SMALLEST_WITHOUT_POWER:
        return power(value, digits)
    for step, suffix in _SUFFIXES:
        if size >= step:
            return plain(rounded / step, digits) + suffix
    return plain(rounded, digits)


def near_match(name: str, known: Iterable[str]) -> str | None:
    """The known name that is closest to a mistyped one, in any letter case; None if none is close.

    Example:
        >>> near_match("Chinchila", ["chinchilla", "kaplan"])
        'chinchilla'
    """
    if len(name) > _WORD_LIMIT:
        return None
    by_folded: dict[str, str] = {}
    for each in known:
        by_folded.setdefault(each.casefold(), each)
    close = difflib.get_close_matches(str(name).casefold(), list(by_folded), 1)
    return by_folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown name.

    Args:
        name: as it was given.
        known: the names that exist.
        otherwise: the end of the message where none of them is close.

    Example:
        >>> did_you_mean("Chinchila", ["chinchilla", "kaplan"])
        "; did you mean 'chinchilla'?"
    """
    match = near_match(name, known)
    return otherwise if match is None else f"; did you mean {match!r}?"


LONGEST_NUMBER = 400
"""Characters of a number; a longer text is not read as one. The exact digits of most numbers that
people write fit, and no pattern meets a longer text."""

# Possessive quantifiers (++, *+) never give back what they matched: the time is linear. Only of
# single characters: Python 3.11.2 takes a possessive group that fails half-way as matched.
_DIGITS = r"(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)"
_PLAIN = re.compile(
    rf"[+-]?{_DIGITS}(?:[eE][+-]?[0-9]++)?|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
)
_SUFFIXED = re.compile(rf"([+-]?{_DIGITS})\s*+([kmbtKMBT])")
_EXPONENTS = {"k": 3, "m": 6, "b": 9, "t": 12}


def plain_number(text: str) -> float | None:
    """The value of a number without a suffix, also of an infinite one; None for any other text."""
    if len(text) > LONGEST_NUMBER:
        return None
    return float(text) if _PLAIN.fullmatch(text) else None


def number_with_suffix(text: str) -> float | None:
    """The value of a number that may end in K, M, B or T (1e3, 1e6, 1e9, 1e12; any letter case)."""
    if len(text) > LONGEST_NUMBER:
        return None
    if parts := _SUFFIXED.fullmatch(text):
        # Through the decimal text, so that 1.1B is the float nearest to 1.1e9.
        return float(f"{parts[1]}e{_EXPONENTS[parts[2].lower()]}")
    return plain_number(text)
