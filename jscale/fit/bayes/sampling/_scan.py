"""A scan of a posterior along its floor: conditional modes and curvatures, given the floor.

Where runs cannot separate the floor from a term that hardly falls, the posterior follows a ridge
far beyond what the curvature at its mode shows: with an exponent of 0.02 the floor was below all
2,000 draws of a posterior whose weights showed nothing, and 0.3 to 4% of the posterior is there.
Given the floor, the rest is close to normal, so that the marginal density of the floor is known
from conditional modes and curvatures (Tierney and Kadane 1986; Rue et al. 2009), end to end.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from jscale._core.errors import JscaleError
from jscale.fit.bayes._model import Problem
from jscale.fit.bayes.sampling._conditional_modes import ConditionalMode, modes_along
from jscale.fit.bayes.sampling._density import log_densities
from jscale.fit.bayes.sampling._mode import Mode, find_mode
from jscale.fit.bayes.sampling._ridge import exponent_sites, floor_site, has_two_terms, is_on_ray
from jscale.fit.bayes.sampling._transport import identity, knots, transport_of
from jscale.fit.bayes.sampling._whitening import free_sites, free_size, unconstrained_values

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
"""Least part of these shares. Of six posteriors with long tails below the truth, the marginal
density of a scan has 0.7 to 1.5 times as much there as draws, and once 2.5 times."""
_SHARP = 0.15
"""Standard deviation of the log of an exponent below which a scan need not look for ends: an
exponent of 0.3 is then far from 0. It is that of the sample in question, which is smaller where the
sample lacks an end; but in 104 tables of ``precision`` where it was, ranks of the floor are uniform
and none is below 1%."""


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
    points, steps = modes_along(
        lambda z: log_densities(plain, z), mode.free[order], mode.axes[order]
    )
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


class _Marginal:
    """The marginal density of the first value of the points of a scan.

    Beyond the ends it falls exponentially, as it does there, or within the last step of the scan:
    at a cliff that is short.

    Args:
        points: in order of their first values.
        steps: (2,) the last one to either side.
    """

    def __init__(self, points: list[ConditionalMode], steps: list[float]) -> None:
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


def _roots(places: np.ndarray, points: list[ConditionalMode], along: np.ndarray) -> np.ndarray:
    """Conditional roots (KNOTS, others, others) between the points of a scan."""
    roots = np.array([point.root for point in points])
    widths = np.diagonal(roots, axis1=1, axis2=2)
    units = PchipInterpolator(places, roots / widths[:, :, None])(along)
    return units * np.exp(PchipInterpolator(places, np.log(widths))(along))[:, :, None]
