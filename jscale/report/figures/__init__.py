"""The figures, as matplotlib figures and as files."""

from jscale.report.figures._bits import critical, loss_by_bits, optimal_bits
from jscale.report.figures._fit import observed_predicted, residuals
from jscale.report.figures._pairs import degradation, kept_shares
from jscale.report.figures._plan import forecast, path, profiles
from jscale.report.figures._posterior import STRONG, correlations, most_correlated, pairs
from jscale.report.figures._runs import design, single
from jscale.report.figures._sensitivity import sensitivity, write_sensitivity
from jscale.report.figures._style import NARROW, count_ticks, number_ticks, power_ticks, svg
from jscale.report.figures._uncertainty import coverage, profile, write_coverage, write_profile

__all__ = [
    "NARROW",
    "STRONG",
    "correlations",
    "count_ticks",
    "coverage",
    "critical",
    "degradation",
    "design",
    "forecast",
    "kept_shares",
    "loss_by_bits",
    "most_correlated",
    "number_ticks",
    "observed_predicted",
    "optimal_bits",
    "pairs",
    "path",
    "power_ticks",
    "profile",
    "profiles",
    "residuals",
    "sensitivity",
    "single",
    "svg",
    "write_coverage",
    "write_profile",
    "write_sensitivity",
]
