"""Bands: the spread of a curve over the draws of a posterior."""

from typing import NamedTuple

import numpy as np

from jscale.plan.risk import quantiles_over_draws

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Band(NamedTuple):
    """A quantity along a curve, at the point estimate and its quantiles over the draws.

    Without draws every quantile is the value at the point estimate.

    Attributes:
        point: at the point estimate, shape (points,).
        q05: 5% quantile, shape (points,).
        q25: 25% quantile.
        q50: median.
        q75: 75% quantile.
        q95: 95% quantile.
    """

    point: np.ndarray
    q05: np.ndarray
    q25: np.ndarray
    q50: np.ndarray
    q75: np.ndarray
    q95: np.ndarray

    @property
    def has_width(self) -> bool:
        """Whether there is a band to draw and not only a line."""
        return bool((self.q95 > self.q05).any())

    def at(self, index: int | slice) -> "Band":
        """One point of the curve, or several."""
        return Band(*(values[index] for values in self))

    def widened(self, factor: np.ndarray, *, in_logs: bool = True) -> "Band":
        """The band wider by a factor (points,) about its median, in logarithms or as it is."""
        if in_logs and not (np.stack(self[1:]) > 0).all():
            return self

        def moved(end: np.ndarray) -> np.ndarray:
            if in_logs:
                return self.q50 * (end / self.q50) ** factor
            return self.q50 + factor * (end - self.q50)

        return Band(self.point, *(moved(end) for end in self[1:]))

    def ends(self) -> tuple[float, float]:
        """Smallest and largest finite value of band and line; NaN where there is none."""
        values = np.concatenate([np.ravel(values) for values in (self.q50, self.q05, self.q95)])
        values = values[np.isfinite(values)]
        if not values.size:
            return (np.nan, np.nan)
        return (float(values.min()), float(values.max()))


def band(values: np.ndarray) -> Band:
    """The band of a quantity over the draws.

    Draws without a value (NaN) are left out; infinite values are ordered like the others.

    Args:
        values: shape (1 + draws, points), the point estimate first.
    """
    values = np.asarray(values, dtype=np.float64)
    point = values[0]
    if len(values) == 1:
        return Band(point, point, point, point, point, point)
    return Band(point, *quantiles_over_draws(values[1:], QUANTILES, xp=np))
