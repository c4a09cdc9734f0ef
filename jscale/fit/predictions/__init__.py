"""Forecasts of new runs: draws, where their band comes from, and how far from the runs they are."""

from jscale.fit.predictions._assemble import assemble, mixture
from jscale.fit.predictions._columns import checked_columns
from jscale.fit.predictions._fits import predict_by_covariance, predict_by_draws
from jscale.fit.predictions._inputs import all_inputs, checked_inputs, example
from jscale.fit.predictions._notes import (
    BEYOND_RUNS,
    FAR,
    FAR_FORECAST,
    beyond_runs_note,
    distance_notes,
    no_ranges_note,
    without_repeats,
)
from jscale.fit.predictions._prediction import SOURCES, Prediction, variance_shares
from jscale.fit.predictions._ranges import (
    RATIO,
    RESOURCES,
    Ranges,
    beyond_bits,
    bit_range,
    decades,
    input_ranges,
    quantities,
    signed_decades,
)
from jscale.fit.predictions._values import law_values

__all__ = [
    "BEYOND_RUNS",
    "FAR",
    "FAR_FORECAST",
    "RATIO",
    "RESOURCES",
    "SOURCES",
    "Prediction",
    "Ranges",
    "all_inputs",
    "assemble",
    "beyond_bits",
    "beyond_runs_note",
    "bit_range",
    "checked_columns",
    "checked_inputs",
    "decades",
    "distance_notes",
    "example",
    "input_ranges",
    "law_values",
    "mixture",
    "no_ranges_note",
    "predict_by_covariance",
    "predict_by_draws",
    "quantities",
    "signed_decades",
    "variance_shares",
    "without_repeats",
]
