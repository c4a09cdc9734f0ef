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
from jscale.plan.design import NextRuns, next_runs, run_grid
from jscale.plan.gridsearch import GridResult, grid
from jscale.plan.optimiser import Choice, Free, Simplex, Solution, solve
from jscale.plan.risk import (
    Bands,
    Regret,
    RobustPlan,
    assured,
    bands,
    beats,
    on_surface,
    regret,
    robust,
)

__all__ = [
    "Bands",
    "Choice",
    "CriticalTokens",
    "Free",
    "GridResult",
    "NextRuns",
    "Plan",
    "PrecisionPlan",
    "Regret",
    "RobustPlan",
    "Simplex",
    "Solution",
    "assured",
    "bands",
    "beats",
    "best_value",
    "cheapest",
    "costs",
    "critical_tokens",
    "grid",
    "next_runs",
    "on_surface",
    "optimal",
    "optimal_precision",
    "reductions",
    "regret",
    "robust",
    "run_grid",
    "solve",
]
