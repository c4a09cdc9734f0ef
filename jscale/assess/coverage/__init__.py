"""Coverage of intervals and ranks in posteriors, measured on simulated tables."""

from jscale.assess.coverage._calibrate import calibrate
from jscale.assess.coverage._coverage import Calibration, Coverage
from jscale.assess.coverage._posteriors import calibrate_posterior
from jscale.assess.coverage._ranks import PosteriorCalibration, RankCheck

__all__ = [
    "Calibration",
    "Coverage",
    "PosteriorCalibration",
    "RankCheck",
    "calibrate",
    "calibrate_posterior",
]
