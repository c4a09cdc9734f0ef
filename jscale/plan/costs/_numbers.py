"""Checks of the numbers that a cost takes."""

from typing import Any

import numpy as np

from jscale._core.arrays import as_float
from jscale._core.checks import check_number, index_of_first, is_traced
from jscale._core.errors import JscaleError


def positive(name: str, value: Any) -> Any:
    """``value`` as floats, each finite and above 0 unless traced."""
    return as_float(check_number(name, value, above=0.0))


def between(name: str, value: Any, lower: float, upper: float = np.inf) -> Any:
    """``value`` as floats, each finite and from ``lower`` to ``upper`` unless traced.

    Raises:
        JscaleError: naming the first entry out of range.
    """
    value = as_float(check_number(name, value))
    if is_traced(value):
        return value

    entries = np.asarray(value, np.float64)
    invalid = (entries < lower) | (entries > upper)
    if invalid.any():
        index = index_of_first(invalid)
        bounds = f"at least {lower:g}" if upper == np.inf else f"from {lower:g} to {upper:g}"
        raise JscaleError(
            f"{index} must be {bounds}, not {entries[invalid][0]:g}".lstrip(), argument=name
        )
    return value
