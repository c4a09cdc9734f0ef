"""How far the best parameters would move with other runs of the same kind.

Three estimates of one covariance. Each is ``inverse @ meat @ inverse`` with the inverse of the
objective's stiffness;
they differ in what they believe of the residuals: of one size and independent (:func:`fisher`),
independent (:func:`sandwich`), or independent between clusters alone (:func:`sandwich` with
labels).
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale.fit.objective import Objective

_EMPTY = 1e-7
"""Directions whose scaled singular value is below this share of the largest carry no information:
infinite variance."""
_POINTS, _FINEST, _FARTHEST = 40_001, 1e-4, 1e8
"""Of the integrals over a density, in units of its scale: the all but Laplacian one turns linear at
1e-3 and is 1e4 wide."""

Slope = Callable[[np.ndarray], np.ndarray]
"""Residuals (rows,) → derivative of the objective by each residual (rows,), weighted."""
_POOLED = 1000
"""Residuals at most whose mean is taken at every weight; of more, as many quantiles."""


class Bread(NamedTuple):
    """The objective's stiffness about the optimum, inverted, in free coordinates.

    Attributes:
        inverse: (k, k), without the directions that the runs say nothing about.
        blind: (k,) coordinates that take part in such a direction.
    """

    inverse: np.ndarray
    blind: np.ndarray


def bread(jacobian: np.ndarray, stiffness: np.ndarray) -> Bread:
    """The inverse of ``sum of stiffness * J J'``.

    Args:
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        stiffness: (rows,) second derivative of every run's contribution by its residual.
    """
    norms = np.linalg.norm(jacobian, axis=0)
    scale = np.where(norms > 1e-9 * norms.max(), norms, np.inf)
    scaled = jacobian / scale
    values, axes = np.linalg.eigh(scaled.T @ (stiffness[:, None] * scaled))
    empty = values <= _EMPTY**2 * max(values.max(), 1e-300)
    inverse = (axes / np.where(empty, np.inf, values)) @ axes.T
    return Bread(
        inverse / scale[:, None] / scale, np.abs(axes[:, empty]).max(axis=1, initial=0.0) > 1e-3
    )


def _bandwidth(errors: np.ndarray) -> float:
    return 1.06 * max(1.4826 * float(np.median(np.abs(errors))), 1e-300) * len(errors) ** -0.2


def stiffness(residual: np.ndarray, slope: Slope, weights: np.ndarray | None = None) -> np.ndarray:
    """Second derivative (rows,) of every run's contribution by its residual.

    With a Huber delta far below the residuals the slope jumps at zero, and its derivative is taken
    as a difference over a bandwidth of the residuals' own size instead of from the few runs that
    happen to lie inside delta. With ``weights`` (rows,) the bandwidth follows the size of each
    run's own error.
    """
    root = np.ones(len(residual)) if weights is None else np.sqrt(weights)
    width = _bandwidth(root * residual) / root
    return (slope(residual + width) - slope(residual - width)) / (2 * width)


def meat(
    residual: np.ndarray, jacobian: np.ndarray, slope: Slope, labels: np.ndarray | None = None
) -> np.ndarray:
    """Variance (k, k) of the objective's gradient.

    Args:
        residual: (rows,).
        jacobian: (rows, k).
        slope: see :data:`Slope`.
        labels: (rows,) clusters counted from 0, whose gradients are added up first; None for every
            run by itself.

    Returns:
        The sum of squared gradients with the correction HC1, ``n / (n - k)``, or by cluster CR1,
        ``G / (G - 1) * (n - 1) / (n - k)``.
    """
    n, k = jacobian.shape
    scores = slope(residual)[:, None] * jacobian
    if labels is None:
        return scores.T @ scores * n / max(n - k, 1)
    count = int(labels.max()) + 1
    summed = np.zeros((count, k))
    np.add.at(summed, labels, scores)
    return summed.T @ summed * count / max(count - 1, 1) * (n - 1) / max(n - k, 1)


def sandwich(
    residual: np.ndarray,
    jacobian: np.ndarray,
    to_params: np.ndarray,
    slope: Slope,
    labels: np.ndarray | None = None,
    *,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Covariance of the parameters (k, k), robust to residuals of unequal size, and with labels to
    shared errors.

    Args:
        residual: (rows,).
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        slope: residuals (rows,) → derivative of the objective by each residual (rows,).
        labels: (rows,) clusters counted from 0, or None.
        weights: (rows,) of the runs, or None; ``slope`` has them in it.

    Returns:
        (k, k); infinite variance for parameters that the runs say nothing about.

    Source: Huber 1967; MacKinnon & White 1985 (HC1); Liang & Zeger 1986 by cluster, Cameron &
        Miller 2015 (CR1).
    """
    if not _finite(residual, jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    inner = bread(jacobian, stiffness(residual, slope, weights))
    return _by_params(
        inner.inverse @ meat(residual, jacobian, slope, labels) @ inner.inverse, inner, to_params
    )


def fisher(
    residual: np.ndarray,
    jacobian: np.ndarray,
    to_params: np.ndarray,
    psi: Slope,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Covariance of the parameters (k, k) where residuals are independent and of one size but for
    the
    weights.

    A sandwich whose filling and bread are means over all residuals, as those of runs of weight 1:
    with ``e = sqrt(w) r``, a run of weight w has errors distributed as ``e / sqrt(w)``. Without
    weights that is ``phi * inv(J'J)``; for squares ``phi`` is the variance of the residuals,
    ``sum(r**2) / (n - k)``, for a Huber sum ``E[psi**2] / E[psi']**2``, which is that variance over
    the efficiency of the loss (Huber 1981, section 7.6). A weighted Huber sum or likelihood is no
    likelihood of errors of those sizes, and so has no shorter formula.

    Args:
        residual: (rows,).
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        psi: residuals → derivative of the objective by each residual of a run of weight 1.
        weights: (rows,) of the runs, inverse to the variances of their errors; None for equal ones.
    """
    if not _finite(residual, jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    n, k = jacobian.shape
    w = np.ones(n) if weights is None else weights
    pooled = np.sqrt(w) * residual
    width = _bandwidth(pooled)
    if n > _POOLED:
        pooled = np.quantile(pooled, (np.arange(_POOLED) + 0.5) / _POOLED)
    levels, which = np.unique(w, return_inverse=True)
    bend, noise = np.empty(len(levels)), np.empty(len(levels))
    for i, level in enumerate(np.sqrt(levels)):
        rise = psi((pooled + width) / level) - psi((pooled - width) / level)
        bend[i] = rise.mean() / (2 * width / level)
        noise[i] = np.mean(psi(pooled / level) ** 2) * n / max(n - k, 1)
    inner = bread(jacobian, w * bend[which])
    meat_rows = (jacobian * (w**2 * noise[which])[:, None]).T @ jacobian
    return _by_params(inner.inverse @ meat_rows @ inner.inverse, inner, to_params)


def inverse_information(
    jacobian: np.ndarray, to_params: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Covariance of the parameters (k, k) of a likelihood: its Fisher information, inverted, times
    ``n
        / (n - k)``.

    The expected information, not the observed: a density that is all but Laplace's has no curvature
    at most runs. The factor is for the scale, of which k parameters have taken up their share, as
    everywhere else.

    Args:
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        information: (2, 2) of one residual about its location and the log scale, see
            :func:`of_one_residual`.
    """
    if not _finite(jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    # Densities here are symmetric: location and scale do not covary, and a free scale costs the
    # location nothing.
    n, k = jacobian.shape
    inner = bread(jacobian, np.full(n, information[0, 0]))
    return _by_params(inner.inverse * n / max(n - k, 1), inner, to_params)


def of_one_residual(objective: Objective, log_scale: float, delta: float) -> np.ndarray:
    """Fisher information (2, 2) of one residual about its location and the log scale, by integrals
    over the density.

    Args:
        objective: a likelihood: its contributions are ``-log density`` of the residual.
        log_scale: where it is evaluated.
        delta: of the objective.
    """
    reach = np.arcsinh(_FARTHEST / _FINEST)
    t = jnp.linspace(-reach, reach, _POINTS)
    r = jnp.exp(log_scale) * _FINEST * jnp.sinh(t)
    volume = jnp.exp(log_scale) * _FINEST * jnp.cosh(t) * (t[1] - t[0])
    scale, wide = jnp.asarray(log_scale), jnp.asarray(delta)
    mass = jnp.exp(-objective.rows(r, scale, wide)) * volume
    by_scale = jax.jvp(lambda s: objective.rows(r, s, wide), (scale,), (jnp.ones(()),))[1]
    scores = jnp.stack([objective.slope(r, scale, wide), by_scale])
    return np.asarray((scores * mass) @ scores.T / mass.sum())


def of_number(slope: np.ndarray, covariance: np.ndarray) -> float:
    """Variance of a number by its derivatives (k,) by the parameters: the delta method.

    Infinite where it rests on a parameter of infinite variance.
    """
    used = np.abs(slope) > 1e-12 * np.abs(slope).max(initial=0.0)
    inner, part = covariance[np.ix_(used, used)], slope[used]
    return (
        max(float(part @ inner @ part), 0.0)
        if np.isfinite(inner).all() and np.isfinite(part).all()
        else np.inf
    )


def mask_unidentified(
    covariance: np.ndarray, names: Sequence[str], blind: Collection[str]
) -> np.ndarray:
    """A covariance (k, k) of the parameters ``names``, with infinite variance for those that the
    runs
    do not tell.

    A design that is all but rank deficient still has an inverse: its numbers say how far the best
    fit of a ridge would move, not how far along the ridge the truth may lie.
    """
    at = [i for i, name in enumerate(names) if name in blind]
    covariance = covariance.copy()
    covariance[at, at] = np.inf
    return covariance


def _finite(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


def _by_params(free: np.ndarray, inner: Bread, to_params: np.ndarray) -> np.ndarray:
    """A covariance in free coordinates as one of the parameters; infinite for those that the runs
    say nothing about.
    """
    covariance = to_params @ free @ to_params.T
    blind = inner.blind & (np.abs(to_params).max(axis=1) > 0)
    blind = np.abs(to_params) @ blind > 1e-6 * np.abs(to_params).max(axis=1, initial=0.0)
    covariance[np.diag_indices(len(covariance))] = np.where(blind, np.inf, np.diag(covariance))
    return covariance
