"""Numbers as text: ``70B`` parameters, ``10²¹`` FLOP, decimal places by the interval."""

import math
import re

from jscale._core import text as _text
from jscale._core.text import listing, plural

__all__ = [
    "MINUS",
    "MISSING",
    "decimals",
    "fixed",
    "human",
    "listing",
    "number",
    "percent",
    "plural",
    "power_of_ten",
    "significant",
    "with_powers",
]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WITH_EXPONENT = re.compile(
    r"(?<![\w.'\"-])-?[0-9](?:\.[0-9]+)?e[+-]?[0-9]{1,3}(?![\w'\"]|\.[0-9])"
)
MINUS = "−"
MISSING = "–"


def significant(value: float, digits: int = 3) -> str:
    """A number rounded to significant digits, without an exponent or trailing zeros: ``0.0123``.

    Args:
        value: any number.
        digits: significant digits.

    Example:
        >>> from jscale.report import tables
        >>> tables.significant(0.01234), tables.significant(12345.6, 4), tables.significant(2.0)
        ('0.0123', '12,346', '2')
    """
    if not math.isfinite(value):
        return _non_finite(value)
    if value == 0:
        return "0"
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    places = max(0, digits - 1 - math.floor(math.log10(rounded)))
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def number(value: float, digits: int = 3) -> str:
    """A number of any size, with a power of ten below 0.001 and from a million on.

    Args:
        value: any number.
        digits: significant digits.

    Example:
        >>> from jscale.report import tables
        >>> tables.number(0.34731, 4), tables.number(5e7)
        ('0.3473', '5×10⁷')
    """
    if value == 0 or not math.isfinite(value):
        return significant(value, digits)
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    return significant(value, digits) if 1e-3 <= rounded < 1e6 else power_of_ten(value, digits)


def human(value: float, digits: int = 3) -> str:
    """A count as people write it: ``70M``, ``1.4T``, from 10¹⁵ on ``2×10¹⁵``.

    Args:
        value: parameters, tokens, or any other number.
        digits: significant digits.

    Example:
        >>> from jscale.report import tables
        >>> tables.human(7e10), tables.human(1.4e12), tables.human(2e15)
        ('70B', '1.4T', '2×10¹⁵')
    """
    return _text.human(value, digits, plain=significant, power=power_of_ten)


def power_of_ten(value: float, digits: int = 3) -> str:
    """A number with a power of ten: ``10²¹``, ``5.76×10²³``.

    Args:
        value: such as a budget in FLOP.
        digits: significant digits.

    Example:
        >>> from jscale.report import tables
        >>> tables.power_of_ten(1e21), tables.power_of_ten(5.76e23)
        ('10²¹', '5.76×10²³')
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return _non_finite(value)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    if mantissa in ("1", "-1"):
        return power if mantissa == "1" else MINUS + power
    return f"{mantissa.replace('-', MINUS)}×{power}"


def with_powers(text: str) -> str:
    """A sentence with a power of ten for each exponent; names in quotes stay as they are.

    Args:
        text: such as a note.

    Example:
        >>> from jscale.report import tables
        >>> tables.with_powers("from 1.16e12 FLOP on (column '1e18')")
        "from 1.16×10¹² FLOP on (column '1e18')"
    """
    return _WITH_EXPONENT.sub(lambda found: power_of_ten(float(found[0]), 6), text)


def decimals(width: float, least: int = 0, most: int = 6) -> int:
    """Decimal places for a number with an interval of this width.

    They show the first digit of the width, and the second where the width begins with less than
    3.5.

    Args:
        width: of the interval, in the unit of the numbers; 0 or NaN gives ``most``.
        least: smallest result.
        most: largest result.

    Example:
        >>> from jscale.report import tables
        >>> tables.decimals(0.0323), tables.decimals(0.065), tables.decimals(40.0)
        (3, 2, 0)
    """
    if not math.isfinite(width) or width <= 0:
        return most
    power = math.floor(math.log10(width))
    second_digit = 1 if width < 3.5 * 10.0**power else 0
    return min(most, max(least, second_digit - power))


def fixed(value: float, places: int) -> str:
    """A number with a fixed number of decimal places: ``2.013``.

    Args:
        value: any number.
        places: decimal places.

    Example:
        >>> from jscale.report import tables
        >>> tables.fixed(2.0126, 3), tables.fixed(-0.5, 2)
        ('2.013', '−0.50')
    """
    if not math.isfinite(value):
        return _non_finite(value)
    return f"{value:,.{places}f}".replace("-", MINUS)


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 in percent: ``0.76%``.

    Args:
        share: 1 is 100%.
        digits: significant digits.

    Example:
        >>> from jscale.report import tables
        >>> tables.percent(0.00757), tables.percent(0.5)
        ('0.76%', '50%')
    """
    return significant(100 * share, digits) + "%"


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return "∞" if value > 0 else MINUS + "∞"
