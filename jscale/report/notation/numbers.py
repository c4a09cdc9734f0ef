"""Numbers as people write them: ``70B`` parameters, ``10²¹`` FLOP, a value with its interval."""

import math

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
]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"
MISSING = "–"


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent and without zeros that say
    nothing:
    ``0.0123``.

    Args:
        value: any number.
        digits: significant digits.
    """
    if not math.isfinite(value):
        return _odd(value)
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}")))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def number(value: float, digits: int = 3) -> str:
    """A number of any size: as :func:`significant` from 0.001 to a million, else with a power of
    ten.

    Args:
        value: any number.
        digits: significant digits.
    """
    plain = (
        value == 0
        or not math.isfinite(value)
        or 1e-3 <= abs(float(f"{value:.{digits - 1}e}")) < 1e6
    )
    return significant(value, digits) if plain else power_of_ten(value, digits)


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
    """
    if not math.isfinite(value) or value == 0:
        return _odd(value) if value else "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    if mantissa in ("1", "-1"):
        return power if mantissa == "1" else MINUS + power
    return f"{mantissa.replace('-', MINUS)}×{power}"


def decimals(width: float, least: int = 0, most: int = 6) -> int:
    """Decimal places that an interval of this width deserves: its first digit shows, after a small
    one
        the second.

    Args:
        width: of the interval, in the unit of the numbers; 0 or NaN gives ``most``.
        least: smallest answer.
        most: largest answer.
    """
    if not math.isfinite(width) or width <= 0:
        return most
    power = math.floor(math.log10(width))
    return min(most, max(least, (1 if width < 3.5 * 10.0**power else 0) - power))


def fixed(value: float, places: int) -> str:
    """A number with so many decimal places: ``2.013``."""
    return f"{value:,.{places}f}".replace("-", MINUS) if math.isfinite(value) else _odd(value)


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 as ``0.76%``."""
    return significant(100 * share, digits) + "%"


def _odd(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return "∞" if value > 0 else MINUS + "∞"
