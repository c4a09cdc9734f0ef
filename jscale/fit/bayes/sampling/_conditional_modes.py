"""Conditional modes of a density along its first value, and the curvature of all else there."""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_DEEP = 10.0
"""Nats below the highest marginal density at which a scan ends."""
_LOWEST = 30.0
"""Nats below it at which a point is beyond a cliff."""
_MOST = 40
"""Points of a scan to either side, at most."""
_FIRST_STEP, _LEAST_STEP, _LONGER, _SHORTER, _SHORTENINGS = 0.5, 1e-3, 1.6, 0.5, 5
"""Standard deviations at the mode or units: the first step. Steps become longer where conditional
modes are easily predicted and shorter where they are not, a few times for each point. Before a
cliff they would become ever shorter: one of a thousandth of the first is the last."""
_EASY, _HARD = (0.4, 1.2, 0.4), (1.0, 2.5, 1.0)
"""Conditional standard deviations by which a mode is off its prediction, nats by which the marginal
density changes, and logs by which widths change: limits of easy steps and of all."""
_DIFFERENCE = 0.02
"""Standard deviations over which derivatives are differences. Rounding changes curvatures, which
are about 1 in these units, by 1e-9."""
_TURNS, _CLOSE = 12, 0.02
"""Turns of Newton's method at most; and twice the nats that a turn gains when it is the last, which
is also the loss that a turn may make."""
_MOST_TURNS = 300
"""Turns of all searches of a scan, from which it is given up: of 70 scans none took over 190."""
_CURVATURE, _LIMITED = (1e-2, 1e4), 4
"""Limits of curvatures in units of those of the point before, and turns at most that are taken for
the limits alone: the mode comes with an estimate of its covariance in which the
deviations of groups were 30 times too narrow."""

LogDensity = Callable[[np.ndarray], np.ndarray]


class ConditionalMode(NamedTuple):
    """A conditional mode.

    Attributes:
        values: (size,) the value along the scan first, then the conditional mode of the others.
        root: (others, others) lower root of the conditional covariance.
        height: log of the marginal density of the first value, up to a constant.
    """

    values: np.ndarray
    root: np.ndarray
    height: float


def modes_along(
    density: LogDensity, mode: np.ndarray, axes: np.ndarray
) -> tuple[list[ConditionalMode], list[float]]:
    """Conditional modes to either side of a mode, in order of their first values, and last steps.

    Args:
        density: log density of points (points, size).
        mode: (size,).
        axes: (size, size) a root of the covariance, roughly.
    """
    # Its last columns are a root of the covariance of the others, given the first.
    root = _lower(axes)
    (first,), _ = _conditional_modes(density, [mode], [root[1:, 1:]])
    sd, slope = root[0, 0], root[1:, 0] / root[0, 0]
    fronts = [_Front(sign, first, _FIRST_STEP * min(1.0, sd), slope) for sign in (-1, 1)]
    turns = 0
    while active := [front for front in fronts if not front.is_done]:
        trials = [front.trial() for front in active]
        ends, own = _conditional_modes(density, trials, [front.here.root for front in active])
        if (turns := turns + own) > _MOST_TURNS:
            return [], []
        for front, trial, end in zip(active, trials, ends, strict=True):
            front.go(trial, end)
        top = max(point.height for front in fronts for point in front.points)
        for front in active:
            front.is_done |= front.here.height < top - _DEEP
    below, above = (front.points for front in fronts)
    points = [*reversed(below[1:]), *above]
    top = max(point.height for point in points)
    kept = [point for point in points if point.height >= top - _LOWEST]
    return kept, [abs(front.step) for front in fronts]


class _Front:
    """One end of a scan, which moves away from the mode.

    Args:
        sign: of its direction.
        first: the mode.
        step: the first one.
        slope: (others,) of the conditional mode at the mode.
    """

    def __init__(self, sign: int, first: ConditionalMode, step: float, slope: np.ndarray) -> None:
        self.points, self.is_done = [first], not math.isfinite(first.height)
        self.step, self._shortened, self._least = sign * step, 0, _LEAST_STEP * step
        self._slope = np.concatenate([[1.0], slope])

    @property
    def here(self) -> ConditionalMode:
        """The last point."""
        return self.points[-1]

    def trial(self) -> np.ndarray:
        """Where the next conditional mode is expected, (size,)."""
        return self.here.values + self.step * self._slope

    def go(self, trial: np.ndarray, end: ConditionalMode) -> None:
        """Go to a conditional mode, or take a shorter step where the prediction was poor."""
        off = np.linalg.solve(self.here.root, (end.values - trial)[1:])
        widths = np.log(np.diagonal(end.root) / np.diagonal(self.here.root))
        changes = (
            float(np.sqrt(np.mean(off**2))),
            abs(end.height - self.here.height),
            float(np.abs(widths).max()),
        )
        if not all(change <= most for change, most in zip(changes, _HARD, strict=True)):
            self._shortened += 1
            self.step *= _SHORTER
            self.is_done = abs(self.step) < self._least
            if self._shortened <= _SHORTENINGS or self.is_done:
                return
            self.is_done = not math.isfinite(end.height)
        if not self.is_done:
            self._slope = (end.values - self.here.values) / (end.values - self.here.values)[0]
            self.points.append(end)
            self._shortened = 0
            self.is_done = len(self.points) > _MOST
        if all(change <= most for change, most in zip(changes, _EASY, strict=True)):
            self.step *= _LONGER


def _conditional_modes(
    density: LogDensity, starts: list[np.ndarray], roots: list[np.ndarray]
) -> tuple[list[ConditionalMode], int]:
    """Conditional modes near some points, each by Newton's method, and the turns of all.

    Args:
        density: log density of points (points, size).
        starts: points (size,) whose first values are kept.
        roots: lower roots of the covariances of the others, roughly.
    """
    searches = [_Search(start, root) for start, root in zip(starts, roots, strict=True)]
    turns = 0
    for _ in range(_TURNS):
        active = [search for search in searches if not search.is_done]
        if not active:
            break
        turns += len(active)
        values = density(np.concatenate([search.stencil() for search in active]))
        for search, own in zip(active, np.split(values, len(active)), strict=True):
            search.turn(own)
    return [search.end for search in searches], turns


class _Search:
    """Newton's method for one conditional mode, by differences of the density.

    Derivatives would need another program, which takes longer to compile than all scans together.

    Args:
        start: (size,) where it begins.
        root: (others, others) a root of the covariance, whose columns are the units of differences.
    """

    def __init__(self, start: np.ndarray, root: np.ndarray) -> None:
        self.end = ConditionalMode(start, root, -math.inf)
        self.is_done = False
        self._trial, self._value, self._limited = start, -math.inf, 0

    def stencil(self) -> np.ndarray:
        """Points at which the density is needed next."""
        others = len(self._trial) - 1
        one = np.eye(others)
        two = np.array([one[i] + one[j] for i, j in _pairs(others)]).reshape(-1, others)
        away = np.concatenate([np.zeros((1, others)), one, -one, two, -two])
        points = np.tile(self._trial, (len(away), 1))
        points[:, 1:] += _DIFFERENCE * away @ self.end.root.T
        return points

    def turn(self, values: np.ndarray) -> None:
        """One step, from the densities at the points of the stencil."""
        if not (np.isfinite(values).all() and values[0] >= self._value - _CLOSE):
            # Too far: half the way, or nowhere if the first point has no density.
            self.is_done = not math.isfinite(self._value)
            self._trial = (self._trial + self.end.values) / 2
            return
        slope, curvature = _derivatives(values, len(self._trial) - 1)
        own, axes = np.linalg.eigh(curvature)
        steepness = np.clip(np.abs(own), *_CURVATURE)
        is_limited = bool(np.any(steepness != np.abs(own)))
        self._limited += is_limited
        step = axes @ (axes.T @ slope / steepness)
        gain = float(slope @ step)
        root = _lower(self.end.root @ axes / np.sqrt(steepness))
        there = self._trial.copy()
        there[1:] += self.end.root @ step
        self.is_done = gain < _CLOSE and not (is_limited and self._limited <= _LIMITED)
        gained = gain / 2 if self.is_done else 0.0
        height = values[0] + gained + np.log(np.diagonal(root)).sum()
        self.end = ConditionalMode(there if self.is_done else self._trial, root, float(height))
        self._value, self._trial = values[0], there


def _derivatives(values: np.ndarray, others: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (others,) and negative Hessian (others, others) from a stencil's densities."""
    first, *rest = np.split(values, np.cumsum([1, others, others, others * (others - 1) // 2]))
    above, below, both_above, both_below = rest
    slope = (above - below) / (2 * _DIFFERENCE)
    curvature = np.diag(above + below - 2 * first)
    for (i, j), up, down in zip(_pairs(others), both_above, both_below, strict=True):
        mixed = up + down + 2 * first[0] - (above + below)[[i, j]].sum()
        curvature[i, j] = curvature[j, i] = mixed / 2
    return slope, -curvature / _DIFFERENCE**2


def _lower(root: np.ndarray) -> np.ndarray:
    """The lower triangular root of a matrix with positive diagonal, from another root of it."""
    upper = np.asarray(np.linalg.qr(root.T, mode="r"))
    return (upper * np.sign(np.diagonal(upper))[:, None]).T


def _pairs(count: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(count), 2))
