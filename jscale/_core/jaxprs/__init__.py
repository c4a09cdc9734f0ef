"""One interpreter of traced programs, and its two uses: derivatives by column, and fast powers."""

from jscale._core.jaxprs._columns import value_and_columns
from jscale._core.jaxprs._powers import by_logarithm

__all__ = [
    "by_logarithm",
    "value_and_columns",
]
