"""Outcomes of numerical solves."""

import enum
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError


class Status(enum.IntEnum):
    """Outcome of a solve: an integer, so that it passes through ``jit`` and ``vmap``."""

    converged = 0
    not_converged = 1
    """The solver stopped before its tolerance was met."""
    no_interior_optimum = 2
    """The objective improves all the way to the end of the search range."""
    at_bound = 3
    """The best value sits on a declared bound of a parameter."""
    collinear_design = 4
    """Some parameters are not separately identified: the design is rank deficient."""
    kink = 5
    """The best value sits where a slope of the objective jumps."""
    infeasible = 6
    """No point satisfies the constraints."""
    unbounded_below = 7
    """The objective falls without end towards a variable without a bound."""
    flat = 8
    """The best value is reached on a whole range, of which the result is one point."""

    def __str__(self) -> str:
        return self.name


OPTIMA = (Status.converged, Status.at_bound, Status.kink, Status.flat)
"""Outcomes with a value: an optimum inside the range, on a declared bound, at a kink, or one of
many."""


def is_optimum(status: Any) -> Any:
    """Whether each entry of an integer array is one of :data:`OPTIMA`."""
    first, *others = (status == int(code) for code in OPTIMA)
    for other in others:
        first = first | other
    return first


def check(status: Any, what: str) -> None:
    """Raise JscaleError when any entry of ``status`` is not one of :data:`OPTIMA`.

    Args:
        status: integer array of any shape, concrete (not traced).
        what: name of the result, for the message.

    Raises:
        JscaleError: an entry is not ``converged``; the message has the first such outcome and how
            many there are.
    """
    codes = np.atleast_1d(np.asarray(status)).ravel()
    failed = codes[~is_optimum(codes)]
    if failed.size:
        outcome = Status(int(failed[0]))
        raise JscaleError(f"{what}: {outcome} ({failed.size} of {codes.size} solves)")
