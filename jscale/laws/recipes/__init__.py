"""Laws of how a quantised model is made: formats of the passes, optimiser, split, calibration."""

from jscale.laws.recipes._calibration import ptq_log_score
from jscale.laws.recipes._optimisers import QAT_OPTIMISERS, optimiser_qat
from jscale.laws.recipes._qat_split import qat_share
from jscale.laws.recipes._two_passes import (
    BACKWARD_FORMATS,
    FORWARD_FORMATS,
    PassFormat,
    pass_formats,
    quartet,
)

__all__ = [
    "BACKWARD_FORMATS",
    "FORWARD_FORMATS",
    "QAT_OPTIMISERS",
    "PassFormat",
    "optimiser_qat",
    "pass_formats",
    "ptq_log_score",
    "qat_share",
    "quartet",
]
