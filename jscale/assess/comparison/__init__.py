"""Laws compared on held-out runs, and tests of nested laws."""

from jscale.assess.comparison._compare import Comparison, Contender, NestedTest, compare
from jscale.assess.comparison._refit import Refit, refit

__all__ = [
    "Comparison",
    "Contender",
    "NestedTest",
    "Refit",
    "compare",
    "refit",
]
