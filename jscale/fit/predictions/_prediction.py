"""``Prediction``: the forecast of new runs as draws, with where its band comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jscale._core.checks import check_level
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, shown

SOURCES = ("parameters", "noise", "discrepancy", "effects", "law")
"""What the band of a new run comes from."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The forecast of new runs at some points; everything is float64.

    A draw without a finite value, outside the domain of the law, is left out of means and
    quantiles; a note says how many there are.

    Attributes:
        law: name of the law.
        at: input → (points,), as it was asked for.
        draws: (draws, points) losses of a new run, in the unit of the data. Noise, discrepancy and
            effects are drawn for each point by itself: bands hold for one run, not for the
            difference between two.
        parameter_draws: (draws, points) the law's value under the draws of its parameters.
        shares: "parameters", "noise", "discrepancy", "effects" and "law" (the choice between laws)
            → (points,) shares of the variance of the log loss, which sum to 1. A share is the
            covariance of a part with the whole over the variance of the whole, at least 0. Of the
            loss itself, where the errors are additive.
        decades: "N", "D", "C" and any other input of the law → (points,) by how many factors of ten
            the point lies beyond the runs: positive above the largest run, negative below the
            smallest, 0 inside; NaN where it is not known.
        notes: doubts about the forecast, and those that the fit already had.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> D = [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> design = {"N": [1e8, 3e8, 1e9, 3e9] * 4, "D": D}
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, design, noise=0.005, key=jax.random.key(0)
        ... )
        >>> point = fit.point(laws.chinchilla, table, starts=8)
        >>> new = point.predict({"N": [1e9, 7e10], "D": [2e11, 1.4e12]}, key=jax.random.key(1))
        >>> [round(loss, 1) for loss in new.quantile(0.5).tolist()]
        [2.3, 1.9]
        >>> [round(decades, 2) for decades in new.decades["N"].tolist()]
        [0.0, 1.37]
    """

    law: str
    at: Mapping[str, np.ndarray]
    draws: np.ndarray
    parameter_draws: np.ndarray
    shares: Mapping[str, np.ndarray]
    decades: Mapping[str, np.ndarray]
    notes: tuple[Note, ...]

    def mean(self) -> np.ndarray:
        """The mean loss of a new run, (points,).

        Student-t errors of the log loss have no finite mean of the loss: there it is the mean of
        the draws, and the median says more.
        """
        return _over_finite(np.mean, np.nanmean, self.draws)

    def quantile(self, p: ArrayLike) -> np.ndarray:
        """Quantiles of the loss of a new run.

        Args:
            p: a probability from 0 to 1, or several of shape (q,).

        Returns:
            (points,) for one probability, (q, points) for several.

        Raises:
            JscaleError: a probability outside [0, 1].
        """
        return _quantiles(self.draws, p)

    def parameter_quantile(self, p: ArrayLike) -> np.ndarray:
        """Quantiles of the law's value under the draws of its parameters, as :meth:`quantile`.

        Args:
            p: a probability from 0 to 1, or several of shape (q,).

        Raises:
            JscaleError: a probability outside [0, 1].
        """
        return _quantiles(self.parameter_draws, p)

    def interval(self, level: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central interval of a new run, each (points,).

        Args:
            level: probability inside, between 0 and 1.

        Raises:
            JscaleError: a level outside (0, 1).
        """
        check_level(level)
        low, high = self.quantile([(1 - level) / 2, (1 + level) / 2])
        return low, high

    def __len__(self) -> int:
        """Number of points."""
        return self.draws.shape[1]

    def __repr__(self) -> str:
        low, middle, high = self.quantile([0.1, 0.5, 0.9])[:, :3]
        texts = [f"{m:.4g} [{a:.4g}, {b:.4g}]" for a, m, b in zip(low, middle, high, strict=True)]
        more = ["…"] if len(self) > len(texts) else []
        return f"<Prediction {self.law}: {plural(len(self), 'point')}: {', '.join(texts + more)}>"


def _quantiles(draws: np.ndarray, p: ArrayLike) -> np.ndarray:
    try:
        levels = np.asarray(p, np.float64)
        valid = levels.ndim <= 1 and bool(((levels >= 0) & (levels <= 1)).all())
    except (TypeError, ValueError):
        valid, levels = False, np.empty(0)
    if not valid:
        raise JscaleError(f"must be probabilities from 0 to 1, not {shown(p)}", argument="p")

    def ordinary(values: np.ndarray, axis: int) -> Any:
        return np.quantile(values, levels, axis=axis)

    def of_finite(values: np.ndarray, axis: int) -> Any:
        return np.nanquantile(values, levels, axis=axis)

    return _over_finite(ordinary, of_finite, draws)


def _over_finite(ordinary: Any, of_finite: Any, draws: np.ndarray) -> np.ndarray:
    """A statistic over the draws, without those that are not finite."""
    finite = np.isfinite(draws)
    if finite.all():
        return ordinary(draws, axis=0)
    return of_finite(np.where(finite, draws, np.nan), axis=0)


def variance_shares(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The share of each part in the variance of their sum, (points,).

    Args:
        parts: some of :data:`SOURCES` → (draws, points); draws that are not finite are left out.

    Returns:
        All of :data:`SOURCES` → shares that sum to 1: the covariance of a part with the sum over
        the variance of the sum, which is the ratio of variances for independent parts. Negative
        ones, of parts that offset others, count as 0. NaN where nothing varies.
    """
    shape = next(iter(parts.values())).shape
    whole = np.sum(list(parts.values()), axis=0)
    valid = np.isfinite(whole)
    count = np.maximum(valid.sum(axis=0), 1)

    def centred(values: np.ndarray) -> np.ndarray:
        kept = np.where(valid, values, 0.0)
        return np.where(valid, kept - kept.sum(axis=0) / count, 0.0)

    whole = centred(whole)
    covariances = {
        name: np.maximum((centred(part) * whole).sum(axis=0), 0.0) for name, part in parts.items()
    }
    total = np.sum(list(covariances.values()), axis=0)
    nothing = np.zeros(shape[1])
    varying = np.where(total > 0, total, np.nan)
    return {name: covariances.get(name, nothing) / varying for name in SOURCES}
