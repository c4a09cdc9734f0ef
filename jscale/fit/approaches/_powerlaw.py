"""Power laws in compute through the best size and data of several budgets."""

from dataclasses import dataclass, replace

import numpy as np

from jscale.fit.uncertainty import student_quantile

LEVEL = 0.95
MIN_BUDGETS = 3
"""Budgets that a headline needs; a line through two of them has no scatter."""


@dataclass(frozen=True)
class PowerLaw:
    """``y = coefficient * C**exponent``.

    Attributes:
        coefficient: value at one FLOP, far outside the budgets: for use in the formula only.
        exponent: of compute.
        stderr: standard error of the exponent; infinite with two budgets, whose line has no
            scatter.
        interval: 95% interval of the exponent; Student's t on the scatter about the line unless
            there are draws.
        points: number of budgets on the line, or of points of a grid of compute.
        weighted: by one over the squared errors of the points.
    """

    coefficient: float
    exponent: float
    stderr: float
    interval: tuple[float, float]
    points: int
    weighted: bool = False

    def at(self, C: float | np.ndarray) -> np.ndarray:
        """The value at compute ``C`` (...,), FLOP."""
        return self.coefficient * np.asarray(C, dtype=np.float64) ** self.exponent

    def __repr__(self) -> str:
        low, high = self.interval
        formula = f"{self.coefficient:.4g} C^{self.exponent:.4f}"
        return f"<PowerLaw {formula} ({low:.4f} to {high:.4f}); {self.points} points>"


@dataclass(frozen=True)
class Lines:
    """``N* = G C**a`` and ``D* = H C**b`` over the same budgets; None for fewer than two."""

    N: PowerLaw | None
    D: PowerLaw | None


def fit_line(log_C: np.ndarray, log_y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Intercept at ln C = 0 and exponent (..., 2) of lines through ``log_y`` (..., budgets)."""
    weight = np.ones_like(log_C) if weights is None else weights / weights.sum()
    centre = np.average(log_C, weights=weight)
    x = log_C - centre
    slope = (log_y * weight * x).sum(-1) / (weight * x * x).sum()
    return np.stack([(log_y * weight).sum(-1) / weight.sum() - slope * centre, slope], axis=-1)


def fit_power_law(
    C: np.ndarray, y: np.ndarray, errors: np.ndarray | None = None
) -> PowerLaw | None:
    """The power law through ``y`` (budgets,) at ``C`` (budgets,); None for fewer than two budgets.

    Args:
        C: (budgets,) FLOP.
        y: (budgets,) sizes or tokens.
        errors: (budgets,) standard errors of ln y to weight by; None for no weights.
    """
    if len(C) < 2:
        return None

    log_C, log_y = np.log(C), np.log(y)
    weights = None if errors is None else errors**-2.0
    intercept, exponent = fit_line(log_C, log_y, weights)

    error, half_width = np.inf, np.inf
    if len(C) > 2:
        w = np.ones_like(log_C) if weights is None else weights
        spread = w * (log_C - np.average(log_C, weights=w)) ** 2
        scatter = float((w * (log_y - intercept - exponent * log_C) ** 2).sum()) / (len(C) - 2)
        # Scatter below the stated errors is chance: the errors are not scaled down.
        if errors is not None:
            scatter = max(scatter, 1.0)
        error = float(np.sqrt(scatter / spread.sum()))
        half_width = error * student_quantile(LEVEL, len(C) - 2)

    return PowerLaw(
        coefficient=float(np.exp(intercept)),
        exponent=float(exponent),
        stderr=error,
        interval=(float(exponent) - half_width, float(exponent) + half_width),
        points=len(C),
        weighted=errors is not None,
    )


def with_drawn_errors(fitted: PowerLaw, exponents: np.ndarray) -> PowerLaw:
    """A power law with error and interval from exponents (draws,); NaN for a draw without one."""
    valid = exponents[np.isfinite(exponents)]
    if len(valid) < 2:
        return replace(fitted, stderr=np.inf, interval=(-np.inf, np.inf))

    low, high = np.percentile(valid, 50 * np.array([1 - LEVEL, 1 + LEVEL])).tolist()
    return replace(fitted, stderr=float(valid.std(ddof=1)), interval=(low, high))
