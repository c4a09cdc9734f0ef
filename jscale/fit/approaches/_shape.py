"""The two exponents that the valleys of all budgets share."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from jscale.fit.approaches._curves import law_slice, least_squares

_GRID = np.geomspace(0.06, 1.5, 6)
_BOUNDS = np.log([0.01, 4.0])
"""Of ln alpha and ln beta. Outside them the curve has no valley: below, it is a straight line over
any sampled range; above, a vertical wall."""
_TOLERANCE = 1e-15
"""Relative change of the sum of squares or of the exponents that ends the search."""
_STEP = 1e-5
"""Of the central differences in ln alpha and ln beta."""
_GRADIENT, _EXACT = 1e-5, 1e-20
"""Cosine between residuals and columns of the Jacobian at an optimum; and sum of squares of
residuals, relative to that of the losses, below which they are rounding errors."""


class Shape(NamedTuple):
    """Exponents of the falling and the rising side of a valley.

    Attributes:
        alpha: of the falling side.
        beta: of the rising side.
        converged: whether the least squares has an optimum between the bounds there.
    """

    alpha: float
    beta: float
    converged: bool


def fit_shape(xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]) -> Shape:
    """The exponents with which ``E + P exp(-alpha x) + Q exp(beta x)`` fits all valleys best.

    E, P and Q are free in each valley and projected out (Golub and Pereyra 1973). The two exponents
    are then a bounded least squares problem in their logarithms, from the best point of a grid.

    Args:
        xs: ln N of each budget, (n,) each.
        losses: as many arrays of losses.
    """
    from scipy.optimize import least_squares as bounded_least_squares  # slow to import

    def sum_of_squares(theta: np.ndarray) -> float:
        return float(np.sum(projected_residuals(theta, xs, losses) ** 2))

    def derivatives(theta: np.ndarray) -> np.ndarray:
        return jacobian(theta, xs, losses)

    starts = [np.log([alpha, beta]) for alpha in _GRID for beta in _GRID]
    solution = bounded_least_squares(
        lambda theta: projected_residuals(theta, xs, losses),
        min(starts, key=sum_of_squares),
        jac=cast(Any, derivatives),  # scipy's stubs accept strings only
        bounds=_BOUNDS,
        x_scale="jac",
        ftol=_TOLERANCE,
        xtol=_TOLERANCE,
        gtol=_TOLERANCE,
    )

    # Small steps do not prove an optimum, and at a bound the gradient stays: it is checked here.
    residual, slope = solution.fun, jacobian(solution.x, xs, losses)
    gradient = np.abs(slope.T @ residual) / np.maximum(np.linalg.norm(slope, axis=0), 1e-300)
    is_exact = residual @ residual <= _EXACT * sum(float(y @ y) for y in losses)
    is_stationary = (gradient <= _GRADIENT * np.linalg.norm(residual)).all()
    alpha, beta = np.exp(solution.x).tolist()
    return Shape(alpha, beta, bool(is_exact or is_stationary))


def jacobian(
    theta: np.ndarray, xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]
) -> np.ndarray:
    """Derivative (rows, 2) of the projected residuals by ln alpha and ln beta."""
    columns = [
        projected_residuals(theta + step, xs, losses)
        - projected_residuals(theta - step, xs, losses)
        for step in _STEP * np.eye(2)
    ]
    return np.stack(columns, axis=1) / (2 * _STEP)


def projected_residuals(
    theta: np.ndarray, xs: Sequence[np.ndarray], losses: Sequence[np.ndarray]
) -> np.ndarray:
    """Residuals (rows,) of all valleys at ln alpha and ln beta, with the best E, P, Q of each."""
    curve = law_slice(*np.exp(theta).tolist())
    residuals = []
    for x, y in zip(xs, losses, strict=True):
        design = curve.basis(x, 0)
        residuals.append(y - design @ least_squares(design, y))
    return np.concatenate(residuals)
