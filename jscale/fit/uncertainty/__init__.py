"""Intervals: covariance, bootstrap and profile likelihood, for parameters and functions of them."""

from jscale.fit.uncertainty._bootstrap import Bootstrap, bootstrap
from jscale.fit.uncertainty._covariance import Covariance, covariance
from jscale.fit.uncertainty._ends import estimate, missing, percentiles, pushed, wald
from jscale.fit.uncertainty._identified import blindness, whole_range
from jscale.fit.uncertainty._intervals import Interval, Intervals, intervals
from jscale.fit.uncertainty._kinds import BOOTSTRAP, BOOTSTRAPS, BY_CLUSTER, KINDS, PROFILES, settle
from jscale.fit.uncertainty._profile import Profile, default_scaling, profile, profiled
from jscale.fit.uncertainty._refits import again
from jscale.fit.uncertainty._resampling import STUDENT_NU, drawing
from jscale.fit.uncertainty._student import student_quantile
from jscale.fit.uncertainty._targets import Aim, Quantity, aim_at, named

__all__ = [
    "BOOTSTRAP",
    "BOOTSTRAPS",
    "BY_CLUSTER",
    "KINDS",
    "PROFILES",
    "STUDENT_NU",
    "Aim",
    "Bootstrap",
    "Covariance",
    "Interval",
    "Intervals",
    "Profile",
    "Quantity",
    "again",
    "aim_at",
    "blindness",
    "bootstrap",
    "covariance",
    "default_scaling",
    "drawing",
    "estimate",
    "intervals",
    "missing",
    "named",
    "percentiles",
    "profile",
    "profiled",
    "pushed",
    "settle",
    "student_quantile",
    "wald",
    "whole_range",
]
