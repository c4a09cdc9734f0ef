"""Least squares of a few columns, with errors that hold for few runs of unequal noise."""

import numpy as np

_RANK = 1e-10
"""Share of the largest singular value below which a direction of the design carries nothing."""


def rank(design: np.ndarray) -> int:
    """Number of coefficients that a design (n, k) determines."""
    scale = np.linalg.norm(design, axis=0)
    singular = np.linalg.svd(design / np.where(scale > 0, scale, 1.0), compute_uv=False)
    return int((singular > _RANK * singular[0]).sum())


def solve(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients (..., k) of the least squares of ``design`` (..., n, k) to ``y`` (..., n)."""
    return (np.linalg.pinv(design, rcond=_RANK) @ y[..., None])[..., 0]


def covariance(design: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Sandwich covariance (k, k) of coefficients with residuals scaled up by their leverage (HC2).

    MacKinnon and White 1985: without bias where the noise is equal, where the plain sandwich is far
    too small for a dozen runs. Infinite where some run alone decides a coefficient, as with no more
    runs than coefficients.
    """
    n, k = design.shape
    inverse = np.linalg.pinv(design, rcond=_RANK)
    room = 1 - np.einsum("nk,kn->n", design, inverse)
    if n <= k or (room < 1e-9).any():
        return np.full((k, k), np.inf)
    return (inverse * residual**2 / room) @ inverse.T
