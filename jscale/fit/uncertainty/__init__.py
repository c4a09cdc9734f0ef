"""Intervals: covariance, bootstrap and profile likelihood, for parameters and functions of them."""

from jscale.fit.uncertainty._bootstrap import Bootstrap, bootstrap
from jscale.fit.uncertainty._covariance import COVARIANCE_KINDS, Covariance, covariance
from jscale.fit.uncertainty._ends import (
    Estimate,
    delta_method,
    nan_note,
    percentiles,
    push_forward,
    student_quantile,
    target_value,
    wald_interval,
)
from jscale.fit.uncertainty._identified import unbounded_targets, unidentified_note
from jscale.fit.uncertainty._intervals import Interval, Intervals, intervals
from jscale.fit.uncertainty._kinds import (
    BOOTSTRAP_KINDS,
    CLUSTER_KINDS,
    INTERVAL_KINDS,
    PROFILE_KINDS,
    RESAMPLING_OF,
    bootstrap_key,
    choose_kinds,
)
from jscale.fit.uncertainty._profile import profile
from jscale.fit.uncertainty._profile_target import Profile, default_scaling, profile_target
from jscale.fit.uncertainty._refits import retry
from jscale.fit.uncertainty._resampling import resampler
from jscale.fit.uncertainty._targets import (
    TargetFunction,
    TargetTransform,
    target_transform,
    targets_by_name,
)

__all__ = [
    "BOOTSTRAP_KINDS",
    "CLUSTER_KINDS",
    "COVARIANCE_KINDS",
    "INTERVAL_KINDS",
    "PROFILE_KINDS",
    "RESAMPLING_OF",
    "Bootstrap",
    "Covariance",
    "Estimate",
    "Interval",
    "Intervals",
    "Profile",
    "TargetFunction",
    "TargetTransform",
    "bootstrap",
    "bootstrap_key",
    "choose_kinds",
    "covariance",
    "default_scaling",
    "delta_method",
    "intervals",
    "nan_note",
    "percentiles",
    "profile",
    "profile_target",
    "push_forward",
    "resampler",
    "retry",
    "student_quantile",
    "target_transform",
    "target_value",
    "targets_by_name",
    "unbounded_targets",
    "unidentified_note",
    "wald_interval",
]
