"""Everything that a report computes."""

from jscale.report.analysis._bands import Band, band
from jscale.report.analysis._forecast import (
    Curve,
    Forecast,
    Path,
    forecast,
    single_resource,
    stacked,
)
from jscale.report.analysis._paired_runs import Degradation, Share, degradations, kept_shares
from jscale.report.analysis._precision import Precision, precision
from jscale.report.analysis._size_profiles import Profile, profiles
from jscale.report.analysis._study import FULL_BITS, Study, study

__all__ = [
    "FULL_BITS",
    "Band",
    "Curve",
    "Degradation",
    "Forecast",
    "Path",
    "Precision",
    "Profile",
    "Share",
    "Study",
    "band",
    "degradations",
    "forecast",
    "kept_shares",
    "precision",
    "profiles",
    "single_resource",
    "stacked",
    "study",
]
