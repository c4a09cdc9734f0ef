"""The bottom of the valley at every budget, by one kind of curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit.approaches import _least_squares as squares
from jscale.fit.approaches._budgets import Group
from jscale.fit.approaches._curves import Curve, akima, polynomial, slice_of_law
from jscale.fit.approaches._shape import Shape, jacobian, shared

CURVES = ("parabola", "cubic", "law", "akima")
SIZES = {"parabola": 3, "cubic": 4, "law": 3, "akima": 3}
"""Coefficients of a valley; for Akima's curve, the fewest points that can hold a minimum."""
_FINE = 25
"""Points of the grid between two runs on which Akima's curve is searched, those of Porian et al."""


@dataclass(frozen=True)
class Bottom:
    """The lowest point of one valley.

    Attributes:
        log_N: where it lies; NaN where the curve has no minimum.
        stderr: of ``log_N``; infinite where the runs leave it open.
        loss: there.
        curvature: second derivative of the loss by ln N there; NaN for Akima's curve.
        curvature_stderr: its standard error.
    """

    log_N: float
    stderr: float
    loss: float
    curvature: float
    curvature_stderr: float


@dataclass(frozen=True)
class Fitter:
    """One kind of curve, with the shape that all budgets share where it has one.

    Attributes:
        kind: one of ``CURVES``.
        shape: exponents of the law-shaped valley, else None.
    """

    kind: str
    shape: Shape | None = None

    def curve(self, group: Group) -> Curve:
        """The curve for the runs of one budget (not for Akima's, which has no coefficients)."""
        if self.kind == "law":
            assert self.shape is not None
            return slice_of_law(self.shape.alpha, self.shape.beta)
        return polynomial(3 if self.kind == "cubic" else 2)

    def enough(self, group: Group) -> bool:
        """Whether the runs determine the curve at all."""
        if self.kind == "akima":
            return len(group.N) == len(np.unique(group.N)) >= SIZES["akima"]
        return squares.rank(self.curve(group).basis(group.x, 0)) == SIZES[self.kind]

    def minima(
        self, group: Group, loss: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Logarithm of N at the lowest point (...,) for losses (..., n) and weights (..., n); NaN
        for none.
        """
        if self.kind == "akima":
            grid = np.linspace(group.x[0], group.x[-1], _FINE * (len(group.x) - 1))
            best = np.argmin(akima(group.x, np.log(loss), grid), axis=-1)
            inner = (best > 0) & (best < len(grid) - 1)
            return np.where(inner, grid[best] + group.centre, np.nan)
        curve = self.curve(group)
        design = curve.basis(group.x, 0)
        root = np.ones_like(loss) if weights is None else np.sqrt(weights)
        return curve.vertex(squares.solve(root[..., None] * design, root * loss)) + group.centre


def prepare(kind: str, groups: Sequence[Group], losses: Sequence[np.ndarray]) -> Fitter:
    """The fitter of this kind for these valleys.

    Raises:
        JscaleError: there is no such kind.
    """
    if kind not in CURVES:
        raise JscaleError(f"no curve {kind!r}; expected one of {', '.join(CURVES)}")
    if kind != "law":
        return Fitter(kind)
    # Three runs fit any shape: only larger valleys have a say.
    told = [
        (g.x, y) for g, y in zip(groups, losses, strict=True) if len(np.unique(g.N)) > SIZES["law"]
    ]
    if sum(len(x) - SIZES["law"] for x, _ in told) < 2:
        raise JscaleError(
            "the law-shaped valley needs at least two runs more than 3 a budget, to tell the exponents that all "
            "budgets share; a parabola needs 3 runs a budget"
        )
    return Fitter("law", shared([x for x, _ in told], [y for _, y in told]))


def bottoms(fitter: Fitter, groups: Sequence[Group]) -> list[Bottom | None]:
    """The lowest point of every valley, with sandwich errors; None where the runs do not determine
    the curve.
    """
    if fitter.kind == "akima":
        return [_piecewise(fitter, group) if fitter.enough(group) else None for group in groups]
    shape = _shape_error(fitter, groups)
    return [_smooth(fitter, group, shape) if fitter.enough(group) else None for group in groups]


def _piecewise(fitter: Fitter, group: Group) -> Bottom:
    log_N = float(fitter.minima(group, group.loss))
    at = group.x[:1] if np.isnan(log_N) else np.array([log_N - group.centre])
    loss = float(np.exp(akima(group.x, np.log(group.loss), at))[0])
    return Bottom(log_N, np.inf, loss if np.isfinite(log_N) else np.nan, np.nan, np.inf)


def _smooth(fitter: Fitter, group: Group, shape: np.ndarray | None) -> Bottom:
    curve = fitter.curve(group)
    design = curve.basis(group.x, 0)
    coefficients = squares.solve(design, group.loss)
    spread = squares.covariance(design, group.loss - design @ coefficients)
    vertex = float(curve.vertex(coefficients))
    if np.isnan(vertex):
        # No minimum: what the curve does in the middle says how it fails.
        bend, row = float(curve.value(coefficients, 0, 2)), curve.basis(0, 2)
        return Bottom(np.nan, np.inf, np.nan, bend, _error(row, spread))
    bend = float(curve.value(coefficients, vertex, 2))
    # The slope vanishes at the vertex: dx = -f_j'(x) / f''(x) dc_j.
    variance = _error(-curve.basis(vertex, 1) / bend, spread) ** 2
    if shape is not None:
        pull = _vertex_by_shape(fitter, group)
        variance += float(pull @ shape @ pull)
    return Bottom(
        vertex + group.centre,
        float(np.sqrt(variance)),
        float(curve.value(coefficients, vertex)),
        bend,
        _error(curve.basis(vertex, 2), spread),
    )


def _error(row: np.ndarray, covariance: np.ndarray) -> float:
    return float(np.sqrt(row @ covariance @ row)) if np.isfinite(covariance).all() else np.inf


def _vertex_by_shape(fitter: Fitter, group: Group) -> np.ndarray:
    """Derivative (2,) of the vertex by ln alpha and ln beta, the other coefficients following."""
    assert fitter.shape is not None
    (alpha, beta, _), step, moved = fitter.shape, 1e-4, []
    for scale in ((step, 0.0), (0.0, step)):
        a, b = np.exp(scale)
        shapes = Shape(alpha * a, beta * b, True), Shape(alpha / a, beta / b, True)
        up, down = (Fitter("law", shape).minima(group, group.loss) for shape in shapes)
        moved.append(float(up - down) / (2 * step))
    return np.array(moved)


def _shape_error(fitter: Fitter, groups: Sequence[Group]) -> np.ndarray | None:
    """Covariance (2, 2) of ln alpha and ln beta; None for curves without a shared shape."""
    if fitter.shape is None:
        return None
    told = [g for g in groups if len(np.unique(g.N)) > SIZES["law"]]
    curve = slice_of_law(fitter.shape.alpha, fitter.shape.beta)
    designs = [curve.basis(g.x, 0) for g in told]
    left = [g.loss - X @ squares.solve(X, g.loss) for g, X in zip(told, designs, strict=True)]
    theta = np.log([fitter.shape.alpha, fitter.shape.beta])
    slope = jacobian(theta, [g.x for g in told], [g.loss for g in told])
    freedom = sum(map(len, left)) - SIZES["law"] * len(told) - 2
    if freedom < 1:
        return np.full((2, 2), np.inf)
    inverse = np.linalg.pinv(slope)
    residual = np.concatenate(left) * np.sqrt(len(slope) / freedom)
    return (inverse * residual**2) @ inverse.T
