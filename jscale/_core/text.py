"""Pieces of messages: one line each, whatever the table holds."""

from collections.abc import Iterable, Sequence

import numpy as np

_LONGEST = 40


def text_of(value: object) -> str:
    """``str(value)``, for values of any kind."""
    try:
        return str(value)
    except (
        ValueError,
        RecursionError,
    ):  # an integer of more digits than Python prints, a list nested too deep
        return f"a very long {type(value).__name__}"


def quote(value: object) -> str:
    """A value in quotes, short and with control characters escaped."""
    text = text_of(value)
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def inline(text: str, longest: int = 160) -> str:
    """A path or a name on one line, without quotes; the end of a long one, where the file name is."""
    shown = "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text)
    return shown if len(shown) <= longest else "…" + shown[-longest:]


def listing(names: Iterable[object], most: int = 12) -> str:
    """Names in quotes, the first few of them."""
    return few([quote(name) for name in names], most)


def few(items: Sequence[str], most: int = 12) -> str:
    """The first few of some texts, and how many more there are."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown or "none"


def numbers(rows: Sequence[int] | np.ndarray, most: int = 5) -> str:
    """Row numbers, the first few of them: ``3, 4, 9 and 12 more``."""
    shown = ", ".join(str(row) for row in rows[:most])
    return f"{shown} and {len(rows) - most} more" if len(rows) > most else shown


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def human(value: float) -> str:
    """A count as people write it: ``70M``, ``1.4T``, ``6e+20``."""
    for step, suffix in _STEPS:
        if step <= float(f"{value:.3g}") < 1e3 * step:
            return f"{value / step:.3g}{suffix}"
    return f"{value:.3g}"
