"""The highest floor that a table of noisy losses leaves possible.

A floor lies below the law's losses, not below the observed ones: where runs have levelled off, the
noise takes half of them below it. With the smallest observed loss as the end of the range, 90%
intervals of the exponent covered the truth in 32% of simulated tables that reach the plateau.
"""

from collections.abc import Mapping, Sequence

import numpy as np

_SCATTERS = 4.0
"""A floor may lie this many standard deviations of the noise above the smallest loss. The lowest of
1,000 runs on a plateau is 3.2 below it."""
_UNKNOWN_NOISE = 0.01
"""Relative noise of tables with too few runs to estimate it."""
_MAX_NOISE = 0.25
"""Largest noise that counts: a floor of at most 2.7 times the smallest loss."""
_SPARE_RUNS = 3
"""Runs beyond the terms of a surface from which the scatter about it is known."""
_MIN_SHARE = 0.1
"""Least noise, in scatters about the surface: rows that are copies of others differ by nothing."""
_MAX_ROWS = 1000
"""Rows of which neighbours are sought."""
_STEPS = 20
"""Of reweighting; the surface only has to be near most runs."""
_TUNING, _MAD_TO_SD = 1.345, 1.4826
"""Huber's constant for 95% efficiency, and sd over median absolute deviation of a normal."""


def highest_floor(inputs: Mapping[str, np.ndarray], loss: np.ndarray) -> float:
    """The end of the range of a floor: above it, the runs would not scatter but contradict it.

    It is the smallest loss plus four standard deviations of the noise, on the log scale. Losses far
    below a smooth surface through the runs are outliers, which do not count.

    Args:
        inputs: name → (rows,).
        loss: (rows,); with values of 0 or below the smallest loss itself is the end.
    """
    lowest = float(loss.min())
    if not lowest > 0 or not np.isfinite(loss).all():
        return lowest
    log_loss = np.log(loss)
    columns = [_standardised(column) for column in inputs.values()]
    columns = [column for column in columns if column is not None]
    design = _design(columns, len(loss))
    if design is None:
        return float(lowest * np.exp(_SCATTERS * _UNKNOWN_NOISE))

    # What the surface lacks counts as scatter, but not as noise, which is estimated from
    # neighbours.
    residual, scatter = _robust_fit(design, log_loss)
    noise = _noise_of_neighbours(columns, residual) if columns else scatter
    noise = np.clip(noise, _MIN_SHARE * scatter, scatter)
    base = log_loss[residual >= -_SCATTERS * scatter].min()
    return float(np.exp(base + _SCATTERS * min(noise, _MAX_NOISE)))


def _design(columns: Sequence[np.ndarray], rows: int) -> np.ndarray | None:
    """Terms (rows, terms) of a quadratic surface, or of a linear one where the runs are too few."""
    linear = [np.ones(rows), *columns]
    quadratic = [a * b for i, a in enumerate(columns) for b in columns[i:]]
    for terms in (linear + quadratic, linear):
        if rows >= len(terms) + _SPARE_RUNS:
            return np.stack(terms, axis=1)
    return None


def _noise_of_neighbours(columns: Sequence[np.ndarray], residual: np.ndarray) -> float:
    """Standard deviation of the noise of residuals (rows,), from nearest neighbours."""
    points = np.stack(columns, axis=1)
    rows = np.arange(0, len(points), -(-len(points) // _MAX_ROWS))  # ceiling division
    points, residual = points[rows], residual[rows]
    distance = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    difference = residual - residual[distance.argmin(axis=1)]
    return _MAD_TO_SD * float(np.median(np.abs(difference))) / np.sqrt(2)


def _standardised(column: np.ndarray) -> np.ndarray | None:
    """The log of a column, or the column, with mean 0 and standard deviation 1.

    None where all values are equal or some are not finite.
    """
    values = np.asarray(column, float)
    values = np.log(values) if (values > 0).all() else values
    if not np.isfinite(values).all():
        return None
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else None


def _robust_fit(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Huber regression of (rows,) on (rows, terms): residuals (rows,), and their scale."""
    rows, terms = design.shape
    weights, residual, scatter = np.ones(rows), np.zeros(rows), 0.0
    for _ in range(_STEPS):
        root = np.sqrt(weights)
        coefficients, *_ = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)
        residual = y - design @ coefficients
        size = np.abs(residual)
        scatter = _MAD_TO_SD * float(np.median(size)) * np.sqrt(rows / (rows - terms))
        if scatter == 0:
            break
        weights = np.minimum(1.0, _TUNING * scatter / np.maximum(size, 1e-300))
    return residual, scatter
