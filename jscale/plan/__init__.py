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
from jscale.plan.design import (
    NextRuns,
    PerfectInformation,
    next_runs,
    perfect_information,
    run_grid,
)
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
from jscale.plan.scenarios import (
    Allocation,
    MarginalReturns,
    RepeatedData,
    allocation,
    break_even_tokens,
    marginal_returns,
    repeated_data,
)

__all__ = [
    "Allocation",
    "Bands",
    "Choice",
    "CriticalTokens",
    "Free",
    "GridResult",
    "MarginalReturns",
    "NextRuns",
    "PerfectInformation",
    "Plan",
    "PrecisionPlan",
    "Regret",
    "RepeatedData",
    "RobustPlan",
    "Simplex",
    "Solution",
    "allocation",
    "assured",
    "bands",
    "beats",
    "best_value",
    "break_even_tokens",
    "cheapest",
    "costs",
    "critical_tokens",
    "grid",
    "marginal_returns",
    "next_runs",
    "on_surface",
    "optimal",
    "optimal_precision",
    "perfect_information",
    "reductions",
    "regret",
    "repeated_data",
    "robust",
    "run_grid",
    "solve",
]
