"""How a numerical problem ended."""

import enum
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError


class Status(enum.IntEnum):
    """Outcome of a solve; an integer, so that it passes through ``jit`` and ``vmap``."""

    converged = 0
    not_converged = 1
    """The solver stopped before its tolerance was met."""
    no_interior_optimum = 2
    """The objective improves all the way to the end of the search range."""
    at_bound = 3
    """The best value sits on a declared bound of a parameter."""
    collinear_design = 4
    """The runs cannot separate some parameters: the design is rank deficient."""

    def __str__(self) -> str:
        return self.name


def check(status: Any, what: str) -> None:
    """Raise JscaleError when any entry of ``status`` is not ``converged``.

    Args:
        status: integer array of any shape, concrete (not traced).
        what: the thing that was computed, for the message.

    Raises:
        JscaleError: naming the first failing outcome and how many entries failed.
    """
    codes = np.atleast_1d(np.asarray(status)).ravel()
    failed = codes[codes != Status.converged]
    if failed.size:
        raise JscaleError(
            f"{what}: {Status(int(failed[0]))} ({failed.size} of {codes.size} solves)"
        )
