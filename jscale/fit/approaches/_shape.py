"""The two exponents that the valleys of all budgets share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jscale.fit.approaches import _least_squares as squares
from jscale.fit.approaches._curves import slice_of_law

_GRID = np.geomspace(0.06, 1.5, 6)
LOWEST, HIGHEST = 0.01, 4.0
"""Exponents outside are no valley: below, the curve is a straight line over any sampled range;
above, a wall."""
_STEPS = 200
_STILL = 1e-10
"""Newton steps of ln alpha and ln beta below this end the search."""
_DIFFERENCE = 1e-5


class Shape(NamedTuple):
    """Exponents of the falling and rising side; ``settled`` when the least squares has an interior
    optimum there.
    """

    alpha: float
    beta: float
    settled: bool


def shared(xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]) -> Shape:
    """The exponents with which ``E + P exp(-alpha x) + Q exp(beta x)`` fits all valleys best, E, P,
    Q
    free.

    The linear coefficients are projected out (Golub and Pereyra 1973); a grid of starts, then
    Levenberg-Marquardt on the logarithms of the two exponents.

    Args:
        xs: ln N of each budget, (n,) each.
        losses: as many arrays of losses.
    """
    inside = np.log([LOWEST, HIGHEST])
    starts = [np.log([a, b]) for a in _GRID for b in _GRID]
    theta = min(starts, key=lambda z: float(np.sum(_residuals(z, xs, losses) ** 2)))
    residual, damping = _residuals(theta, xs, losses), 1e-3
    for _ in range(_STEPS):
        slope = jacobian(theta, xs, losses)
        stiffness = slope.T @ slope
        shift = -np.linalg.pinv(stiffness + damping * np.diag(np.diag(stiffness))) @ (
            slope.T @ residual
        )
        trial = theta + shift
        if (trial < inside[0]).any() or (trial > inside[1]).any():
            damping *= 10
        else:
            new = _residuals(trial, xs, losses)
            if new @ new <= residual @ residual:
                theta, residual, damping = trial, new, damping / 10
            else:
                damping *= 10
        if np.abs(shift).max() < _STILL:
            break
    # Heavily damped steps are small everywhere: at an optimum the pull of the residuals is small
    # too, or they are nil.
    slope = jacobian(theta, xs, losses)
    pull = np.abs(slope.T @ residual) / np.maximum(np.linalg.norm(slope, axis=0), 1e-300)
    exact = residual @ residual <= 1e-20 * sum(float(y @ y) for y in losses)
    settled = bool(exact or (pull <= 1e-5 * np.linalg.norm(residual)).all())
    alpha, beta = np.exp(theta).tolist()
    return Shape(alpha, beta, settled)


def jacobian(
    theta: np.ndarray, xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]
) -> np.ndarray:
    """Derivative (rows, 2) of the projected residuals by ln alpha and ln beta."""
    steps = _DIFFERENCE * np.eye(2)
    columns = [_residuals(theta + s, xs, losses) - _residuals(theta - s, xs, losses) for s in steps]
    return np.stack(columns, axis=1) / (2 * _DIFFERENCE)


def _residuals(
    theta: np.ndarray, xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]
) -> np.ndarray:
    curve = slice_of_law(*np.exp(theta).tolist())
    left = []
    for x, y in zip(xs, losses, strict=True):
        design = curve.basis(x, 0)
        left.append(y - design @ squares.solve(design, y))
    return np.concatenate(left)
