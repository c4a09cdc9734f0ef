"""How many runs lie in their bands, with limits that respect clusters of runs."""

from dataclasses import dataclass

import numpy as np

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class BandCoverage:
    """How many of the held-out runs lie in their bands of one level.

    Attributes:
        level: nominal coverage, such as 0.8.
        held: forecasts whose band contains the observed loss.
        count: forecasts.
        coverage: their ratio.
        low: lower end of the 95% interval of the coverage.
        high: its upper end.
        effective: independent forecasts that say as much as ``count`` that share clusters.
        width: mean log ratio of the ends of the band; NaN where an end is not above 0.
    """

    level: float
    held: int
    count: int
    coverage: float
    low: float
    high: float
    effective: float
    width: float

    @property
    def verdict(self) -> str:
        """``too narrow``, ``too wide``, or empty where the nominal coverage is possible."""
        if self.high < self.level:
            return "too narrow"
        return "too wide" if self.low > self.level else ""


def band_coverage(
    level: float, lower: np.ndarray, upper: np.ndarray, observed: np.ndarray, cluster: np.ndarray
) -> BandCoverage:
    """Coverage of bands.

    Args:
        level: nominal coverage.
        lower: (rows,) ends of the bands.
        upper: (rows,) ends of the bands.
        observed: (rows,) losses.
        cluster: (rows,) labels; runs of one cluster are not independent.
    """
    inside = (observed >= lower) & (observed <= upper)
    effective = effective_number(inside, cluster)
    share = float(np.mean(inside))
    low, high = binomial_limits(share, effective)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.where((lower > 0) & (upper > 0), np.log(upper / lower), np.nan)
    return BandCoverage(
        level=level,
        held=int(inside.sum()),
        count=len(inside),
        coverage=share,
        low=low,
        high=high,
        effective=effective,
        width=float(np.mean(width)),
    )


def effective_number(inside: np.ndarray, cluster: np.ndarray) -> float:
    """Independent forecasts that would give a share of the same variance.

    The variance of the mean of ``inside`` grows by 1 + (m - 1) rho, where m is the mean size of a
    run's cluster and rho the correlation in a cluster, by one-way analysis of variance; where all
    forecasts agree, rho is 1. Few clusters estimate rho poorly: the number falls by the squared
    ratio of the quantiles of Student's t with one degree of freedom for each run and each cluster.

    Args:
        inside: (rows,) booleans.
        cluster: (rows,) labels.

    Source: Korn & Graubard 1998.
    """
    from scipy.special import stdtrit  # takes a third of a second to import

    _, labels = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(labels)
    total, clusters = len(labels), len(sizes)
    if clusters == total:
        return float(total)

    mean_size = np.sum(sizes**2) / total
    effective = total / (1 + (mean_size - 1) * _correlation(inside, labels, sizes))
    if clusters == 1:
        return 1.0
    tail = (1 + _CONFIDENCE) / 2
    correction = (stdtrit(total - 1, tail) / stdtrit(clusters - 1, tail)) ** 2
    return float(max(1.0, effective * correction))


def _correlation(inside: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> float:
    """Correlation of two runs of one cluster, between 0 and 1."""
    total, clusters = len(labels), len(sizes)
    shares = np.bincount(labels, inside) / sizes
    between = np.sum(sizes * (shares - inside.mean()) ** 2) / max(1, clusters - 1)
    within = np.sum(sizes * shares * (1 - shares)) / (total - clusters)
    typical = (total - np.sum(sizes**2) / total) / max(1, clusters - 1)
    variance = between + (typical - 1) * within
    return 1.0 if variance == 0 else float(np.clip((between - within) / variance, 0, 1))


def binomial_limits(share: float, number: float) -> tuple[float, float]:
    """Clopper and Pearson's 95% interval of a probability.

    Args:
        share: of the trials that succeeded.
        number: of independent trials, not necessarily whole.
    """
    from scipy.special import betaincinv

    tail = (1 - _CONFIDENCE) / 2
    successes = share * number
    low = 0.0 if share == 0 else float(betaincinv(successes, number - successes + 1, tail))
    high = 1.0 if share == 1 else float(betaincinv(successes + 1, number - successes, 1 - tail))
    return low, high
