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
from jscale.plan.risk import Bands, bands

__all__ = [
    "Bands",
    "CriticalTokens",
    "GridResult",
    "Plan",
    "PrecisionPlan",
    "bands",
    "best_value",
    "cheapest",
    "costs",
    "critical_tokens",
    "grid",
    "optimal",
    "optimal_precision",
    "reductions",
]
