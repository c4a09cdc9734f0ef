"""Numbers as people write them: ``7e10``, ``70B``, ``1.4T``."""

import re

_PLAIN = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE
)
_SUFFIXED = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*([kmbt])", re.IGNORECASE)
_EXPONENTS = {"k": 3, "m": 6, "b": 9, "t": 12}


def plain_number(text: str) -> float | None:
    """The value of a number without a suffix, also of an infinite one; None for any other text."""
    return float(text) if _PLAIN.fullmatch(text) else None


def number_with_suffix(text: str) -> float | None:
    """The value of a number that may end in K, M, B or T (1e3, 1e6, 1e9, 1e12; any letter case)."""
    if parts := _SUFFIXED.fullmatch(text):
        # Through the decimal text, so that 1.1B is the float nearest to 1.1e9.
        return float(f"{parts[1]}e{_EXPONENTS[parts[2].lower()]}")
    return plain_number(text)
