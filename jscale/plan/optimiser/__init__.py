"""The general optimiser: variables, objectives, constraints, multipliers."""

from jscale.plan.optimiser._polish import polish
from jscale.plan.optimiser._solve import Solution, solve
from jscale.plan.optimiser._variables import Choice, Free, Simplex

__all__ = [
    "Choice",
    "Free",
    "Simplex",
    "Solution",
    "polish",
    "solve",
]
