"""Numbers with their 90% intervals as text: the same digits wherever a number appears."""

from collections.abc import Callable
from dataclasses import dataclass

from jscale.report.analysis import Band
from jscale.report.notation import decimals, fixed, human


@dataclass(frozen=True)
class Value:
    """A number with the ends of its 90% interval, as text.

    Attributes:
        middle: the median.
        low: lower end; empty without draws.
        high: upper end; empty without draws.
    """

    middle: str
    low: str = ""
    high: str = ""

    @property
    def ends(self) -> str:
        """``66B – 140B``; empty without draws."""
        return f"{self.low} – {self.high}" if self.low else ""

    @property
    def inline(self) -> str:
        """``97B (90%: 66B to 140B)``, for a sentence; the number alone without draws."""
        if not self.low:
            return self.middle
        return f"{self.middle} (90%:\u00a0{self.low}\u00a0to\u00a0{self.high})"


def value(band: Band, index: int, text: Callable[[float], str]) -> Value:
    """One point of a band, by the given formatter."""
    middle, low, high = (float(each[index]) for each in (band.q50, band.q05, band.q95))
    return Value(text(middle), text(low), text(high)) if high > low else Value(text(middle))


def count(band: Band, index: int) -> Value:
    """A count such as 97B, with two or three digits by the width of its interval."""
    digits = count_digits(band, index)
    return value(band, index, lambda x: human(x, digits))


def count_digits(band: Band, index: int) -> int:
    """Significant digits of a count: 2 for an interval wider than a tenth of it, else 3."""
    middle, low, high = (float(each[index]) for each in (band.q50, band.q05, band.q95))
    return 2 if high - low > 0.1 * abs(middle) else 3


def decimal(band: Band, index: int, places: int | None = None) -> Value:
    """A number near 1 with decimal places.

    Args:
        band: the number.
        index: point of the band.
        places: decimal places; by the width of the interval where None.
    """
    if places is None:
        width = float(band.q95[index] - band.q05[index])
        places = decimals(width, 2, 5) if width > 0 else 3
    return value(band, index, lambda x: fixed(x, places))


def ratio(band: Band, index: int) -> Value:
    """Tokens per parameter: two digits below 100, three above."""
    return value(band, index, ratio_text)


def ratio_text(tokens_per_parameter: float) -> str:
    """Tokens per parameter: two digits below 100, three above."""
    return human(tokens_per_parameter, 2 if tokens_per_parameter < 100 else 3)
