"""A test of more regressors in a robust fit, by the wild bootstrap."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jscale.fit.objective import Clusters

DRAWS = 1999
"""Bootstrap draws: the smallest p value is 1/2000."""
_BLOCK = 2_000_000
"""Numbers of a block of draws, for bounded memory."""
_LEAST_REMAINDER = 1e-3
"""Share of a regressor that the law's Jacobian must leave for it to be a regressor of its own."""
_LARGEST_LEVERAGE = 0.999
_WEIGHTS = np.sqrt([0.5, 1.0, 1.5])
"""Sizes of the bootstrap weights, with either sign and equal probability (Webb 2023): enough
distinct draws for as few as six clusters."""


class Regression(NamedTuple):
    """A robust fit in the form that the test needs.

    Attributes:
        basis: (rows, rank) orthonormal basis of the Jacobian's columns.
        score: (rows,) Huber's score of the residuals.
        curvature: (rows,) derivative of the score.
        residuals: (rows,).
    """

    basis: np.ndarray
    score: np.ndarray
    curvature: np.ndarray
    residuals: np.ndarray


class Tested(NamedTuple):
    """What regressors explain.

    Attributes:
        p_value: probability of as much by chance.
        share: of the variance of the residuals, less what as many regressors explain by chance.
        rank: number of regressors that are not in the span of the Jacobian.
    """

    p_value: float
    share: float
    rank: int


def wild_tests(
    regression: Regression, candidates: Mapping[str, np.ndarray], clusters: Clusters
) -> dict[str, Tested]:
    """Test whether regressors explain the residuals of a robust fit.

    The statistic is the share of the scores' sum of squares that the regressors explain, after
    projection on the complement of the Jacobian. Its distribution without such a trend is that of
    scores multiplied by random weights of mean 0, one for each cluster: it holds for errors of any
    sizes, with heavy tails, and shared within clusters. The weights are a fixed array, so that a
    table has one answer.

    Args:
        regression: the robust fit.
        candidates: name → regressors (rows, q).
        clusters: of the runs.

    Returns:
        Name → the test; names whose regressors all lie in the span of the Jacobian are left out.

    Source: Wu 1986; Liu 1988; Kline & Santos 2012 (scores); Cameron, Gelbach & Miller 2008 and Webb
        2023 (clusters); MacKinnon & White 1985 (leverage).
    """
    projection = _Projection(regression)
    regressors = {name: projection.remainder(columns) for name, columns in candidates.items()}
    regressors = {name: columns for name, columns in regressors.items() if columns.shape[1]}
    score = regression.score[:, None]
    total = np.square(score).sum(axis=0)
    observed = {name: _statistic(z, score, total)[0] for name, z in regressors.items()}

    # 1. Count the draws that explain as much.
    exceeding = dict.fromkeys(regressors, 0)
    adjusted = _without_leverage(projection, regression.score, clusters.labels)
    rng = np.random.default_rng(0)
    block = max(1, min(DRAWS, _BLOCK // len(adjusted)))
    for first in range(0, DRAWS, block):
        shape = (clusters.count, min(block, DRAWS - first))
        weights = rng.choice(np.concatenate([-_WEIGHTS, _WEIGHTS]), shape)
        scores = projection.residual(adjusted[:, None] * weights[clusters.labels])
        total = np.square(scores).sum(axis=0)
        for name, columns in regressors.items():
            reached = _statistic(columns, scores, total)
            exceeding[name] += int((reached >= observed[name] * (1 - 1e-9)).sum())

    # 2. The share of the variance, by least squares.
    return {
        name: Tested(
            p_value=(1 + exceeding[name]) / (1 + DRAWS),
            share=_explained(regression, candidates[name]),
            rank=columns.shape[1],
        )
        for name, columns in regressors.items()
    }


class _Projection:
    """The projection on the complement of the Jacobian, weighted by the scores' derivatives."""

    def __init__(self, regression: Regression) -> None:
        self.basis = regression.basis
        self.curvature = regression.curvature
        self.weighted = self.curvature[:, None] * self.basis
        self.inverse = np.linalg.pinv(self.basis.T @ self.weighted)

    def residual(self, scores: np.ndarray) -> np.ndarray:
        """Scores (rows, draws) as a fit to them would leave them."""
        return scores - self.weighted @ (self.inverse @ (self.basis.T @ scores))

    def remainder(self, columns: np.ndarray) -> np.ndarray:
        """What the Jacobian leaves of regressors, with unit weighted inner products."""
        left = columns - self.basis @ (self.inverse @ (self.weighted.T @ columns))
        norms = np.linalg.norm(columns - columns.mean(axis=0), axis=0)
        left = left[:, norms > 0] / norms[norms > 0]
        root = np.sqrt(self.curvature)[:, None]
        _, sizes, axes = np.linalg.svd(root * left, full_matrices=False)
        used = sizes > _LEAST_REMAINDER
        return left @ (axes[used].T / sizes[used])


def _statistic(regressors: np.ndarray, scores: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Explained over unexplained sum of squares (draws,) of scores (rows, draws)."""
    explained = np.square(regressors.T @ scores).sum(axis=0)
    return explained / np.maximum(total - explained, 1e-12 * np.maximum(total, 1e-300))


def _without_leverage(projection: _Projection, score: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores (rows,) enlarged by what the fit has taken from each cluster (HC2, CR2)."""
    values, axes = np.linalg.eigh(projection.inverse)
    root = axes * np.sqrt(np.maximum(values, 0.0))
    half_hat = np.sqrt(projection.curvature)[:, None] * (projection.basis @ root)
    if labels.max() + 1 == len(labels):
        leverage = np.minimum(np.square(half_hat).sum(axis=1), _LARGEST_LEVERAGE)
        return score / np.sqrt(1 - leverage)

    adjusted = score.copy()
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        directions, sizes, _ = np.linalg.svd(half_hat[rows], full_matrices=False)
        factor = 1 / np.sqrt(1 - np.minimum(sizes**2, _LARGEST_LEVERAGE)) - 1
        # A direction that the fit follows entirely has no residual to enlarge.
        factor = np.where(sizes**2 > _LARGEST_LEVERAGE, -1.0, factor)
        adjusted[rows] += directions @ (factor * (directions.T @ score[rows]))
    return adjusted


def _explained(regression: Regression, columns: np.ndarray) -> float:
    """Share of the variance of the residuals, adjusted for the number of regressors."""
    basis, residuals = regression.basis, regression.residuals
    residuals = residuals - basis @ (basis.T @ residuals)
    left = columns - basis @ (basis.T @ columns)
    norms = np.linalg.norm(columns - columns.mean(axis=0), axis=0)
    axes, sizes, _ = np.linalg.svd(left[:, norms > 0] / norms[norms > 0], full_matrices=False)
    axes = axes[:, sizes > _LEAST_REMAINDER]
    share = np.square(axes.T @ residuals).sum() / np.square(residuals).sum()
    freedom = len(residuals) - basis.shape[1]
    left_over = freedom - axes.shape[1]
    return float(np.clip(1 - (1 - share) * freedom / max(left_over, 1), 0.0, 1.0))
