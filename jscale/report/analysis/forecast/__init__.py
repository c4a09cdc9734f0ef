"""The forecast: the compute-optimal path, plans, new runs, and curves at given budgets."""

from jscale.report.analysis.forecast._curves import (
    ResourceCurve,
    SizeProfile,
    resource_curve,
    size_profiles,
)
from jscale.report.analysis.forecast._forecast import Forecast, OptimalPath, compute_forecast
from jscale.report.analysis.forecast._new_runs import widened, with_new_runs
from jscale.report.analysis.forecast._returns import Returns

__all__ = [
    "Forecast",
    "OptimalPath",
    "ResourceCurve",
    "Returns",
    "SizeProfile",
    "compute_forecast",
    "resource_curve",
    "size_profiles",
    "widened",
    "with_new_runs",
]
