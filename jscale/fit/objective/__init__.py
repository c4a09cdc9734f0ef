"""What a fit minimises: losses, weights, clusters, coordinates, and the problem made of them."""

from jscale.fit.objective._clusters import (
    column_of,
    default_cluster_column,
    few_clusters_note,
    labels_of,
)
from jscale.fit.objective._coordinates import Coordinates, at_runs
from jscale.fit.objective._losses import (
    AsymmetricHuber,
    Huber,
    HuberLikelihood,
    Objective,
    Squares,
    StudentLikelihood,
    residuals,
    resolve,
)
from jscale.fit.objective._problem import (
    FitData,
    Linearization,
    Problem,
    examine,
    first_guess,
    floored,
    longest_steps,
    next_stage,
    params_at,
    slopes,
)
from jscale.fit.objective._start_ranges import max_step, ranges, restart_point, spread_starts
from jscale.fit.objective._tabulate import AS_THEY_ARE, require_enough, require_logarithms, tabulate
from jscale.fit.objective._weights import Weights, called, weigh

__all__ = [
    "AS_THEY_ARE",
    "AsymmetricHuber",
    "Coordinates",
    "FitData",
    "Huber",
    "HuberLikelihood",
    "Linearization",
    "Objective",
    "Problem",
    "Squares",
    "StudentLikelihood",
    "Weights",
    "at_runs",
    "called",
    "column_of",
    "default_cluster_column",
    "examine",
    "few_clusters_note",
    "first_guess",
    "floored",
    "labels_of",
    "longest_steps",
    "max_step",
    "next_stage",
    "params_at",
    "ranges",
    "require_enough",
    "require_logarithms",
    "residuals",
    "resolve",
    "restart_point",
    "slopes",
    "spread_starts",
    "tabulate",
    "weigh",
]
