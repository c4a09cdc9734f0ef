"""Is it to be trusted? Laws compared, one number under every way of fitting it, and what papers printed beside ours."""

from jscale.assess._calibrate import Calibration, Coverage, calibrate
from jscale.assess._compare import Comparison, Contender, NestedTest, compare
from jscale.assess._quantity import Quantity, quantity
from jscale.assess._sensitivity import OBJECTIVES, Sensitivity, Specification, sensitivity
from jscale.assess.published import Reproduction, reproduce, reproducible

__all__ = [
    "OBJECTIVES", "Calibration", "Comparison", "Contender", "Coverage", "NestedTest", "Quantity", "Reproduction",
    "Sensitivity", "Specification", "calibrate", "compare", "quantity", "reproduce", "reproducible", "sensitivity",
]  # fmt: skip
