"""Inducing points of a discrepancy: rows of the table that represent all of them."""

import numpy as np

MAX_INDUCING = 40
"""Inducing points: with fewer different rows the process is exact."""
_DIGITS = 6
"""Decimals of a coordinate, in standard deviations, that make two rows different."""


def inducing_points(points: np.ndarray, limit: int = MAX_INDUCING) -> np.ndarray:
    """Different rows of ``points`` (rows, dimensions), at most ``limit``, far from each other.

    The first is the most central one, and each other the farthest from those before it.
    """
    different = np.unique(np.round(points, _DIGITS), axis=0)
    if len(different) <= limit:
        return different

    chosen = [int(np.argmin(((different - different.mean(axis=0)) ** 2).sum(axis=1)))]
    distance = ((different - different[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < limit:
        farthest = int(np.argmax(distance))
        chosen.append(farthest)
        distance = np.minimum(distance, ((different - different[farthest]) ** 2).sum(axis=1))
    return different[chosen]
