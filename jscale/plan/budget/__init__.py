"""Plans for one budget: the optimum, its inverse, precision, critical tokens."""

from jscale.plan.budget._critical import CriticalTokens, critical_tokens
from jscale.plan.budget._inverse import best_value, cheapest
from jscale.plan.budget._optimal import optimal
from jscale.plan.budget._precision import PrecisionPlan, optimal_precision
from jscale.plan.budget._problem import build_problem
from jscale.plan.budget._search import Plan

__all__ = [
    "CriticalTokens",
    "Plan",
    "PrecisionPlan",
    "best_value",
    "build_problem",
    "cheapest",
    "critical_tokens",
    "optimal",
    "optimal_precision",
]
