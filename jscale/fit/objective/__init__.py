"""What a fit minimises: losses, weights, clusters, coordinates, and the problem they define."""

from jscale.fit.objective._clusters import (
    cluster_column,
    cluster_labels,
    default_cluster_column,
    few_clusters_note,
)
from jscale.fit.objective._compiled_form import compiled_form, pad, pad_zeros, padded_size
from jscale.fit.objective._coordinates import Coordinates, centred_coordinates
from jscale.fit.objective._linearize import (
    BY_ROW,
    Linearization,
    linearize,
    objective_at,
    params_at,
    scores_at,
)
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
    Problem,
    first_guess,
    floor_widths,
    log_scale_of,
    median_of,
    next_stage_start,
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
    "BY_ROW",
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
    "compiled_form",
    "default_cluster_column",
    "few_clusters_note",
    "first_guess",
    "floor_widths",
    "linearize",
    "log_scale_of",
    "max_step",
    "median_of",
    "next_stage_start",
    "objective_at",
    "pad",
    "pad_zeros",
    "padded_size",
    "params_at",
    "require_enough_runs",
    "require_positive_losses",
    "residuals",
    "resolve",
    "restart_point",
    "score",
    "score_and_derivative",
    "scores_at",
    "spread_starts",
    "start_ranges",
    "step_limits",
    "tabulate",
    "weights_name",
]
