"""Intervals: covariance, bootstrap and profile likelihood, for parameters and functions of them."""

from jscale.fit.uncertainty._bootstrap import Bootstrap, bootstrap
from jscale.fit.uncertainty._covariance import Covariance, covariance
from jscale.fit.uncertainty._ends import estimate, nan_note, percentiles, push_forward, wald
from jscale.fit.uncertainty._identified import unbounded_targets, unidentified_note
from jscale.fit.uncertainty._intervals import Interval, Intervals, intervals
from jscale.fit.uncertainty._kinds import (
    BOOTSTRAP,
    BOOTSTRAPS,
    BY_CLUSTER,
    KINDS,
    PROFILES,
    choose_kinds,
)
from jscale.fit.uncertainty._profile import Profile, default_scaling, profile, profiled
from jscale.fit.uncertainty._refits import retry
from jscale.fit.uncertainty._resampling import STUDENT_NU, drawing
from jscale.fit.uncertainty._student import student_quantile
from jscale.fit.uncertainty._targets import Quantity, TargetTransform, named, target_transform

__all__ = [
    "BOOTSTRAP",
    "BOOTSTRAPS",
    "BY_CLUSTER",
    "KINDS",
    "PROFILES",
    "STUDENT_NU",
    "Bootstrap",
    "Covariance",
    "Interval",
    "Intervals",
    "Profile",
    "Quantity",
    "TargetTransform",
    "bootstrap",
    "choose_kinds",
    "covariance",
    "default_scaling",
    "drawing",
    "estimate",
    "intervals",
    "named",
    "nan_note",
    "percentiles",
    "profile",
    "profiled",
    "push_forward",
    "retry",
    "student_quantile",
    "target_transform",
    "unbounded_targets",
    "unidentified_note",
    "wald",
]
