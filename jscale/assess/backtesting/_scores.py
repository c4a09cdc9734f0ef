"""Scores of draws against what was observed, one a run."""

from typing import NamedTuple

import numpy as np

QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantiles of each forecast: the median and the ends of the 50%, 80% and 95% bands."""
_NU = 4
"""Degrees of freedom of the kernel of the log score; its tails keep the score finite."""
_KERNEL = 3 / 8
"""Density of Student's t with 4 degrees of freedom at 0."""


class Scores(NamedTuple):
    """Forecasts of some runs and their scores.

    Attributes:
        quantiles: (7, rows) of the loss, at :data:`QUANTILES`.
        pit: (rows,) probability integral transform: share of the draws below the observed loss.
        crps: (rows,) continuous ranked probability score of the log loss; NaN without a log of what
            is observed, or of half of the draws. Draws that have none are left out.
        crps_raw: (rows,) that of the loss itself.
        log_score: (rows,) log density of the observed log loss, nats; NaN without a log.
        log_score_raw: (rows,) that of the loss itself.
    """

    quantiles: np.ndarray
    pit: np.ndarray
    crps: np.ndarray
    crps_raw: np.ndarray
    log_score: np.ndarray
    log_score_raw: np.ndarray


def score(draws: np.ndarray, observed: np.ndarray) -> Scores:
    """Scores of draws, those that are not finite left out.

    Args:
        draws: (draws, rows) losses of new runs.
        observed: (rows,) losses.
    """
    rows = [_score_run(column, value) for column, value in zip(draws.T, observed, strict=True)]
    return Scores(*(np.stack(column, axis=-1) for column in zip(*rows, strict=True)))


def _score_run(draws: np.ndarray, observed: float) -> tuple[np.ndarray | float, ...]:
    """The fields of :class:`Scores` for one run."""
    draws = np.sort(draws[np.isfinite(draws)])
    if len(draws) < 2:
        return np.full(len(QUANTILES), np.nan), *[np.nan] * 5

    below, up_to = np.searchsorted(draws, observed), np.searchsorted(draws, observed, "right")
    pit = float(below + up_to) / (2 * len(draws))
    crps_raw, log_score_raw = fair_crps(draws, observed), log_density(draws, observed)
    crps = log_score = np.nan
    positive = draws[draws > 0]
    if observed > 0 and len(positive) >= max(2, len(draws) / 2):
        log_draws, log_observed = np.log(positive), float(np.log(observed))
        crps = fair_crps(log_draws, log_observed)
        log_score = log_density(log_draws, log_observed)
    return np.quantile(draws, QUANTILES), pit, crps, crps_raw, log_score, log_score_raw


def fair_crps(draws: np.ndarray, observed: float) -> float:
    """The continuous ranked probability score, E|Y - y| - E|Y - Y'| / 2, unbiased for any sample.

    Args:
        draws: (draws,) of Y, in ascending order; at least two.
        observed: y.

    Source: Ferro 2014 (the fair score); its second term by the order statistics.
    """
    count = len(draws)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    spread = np.sum(ranks * draws) / (count * (count - 1))
    return float(np.mean(np.abs(draws - observed)) - spread)


def log_density(draws: np.ndarray, observed: float) -> float:
    """The log of a kernel estimate of the density of ``draws`` at ``observed``.

    Silverman's bandwidth with kernels of Student's t, whose tails keep the density above zero
    outside the draws.

    Args:
        draws: (draws,) in ascending order; at least two.
        observed: where.
    """
    low, high = np.quantile(draws, (0.25, 0.75))
    robust = (high - low) / 1.349
    spread = min(np.std(draws), robust) if robust > 0 else np.std(draws)
    # The kernel's own variance is 2.
    width = 0.9 * spread * len(draws) ** -0.2 / np.sqrt(2)
    if width == 0:
        return np.inf if observed == draws[0] else -np.inf
    kernels = (1 + ((draws - observed) / width) ** 2 / _NU) ** (-(_NU + 1) / 2)
    return float(np.log(_KERNEL * np.mean(kernels) / width))
