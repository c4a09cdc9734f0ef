"""``largest_runs``: the runs with the largest compute against the law fitted to the others."""

from dataclasses import dataclass

import numpy as np

from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.text import general, plural
from jscale.assess.auditing.misfit._refit import (
    SPARE_RUNS,
    RobustFit,
    Study,
    orthonormal,
    robust_fit,
    study_of,
)
from jscale.fit import Point, Posterior
from jscale.runs import Runs

SIGNIFICANT = 0.01
_SHARE = 0.1
_LEAST = 3
_SAME_BUDGET = 0.98
"""Compute over that of the smallest of the largest runs from which on a run counts among them: the
runs of one budget differ by rounding."""


@dataclass(frozen=True, eq=False)
class LargestRuns:
    """The runs with the largest compute against the law fitted to the others.

    Attributes:
        rows: their rows in the table, counted from 0; empty where they cannot be compared.
        n_others: number of the other runs.
        compute_from: smallest compute among them, FLOP; NaN where they cannot be compared.
        offset: mean of their residuals from the law fitted to the others, in log loss, or in units
            of the loss where some have no logarithm.
        on_side: number of them on the side of the mean.
        z: the mean over its standard error.
        p_value: probability of a mean as far from 0 by chance.
        on_log: whether residuals are of the logarithm of the loss.
        clusters: what runs of a cluster share; None where runs are independent.
    """

    rows: np.ndarray
    n_others: int
    compute_from: float
    offset: float
    on_side: int
    z: float
    p_value: float
    on_log: bool
    clusters: str | None

    @property
    def notes(self) -> tuple[Note, ...]:
        """A ``largest-runs-off`` warning where the mean is significant at 1%; else empty."""
        if not self.p_value < SIGNIFICANT:
            return ()

        count, side = len(self.rows), "above" if self.offset > 0 else "below"
        if self.on_log:
            size = f"{abs(np.expm1(self.offset)):.1%} of the loss"
        else:
            size = f"{abs(self.offset):.2g}"
        shared = "" if self.clusters is None else f" with errors shared by {self.clusters}"
        message = (
            f"the {plural(count, 'run')} with the largest compute (from "
            f"{general(self.compute_from, 3)} FLOP) lie {size} {side} the law fitted to the other "
            f"{self.n_others:,}, {self.on_side} of {count} on that side (z = {self.z:.1f}{shared}):"
            " forecasts for more compute are likely to be off to the same side"
        )
        evidence = {
            "runs": len(self.rows),
            "compute_from": self.compute_from,
            "offset": self.offset,
            "on_side": self.on_side,
            "z": self.z,
            "p_value": self.p_value,
        }
        return (Note("largest-runs-off", "warning", message, evidence),)


@in_float64
def largest_runs(fitted: Point | Posterior, table: Runs, *, by: str | None = None) -> LargestRuns:
    """Compare the runs with the largest compute with the law fitted to the others.

    They are a tenth of the runs, at least three, and all of the same budget as the smallest of
    them. The law is refitted to the others by a Huber loss, starting from the fitted parameters.
    The standard error of their mean residual has three parts: the scatter of runs, the scatter
    between clusters, and the uncertainty of the law's parameters (a cluster sandwich).

    Args:
        fitted: a fit, or posterior draws, of the runs.
        table: the runs.
        by: column whose equal values make a cluster; as for :func:`lack_of_fit`.

    Returns:
        Their mean residual, with a ``largest-runs-off`` note where it is significant at 1%.

    Raises:
        JscaleError: fitted to other runs, or ``by`` is not a column that forms clusters.

    Example:
        >>> import jax
        >>> from jscale import assess, fit, laws, runs
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> largest = assess.largest_runs(point, table)
        >>> len(largest.rows), largest.p_value > 0.01, largest.notes
        (3, True, ())
    """
    study = study_of(fitted, table, by)
    compute = study.quantities.get("C")
    largest = None if compute is None else _largest(compute)
    if compute is None or largest is None or (~largest).sum() < study.free.size + SPARE_RUNS:
        return _not_compared(study)
    fit = robust_fit(study, ~largest)
    if fit is None:
        return _not_compared(study)

    mean, error, freedom = _mean_residual(study, fit, largest)
    z = mean / error
    residuals = fit.residuals[largest] * study.sizes[largest]
    return LargestRuns(
        rows=study.data.rows[largest],
        n_others=int((~largest).sum()),
        compute_from=float(compute[largest].min()),
        offset=mean,
        on_side=int((np.sign(residuals) == np.sign(mean)).sum()),
        z=z,
        p_value=_two_sided(z, freedom),
        on_log=study.on_log,
        clusters=study.clusters.name,
    )


def _largest(compute: np.ndarray) -> np.ndarray | None:
    """The runs with the largest compute (rows,); None where they are half of the runs or more."""
    count = min(len(compute), max(_LEAST, int(np.ceil(_SHARE * len(compute)))))
    largest = compute >= _SAME_BUDGET * np.sort(compute)[-count]
    return None if 2 * largest.sum() >= len(compute) else largest


def _not_compared(study: Study) -> LargestRuns:
    nan = float("nan")
    return LargestRuns(
        np.empty(0, int), len(study.data), nan, nan, 0, nan, nan, study.on_log, study.clusters.name
    )


def _mean_residual(study: Study, fit: RobustFit, largest: np.ndarray) -> tuple[float, float, int]:
    """The mean residual of the largest runs, its standard error and its degrees of freedom."""
    others = ~largest
    labels = study.clusters.labels
    # 1. Weights of a mean of residuals that are divided by their sizes.
    weights = study.sizes[largest] / largest.sum()
    mean = float(weights @ fit.residuals[largest])

    # 2. Scatter of runs and of clusters, from the others.
    rank = orthonormal(fit.jacobian[others]).shape[1]
    within, between = _scatter(fit.residuals[others], labels[others], rank)
    totals = np.bincount(labels[largest], weights)
    variance = within * float(weights @ weights) + between * float(totals @ totals)

    # 3. The uncertainty of the parameters, as far as the mean depends on them.
    scores, jacobian = fit.score[others], fit.jacobian[others]
    curvature = fit.curvature[others]
    bread = np.linalg.pinv(jacobian.T @ (curvature[:, None] * jacobian), rcond=1e-12)
    sums = np.zeros((labels.max() + 1, jacobian.shape[1]))
    np.add.at(sums, labels[others], scores[:, None] * jacobian)
    clusters = len(np.unique(labels[others]))
    correction = len(scores) / max(len(scores) - rank, 1) * clusters / max(clusters - 1, 1)
    slope = bread @ (weights @ fit.jacobian[largest])
    variance += correction * float(np.square(sums @ slope).sum())

    freedom = max(min(len(scores) - rank, clusters - 1), 1)
    return mean, float(np.sqrt(max(variance, 1e-300))), freedom


def _scatter(residuals: np.ndarray, labels: np.ndarray, rank: int) -> tuple[float, float]:
    """Variances within and between clusters, by the moments of a one-way layout."""
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    n, clusters = len(residuals), len(counts)
    total = float(np.square(residuals).sum()) / max(n - rank, 1)
    if clusters == n or n - clusters < _LEAST:
        return total, 0.0

    means = np.bincount(labels, residuals) / counts
    within = float(np.square(residuals - means[labels]).sum()) / (n - clusters)
    # The fit takes its degrees of freedom from between the clusters first.
    squares = float(counts @ means**2)
    effective = (n - float(counts @ counts) / n) / max(clusters - 1, 1)
    between = (squares / max(clusters - rank, 1) - within) / effective
    if between <= 0:
        return total, 0.0
    return within, between


def _two_sided(z: float, freedom: int) -> float:
    from scipy.special import stdtr  # takes a third of a second to import

    return float(2 * stdtr(freedom, -abs(z)))
