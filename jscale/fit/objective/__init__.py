"""What a fit minimises: losses, weights, clusters, coordinates, and the problem they define."""

from jscale.fit.objective._clusters import (
    cluster_column,
    cluster_labels,
    default_cluster_column,
    few_clusters_note,
)
from jscale.fit.objective._coordinates import Coordinates, centred_coordinates
from jscale.fit.objective._losses import (
    STUDENT_NU,
    AsymmetricHuber,
    Huber,
    HuberLikelihood,
    Objective,
    Squares,
    StudentLikelihood,
    residuals,
    resolve,
    score_and_derivative,
)
from jscale.fit.objective._problem import (
    FitData,
    Linearization,
    Problem,
    first_guess,
    floor_widths,
    linearize,
    log_scale_of,
    next_stage_start,
    params_at,
    score,
    step_limits,
)
from jscale.fit.objective._start_ranges import max_step, restart_point, spread_starts, start_ranges
from jscale.fit.objective._tabulate import (
    RAW_OBJECTIVE_HINT,
    require_enough_runs,
    require_positive_losses,
    tabulate,
)
from jscale.fit.objective._weights import Weights, apply_weights, weights_name

__all__ = [
    "RAW_OBJECTIVE_HINT",
    "STUDENT_NU",
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
    "apply_weights",
    "centred_coordinates",
    "cluster_column",
    "cluster_labels",
    "default_cluster_column",
    "few_clusters_note",
    "first_guess",
    "floor_widths",
    "linearize",
    "log_scale_of",
    "max_step",
    "next_stage_start",
    "params_at",
    "require_enough_runs",
    "require_positive_losses",
    "residuals",
    "resolve",
    "restart_point",
    "score",
    "score_and_derivative",
    "spread_starts",
    "start_ranges",
    "step_limits",
    "tabulate",
    "weights_name",
]
