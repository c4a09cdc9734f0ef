"""How often each kind of interval covers the truth, on tables simulated like the user's."""

from jscale.assess.coverage._calibrate import Calibration, Coverage, calibrate

__all__ = [
    "Calibration",
    "Coverage",
    "calibrate",
]
