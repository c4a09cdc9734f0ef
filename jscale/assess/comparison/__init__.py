"""Laws compared on runs that are left out, their weights, and tests of nested laws."""

from jscale.assess.comparison._compare import Comparison, Contender, NestedTest, compare
from jscale.assess.comparison._effective import EffectiveCompute, effective_compute
from jscale.assess.comparison._leave_out import LeaveOneOut, loo
from jscale.assess.comparison._stacking import StackedModel, Stacking, stacking
from jscale.assess.comparison._subset import SubsetFit, fit_subset

__all__ = [
    "Comparison",
    "Contender",
    "EffectiveCompute",
    "LeaveOneOut",
    "NestedTest",
    "StackedModel",
    "Stacking",
    "SubsetFit",
    "compare",
    "effective_compute",
    "fit_subset",
    "loo",
    "stacking",
]
