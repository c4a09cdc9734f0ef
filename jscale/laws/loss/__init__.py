"""Laws of the loss in size, data and compute."""

from jscale.laws.loss._broken import bnsl, bnsl_slopes
from jscale.laws.loss._coupled import Coupling, coupled, coupled_optimum
from jscale.laws.loss._dense import (
    chinchilla,
    kaplan,
    kaplan_compute,
    kaplan_data,
    kaplan_enough_data,
    kaplan_size,
    kaplan_steps,
)
from jscale.laws.loss._farseer import farseer
from jscale.laws.loss._looped import looped
from jscale.laws.loss._merging import merged
from jscale.laws.loss._overtraining import best_ratio, overtraining
from jscale.laws.loss._parallel import parallel, parallel_size
from jscale.laws.loss._power import (
    power_compute,
    power_context,
    power_data,
    power_law,
    power_size,
    resource_needed,
    total_slope,
)
from jscale.laws.loss._progress import algorithmic_progress, compute_gain
from jscale.laws.loss._saturating import m1, m2, m3, m4, m4_resource

__all__ = [
    "Coupling",
    "algorithmic_progress",
    "best_ratio",
    "bnsl",
    "bnsl_slopes",
    "chinchilla",
    "compute_gain",
    "coupled",
    "coupled_optimum",
    "farseer",
    "kaplan",
    "kaplan_compute",
    "kaplan_data",
    "kaplan_enough_data",
    "kaplan_size",
    "kaplan_steps",
    "looped",
    "m1",
    "m2",
    "m3",
    "m4",
    "m4_resource",
    "merged",
    "overtraining",
    "parallel",
    "parallel_size",
    "power_compute",
    "power_context",
    "power_data",
    "power_law",
    "power_size",
    "resource_needed",
    "total_slope",
]
