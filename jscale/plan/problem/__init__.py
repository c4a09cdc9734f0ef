"""A plan's problem: the law with its parameters, the inputs given, checked and in one dtype."""

from jscale.plan.problem._binding import (
    POST,
    BoundLaw,
    bind,
    check_inputs,
    check_params,
    check_status,
    to_arrays,
)

__all__ = [
    "POST",
    "BoundLaw",
    "bind",
    "check_inputs",
    "check_params",
    "check_status",
    "to_arrays",
]
