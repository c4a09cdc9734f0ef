"""The figures, one file for each subject, as matplotlib figures and as files.

To add a figure to the report: write a function here that draws it from arrays or from a record of
``report.analysis``, then list it in ``report/page/_figures.py``.
"""

from jscale.report.figures import _style as style
from jscale.report.figures._fit import held_out, observed_predicted, residuals
from jscale.report.figures._forecast import loss_by_compute, optimal_path, size_profiles
from jscale.report.figures._paired_runs import degradations, kept_shares
from jscale.report.figures._posterior import pairs
from jscale.report.figures._precision import critical_tokens, loss_by_bits, optimal_bits
from jscale.report.figures._ranks import draw_ranks, ranks, write_ranks
from jscale.report.figures._runs import design, loss_by_resource
from jscale.report.figures._save import write_figure
from jscale.report.figures._sensitivity import (
    draw_specifications,
    sensitivity,
    write_sensitivity,
)
from jscale.report.figures._style import NARROW, count_ticks, number_ticks, power_ticks, svg
from jscale.report.figures._uncertainty import (
    coverage,
    draw_coverage,
    draw_profile,
    profile,
    write_coverage,
    write_profile,
)

__all__ = [
    "NARROW",
    "count_ticks",
    "coverage",
    "critical_tokens",
    "degradations",
    "design",
    "draw_coverage",
    "draw_profile",
    "draw_ranks",
    "draw_specifications",
    "held_out",
    "kept_shares",
    "loss_by_bits",
    "loss_by_compute",
    "loss_by_resource",
    "number_ticks",
    "observed_predicted",
    "optimal_bits",
    "optimal_path",
    "pairs",
    "power_ticks",
    "profile",
    "ranks",
    "residuals",
    "sensitivity",
    "size_profiles",
    "style",
    "svg",
    "write_coverage",
    "write_figure",
    "write_profile",
    "write_ranks",
    "write_sensitivity",
]
