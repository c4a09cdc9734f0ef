"""Checks of the numbers that a cost takes."""

from typing import Any

import numpy as np

from jscale._core.arrays import as_float
from jscale._core.checks import check_number, is_traced
from jscale._core.errors import JscaleError


def positive(name: str, value: Any) -> Any:
    """``value`` as floats, each finite and above 0 where it can be seen."""
    return as_float(check_number(name, value, above=0.0))


def between(name: str, value: Any, least: float, most: float = np.inf) -> Any:
    """``value`` as floats, each finite and from ``least`` to ``most`` where it can be seen.

    Raises:
        JscaleError: naming the first entry that is not.
    """
    value = as_float(check_number(name, value))
    if is_traced(value):
        return value
    wide = np.asarray(value, np.float64)
    wrong = (wide < least) | (wide > most)
    if wrong.any():
        entry = "" if wide.ndim == 0 else f"[{', '.join(map(str, np.argwhere(wrong)[0]))}]"
        bounds = f"at least {least:g}" if most == np.inf else f"from {least:g} to {most:g}"
        raise JscaleError(f"{name}{entry} must be {bounds}, not {wide[wrong][0]:g}")
    return value
