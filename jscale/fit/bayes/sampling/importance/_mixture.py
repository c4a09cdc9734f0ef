"""Proposals of importance sampling: mixtures of Student-t distributions along bent ridges."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from jscale.fit.bayes.sampling.importance._bends import DRIVERS, Bent, Coordinates, Straight
from jscale.fit.bayes.sampling.importance._weighted import (
    applied,
    covariance,
    mean_of,
    moments,
    root_of,
    systematic,
)

_EM_STEPS = 8
_POINTS_FOR_COMPONENT = 10
"""Effective points for each dimension, for each component at first."""
_TAIL_SHARE, _TAIL_COMPONENTS = 0.2, 6
"""Share of the components of the tails, and their number at most."""
_POINTS_PER_COMPONENT = 3
"""Effective points for each dimension, below which a component is dropped."""
_WIDE_SHARE, _WIDE = 0.1, 2.0
"""Share of a component that is so much wider along the widest directions: a proposal that covers a
part of a ridge meets large weights there, and does not pass for one that covers the whole."""
_SHRUNK_TO = 0.3
"""Share of the covariance of all points towards which that of a component with few is shrunk."""


class Shape(NamedTuple):
    """How a mixture is fitted.

    Attributes:
        components: at most.
        nu: degrees of freedom of the components: their tails are wider than those of posteriors of
            few runs.
        inflation: of the covariance of components: a proposal must be wider than its target.
        points: resampled by their weights, that several components are fitted to.
    """

    components: int = 16
    nu: float = 5.0
    inflation: float = 1.2
    points: int = 4000


ADAPTIVE = Shape()
"""Of proposals that adapt to weighted points."""


class Mixture(NamedTuple):
    """A mixture of Student-t distributions.

    Attributes:
        shares: (components,) that sum to 1.
        means: (components, size).
        roots: (components, size, size) lower roots of the scale matrices.
        nu: degrees of freedom.
    """

    shares: np.ndarray
    means: np.ndarray
    roots: np.ndarray
    nu: float = ADAPTIVE.nu

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Points (count, size), each component as often as its share within one."""
        positions = (rng.random() + np.arange(count)) / count
        last = len(self.shares) - 1
        component = np.minimum(np.searchsorted(np.cumsum(self.shares), positions), last)
        size = self.means.shape[1]
        z = rng.normal(size=(count, size)) / np.sqrt(rng.chisquare(self.nu, (count, 1)) / self.nu)
        points = np.empty((size, count)).T
        for k, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            own = component == k
            points[own] = mean + applied(root, z[own])
        return points

    def log_parts(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log density of each component times its share, and squared distances: (points, k)."""
        size, nu = points.shape[1], self.nu
        constant = gammaln((nu + size) / 2) - gammaln(nu / 2) - 0.5 * size * np.log(nu * np.pi)
        points = np.asfortranarray(points)
        log_parts = np.empty((len(self.shares), len(points))).T
        distances = np.empty_like(log_parts)
        for k, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            inverse = np.linalg.inv(root)
            squared = (applied(inverse, points - mean) ** 2).sum(axis=1)
            height = np.log(self.shares[k]) + constant + np.log(np.diagonal(inverse)).sum()
            log_parts[:, k] = height - 0.5 * (nu + size) * np.log1p(squared / nu)
            distances[:, k] = squared
        return log_parts, distances


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mixture in coordinates of its own.

    Attributes:
        coordinates: in which the mixture stands.
        mixture: the distribution of the coordinates.
    """

    coordinates: Coordinates
    mixture: Mixture

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return self.mixture.means.shape[1]

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Free values (count, size)."""
        return self.coordinates.to_free(self.mixture.draw(count, rng))

    def log_density(self, free: np.ndarray) -> np.ndarray:
        """Log density (points,) at free values (points, size)."""
        parts, _ = self.mixture.log_parts(self.coordinates.from_free(free))
        return _log_sum(parts) - self.coordinates.log_volume


def about(mean: np.ndarray, root: np.ndarray) -> Proposal:
    """A component about a point, and a wider one.

    Args:
        mean: (size,) the point.
        root: (size, size) of the covariance; the last columns are the widest directions.
    """
    size = len(mean)
    one = Mixture(np.ones(1), np.zeros((1, size)), np.eye(size)[None])
    return Proposal(Straight(mean, root[:, ::-1]), _widened(one))


def fitted(
    free: np.ndarray,
    weights: np.ndarray,
    flat: np.ndarray,
    rng: np.random.Generator,
    shape: Shape = ADAPTIVE,
) -> Proposal:
    """The proposal that is fitted to a weighted sample.

    Args:
        free: (points, size).
        weights: (points,) that sum to 1.
        flat: (points,) weights of a flatter density: bends and some components are fitted to them,
            which reach into the tails.
        rng: for the components' first centres.
        shape: of the mixture.
    """
    coordinates = Bent(free, flat)
    centre = _components(coordinates, free, weights, shape, rng)
    few = shape._replace(components=min(shape.components, _TAIL_COMPONENTS))
    tails = _components(coordinates, free, flat, few, rng)
    shares = [(1 - _TAIL_SHARE) * centre.shares, _TAIL_SHARE * tails.shares]
    mixture = Mixture(
        np.concatenate(shares),
        np.concatenate([centre.means, tails.means]),
        np.concatenate([centre.roots, tails.roots]),
        shape.nu,
    )
    return Proposal(coordinates, _widened(mixture))


def _components(
    coordinates: Coordinates,
    free: np.ndarray,
    weights: np.ndarray,
    shape: Shape,
    rng: np.random.Generator,
) -> Mixture:
    """A mixture in coordinates, of as many components as the points that count allow."""
    effective = 1 / float(np.sum(weights**2))
    components = effective / (_POINTS_FOR_COMPONENT * free.shape[1])
    shape = shape._replace(components=int(np.clip(components, 1, shape.components)))
    if shape.components > 1 and len(free) > shape.points:
        free = free[systematic(weights, shape.points, rng)]
        effective = min(effective, shape.points)
        weights = np.full(shape.points, 1 / shape.points)
    return _mixture(coordinates.from_free(free), weights, shape, effective, rng)


def _widened(mixture: Mixture) -> Mixture:
    """With a component that is wide in the first coordinates, which have unit variance."""
    size = mixture.means.shape[1]
    widths = np.where(np.arange(size) < DRIVERS, _WIDE, 1.0)
    return Mixture(
        np.append((1 - _WIDE_SHARE) * mixture.shares, _WIDE_SHARE),
        np.concatenate([mixture.means, np.zeros((1, size))]),
        np.concatenate([mixture.roots, np.diag(widths)[None]]),
        mixture.nu,
    )


def _mixture(
    z: np.ndarray,
    weights: np.ndarray,
    shape: Shape,
    effective: float,
    rng: np.random.Generator,
) -> Mixture:
    """A mixture by expectation maximisation, with fixed degrees of freedom."""
    size, components, nu = z.shape[1], shape.components, shape.nu
    whole = covariance(z, weights)
    first = np.broadcast_to(root_of(whole * components ** (-2 / size)), (components, size, size))
    centres = z[rng.choice(len(z), components, p=weights)]
    mixture = Mixture(np.full(components, 1 / components), centres, first, nu)
    for _ in range(_EM_STEPS):
        # 1. Share of each component in each point, and the weight of points far from its centre.
        log_parts, distances = mixture.log_parts(z)
        own = np.exp(log_parts - _log_sum(log_parts)[:, None]) * weights[:, None]
        near = (nu + size) / (nu + distances)
        totals = own.sum(axis=0)
        kept = totals * effective > _POINTS_PER_COMPONENT * size
        kept[np.argmax(totals)] = True

        # 2. Their means and covariances.
        means, roots = [], []
        for k in np.flatnonzero(kept):
            pull = own[:, k] * near[:, k]
            mean = mean_of(z, pull / pull.sum())
            spread = moments(z - mean, pull) / totals[k]
            few = size / (effective * totals[k] + size)
            means.append(mean)
            shrunk = (1 - few) * spread + few * _SHRUNK_TO * whole
            roots.append(root_of(shape.inflation * shrunk))
        shares = totals[kept] / totals[kept].sum()
        mixture = Mixture(shares, np.array(means), np.array(roots), nu)
    return mixture


def _log_sum(log_parts: np.ndarray) -> np.ndarray:
    """Log of the sum of densities (points, components) over the components."""
    if log_parts.shape[1] == 1:
        return log_parts[:, 0]
    top = log_parts.max(axis=1)
    return top + np.log(np.exp(log_parts - top[:, None]).sum(axis=1))
