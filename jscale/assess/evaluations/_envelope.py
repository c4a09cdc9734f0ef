"""``envelope``: the growth of the best models, by quantile regression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.checks import check_number
from jscale._core.errors import JscaleError

_LEAST_MODELS = 3


@dataclass(frozen=True)
class Envelope:
    """An exponential below which a share of the models lie: ``exp(intercept + slope * t)``.

    Attributes:
        slope: rise of the logarithm a unit of time.
        intercept: logarithm at time 0.
        quantile: share of the models below the line.
        above: number of models above it.
    """

    slope: float
    intercept: float
    quantile: float
    above: int

    @property
    def doubling(self) -> float:
        """Time in which it doubles; negative where it falls."""
        return float(np.log(2) / self.slope) if self.slope else float("inf")


def envelope(time: ArrayLike, values: ArrayLike, *, quantile: float = 0.95) -> Envelope:
    """The envelope of a quantity that grows exponentially, such as the largest density of models.

    A linear quantile regression of the logarithm on time, by linear programming: the line that a
    share ``quantile`` of the models lie below. A fit through all models has another slope, and one
    through the maxima rises with the number of models. Source: Koenker & Bassett 1978; for
    densities Xiao et al. 2024 (arXiv 2412.04315).

    Args:
        time: (models,) release dates, such as days.
        values: (models,) positive numbers, such as densities.
        quantile: share of the models below the line, between 0 and 1.

    Raises:
        JscaleError: arrays of different lengths, fewer than three models or two dates, a value that
            is not positive, or a linear program that is not solved.

    Example:
        >>> import numpy as np
        >>> from jscale import assess
        >>> days = np.arange(0, 400, 20)
        >>> best = 0.5 * np.exp(0.007 * days)
        >>> densities = np.concatenate([best, 0.7 * best, 0.5 * best])
        >>> line = assess.envelope(np.tile(days, 3), densities)
        >>> round(line.slope, 4), round(line.doubling)
        (0.007, 99)
    """
    check_number("quantile", quantile, above=0.0)
    if quantile >= 1:
        raise JscaleError(f": expected a share below 1, not {quantile:g}", argument="quantile")
    t, y = np.asarray(time, np.float64), np.asarray(values, np.float64)
    if t.ndim != 1 or t.shape != y.shape or not np.isfinite(t).all():
        raise JscaleError(
            f": expected as many finite dates as values, not {t.shape} and {y.shape}",
            argument="time",
        )
    if len(np.unique(t)) < 2 or len(t) < _LEAST_MODELS:
        raise JscaleError(
            f": expected {_LEAST_MODELS} models or more, at two dates or more", argument="time"
        )
    if not (np.isfinite(y) & (y > 0)).all():
        raise JscaleError(": expected finite numbers above 0", argument="values")

    scale = float(np.ptp(t))
    x, logs = (t - t.mean()) / scale, np.log(y)
    intercept, slope = _quantile_line(x, logs, quantile)
    above = int((logs > intercept + slope * x + 1e-9).sum())
    slope /= scale
    return Envelope(slope, intercept - slope * float(t.mean()), quantile, above)


def _quantile_line(x: np.ndarray, y: np.ndarray, quantile: float) -> tuple[float, float]:
    """Intercept and slope of the quantile regression of y (n,) on x (n,)."""
    from scipy import sparse  # these take half a second to import
    from scipy.optimize import linprog

    n = len(x)
    # y = a + b x + over - under, with a and b free and the rest not negative.
    cost = np.concatenate([np.zeros(2), np.full(n, quantile), np.full(n, 1 - quantile)])
    line, gap = np.column_stack([np.ones(n), x]), sparse.identity(n)
    equal = sparse.hstack([line, gap, -gap], format="csc")
    bounds = [(None, None)] * 2 + [(0, None)] * (2 * n)
    solution = linprog(cost, A_eq=equal, b_eq=y, bounds=bounds, method="highs")
    if solution.status != 0:
        raise JscaleError(f"envelope: no quantile regression was found: {solution.message}")
    return float(solution.x[0]), float(solution.x[1])
