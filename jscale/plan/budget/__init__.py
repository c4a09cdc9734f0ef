"""Plans for one budget: the optimum, its inverse, precision, critical tokens."""

from jscale.plan.budget._critical import CriticalTokens, critical_tokens
from jscale.plan.budget._inverse import BUDGET_RANGE, best_value, cheapest
from jscale.plan.budget._optimal import optimal
from jscale.plan.budget._precision import PrecisionPlan, optimal_precision
from jscale.plan.budget._problem import RANGES, BudgetProblem, build_problem
from jscale.plan.budget._search import Plan, best_point, solve_one

__all__ = [
    "BUDGET_RANGE",
    "RANGES",
    "BudgetProblem",
    "CriticalTokens",
    "Plan",
    "PrecisionPlan",
    "best_point",
    "best_value",
    "build_problem",
    "cheapest",
    "critical_tokens",
    "optimal",
    "optimal_precision",
    "solve_one",
]
