"""Curves through the losses of one budget over ln N, linear in their coefficients, and where they
are least.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Curve:
    """A curve ``y(x) = sum_j c_j f_j(x)``.

    Attributes:
        name: of the curve.
        size: number of coefficients, k.
        basis: (x, order) → derivatives of that order of the f_j, shape (*x.shape, k).
        vertex: coefficients (..., k) → where the curve has its minimum (...,); NaN for a curve
            without one.
    """

    name: str
    size: int
    basis: Callable[[ArrayLike, int], np.ndarray]
    vertex: Callable[[np.ndarray], np.ndarray]

    def value(self, coefficients: np.ndarray, x: ArrayLike, order: int = 0) -> np.ndarray:
        """The curve (...,) or one of its derivatives at ``x`` (...,), with coefficients (..., k)."""
        return np.sum(self.basis(x, order) * coefficients, axis=-1)


def polynomial(degree: int) -> Curve:
    """The parabola (degree 2) or the cubic (degree 3) through a valley."""
    powers = np.arange(degree + 1)

    def basis(x: ArrayLike, order: int) -> np.ndarray:
        factor = (
            np.prod([powers - i for i in range(order)], axis=0) if order else np.ones(degree + 1)
        )
        return factor * np.asarray(x)[..., None] ** np.maximum(powers - order, 0)

    def vertex(c: np.ndarray) -> np.ndarray:
        # The root of the slope at which the curvature is +2 root; for a parabola root = c2.
        cubic = c[..., 3] if degree == 3 else 0.0
        inside = c[..., 2] ** 2 - 3 * c[..., 1] * cubic
        root = np.sqrt(np.where(inside > 0, inside, np.nan))
        below = c[..., 2] + root
        return -c[..., 1] / np.where((below > 0) | ((degree == 3) & (below != 0)), below, np.nan)

    return Curve("parabola" if degree == 2 else "cubic", degree + 1, basis, vertex)


def slice_of_law(alpha: float, beta: float) -> Curve:
    """What Chinchilla's law leaves at fixed compute: ``E + P exp(-alpha x) + Q exp(beta x)`` with x
    = ln N + const.
    """
    rates = np.array([0.0, -alpha, beta])

    def basis(x: ArrayLike, order: int) -> np.ndarray:
        return rates**order * np.exp(rates * np.asarray(x)[..., None])

    def vertex(c: np.ndarray) -> np.ndarray:
        falling, rising = (
            np.where(part > 0, part, np.nan) for part in (alpha * c[..., 1], beta * c[..., 2])
        )
        return np.log(falling / rising) / (alpha + beta)

    return Curve("law", 3, basis, vertex)


def akima(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Akima's (1970) piecewise cubic through points, which a stray point bends in its neighbourhood
    only.

    Args:
        x: (n,) increasing, n at least 3.
        y: (..., n).
        at: (m,) between the ends of ``x``.

    Returns:
        (..., m).
    """
    gap = np.diff(x)
    slope = np.diff(y) / gap
    # Two slopes beyond each end, continued linearly, as in the paper.
    first, last = 2 * slope[..., :1] - slope[..., 1:2], 2 * slope[..., -1:] - slope[..., -2:-1]
    ends = (2 * first - slope[..., :1], first, slope, last, 2 * last - slope[..., -1:])
    m = np.concatenate(ends, axis=-1)
    turn = np.abs(np.diff(m))
    left, right = turn[..., 2:], turn[..., :-2]
    total = left + right
    straight = total <= 1e-9 * total.max(axis=-1, keepdims=True)
    share = left / np.where(straight, 1.0, total)
    tangent = np.where(
        straight,
        0.5 * (m[..., 1:-2] + m[..., 2:-1]),
        share * m[..., 1:-2] + (1 - share) * m[..., 2:-1],
    )
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h = gap[i]
    t = (at - x[i]) / h
    start, end = tangent[..., i], tangent[..., i + 1]
    bend2 = 3 * slope[..., i] - 2 * start - end
    bend3 = start + end - 2 * slope[..., i]
    return y[..., i] + h * t * (start + t * (bend2 + t * bend3))
