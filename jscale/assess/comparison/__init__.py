"""Laws compared on held-out runs, and tests of nested laws."""

from jscale.assess.comparison._compare import Comparison, Contender, NestedTest, compare
from jscale.assess.comparison._subset import SubsetFit, fit_subset

__all__ = [
    "Comparison",
    "Contender",
    "NestedTest",
    "SubsetFit",
    "compare",
    "fit_subset",
]
