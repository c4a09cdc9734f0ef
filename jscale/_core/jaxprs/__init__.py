"""An interpreter of traced programs; derivatives by column, and fast powers."""

from jscale._core.jaxprs._columns import value_and_columns
from jscale._core.jaxprs._interpreter import bind, evaluate
from jscale._core.jaxprs._powers import by_logarithm

__all__ = [
    "bind",
    "by_logarithm",
    "evaluate",
    "value_and_columns",
]
