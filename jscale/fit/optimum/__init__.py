"""The certified optimum: point fit, certificate, covariance, and the state that intervals start
from.
"""

from jscale.fit.optimum._certificate import AGREEING_STARTS, COLLINEAR, GRADIENT, Certificate, notes
from jscale.fit.optimum._optimum import find_optimum
from jscale.fit.optimum._point import Point, optimum, point
from jscale.fit.optimum._sandwich import (
    bread,
    fisher,
    inverse_information,
    mask_unidentified,
    of_number,
    of_one_residual,
    sandwich,
    stiffness,
)
from jscale.fit.optimum._state import FitState, fit_once, fitted

__all__ = [
    "AGREEING_STARTS",
    "COLLINEAR",
    "GRADIENT",
    "Certificate",
    "FitState",
    "Point",
    "bread",
    "find_optimum",
    "fisher",
    "fit_once",
    "fitted",
    "inverse_information",
    "mask_unidentified",
    "notes",
    "of_number",
    "of_one_residual",
    "optimum",
    "point",
    "sandwich",
    "stiffness",
]
