"""The one interpreter of traced programs: a value with its derivative columns, and powers by
logarithms.
"""

from jscale._core.jaxprs._columns import value_and_columns
from jscale._core.jaxprs._powers import by_logarithm

__all__ = [
    "by_logarithm",
    "value_and_columns",
]
