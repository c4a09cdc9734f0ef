"""Figures of fits, posteriors, plans, grids and backtests, each drawn on the axes that it is given.

Every function takes what it draws and ``ax=``, and returns the axes; without ``ax`` it makes new
ones. :func:`axes` makes light or dark ones, :func:`save` writes PNG, SVG or PDF.
"""

from jscale.report.plots._axes import axes, save
from jscale.report.plots._bits import isoloss, loss_by_bits, optimal_bits
from jscale.report.plots._compute import allocation, approaches, loss_contours, valleys
from jscale.report.plots._decisions import held_out_regret, information_value, next_runs
from jscale.report.plots._fit import predicted, residuals
from jscale.report.plots._grids import grid_front, grid_heat_map, grid_valley
from jscale.report.plots._plans import expected_regret, marginal_value, wrong_size
from jscale.report.plots._posterior import forest, prior_posterior
from jscale.report.plots._quantised import critical_tokens, degradation, train_post
from jscale.report.plots._shares import joint_shares, kept_share
from jscale.report.plots._trust import (
    backtest,
    coverage,
    coverage_by_distance,
    profile,
    rank_histogram,
    specification_curve,
)

__all__ = [
    "allocation",
    "approaches",
    "axes",
    "backtest",
    "coverage",
    "coverage_by_distance",
    "critical_tokens",
    "degradation",
    "expected_regret",
    "forest",
    "grid_front",
    "grid_heat_map",
    "grid_valley",
    "held_out_regret",
    "information_value",
    "isoloss",
    "joint_shares",
    "kept_share",
    "loss_by_bits",
    "loss_contours",
    "marginal_value",
    "next_runs",
    "optimal_bits",
    "predicted",
    "prior_posterior",
    "profile",
    "rank_histogram",
    "residuals",
    "save",
    "specification_curve",
    "train_post",
    "valleys",
    "wrong_size",
]
