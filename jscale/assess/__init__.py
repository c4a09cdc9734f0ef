"""Is it to be trusted? Laws compared, one number under every way of fitting it, and what papers
printed beside ours.
"""

from jscale.assess.comparison import Comparison, Contender, NestedTest, compare
from jscale.assess.coverage import Calibration, Coverage, calibrate
from jscale.assess.published import Reproduction, reproduce, reproducible
from jscale.assess.robustness import OBJECTIVES, Sensitivity, Specification, sensitivity
from jscale.assess.targets import Quantity, quantity

__all__ = [
    "OBJECTIVES",
    "Calibration",
    "Comparison",
    "Contender",
    "Coverage",
    "NestedTest",
    "Quantity",
    "Reproduction",
    "Sensitivity",
    "Specification",
    "calibrate",
    "compare",
    "quantity",
    "reproduce",
    "reproducible",
    "sensitivity",
]
