"""How far the best parameters would move with other runs of the same kind."""

from collections.abc import Callable

import numpy as np

_EMPTY = 1e-7
"""Directions whose scaled singular value is below this share of the largest carry no information: infinite variance."""


def sandwich(
    residual: np.ndarray,
    jacobian: np.ndarray,
    to_params: np.ndarray,
    slope: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Covariance of the parameters (k, k), robust to residuals of unequal size (Huber 1967; HC1 correction).

    With a Huber delta far below the residuals the slope jumps at zero, and its derivative is taken as a difference
    over a bandwidth of the residuals' own size instead of from the few runs that happen to lie inside delta.

    Args:
        residual: (rows,).
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        slope: residuals (rows,) → derivative of the objective by each residual (rows,).

    Returns:
        (k, k); infinite variance for parameters that the runs say nothing about.
    """
    n, k = jacobian.shape
    if not (np.isfinite(jacobian).all() and np.isfinite(to_params).all() and np.isfinite(residual).all()):
        return np.full((k, k), np.inf)
    width = 1.06 * max(1.4826 * float(np.median(np.abs(residual))), 1e-300) * n**-0.2
    stiffness = (slope(residual + width) - slope(residual - width)) / (2 * width)
    norms = np.linalg.norm(jacobian, axis=0)
    scale = np.where(norms > 1e-9 * norms.max(), norms, np.inf)
    scaled = jacobian / scale
    values, axes = np.linalg.eigh(scaled.T @ (stiffness[:, None] * scaled))
    empty = values <= _EMPTY**2 * max(values.max(), 1e-300)
    inverse = (axes / np.where(empty, np.inf, values)) @ axes.T
    meat = scaled.T @ ((slope(residual) ** 2 * n / max(n - k, 1))[:, None] * scaled)
    free = inverse @ meat @ inverse / scale[:, None] / scale
    covariance = to_params @ free @ to_params.T
    blind = (np.abs(axes[:, empty]).max(axis=1, initial=0.0) > 1e-3) & (np.abs(to_params).max(axis=1) > 0)
    blind = np.abs(to_params) @ blind > 1e-6 * np.abs(to_params).max(axis=1, initial=0.0)
    covariance[np.diag_indices(k)] = np.where(blind, np.inf, np.diag(covariance))
    return covariance
