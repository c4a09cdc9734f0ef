"""Curves through the losses of one budget over ln N: their minima and least squares fits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_RANK = 1e-10
"""Share of the largest singular value below which a direction of the design has no information."""


@dataclass(frozen=True)
class ValleyCurve:
    """A curve ``y(x) = sum_j c_j f_j(x)``.

    Attributes:
        name: of the curve.
        size: number of coefficients, k.
        basis: (x, order) → derivatives of that order of the f_j, shape (*x.shape, k).
        vertex: coefficients (..., k) → position of the curve's minimum (...,); NaN for a curve
            without one.
    """

    name: str
    size: int
    basis: Callable[[ArrayLike, int], np.ndarray]
    vertex: Callable[[np.ndarray], np.ndarray]

    def value(self, coefficients: np.ndarray, x: ArrayLike, order: int = 0) -> np.ndarray:
        """The curve (...,) or a derivative of it at ``x`` (...,), with coefficients (..., k)."""
        return np.sum(self.basis(x, order) * coefficients, axis=-1)


def polynomial(degree: int) -> ValleyCurve:
    """The parabola (degree 2) or the cubic (degree 3)."""
    powers = np.arange(degree + 1)

    def basis(x: ArrayLike, order: int) -> np.ndarray:
        factor = np.ones(degree + 1)
        if order:
            factor = np.prod([powers - i for i in range(order)], axis=0)
        return factor * np.asarray(x)[..., None] ** np.maximum(powers - order, 0)

    def vertex(c: np.ndarray) -> np.ndarray:
        # The root of the slope at which the curvature is +2 root; for a parabola root = c2.
        cubic = c[..., 3] if degree == 3 else 0.0
        discriminant = c[..., 2] ** 2 - 3 * c[..., 1] * cubic
        root = np.sqrt(np.where(discriminant > 0, discriminant, np.nan))
        denominator = c[..., 2] + root
        valid = (denominator > 0) | ((degree == 3) & (denominator != 0))
        return -c[..., 1] / np.where(valid, denominator, np.nan)

    return ValleyCurve("parabola" if degree == 2 else "cubic", degree + 1, basis, vertex)


def law_slice(alpha: float, beta: float) -> ValleyCurve:
    """Chinchilla's law at fixed compute: ``E + P exp(-alpha x) + Q exp(beta x)``, x = ln N + c."""
    rates = np.array([0.0, -alpha, beta])

    def basis(x: ArrayLike, order: int) -> np.ndarray:
        return rates**order * np.exp(rates * np.asarray(x)[..., None])

    def vertex(c: np.ndarray) -> np.ndarray:
        falling, rising = (
            np.where(part > 0, part, np.nan) for part in (alpha * c[..., 1], beta * c[..., 2])
        )
        return np.log(falling / rising) / (alpha + beta)

    return ValleyCurve("law", 3, basis, vertex)


def akima(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Akima's (1970) piecewise cubic through points, on which an outlier has only a local effect.

    Args:
        x: (n,) increasing, n at least 3.
        y: (..., n).
        at: (m,) between the ends of ``x``.

    Returns:
        (..., m).
    """
    from scipy.interpolate import Akima1DInterpolator  # takes a third of a second to import

    return Akima1DInterpolator(x, y, axis=-1, method="akima")(at)


def rank(design: np.ndarray) -> int:
    """Number of coefficients that a design (n, k) determines."""
    scale = np.linalg.norm(design, axis=0)
    singular = np.linalg.svd(design / np.where(scale > 0, scale, 1.0), compute_uv=False)
    return int((singular > _RANK * singular[0]).sum())


def least_squares(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients (..., k) of the least squares of ``design`` (..., n, k) to ``y`` (..., n)."""
    return (np.linalg.pinv(design, rcond=_RANK) @ y[..., None])[..., 0]


def coefficient_covariance(design: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Sandwich covariance (k, k) of coefficients with residuals scaled up by their leverage (HC2).

    MacKinnon and White 1985: unbiased where the noise is equal, where the plain sandwich is far too
    small for a dozen runs. Infinite where one run alone determines a coefficient, as with no more
    runs than coefficients.
    """
    n, k = design.shape
    inverse = np.linalg.pinv(design, rcond=_RANK)
    freedom = 1 - np.einsum("nk,kn->n", design, inverse)
    if n <= k or (freedom < 1e-9).any():
        return np.full((k, k), np.inf)
    return (inverse * residual**2 / freedom) @ inverse.T
