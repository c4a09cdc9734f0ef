"""Coordinates of proposals: principal directions, straight or along bent ridges."""

from typing import Protocol

import numpy as np

from jscale.fit.bayes.sampling.importance._weighted import applied, covariance, mean_of, moments

DRIVERS = 4
"""Of the widest principal directions, along which the others may bend."""
_REACH = 6.0
"""Standard deviations beyond which a bend goes on as a constant."""


class Coordinates(Protocol):
    """A map between coordinates of the proposal and free values, with a constant Jacobian."""

    log_volume: float
    """Log of the determinant of the Jacobian of :meth:`to_free`."""

    def to_free(self, z: np.ndarray) -> np.ndarray:
        """Free values (points, size) of coordinates (points, size)."""
        ...

    def from_free(self, free: np.ndarray) -> np.ndarray:
        """Coordinates (points, size) of free values (points, size)."""
        ...


class Straight:
    """Whitened by a mean (size,) and a root (size, size) of a covariance."""

    def __init__(self, mean: np.ndarray, root: np.ndarray) -> None:
        self._mean, self._root, self._inverse = mean, root, np.linalg.inv(root)
        self.log_volume = float(np.linalg.slogdet(root)[1])

    def to_free(self, z: np.ndarray) -> np.ndarray:
        """See :class:`Coordinates`."""
        return self._mean + applied(self._root, z)

    def from_free(self, free: np.ndarray) -> np.ndarray:
        """See :class:`Coordinates`."""
        return applied(self._inverse, free - self._mean)


class Bent:
    """Whitened along principal directions, less a quadratic of the widest ones.

    Along a ridge between a floor, coefficients and exponents, narrow directions bend by many of
    their own widths. The map is triangular, so that its Jacobian is constant.

    Args:
        free: (points, size) sample.
        weights: (points,) that sum to 1.
    """

    def __init__(self, free: np.ndarray, weights: np.ndarray) -> None:
        self._mean = mean_of(free, weights)
        variances, axes = np.linalg.eigh(covariance(free, weights))
        order = np.argsort(-variances)
        z = applied(axes[:, order].T, free - self._mean)
        z /= np.sqrt(np.maximum(variances[order], 1e-300))
        effective = 1 / float(np.sum(weights**2))
        bent_last = _by_bend(z, weights, effective)
        z, order = z[:, bent_last], order[bent_last]
        self._axes = axes[:, order]
        self._widths = np.sqrt(np.maximum(variances[order], 1e-300))
        bounded, size = _bounded(z[:, :DRIVERS]), z.shape[1]
        self._bends: list[np.ndarray] = []
        self._scales = np.ones(size)
        for i in range(size):
            terms = _quadratic(bounded[:, :i])
            normal = moments(terms, weights) + np.eye(terms.shape[1]) / effective
            bend = np.linalg.solve(normal, mean_of(terms * z[:, i : i + 1], weights))
            residual = z[:, i] - np.einsum("pi,i->p", terms, bend)
            self._bends.append(bend)
            self._scales[i] = max(np.sqrt(np.sum(weights * residual**2)), 1e-6)
        self.log_volume = float(np.log(self._scales * self._widths).sum())

    def to_free(self, z: np.ndarray) -> np.ndarray:
        """See :class:`Coordinates`."""
        whitened = np.empty_like(z)
        for i, bend in enumerate(self._bends):
            terms = _quadratic(_bounded(whitened[:, : min(i, DRIVERS)]))
            whitened[:, i] = z[:, i] * self._scales[i] + np.einsum("pi,i->p", terms, bend)
        return self._mean + applied(self._axes, whitened * self._widths)

    def from_free(self, free: np.ndarray) -> np.ndarray:
        """See :class:`Coordinates`."""
        whitened = applied(self._axes.T, free - self._mean) / self._widths
        bounded, z = _bounded(whitened[:, :DRIVERS]), np.empty_like(whitened)
        terms = _quadratic(bounded)
        for i, bend in enumerate(self._bends):
            bent = np.einsum("pi,i->p", terms[:, : len(bend)], bend)
            z[:, i] = (whitened[:, i] - bent) / self._scales[i]
        return z


def _by_bend(z: np.ndarray, weights: np.ndarray, effective: float) -> np.ndarray:
    """Order of whitened coordinates: widest first, and those that bend most last of the widest.

    Args:
        z: (points, size) coordinates, widest first.
        weights: (points,) that sum to 1.
        effective: number of points that count.
    """
    size = z.shape[1]
    count = min(size, DRIVERS + 2)
    terms = _quadratic(_bounded(z[:, :count]))
    products = moments(terms, weights) + np.eye(terms.shape[1]) / effective
    with_z = np.einsum("pi,pj->ij", weights[:, None] * terms, z[:, :count])
    explained = np.zeros(size)
    for i in range(count):
        own = _contains(count, i)
        normal, target = products[np.ix_(~own, ~own)], with_z[~own, i]
        explained[i] = target @ np.linalg.solve(normal, target)
    explained[count:] = np.inf
    return np.argsort(np.round(explained, 1), kind="stable")


def _contains(count: int, i: int) -> np.ndarray:
    """Which terms of a quadratic of so many coordinates contain one of them."""
    columns = [False]
    for j in range(count):
        columns.append(j == i)
        columns += [i in (j, k) for k in range(j + 1)]
    return np.array(columns)


def _bounded(z: np.ndarray) -> np.ndarray:
    return _REACH * np.tanh(z / _REACH)


def _quadratic(z: np.ndarray) -> np.ndarray:
    """Terms (points, terms) of a quadratic of coordinates; those of the first ones come first."""
    columns = [np.ones(len(z))]
    for i in range(z.shape[1]):
        columns.append(z[:, i])
        columns += [z[:, i] * z[:, j] for j in range(i + 1)]
    return np.stack(columns).T
