"""Numbers as people write them: ``7e10``, ``70B``, ``1.4T``."""

import re

_PLAIN = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE
)
_SUFFIXED = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*([kmbt])", re.IGNORECASE)
_SUFFIXES = {"k": 3, "m": 6, "b": 9, "t": 12}


def plain_number(text: str) -> float | None:
    """The number that a text is, also an infinite one; None where it is none."""
    return float(text) if _PLAIN.fullmatch(text) else None


def written_number(text: str) -> float | None:
    """The same with K, M, B or T for 1e3, 1e6, 1e9 or 1e12 after it, in either letter case."""
    if suffixed := _SUFFIXED.fullmatch(text):
        # Through the decimal text, so that 1.1B is the float nearest to 1.1e9.
        return float(f"{suffixed[1]}e{_SUFFIXES[suffixed[2].lower()]}")
    return plain_number(text)
