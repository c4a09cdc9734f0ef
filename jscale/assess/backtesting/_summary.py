"""Scores of many held-out runs together: of a law, of a cut, of a range of distances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jscale.assess.backtesting._bands import BandCoverage, band_coverage
from jscale.assess.backtesting._held_out import HeldOutRun

DISTANCES = (0.0, 0.25, 0.5, 1.0, 2.0, np.inf)
"""Decades beyond the fitted runs at which a range ends; the first has those inside."""


@dataclass(frozen=True)
class ForecastScores:
    """Scores of several forecasts, each a mean over them unless said otherwise.

    Attributes:
        label: which forecasts: of which cut, or how far beyond the fitted runs.
        count: forecasts.
        runs: different runs among them; a run can be held out by several cuts.
        bias: log ratio of observed to predicted loss: above 0 where losses were higher.
        relative_error: absolute value of predicted / observed - 1.
        rmse: root mean square of observed minus predicted loss.
        rmsle: that of the log losses.
        r2: share of the variance of the log losses that the predictions explain; NaN for one run.
        crps: continuous ranked probability score of the log loss, unbiased for any number of draws.
        crps_raw: that of the loss itself.
        log_score: log density of the observed log loss under the forecast, nats; higher is better.
        bands: coverage and width of the 50%, 80% and 95% bands.
    """

    label: str
    count: int
    runs: int
    bias: float
    relative_error: float
    rmse: float
    rmsle: float
    r2: float
    crps: float
    crps_raw: float
    log_score: float
    bands: tuple[BandCoverage, ...]

    @property
    def coverage50(self) -> float:
        """Share of the runs in their 50% bands."""
        return self.bands[0].coverage

    @property
    def coverage80(self) -> float:
        """Share of the runs in their 80% bands."""
        return self.bands[1].coverage

    @property
    def coverage95(self) -> float:
        """Share of the runs in their 95% bands."""
        return self.bands[2].coverage


def summarise(label: str, rows: Sequence[HeldOutRun], cluster: np.ndarray) -> ForecastScores:
    """Scores of held-out runs.

    Args:
        label: which they are.
        rows: at least one.
        cluster: cluster of every row of the table, shape (table rows,).
    """

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows])

    loss, predicted, numbers = column("loss"), column("predicted"), column("row")
    labels = cluster[numbers - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        log_loss = np.where(loss > 0, np.log(loss), np.nan)
        residual = log_loss - np.where(predicted > 0, np.log(predicted), np.nan)
        relative = np.where(loss != 0, np.abs(predicted / loss - 1), np.nan)
        variance = np.mean((log_loss - np.mean(log_loss)) ** 2)
        r2 = 1 - np.mean(residual**2) / variance if variance > 0 else np.nan

    ends = ((0.5, "q25", "q75"), (0.8, "q10", "q90"), (0.95, "q025", "q975"))
    return ForecastScores(
        label=label,
        count=len(rows),
        runs=len(np.unique(numbers)),
        bias=float(np.mean(residual)),
        relative_error=float(np.mean(relative)),
        rmse=float(np.sqrt(np.mean((loss - predicted) ** 2))),
        rmsle=float(np.sqrt(np.mean(residual**2))),
        r2=float(r2),
        crps=float(np.mean(column("crps"))),
        crps_raw=float(np.mean(column("crps_raw"))),
        log_score=float(np.mean(column("log_score"))),
        bands=tuple(
            band_coverage(level, column(low), column(high), loss, labels)
            for level, low, high in ends
        ),
    )


def by_cut(rows: Sequence[HeldOutRun], cluster: np.ndarray) -> tuple[ForecastScores, ...]:
    """Scores of each cut, in order."""
    labels = dict.fromkeys(row.cut for row in rows)
    return tuple(
        summarise(label, [row for row in rows if row.cut == label], cluster) for label in labels
    )


def by_distance(rows: Sequence[HeldOutRun], cluster: np.ndarray) -> tuple[ForecastScores, ...]:
    """Scores by decades beyond the fitted runs, without ranges that have no run."""
    decades = np.array([row.decades for row in rows])
    scores = []
    lower = -np.inf
    for upper in DISTANCES:
        members = np.flatnonzero((decades > lower) & (decades <= upper)).tolist()
        if members:
            label = _distance_label(lower, upper)
            scores.append(summarise(label, [rows[i] for i in members], cluster))
        lower = upper
    return tuple(scores)


def _distance_label(lower: float, upper: float) -> str:
    if upper == 0:
        return "inside"
    return f"above {lower:g}" if np.isinf(upper) else f"{lower:g} to {upper:g}"
