"""Weights of candidates by their forecasts of held-out runs, shrunk towards equal."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

SHRINKAGE = 0.1
"""Share of the weight that is divided equally: weights were confident and wrong on some tables."""
_SURPRISE = 8.0
"""Nats by which a run may be worse under one candidate than under the best: one outlier does not
decide."""


class Window(NamedTuple):
    """Forecasts of the candidates for the runs that one cut holds out.

    Attributes:
        log_scores: (candidates, rows) log densities of the observed log losses, or of the losses
            themselves, nats.
        clusters: (rows,) label of each run; runs of a cluster are one piece of evidence.
    """

    log_scores: np.ndarray
    clusters: np.ndarray


def weights_of(windows: Sequence[Window], count: int) -> np.ndarray:
    """The weight of each candidate (candidates,); they sum to 1.

    The log score of a candidate is its mean over the clusters of a window, times the root of their
    number, since clusters near each other in size and data share the misfit of the law; and the
    mean over the windows, which hold out the same runs. The softmax of the scores is shrunk towards
    equal weights.

    Args:
        windows: of the candidates' forecasts; equal weights where there is none.
        count: number of candidates.
    """
    if not windows:
        return np.full(count, 1 / count)
    scores = np.mean([_score(window) for window in windows], axis=0)
    return (1 - SHRINKAGE) * softmax(scores) + SHRINKAGE / count


def _score(window: Window) -> np.ndarray:
    """The score of each candidate (candidates,) in nats."""
    log_scores = np.where(np.isnan(window.log_scores), -np.inf, window.log_scores)
    best = log_scores.max(axis=0)
    best = np.where(np.isfinite(best), best, 0.0)
    bounded = np.clip(log_scores, best - _SURPRISE, best)
    _, labels = np.unique(window.clusters, return_inverse=True)
    sizes = np.bincount(labels)
    means = np.stack([np.bincount(labels, each) / sizes for each in bounded])
    return means.mean(axis=1) * np.sqrt(len(sizes))
