"""The optimum of a fit: point, certificate, covariance, and the state that intervals use."""

from jscale.fit.optimum._certificate import AGREEING_STARTS, COLLINEAR, GRADIENT, Certificate, notes
from jscale.fit.optimum._fitted_runs import fitted_runs
from jscale.fit.optimum._optimum import find_optimum
from jscale.fit.optimum._point import (
    DEFAULT_OBJECTIVE,
    DEFAULT_STARTS,
    Point,
    fit_point,
    point,
    resolve_point,
)
from jscale.fit.optimum._sandwich import (
    bread,
    delta_method_variance,
    fisher,
    inverse_information,
    mask_unidentified,
    residual_information,
    sandwich,
    smoothed_score_derivative,
)
from jscale.fit.optimum._state import FitContext, FitState, state_at

__all__ = [
    "AGREEING_STARTS",
    "COLLINEAR",
    "DEFAULT_OBJECTIVE",
    "DEFAULT_STARTS",
    "GRADIENT",
    "Certificate",
    "FitContext",
    "FitState",
    "Point",
    "bread",
    "delta_method_variance",
    "find_optimum",
    "fisher",
    "fit_point",
    "fitted_runs",
    "inverse_information",
    "mask_unidentified",
    "notes",
    "point",
    "residual_information",
    "resolve_point",
    "sandwich",
    "smoothed_score_derivative",
    "state_at",
]
