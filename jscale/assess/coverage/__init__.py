"""Coverage of each kind of interval, measured on simulated tables."""

from jscale.assess.coverage._calibrate import calibrate
from jscale.assess.coverage._coverage import Calibration, Coverage

__all__ = [
    "Calibration",
    "Coverage",
    "calibrate",
]
