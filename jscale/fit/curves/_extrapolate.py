"""Extrapolation of one curve by its last part, and how far it was off before."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from jscale.fit.curves._read import Curve

WINDOW = np.log(4)
"""The last part of a curve, in the logarithm of tokens, whose slope goes on."""
_ROUNDING = 1e-9
"""Of numbers of errors: ``(1 - 0.8) / 2`` is a little less than a tenth."""


class Extrapolation(NamedTuple):
    """A forecast of the logarithm of the loss, and the size of its error's unit.

    The unit is the forecast fall from the last checkpoint, and the scatter about the line: where
    a curve flattens, both the fall and the error in it shrink.
    """

    value: float
    unit: float


def extrapolated(curve: Curve, x: float) -> Extrapolation:
    """Logarithm of the loss at ``x`` by a power law through the last part of the curve.

    Least squares over the checkpoints of the last factor of 4 in tokens, or the last two.
    """
    last = curve.x >= curve.x[-1] - WINDOW - 1e-9
    last[-2:] = True
    centre, level = curve.x[last].mean(), curve.y[last].mean()
    deviation = curve.x[last] - centre
    slope = float(deviation @ curve.y[last] / (deviation @ deviation))

    scatter = curve.y[last] - level - slope * deviation
    unit = np.hypot(slope * (x - curve.x[-1]), np.sqrt(np.mean(scatter**2)))
    return Extrapolation(float(level + slope * (x - centre)), float(unit))


def _error(curve: Curve, cut: float, at: int) -> float:
    """Error at checkpoint ``at`` of the part up to ``cut``, in its units."""
    part = curve.until(cut)
    if len(part.x) < 2 or part.x[-1] >= curve.x[at]:
        return np.nan
    forecast = extrapolated(part, curve.x[at])
    return (curve.y[at] - forecast.value) / forecast.unit if forecast.unit > 0 else np.nan


def finished_errors(curves: Iterable[Curve], label: str, share: float) -> np.ndarray:
    """Errors at the end of other, finished runs that are cut at the same share of their tokens.

    Args:
        curves: of the table.
        label: of the run that is forecast.
        share: logarithm of the share, negative.
    """
    errors = [
        _error(curve, curve.end + share, len(curve.x) - 1)
        for curve in curves
        if curve.finished and curve.label != label
    ]
    return _finite(errors)


def earlier_errors(curves: Iterable[Curve], share: float) -> np.ndarray:
    """Errors inside the seen part of every run, as far ahead as the end is now."""
    errors = [error for curve in curves for error in _inside(curve, share)]
    return _finite(errors)


def _inside(curve: Curve, share: float) -> Iterator[float]:
    for at in range(2, len(curve.x)):
        yield _error(curve, curve.x[at] + share, at)


def _finite(errors: list[float]) -> np.ndarray:
    array = np.array(errors, float)
    return np.sort(array[np.isfinite(array)])


def errors_needed(level: float) -> int:
    """Smallest number of errors from which :func:`quantiles` takes both ends, 9 at 80%."""
    return int(np.ceil(2 * (1 - _ROUNDING) / (1 - level))) - 1


def quantiles(errors: np.ndarray, level: float) -> tuple[float, float, float]:
    """Lower, middle and upper quantile of the next error.

    The ends are order statistics between which one more error of the same kind lies with at least
    the probability ``level``; NaN where there are too few of them.
    """
    count = len(errors)
    if count < errors_needed(level):
        return np.nan, 0.0, np.nan
    tail = int(np.floor((count + 1) * (1 - level) / 2 + _ROUNDING))
    return errors[tail - 1], float(np.median(errors)), errors[count - tail]
