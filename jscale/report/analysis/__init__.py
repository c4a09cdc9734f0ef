"""Everything that a report computes: :func:`analyse` makes one record, page and figures read it."""

from jscale.report.analysis._analysis import Analysis, analyse
from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._doubts import HeldOutForecasts, ResidualDoubts
from jscale.report.analysis._identification import STRONG_CORRELATION, Identification
from jscale.report.analysis._paired_runs import Degradation, KeptShare, matched_pairs
from jscale.report.analysis._precision import BitCurves, CriticalCurves, PrecisionAnalysis
from jscale.report.analysis._ranges import DrawRange, ResidualTrend, residual_trend
from jscale.report.analysis._study import FULL_BITS, FittedStudy, fitted_study
from jscale.report.analysis._summaries import ColumnSummary, ResidualSummary
from jscale.report.analysis.forecast import Forecast, OptimalPath, ResourceCurve, SizeProfile

__all__ = [
    "FULL_BITS",
    "STRONG_CORRELATION",
    "Analysis",
    "Band",
    "BitCurves",
    "ColumnSummary",
    "CriticalCurves",
    "Degradation",
    "DrawRange",
    "FittedStudy",
    "Forecast",
    "HeldOutForecasts",
    "Identification",
    "KeptShare",
    "OptimalPath",
    "PrecisionAnalysis",
    "ResidualDoubts",
    "ResidualSummary",
    "ResidualTrend",
    "ResourceCurve",
    "SizeProfile",
    "analyse",
    "band",
    "fitted_study",
    "matched_pairs",
    "residual_trend",
]
