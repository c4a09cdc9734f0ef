"""Standardised coordinates of runs for scales and discrepancies, and inducing points."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SCALE_LIMIT = 2.5
"""Standard deviations of a column, beyond which the scale of the errors stays constant at new runs.
Growth of errors that was seen in the runs is not extrapolated without end."""


MAX_INDUCING = 40
"""Inducing points: with fewer different rows the process is exact."""
_DIGITS = 6
"""Decimals of a coordinate, in standard deviations, that make two rows different."""


def smooth_coordinates(
    names: Sequence[str], inputs: Mapping[str, Any], reference: Mapping[str, Any]
) -> np.ndarray:
    """Coordinates (points, dimensions) of a discrepancy.

    A coordinate is the log of an input, standardised by the runs, or the input itself where a run
    has none above zero. Bits are in logs too: more is lost from 4 to 3 bits than from 16 to 15. An
    infinite input counts as e times the largest finite one, or as one more where there is no log.

    Args:
        names: inputs of the law.
        inputs: input → (points,).
        reference: input → (rows,) of the runs.
    """
    return np.stack([_coordinate(inputs[name], reference[name]) for name in names], axis=1)


def _coordinate(values: Any, reference: Any) -> np.ndarray:
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    is_log = bool((reference > 0).all())
    tiny = np.finfo(float).tiny  # the domain of the law excludes zero where the runs have logs
    transformed, base = (
        (np.log(np.maximum(x, tiny)) if is_log else x) for x in (values, reference)
    )
    finite = base[np.isfinite(base)]
    end = finite.max() + 1.0 if finite.size else 0.0
    transformed, base = (np.where(np.isposinf(x), end, x) for x in (transformed, base))
    return (transformed - base.mean()) / _spread(base)


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


def scale_coordinate(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Standardised log (points,) of a column that the scale of the errors is a power of.

    It ends at :data:`SCALE_LIMIT`, or at the farthest run.

    Args:
        values: (points,) above zero.
        reference: (rows,) of the runs.
    """
    logs, base = np.log(values), np.log(reference)
    coordinates, own = ((x - base.mean()) / _spread(base) for x in (logs, base))
    low, high = min(own.min(), -SCALE_LIMIT), max(own.max(), SCALE_LIMIT)
    return np.clip(coordinates, low, high)


def _spread(values: np.ndarray) -> float:
    """Standard deviation; 1 where all are equal."""
    deviation = float(values.std())
    return deviation if deviation > 0 else 1.0
