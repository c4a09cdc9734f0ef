"""Numbers as people write them: ``7e10``, ``70B``, ``1.4T``."""

import re

LONGEST_NUMBER = 400
"""Characters of a number; a longer text is not read as one. The exact digits of most numbers that
people write fit, and no pattern meets a longer text."""

# Possessive quantifiers (++, *+) never give back what they matched: the time is linear.
_DIGITS = r"(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)"
_PLAIN = re.compile(
    rf"[+-]?{_DIGITS}(?:[eE][+-]?[0-9]++)?+|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
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
