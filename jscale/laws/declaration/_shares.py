"""Inputs that are parts of one whole, such as the shares of a mixture, and whether they add up."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jscale.laws.declaration._record import Record

_ROUNDING, _LEAST = 0.005, 0.02
"""By how much parts may miss the whole, for each part and at least: three shares written as 0.33
sum to 0.99."""


class Sum(NamedTuple):
    """What parts add up to.

    Attributes:
        names: of the inputs.
        total: their sum, any shape.
        wrong: where it cannot be, of the same shape.
        expected: what it should be, for messages.
    """

    names: tuple[str, ...]
    total: np.ndarray
    wrong: np.ndarray
    expected: str


def sum_of_parts(record: Record, values: Mapping[str, Any]) -> Sum | None:
    """The sum of the inputs that are parts of one whole; None where there are none, or nothing to
    add
    up.

    Args:
        record: of the law.
        values: input → number or array; all parts are needed, of shapes that broadcast.
    """
    parts = [i for i in record.inputs if i.role.parts]
    names = tuple(i.name for i in parts)
    if not names or not set(names) <= set(values):
        return None
    shares = [np.asarray(values[name], dtype=np.float64) for name in names]
    try:
        total = np.sum(np.broadcast_arrays(*shares), axis=0)
    except ValueError:  # a plan says so in its own words
        return None
    whole = any(i.role.parts == "all" for i in parts)
    total = np.asarray(total)
    slack = max(_LEAST, _ROUNDING * len(parts))
    wrong = (total > 1 + slack) | (whole & (total < 1 - slack))
    return Sum(names, total, wrong, "1" if whole else "at most 1")


def sum_label(names: tuple[str, ...]) -> str:
    """The sum in words: ``mix_1 + mix_2``, ``mix_1 + … + mix_9``."""
    return " + ".join(names if len(names) <= 4 else (names[0], "…", names[-1]))
