"""The parts of a planning problem: the law bound to its inputs, checked and in one dtype."""

from jscale.plan.problem._binding import (
    FEW,
    POST,
    BoundLaw,
    bind,
    charged_bits,
    check_inputs,
    check_params,
    check_status,
    to_arrays,
)

__all__ = [
    "FEW",
    "POST",
    "BoundLaw",
    "bind",
    "charged_bits",
    "check_inputs",
    "check_params",
    "check_status",
    "to_arrays",
]
