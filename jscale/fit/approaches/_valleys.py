"""The minimum of the valley at every budget, by one kind of curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.fit.approaches._budgets import BudgetRuns
from jscale.fit.approaches._curves import (
    ValleyCurve,
    akima,
    coefficient_covariance,
    law_slice,
    least_squares,
    polynomial,
    rank,
)
from jscale.fit.approaches._shape import Shape, fit_shape, jacobian

CURVES = ("parabola", "cubic", "law", "akima")
SIZES = {"parabola": 3, "cubic": 4, "law": 3, "akima": 3}
"""Coefficients of a valley; for Akima's curve, the fewest points with a minimum between them."""
_AKIMA_POINTS = 25
"""Points of the grid between two runs on which the minimum of Akima's curve is searched, as by
Porian et al."""
_SHAPE_STEP = 1e-4
"""Of the central differences in ln alpha and ln beta."""


@dataclass(frozen=True)
class ValleyMinimum:
    """The minimum of one valley.

    Attributes:
        log_N: its position; NaN where the curve has no minimum.
        stderr: of ``log_N``; infinite where the runs do not determine it.
        loss: at the minimum.
        curvature: second derivative of the loss by ln N there; NaN for Akima's curve.
        curvature_stderr: its standard error.
    """

    log_N: float = np.nan
    stderr: float = np.inf
    loss: float = np.nan
    curvature: float = np.nan
    curvature_stderr: float = np.inf


@dataclass(frozen=True)
class ValleyFitter:
    """One kind of curve, with the shape that all budgets share where it has one.

    Attributes:
        kind: one of ``CURVES``.
        shape: exponents of the law-shaped valley, else None.
    """

    kind: str
    shape: Shape | None = None

    @property
    def curve(self) -> ValleyCurve:
        """The curve (not for Akima's, which has no coefficients)."""
        if self.shape is not None:
            return law_slice(self.shape.alpha, self.shape.beta)
        return polynomial(3 if self.kind == "cubic" else 2)

    def has_enough_runs(self, group: BudgetRuns) -> bool:
        """Whether the runs determine the curve."""
        if self.kind == "akima":
            return len(group.N) == group.sizes >= SIZES["akima"]
        return rank(self.curve.basis(group.x, 0)) == SIZES[self.kind]

    def minima(
        self, group: BudgetRuns, loss: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Logarithm of N at the minimum (...,); NaN for none.

        Args:
            group: the runs of one budget.
            loss: (..., n).
            weights: (..., n) of the runs; None where all count once.
        """
        if self.kind == "akima":
            grid = np.linspace(group.x[0], group.x[-1], _AKIMA_POINTS * (len(group.x) - 1))
            best = np.argmin(akima(group.x, np.log(loss), grid), axis=-1)
            interior = (best > 0) & (best < len(grid) - 1)
            return np.where(interior, grid[best] + group.centre, np.nan)

        curve = self.curve
        design = curve.basis(group.x, 0)
        root = np.ones_like(loss) if weights is None else np.sqrt(weights)
        coefficients = least_squares(root[..., None] * design, root * loss)
        return curve.vertex(coefficients) + group.centre


def valley_fitter(
    kind: str, groups: Sequence[BudgetRuns], losses: Sequence[np.ndarray]
) -> ValleyFitter:
    """The fitter of this kind for these valleys.

    Raises:
        JscaleError: there is no such kind, or too few runs for the exponents of the law.
    """
    if kind not in CURVES:
        raise JscaleError(f"no curve {shown(kind)}; expected one of {', '.join(CURVES)}")
    if kind != "law":
        return ValleyFitter(kind)

    # Three sizes fit any shape: only larger valleys determine the exponents.
    used = [(g.x, y) for g, y in zip(groups, losses, strict=True) if g.sizes > SIZES["law"]]
    if sum(len(x) - SIZES["law"] for x, _ in used) < 2:
        raise JscaleError(
            "the law-shaped valley needs at least two runs more than 3 a budget, for the exponents "
            "that all budgets share; a parabola needs 3 runs a budget"
        )
    return ValleyFitter("law", fit_shape([x for x, _ in used], [y for _, y in used]))


def valley_minima(fitter: ValleyFitter, groups: Sequence[BudgetRuns]) -> list[ValleyMinimum | None]:
    """The minimum of every valley with sandwich errors.

    It is None where the runs do not determine the curve.
    """
    if fitter.kind == "akima":
        return [_akima_minimum(fitter, g) if fitter.has_enough_runs(g) else None for g in groups]

    shape = _shape_covariance(fitter, groups)
    return [_minimum(fitter, g, shape) if fitter.has_enough_runs(g) else None for g in groups]


def _akima_minimum(fitter: ValleyFitter, group: BudgetRuns) -> ValleyMinimum:
    log_N = float(fitter.minima(group, group.loss))
    if np.isnan(log_N):
        return ValleyMinimum()
    log_loss = akima(group.x, np.log(group.loss), np.array([log_N - group.centre]))[0]
    return ValleyMinimum(log_N, loss=float(np.exp(log_loss)))


def _minimum(fitter: ValleyFitter, group: BudgetRuns, shape: np.ndarray | None) -> ValleyMinimum:
    curve = fitter.curve
    design = curve.basis(group.x, 0)
    coefficients = least_squares(design, group.loss)
    covariance = coefficient_covariance(design, group.loss - design @ coefficients)
    vertex = float(curve.vertex(coefficients))
    if np.isnan(vertex):
        # Without a minimum, the curvature at the centre says whether the curve bends down.
        curvature, row = float(curve.value(coefficients, 0, 2)), curve.basis(0, 2)
        error = _standard_error(row, covariance)
        return ValleyMinimum(curvature=curvature, curvature_stderr=error)

    curvature = float(curve.value(coefficients, vertex, 2))
    # The slope vanishes at the vertex: dx = -f_j'(x) / f''(x) dc_j.
    variance = _standard_error(-curve.basis(vertex, 1) / curvature, covariance) ** 2
    if shape is not None:
        gradient = _vertex_by_shape(fitter, group)
        variance += float(gradient @ shape @ gradient)
    return ValleyMinimum(
        log_N=vertex + group.centre,
        stderr=float(np.sqrt(variance)),
        loss=float(curve.value(coefficients, vertex)),
        curvature=curvature,
        curvature_stderr=_standard_error(curve.basis(vertex, 2), covariance),
    )


def _standard_error(row: np.ndarray, covariance: np.ndarray) -> float:
    return float(np.sqrt(row @ covariance @ row)) if np.isfinite(covariance).all() else np.inf


def _vertex_by_shape(fitter: ValleyFitter, group: BudgetRuns) -> np.ndarray:
    """Derivative (2,) of the vertex by ln alpha and ln beta, with the other coefficients fitted."""
    assert fitter.shape is not None
    alpha, beta, _ = fitter.shape
    derivatives = []
    for step in ((_SHAPE_STEP, 0.0), (0.0, _SHAPE_STEP)):
        a, b = np.exp(step)
        shapes = Shape(alpha * a, beta * b, True), Shape(alpha / a, beta / b, True)
        up, down = (ValleyFitter("law", shape).minima(group, group.loss) for shape in shapes)
        derivatives.append(float(up - down) / (2 * _SHAPE_STEP))
    return np.array(derivatives)


def _shape_covariance(fitter: ValleyFitter, groups: Sequence[BudgetRuns]) -> np.ndarray | None:
    """Covariance (2, 2) of ln alpha and ln beta; None for curves without a shared shape."""
    if fitter.shape is None:
        return None

    used = [g for g in groups if g.sizes > SIZES["law"]]
    designs = [fitter.curve.basis(g.x, 0) for g in used]
    residuals = [
        g.loss - design @ least_squares(design, g.loss)
        for g, design in zip(used, designs, strict=True)
    ]
    freedom = sum(map(len, residuals)) - SIZES["law"] * len(used) - 2
    if freedom < 1:
        return np.full((2, 2), np.inf)

    theta = np.log([fitter.shape.alpha, fitter.shape.beta])
    slope = jacobian(theta, [g.x for g in used], [g.loss for g in used])
    inverse = np.linalg.pinv(slope)
    residual = np.concatenate(residuals) * np.sqrt(len(slope) / freedom)
    return (inverse * residual**2) @ inverse.T
