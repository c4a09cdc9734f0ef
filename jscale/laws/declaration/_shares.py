"""Inputs that are parts of one whole, such as the shares of a mixture: check of their sum."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jscale.laws.declaration._record import Record

_ROUNDING, _MIN_TOLERANCE = 0.005, 0.02
"""Tolerance of a sum, per part and at least: three shares written as 0.33 sum to 0.99."""


class Sum(NamedTuple):
    """The sum of the parts of a whole.

    Attributes:
        names: of the inputs.
        total: their sum, any shape.
        invalid: whether each sum is impossible, same shape.
        expected: the valid sum, for messages.
    """

    names: tuple[str, ...]
    total: np.ndarray
    invalid: np.ndarray
    expected: str


def sum_of_parts(record: Record, values: Mapping[str, Any]) -> Sum | None:
    """The sum of the inputs that are parts of one whole.

    Args:
        record: of the law.
        values: input → number or array, of shapes that broadcast.

    Returns:
        None where the law has no such inputs, or a part has no value.
    """
    parts = [i for i in record.inputs if i.role.parts]
    names = tuple(i.name for i in parts)
    if not names or not set(names) <= set(values):
        return None
    shares = [np.asarray(values[name], dtype=np.float64) for name in names]
    try:
        total = np.sum(np.broadcast_arrays(*shares), axis=0)
    except ValueError:  # plans have a message of their own for shapes that do not broadcast
        return None

    total = np.asarray(total)
    complete = any(i.role.parts == "all" for i in parts)
    tolerance = max(_MIN_TOLERANCE, _ROUNDING * len(parts))
    invalid = (total > 1 + tolerance) | (complete & (total < 1 - tolerance))
    return Sum(names, total, invalid, "1" if complete else "at most 1")


def sum_label(names: tuple[str, ...]) -> str:
    """The sum as text: ``mix_1 + mix_2``, ``mix_1 + … + mix_9``."""
    return " + ".join(names if len(names) <= 4 else (names[0], "…", names[-1]))
