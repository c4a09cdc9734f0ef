"""A scan of a posterior along its floor: conditional modes and curvatures, given the floor.

Where runs cannot separate the floor from a term that hardly falls, the posterior follows a ridge
far beyond what the curvature at its mode shows: with an exponent of 0.02 the floor was below all
2,000 draws of a posterior whose weights showed nothing, and 0.3 to 3% of the posterior is there.
Given the floor, the rest is close to normal, so that the marginal density of the floor is known
from conditional modes and curvatures (Tierney and Kadane 1986; Rue et al. 2009), end to end.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from jscale._core.errors import JscaleError
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling._mode import Mode, find_mode
from jscale.fit.bayes.sampling._ridge import exponent_sites, floor_site, has_two_terms, is_on_ray
from jscale.fit.bayes.sampling._transport import identity, knots, transport_of
from jscale.fit.bayes.sampling._whitening import free_sites, free_size, unconstrained_values

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
"""Turns of all searches of a scan, from which it is given up: most take 20 to 150."""
_CURVATURE, _LIMITED = (1e-2, 1e4), 4
"""Limits of curvatures in units of those of the point before, and turns at most that are taken for
the limits alone: the mode comes with an estimate of its covariance in which groups of runs were 30
times too narrow."""
_FINE = 600
"""Points at which the marginal density is integrated."""
_FEWEST = 3
"""Points of a scan."""
_MOST_UNKNOWNS = 40
"""Unknowns up to which a scan is made: the points at which a turn needs the density grow with their
square, to 207,000 for a scan of 105."""
TAILS = (0.005, 0.02)
"""Shares of the marginal density beyond either end, of which samples must have some."""
_LEAST_SHARE = 0.2
"""Least part of these shares. Of seven posteriors with long tails below the truth, the marginal
density of a scan has 0.9 to 1.6 times as much there as draws, and once 2.5 times."""
_SHARP = 0.15
"""Standard deviation of the log of an exponent below which a scan need not look for ends: an
exponent of 0.3 is then far from 0. It is that of the sample in question, which is smaller where the
sample lacks an end."""

LogDensity = Callable[[np.ndarray], np.ndarray]


class _Point(NamedTuple):
    """A conditional mode.

    Attributes:
        values: (size,) the value along the scan first, then the conditional mode of the others.
        root: (others, others) lower root of the conditional covariance.
        height: log of the marginal density of the first value, up to a constant.
    """

    values: np.ndarray
    root: np.ndarray
    height: float


class Scan(NamedTuple):
    """A scan along a floor.

    Attributes:
        problem: in coordinates about the conditional modes.
        site: of the floor.
        index: of its value among those of the sampler.
        quantiles: (4,) of the marginal density of the floor in the coordinates of the scan, at
            0.5%, 2%, 99.5% and 98%.
    """

    problem: Problem
    site: str
    index: int
    quantiles: np.ndarray

    @property
    def mode(self) -> Mode:
        """The mode of the problem, roughly; the floor is the widest direction."""
        size = len(self.problem.transport.places)
        return Mode(np.zeros(size), np.eye(size)[:, ::-1])


def with_transport(problem: Problem) -> Problem:
    """The problem in its own coordinates, with a program that coordinates of a scan share."""
    size = free_size(problem)
    if _floor_of(problem) is None or size < 2:
        return problem
    return replace(problem, transport=identity(size, 0))


def scanned(problem: Problem, key: jax.Array, mode: Mode, start: jax.Array | None) -> Scan | None:
    """A scan of a posterior along its floor.

    It is in coordinates by terms, unless the runs do not identify the terms. None where the law has
    no floor, where groups have floors of their own, where there are many unknowns, or where fewer
    than three conditional modes are found, or with difficulty.

    Args:
        problem: law, priors and runs.
        key: for starts of the search for the mode.
        mode: of the posterior.
        start: as for :func:`find_mode`.
    """
    found, size = _floor_of(problem), len(mode.free)
    if found is None or not 2 <= size <= _MOST_UNKNOWNS:
        return None
    site, index = found
    if has_two_terms(problem) and not is_on_ray(problem):
        problem = replace(problem, terms_by_sum=0.0)
        try:
            mode = find_mode(problem, key, start)
        except JscaleError:  # no start has a density in these coordinates
            return None
    plain = replace(problem, transport=identity(size, index))
    order = np.array([index, *(i for i in range(size) if i != index)])
    points, steps = _scan(lambda z: log_densities(plain, z), mode.free[order], mode.axes[order])
    if len(points) < _FEWEST:
        return None

    marginal = _Marginal(points, steps)
    along = marginal.at(knots())
    places = np.array([point.values[0] for point in points])
    inside = np.clip(along, places[0], places[-1])
    modes = PchipInterpolator(places, np.array([point.values[1:] for point in points]))(inside)
    transport = transport_of(index, along, modes, _roots(places, points, inside))
    tails = norm.ppf(TAILS)
    quantiles = marginal.at(np.concatenate([tails, -tails]))
    return Scan(replace(problem, transport=transport), site, index, quantiles)


def exponents_are_identified(problem: Problem, points: np.ndarray) -> bool:
    """Whether points identify all exponents so well that no term can be as flat as a floor.

    Args:
        problem: in whose coordinates the points are.
        points: (points, size) that count alike.
    """
    names = exponent_sites(problem)
    if not names or floor_site(problem) is None:
        return False
    logs = np.asarray(unconstrained_values(problem, jnp.asarray(points), names))
    return bool(np.all(logs.std(axis=0) < _SHARP))


def covers(scan: Scan, problem: Problem, points: np.ndarray) -> bool:
    """Whether points reach as far to both sides as a scan says that they should.

    Args:
        scan: along the floor.
        problem: in whose coordinates the points are, without conditional modes.
        points: (points, size) that count alike.
    """
    floors = points[:, scan.index]
    if scan.problem.terms_by_sum != problem.terms_by_sum:
        values = unconstrained_values(problem, jnp.asarray(points), (scan.site,))
        floors = np.asarray(values)[:, 0]
    below, above = np.split(scan.quantiles, 2)
    shares = [np.mean(floors < end) for end in below] + [np.mean(floors > end) for end in above]
    return bool(np.all(np.array(shares) >= _LEAST_SHARE * np.tile(TAILS, 2)))


def _floor_of(problem: Problem) -> tuple[str, int] | None:
    """The site of the floor, and its place among the values of the sampler."""
    site, sites = floor_site(problem), free_sites(problem)
    if site is None or site not in sites:
        return None
    names = list(sites)
    return site, sum(math.prod(sites[name]) for name in names[: names.index(site)])


def _scan(
    density: LogDensity, mode: np.ndarray, axes: np.ndarray
) -> tuple[list[_Point], list[float]]:
    """Conditional modes to either side of a mode, in order of their first values, and last steps.

    Args:
        density: log density of points (points, size).
        mode: (size,).
        axes: (size, size) a root of the covariance, roughly.
    """
    root = _lower(
        axes
    )  # its last columns are a root of the covariance of the others, given the first
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

    def __init__(self, sign: int, first: _Point, step: float, slope: np.ndarray) -> None:
        self.points, self.is_done = [first], not math.isfinite(first.height)
        self.step, self._shortened, self._least = sign * step, 0, _LEAST_STEP * step
        self._slope = np.concatenate([[1.0], slope])

    @property
    def here(self) -> _Point:
        """The last point."""
        return self.points[-1]

    def trial(self) -> np.ndarray:
        """Where the next conditional mode is expected, (size,)."""
        return self.here.values + self.step * self._slope

    def go(self, trial: np.ndarray, end: _Point) -> None:
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
) -> tuple[list[_Point], int]:
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
        self.end = _Point(start, root, -math.inf)
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
        self.end = _Point(there if self.is_done else self._trial, root, float(height))
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


class _Marginal:
    """The marginal density of the first value of the points of a scan.

    Beyond the ends it falls exponentially, as it does there, or within the last step of the scan:
    at a cliff that is short.

    Args:
        points: in order of their first values.
        steps: (2,) the last one to either side.
    """

    def __init__(self, points: list[_Point], steps: list[float]) -> None:
        places = np.array([point.values[0] for point in points])
        heights = PchipInterpolator(places, np.array([point.height for point in points]))
        fine = np.linspace(places[0], places[-1], _FINE)
        log_density = heights(fine) - heights(fine).max()
        density, spacing = np.exp(log_density), fine[1] - fine[0]
        inside = np.cumsum(0.5 * (density[1:] + density[:-1]) * spacing)
        rises = np.diff(log_density)[[0, -1]] / spacing * [1, -1]
        before, after = density[[0, -1]] / np.maximum(rises, 1 / np.array(steps))
        below = before + np.concatenate([[0.0], inside])
        above = after + inside[-1] - np.concatenate([[0.0], inside])
        total = before + inside[-1] + after
        low, high = norm.ppf(below / total), -norm.ppf(above / total)
        self._fine, self._normals = fine, np.where(below < above, low, high)

    def at(self, normals: np.ndarray) -> np.ndarray:
        """Its quantiles, where those of a standard normal are these."""
        fine, own = self._fine, self._normals
        values = np.interp(normals, own, fine)
        first, last = np.diff(fine)[0] / np.diff(own)[[0, -1]]
        values += first * np.minimum(normals - own[0], 0.0)
        return values + last * np.maximum(normals - own[-1], 0.0)


def _roots(places: np.ndarray, points: list[_Point], along: np.ndarray) -> np.ndarray:
    """Conditional roots (KNOTS, others, others) between the points of a scan."""
    roots = np.array([point.root for point in points])
    widths = np.diagonal(roots, axis1=1, axis2=2)
    units = PchipInterpolator(places, roots / widths[:, :, None])(along)
    return units * np.exp(PchipInterpolator(places, np.log(widths))(along))[:, :, None]
