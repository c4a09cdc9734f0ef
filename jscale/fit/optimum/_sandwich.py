"""Sampling covariance of the parameters.

Three estimates of one covariance. Each is ``inverse @ meat @ inverse`` with the inverse of the
objective's expected Hessian; they differ in what they assume of the residuals: independent and of
one size (:func:`fisher`), independent (:func:`sandwich`), or independent between clusters only
(:func:`sandwich` with labels).
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
_MIN_COMPONENT = 1e-3
"""Component of a coordinate in such a direction from which on the coordinate is unidentified."""
_GRID_POINTS, _GRID_SPACING, _GRID_END = 40_001, 1e-4, 1e8
"""Grid of the integrals over a density, in units of its scale: a nearly Laplacian one turns linear
at 1e-3 and is 1e4 wide."""
_POOLED = 1000
"""Most residuals over which a mean is taken at every weight; of more, as many quantiles."""

_overflow_to_infinity = np.errstate(over="ignore", invalid="ignore")
"""Variances beyond the largest number are infinite, without a warning of NumPy's."""

Score = Callable[[np.ndarray], np.ndarray]
"""Residuals (rows,) → derivative of the objective by each residual (rows,), weighted."""


class Bread(NamedTuple):
    """The inverse of the objective's expected Hessian at the optimum, in free coordinates.

    Attributes:
        inverse: (k, k), without the directions that the runs carry no information about.
        unidentified: (k,) coordinates that take part in such a direction.
    """

    inverse: np.ndarray
    unidentified: np.ndarray


@_overflow_to_infinity
def bread(jacobian: np.ndarray, score_derivative: np.ndarray) -> Bread:
    """The inverse of ``sum of score_derivative * J J'``.

    Args:
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        score_derivative: (rows,) second derivative of every run's contribution by its residual.

    Returns:
        The inverse; where the sum overflows, no coordinate is identified.
    """
    norms = np.linalg.norm(jacobian, axis=0)
    scale = np.where(norms > 1e-9 * norms.max(), norms, np.inf)
    scaled = jacobian / scale
    matrix = scaled.T @ (score_derivative[:, None] * scaled)
    if not np.isfinite(matrix).all():
        return Bread(np.zeros_like(matrix), np.ones(len(matrix), bool))

    values, axes = np.linalg.eigh(matrix)
    empty = values <= _EMPTY**2 * max(values.max(), 1e-300)
    inverse = (axes / np.where(empty, np.inf, values)) @ axes.T
    components = np.abs(axes[:, empty]).max(axis=1, initial=0.0)
    return Bread(inverse / scale[:, None] / scale, components > _MIN_COMPONENT)


def _bandwidth(errors: np.ndarray) -> float:
    """Normal-reference bandwidth, from a robust standard deviation."""
    deviation = max(1.4826 * float(np.median(np.abs(errors))), 1e-300)
    return 1.06 * deviation * len(errors) ** -0.2


@_overflow_to_infinity
def smoothed_score_derivative(
    residual: np.ndarray, score: Score, weights: np.ndarray | None = None
) -> np.ndarray:
    """Second derivative (rows,) of every run's contribution by its residual, smoothed.

    With a Huber delta far below the residuals the score is nearly a step at zero. Its derivative is
    taken as a difference over a bandwidth of the size of the residuals, instead of from the few
    runs that happen to lie inside delta. With ``weights`` (rows,) the bandwidth follows the size of
    each run's error.
    """
    root = np.ones(len(residual)) if weights is None else np.sqrt(weights)
    width = _bandwidth(root * residual) / root
    return (score(residual + width) - score(residual - width)) / (2 * width)


def meat(
    residual: np.ndarray, jacobian: np.ndarray, score: Score, labels: np.ndarray | None = None
) -> np.ndarray:
    """Variance (k, k) of the objective's gradient.

    Args:
        residual: (rows,).
        jacobian: (rows, k).
        score: see :data:`Score`.
        labels: (rows,) clusters counted from 0, whose gradients are summed first; None for
            independent runs.

    Returns:
        The sum of squared gradients with the correction HC1, ``n / (n - k)``, or by cluster CR1,
        ``G / (G - 1) * (n - 1) / (n - k)``.
    """
    n, k = jacobian.shape
    gradients = score(residual)[:, None] * jacobian
    if labels is None:
        return gradients.T @ gradients * n / max(n - k, 1)

    count = int(labels.max()) + 1
    summed = np.zeros((count, k))
    np.add.at(summed, labels, gradients)
    return summed.T @ summed * count / max(count - 1, 1) * (n - 1) / max(n - k, 1)


@_overflow_to_infinity
def sandwich(
    residual: np.ndarray,
    jacobian: np.ndarray,
    to_params: np.ndarray,
    score: Score,
    labels: np.ndarray | None = None,
    *,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Heteroscedasticity-robust covariance of the parameters (k, k); cluster-robust with labels.

    Args:
        residual: (rows,).
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        score: residuals (rows,) → derivative of the objective by each residual (rows,).
        labels: (rows,) clusters counted from 0, or None.
        weights: (rows,) of the runs, or None; ``score`` includes them.

    Returns:
        (k, k); infinite variance for parameters that the runs carry no information about.

    Source: Huber 1967; MacKinnon & White 1985 (HC1); Liang & Zeger 1986 by cluster, Cameron &
        Miller 2015 (CR1).
    """
    if not _all_finite(residual, jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    hessian = bread(jacobian, smoothed_score_derivative(residual, score, weights))
    free = hessian.inverse @ meat(residual, jacobian, score, labels) @ hessian.inverse
    return _by_params(free, hessian, to_params)


@_overflow_to_infinity
def fisher(
    residual: np.ndarray,
    jacobian: np.ndarray,
    to_params: np.ndarray,
    score: Score,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Covariance of the parameters (k, k) for independent residuals of one size up to the weights.

    A sandwich whose meat and bread are means over all residuals, as if of runs of weight 1: with
    ``e = sqrt(w) r``, a run of weight w has errors distributed as ``e / sqrt(w)``. Without weights
    that is ``phi * inv(J'J)``; for squares ``phi`` is the variance of the residuals,
    ``sum(r**2) / (n - k)``, for a Huber sum with score ``psi`` it is ``E[psi**2] / E[psi']**2``,
    which is that variance over the efficiency of the loss (Huber 1981, section 7.6). A weighted
    Huber sum or likelihood is not the likelihood of errors of those sizes, and has no shorter
    formula.

    Args:
        residual: (rows,).
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        score: residuals of any number → derivative of the objective by each, for runs of weight 1.
        weights: (rows,) of the runs, inverse to the variances of their errors; None for equal ones.
    """
    if not _all_finite(residual, jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    n, k = jacobian.shape
    w = np.ones(n) if weights is None else weights

    # 1. The errors of all runs, brought to weight 1.
    errors = np.sqrt(w) * residual
    width = _bandwidth(errors)
    if n > _POOLED:
        errors = np.quantile(errors, (np.arange(_POOLED) + 0.5) / _POOLED)

    # 2. Mean derivative and variance of the score at every weight.
    levels, level_of_run = np.unique(w, return_inverse=True)
    score_derivative, score_variance = np.empty(len(levels)), np.empty(len(levels))
    for i, root in enumerate(np.sqrt(levels)):
        difference = score((errors + width) / root) - score((errors - width) / root)
        score_derivative[i] = difference.mean() / (2 * width / root)
        score_variance[i] = np.mean(score(errors / root) ** 2) * n / max(n - k, 1)

    # 3. The sandwich.
    hessian = bread(jacobian, w * score_derivative[level_of_run])
    meat = (jacobian * (w**2 * score_variance[level_of_run])[:, None]).T @ jacobian
    return _by_params(hessian.inverse @ meat @ hessian.inverse, hessian, to_params)


@_overflow_to_infinity
def inverse_information(
    jacobian: np.ndarray, to_params: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Covariance of the parameters (k, k) of a likelihood: ``n / (n - k)`` over the information.

    The expected Fisher information, not the observed: a nearly Laplacian density has no curvature
    at most runs. The factor corrects the scale for the k fitted parameters, as in the other
    estimates.

    Args:
        jacobian: (rows, k) derivative of the residuals by the free coordinates.
        to_params: (k, k) derivative of the parameters by the free coordinates.
        information: (2, 2) of one residual about its location and the log scale, see
            :func:`residual_information`.
    """
    if not _all_finite(jacobian, to_params):
        return np.full(to_params.shape, np.inf)
    # The densities are symmetric: location and scale do not covary, so that a free scale leaves the
    # variance of the location as it is.
    n, k = jacobian.shape
    hessian = bread(jacobian, np.full(n, information[0, 0]))
    return _by_params(hessian.inverse * n / max(n - k, 1), hessian, to_params)


def residual_information(objective: Objective, log_scale: float, delta: float) -> np.ndarray:
    """Fisher information (2, 2) of one residual about its location and the log scale.

    By integrals over the density.

    Args:
        objective: a likelihood: its contributions are ``-log density`` of the residual.
        log_scale: where it is evaluated.
        delta: of the objective.
    """
    scale, width = jnp.asarray(log_scale), jnp.asarray(delta)

    # 1. Residuals on a grid that is fine at 0 and reaches far into the tails.
    end = np.arcsinh(_GRID_END / _GRID_SPACING)
    t = jnp.linspace(-end, end, _GRID_POINTS)
    r = jnp.exp(log_scale) * _GRID_SPACING * jnp.sinh(t)
    volume = jnp.exp(log_scale) * _GRID_SPACING * jnp.cosh(t) * (t[1] - t[0])

    # 2. Density, and the scores by location and log scale.
    mass = jnp.exp(-objective.rows(r, scale, width)) * volume
    _, by_scale = jax.jvp(lambda s: objective.rows(r, s, width), (scale,), (jnp.ones(()),))
    scores = jnp.stack([objective.score(r, scale, width), by_scale])
    return np.asarray((scores * mass) @ scores.T / mass.sum())


def delta_method_variance(gradient: np.ndarray, covariance: np.ndarray) -> float:
    """Variance of a function of the parameters, from its gradient (k,) by them.

    Infinite where it depends on a parameter of infinite variance.
    """
    used = np.abs(gradient) > 1e-12 * np.abs(gradient).max(initial=0.0)
    matrix, vector = covariance[np.ix_(used, used)], gradient[used]
    if not _all_finite(matrix, vector):
        return np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        variance = float(vector @ matrix @ vector)
    return np.inf if np.isnan(variance) else max(variance, 0.0)


def mask_unidentified(
    covariance: np.ndarray, names: Sequence[str], unidentified: Collection[str]
) -> np.ndarray:
    """A covariance (k, k) of the parameters ``names``, infinite for the unidentified ones.

    A nearly rank-deficient design still has an inverse: its numbers are how far the best fit on a
    ridge would move, not how far along the ridge the truth may lie.
    """
    index = [i for i, name in enumerate(names) if name in unidentified]
    covariance = covariance.copy()
    covariance[index, index] = np.inf
    return covariance


def _all_finite(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


def _by_params(free: np.ndarray, hessian: Bread, to_params: np.ndarray) -> np.ndarray:
    """A covariance in free coordinates as one of the parameters (k, k).

    Infinite for parameters that the runs carry no information about.
    """
    covariance = to_params @ free @ to_params.T
    sizes = np.abs(to_params)
    coordinates = hessian.unidentified & (sizes.max(axis=1) > 0)
    unidentified = sizes @ coordinates > 1e-6 * sizes.max(axis=1, initial=0.0)
    # A variance that overflows, or cancels to below 0, is not known either.
    variances = np.diag(covariance)
    unidentified |= ~(variances >= 0)
    covariance = np.where(np.isfinite(covariance), covariance, 0.0)
    covariance[np.diag_indices(len(covariance))] = np.where(unidentified, np.inf, variances)
    return covariance
