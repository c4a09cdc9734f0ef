"""Which runs to do next: those that most improve a plan, a forecast or the parameters."""

from jscale.plan.design._candidates import run_grid
from jscale.plan.design._information import PerfectInformation, perfect_information
from jscale.plan.design._next_runs import NextRuns, next_runs

__all__ = ["NextRuns", "PerfectInformation", "next_runs", "perfect_information", "run_grid"]
