"""Bands corrected by how forecasts of held-out runs turned out, by distance from the runs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtri

from jscale._core.arrays import standard_normal
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural
from jscale.fit import Prediction
from jscale.laws import LawFunction, describe

_QUANTITIES = ("C", "N", "D")
"""What distances from the runs are measured in: the first of them that the law knows."""
DRIFT = 0.007
"""Error of the form of the law per decade of compute beyond the runs, as a share of the loss.

Held-out runs near the others hardly show it. On the public tables it lifted the lowest coverage of
80% bands from 50% to 58% at the same CRPS, with bands 3% wider: where all candidates fit closely,
they leave the runs together. With 1.6% 80% bands hold 90%, and the CRPS is 2% higher.

It is added to a factor that is fitted to the whole error of held-out runs. Where these are far
away, they show the error too, and it counts twice: bands that should be ± 3% (80%) are 4% too wide
at one decade, 17% at two."""
_MAX_SURPRISE = 4.0
"""Standard normal scores are at most this: draws do not resolve rarer events."""
_FEW_POINTS = 8
"""Held-out runs with fewer different pairs of size and budget are little evidence; the number is a
choice, not a measurement."""
MAX_DECADES = 2.0
"""Beyond this distance the factor stays the same, as backtests hardly reach further; the drift goes
on."""


class UncorrectableError(JscaleError):
    """A posterior whose law cannot be fitted again to hold out runs."""


class Prior(NamedTuple):
    """Normal priors of a correction, each a mean and a standard deviation.

    Attributes:
        log_factor: log of the factor next to the runs.
        slope: its change per decade of compute.
    """

    log_factor: tuple[float, float]
    slope: tuple[float, float]


ENSEMBLE = Prior((-0.6, 0.4), (0.0, 0.1))
"""Bands of ensembles are too wide next to the runs, as they add what several laws do not know, and
tables differ. Chosen on the 17 public tables with laws of N and D, where it narrows bands by a
quarter at a lower CRPS; docs/forecasts.md has the figures with each source left out."""
LAW_WITH_DISCREPANCY = Prior((-0.2, 0.3), (0.0, 0.3))
"""The same 17 tables call for log factors of -0.29 ± 0.37 and slopes of 0.04 ± 0.41."""
LAW_ALONE = Prior((0.2, 0.3), (0.3, 0.3))
"""Bands of one law with independent errors are too narrow. Mean and scatter of the corrections that
14 public tables call for by themselves, for Student-t errors about ``chinchilla`` (0.20 ± 0.29,
slope 0.30 ± 0.26) and ``coupled`` (0.16 ± 0.19, 0.24 ± 0.30)."""


@dataclass(frozen=True)
class BandCorrection:
    """How bands are widened or narrowed about their median by distance from the runs.

    ``factor = exp(log_factor + slope * decades)``, with decades of compute beyond the runs; and a
    normal error of the log loss with the standard deviation ``drift * decades``.

    Attributes:
        log_factor: at the edge of the runs.
        slope: per decade.
        drift: per decade.
        count: number of held-out runs whose forecasts it comes from; 0 for none.
        clusters: number of clusters that these runs form.
        furthest: decades beyond the runs of the furthest of them.
        points: number of different sizes and budgets of these runs; 0 where it is not known.
    """

    log_factor: float = 0.0
    slope: float = 0.0
    drift: float = 0.0
    count: int = 0
    clusters: int = 0
    furthest: float = 0.0
    points: int = 0

    def factor(self, decades: np.ndarray | float) -> np.ndarray:
        """The factor at distances in decades of compute; inside the runs that at their edge."""
        beyond = np.minimum(_beyond(decades), MAX_DECADES)
        return np.exp(self.log_factor + self.slope * beyond)

    def drift_at(self, decades: np.ndarray | float) -> np.ndarray:
        """Standard deviation of the added error at distances in decades."""
        return self.drift * _beyond(decades)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Sentences on the correction; none where bands stay as they are."""
        if not (self.log_factor or self.slope or self.drift):
            return ()
        edge, decade = float(self.factor(0.0)), float(self.factor(1.0))
        origin = "since no runs are held out to check them"
        if self.count:
            among = f" in {plural(self.clusters, 'cluster')}" if self.clusters < self.count else ""
            origin = f"by forecasts of {plural(self.count, 'held-out run')}{among}"
        message = (
            f"bands are multiplied by {edge:.2f} at the edge of the runs and by {decade:.2f} one "
            f"decade beyond them, {origin}; {self.drift:.1%} of the loss a decade is added for the "
            "form of the law"
        )
        evidence = {
            "edge": edge,
            "decade": decade,
            "drift": self.drift,
            "count": self.count,
            "clusters": self.clusters,
        }
        return (Note("corrected-bands", "info", message, evidence), *self._few_points())

    def _few_points(self) -> tuple[Note, ...]:
        """A warning where many held-out runs are of few sizes and budgets."""
        if not 0 < self.points < _FEW_POINTS or self.count < 2 * self.points:
            return ()
        message = (
            f"the {plural(self.count, 'held-out run')} that bands are checked by have only "
            f"{plural(self.points, 'different pair')} of size and budget; runs of one pair share "
            "the error of the law, so that larger runs may lie further outside the bands"
        )
        evidence = {"count": self.count, "points": self.points}
        return (Note("few-checked-points", "warning", message, evidence),)


def _beyond(decades: np.ndarray | float) -> np.ndarray:
    """Decades above the runs; 0 inside and below, and where they are not known."""
    return np.maximum(np.nan_to_num(np.asarray(decades, float)), 0.0)


def without_evidence(prior: Prior) -> BandCorrection:
    """The correction of tables too small for one of their own: as wide as on public tables.

    Bands that nothing checks are never narrowed.
    """
    return BandCorrection(max(prior.log_factor[0], 0.0), max(prior.slope[0], 0.0), DRIFT)


def fit_correction(
    pit: np.ndarray,
    decades: np.ndarray,
    clusters: np.ndarray,
    prior: Prior = ENSEMBLE,
    *,
    runs: np.ndarray | None = None,
    points: np.ndarray | None = None,
) -> BandCorrection:
    """The factor under which normal scores of held-out runs have unit variance.

    The mode of a normal likelihood with the prior of the public tables; the runs of a cluster count
    as one.

    Args:
        pit: (forecasts,) probability integral transforms.
        decades: (forecasts,) beyond the fitted runs, in the quantity of :func:`distance_quantity`.
        clusters: (forecasts,) label of each run's cluster.
        prior: of the factor.
        runs: (forecasts,) number of each run, which several cuts may hold out; None where no run is
            forecast twice.
        points: (forecasts,) label of each run's size and budget; None where they are not known.
    """
    known = np.isfinite(pit) & np.isfinite(decades)
    if not known.any():
        return without_evidence(prior)
    limit = _MAX_SURPRISE
    scores = np.clip(ndtri(np.clip(pit[known], 1e-6, 1 - 1e-6)), -limit, limit)
    beyond = np.clip(decades[known], 0.0, MAX_DECADES)
    _, labels = np.unique(clusters[known], return_inverse=True)
    sizes = np.bincount(labels)
    weight = 1 / sizes[labels]

    def objective(x: np.ndarray) -> float:
        log_scale = x[0] + x[1] * beyond
        likelihood = np.sum(weight * (log_scale + 0.5 * scores**2 * np.exp(-2 * log_scale)))
        (mean, sd), (slope, slope_sd) = prior
        return likelihood + 0.5 * ((x[0] - mean) / sd) ** 2 + 0.5 * ((x[1] - slope) / slope_sd) ** 2

    start = np.array([prior.log_factor[0], prior.slope[0]])
    log_factor, slope = minimize(objective, start, method="BFGS").x
    return BandCorrection(
        log_factor=float(log_factor),
        slope=float(slope),
        drift=DRIFT,
        count=int(known.sum()) if runs is None else len(np.unique(runs[known])),
        clusters=len(sizes),
        furthest=float(beyond.max()),
        points=0 if points is None else len(np.unique(points[known])),
    )


def corrected(prediction: Prediction, correction: BandCorrection, key: jax.Array) -> Prediction:
    """The prediction with its draws of new runs moved about their median, and the added error.

    The added error of one draw grows with the distance and has one sign at all points.

    Args:
        prediction: of an ensemble.
        correction: what to change.
        key: for the added error.
    """
    decades = _distance(prediction)
    factor, drift = correction.factor(decades), correction.drift_at(decades)
    draws = prediction.draws
    positive = bool((np.nan_to_num(draws, nan=1.0) > 0).all())

    # 1. Draws of new runs.
    level = np.log(draws) if positive else draws
    middle = np.nanmedian(level, axis=0)
    unit = np.ones_like(middle) if positive else np.abs(middle)
    added = unit * drift * standard_normal(key, (len(draws), 1))
    moved = middle + factor * (level - middle) + added

    # 2. The law's own value, and the shares of the new variance.
    own = prediction.parameter_draws
    own_level = np.log(own) if positive else own
    own_middle = np.nanmedian(own_level, axis=0)
    own_moved = own_middle + factor * (own_level - own_middle)
    kept = factor**2 * np.nanvar(level, axis=0)
    whole = kept + (unit * drift) ** 2
    ratio = np.where(whole > 0, kept / np.where(whole > 0, whole, 1.0), 1.0)
    shares = {name: share * ratio for name, share in prediction.shares.items()}
    shares["law"] = shares.get("law", 0.0) + (1 - ratio)
    return replace(
        prediction,
        draws=np.exp(moved) if positive else moved,
        parameter_draws=np.exp(own_moved) if positive else own_moved,
        shares=shares,
    )


def distance_quantity(laws: Iterable[LawFunction]) -> str | None:
    """What the distance of a forecast is measured in: C, else N, else D; None where laws take none.

    Both the forecasts of held-out runs, to which a slope is fitted, and those of new runs, to which
    it is applied, are that many decades away.
    """
    known: set[str] = set()
    for law in laws:
        names = set(describe(law).input_names)
        known |= names | ({"C"} if {"N", "D"} <= names else set())
    return next((name for name in _QUANTITIES if name in known), None)


def known_distance(prediction: Prediction) -> int:
    """How far down the list of quantities is the first in which a forecast knows its distance."""
    for i, name in enumerate(_QUANTITIES):
        decades = prediction.decades.get(name)
        if decades is not None and not np.isnan(decades).any():
            return i
    return len(_QUANTITIES)


def _distance(prediction: Prediction) -> np.ndarray:
    """Decades beyond the runs (points,), of the quantity of :func:`distance_quantity`."""
    i = known_distance(prediction)
    if i == len(_QUANTITIES):
        return np.zeros(len(prediction))
    return prediction.decades[_QUANTITIES[i]]
