"""Decisions from a law and its parameters or draws: differentiable, in pure JAX."""

from jscale.plan import costs, reductions
from jscale.plan.budget import (
    CriticalTokens,
    Plan,
    PrecisionPlan,
    best_value,
    cheapest,
    critical_tokens,
    optimal,
    optimal_precision,
)
from jscale.plan.gridsearch import GridResult, grid
from jscale.plan.optimiser import Choice, Free, Simplex, Solution, solve
from jscale.plan.risk import Bands, bands

__all__ = [
    "Bands",
    "Choice",
    "CriticalTokens",
    "Free",
    "GridResult",
    "Plan",
    "PrecisionPlan",
    "Simplex",
    "Solution",
    "bands",
    "best_value",
    "cheapest",
    "costs",
    "critical_tokens",
    "grid",
    "optimal",
    "optimal_precision",
    "reductions",
    "solve",
]
