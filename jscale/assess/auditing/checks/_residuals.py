"""Residuals of a fit, or of a smooth surface through the losses, with leverage and outliers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jscale._core.scope import in_float64
from jscale.assess.auditing.misfit import SPARE_RUNS, TUNING, orthonormal, robust_fit, study_of
from jscale.fit import Point, Posterior
from jscale.runs import Runs

if TYPE_CHECKING:
    from jscale.assess.auditing.checks._subject import Subject

SIGNIFICANT = 0.001
"""Probability of an outlier by chance, after correction for the number of runs."""
_MOST_OUTLIERS = 0.1
"""Share of the runs that is looked at as outliers."""
_MASKED = 5
"""Runs that are left out one after the other, none of them significant, before the search ends:
outliers can hide one another."""
_SPARE_OF_SURFACE = 5
_STEPS, _SMALLEST_WEIGHT = 15, 1e-6
_TO_STANDARD_DEVIATION = 1.4826


@dataclass(frozen=True, eq=False)
class Residuals:
    """What a model leaves of the losses.

    Attributes:
        rows: (n,) positions of the runs in the table.
        values: (n,) observed minus modelled, in log loss where ``on_log``, over the relative sizes
            of the runs' errors where these are known.
        directions: (n, k) orthonormal basis of what the model can follow.
        model: its name in a sentence.
        on_log: whether residuals are of the logarithm of the loss.
    """

    rows: np.ndarray
    values: np.ndarray
    directions: np.ndarray
    model: str
    is_law: bool
    on_log: bool

    @property
    def leverage(self) -> np.ndarray:
        """(n,) share of each run's own loss in its fitted value, 0 to 1."""
        return np.square(self.directions).sum(axis=1)

    @property
    def scale(self) -> float:
        """Robust standard deviation of the residuals."""
        spare = max(len(self.values) - self.directions.shape[1], 1)
        share = np.sqrt(len(self.values) / spare)
        return _TO_STANDARD_DEVIATION * float(np.median(np.abs(self.values))) * share

    def outliers(self) -> list["Outlier"]:
        """The runs that do not follow the model fitted to the others, the farthest first.

        Runs are left out one by one, each time the one with the largest deleted residual, and all
        down to the last significant one are outliers (after the generalised extreme Studentised
        deviate of Rosner 1983, with deleted residuals).
        """
        n, k = self.directions.shape
        left = np.ones(n, dtype=bool)
        candidates: list[Outlier] = []
        last = 0
        for _ in range(max(1, int(_MOST_OUTLIERS * n))):
            freedom = int(left.sum()) - k - 1
            if freedom < 2:
                break
            gaps, t, leverage = _deleted(self.values[left], self.directions[left], freedom)
            if not np.isfinite(t).any():
                break
            worst = int(np.nanargmax(np.abs(t)))
            position = int(np.flatnonzero(left)[worst])
            left[position] = False
            candidates.append(
                Outlier(
                    int(self.rows[position]),
                    float(gaps[worst]),
                    float(t[worst]),
                    float(leverage[worst]),
                )
            )
            if abs(t[worst]) > _student_limit(SIGNIFICANT / int(left.sum() + 1), freedom):
                last = len(candidates)
            elif len(candidates) - last >= _MASKED:
                break
        return sorted(candidates[:last], key=lambda each: -abs(each.gap))


@dataclass(frozen=True)
class Outlier:
    """A run that does not follow the others.

    Attributes:
        row: position in the table, counted from 0.
        gap: its loss minus what the model fitted to the others gives, as ``Residuals.values``.
        t: the gap over its standard error.
        leverage: share of its own loss in its fitted value.
    """

    row: int
    gap: float
    t: float
    leverage: float


def _deleted(
    values: np.ndarray, directions: np.ndarray, freedom: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deleted residuals, their Student-t values, and the leverage of every run (n,)."""
    # The directions are orthonormal over all runs, so that their products are well conditioned.
    inverse = np.linalg.pinv(directions.T @ directions, rcond=1e-10)
    leverage = np.sum((directions @ inverse) * directions, axis=1)
    rest = values - directions @ (inverse @ (directions.T @ values))
    free = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)
    total = float(rest @ rest)
    variance = np.maximum(total - rest**2 / free, 1e-24 * max(total, 1e-300)) / freedom
    return rest / free, rest / np.sqrt(variance * free), leverage


def _student_limit(probability: float, freedom: int) -> float:
    from scipy.special import stdtrit  # takes a third of a second to import

    return float(-stdtrit(freedom, probability / 2))


@in_float64
def of_fit(fitted: Point | Posterior, table: Runs, by: str | None) -> Residuals | None:
    """Residuals of a law at the robust optimum; None where it is exact or has too few runs."""
    study = study_of(fitted, table, by)
    if len(study.data) < study.free.size + 3:
        return None
    fit = robust_fit(study)
    if fit is None:
        return None
    return Residuals(study.data.rows, fit.residuals, fit.span(), "the law", True, study.on_log)


def of_surface(subject: "Subject") -> Residuals | None:
    """Residuals of a quadratic surface in the logarithms of what varies of N, D and the bits.

    A plane where the runs are too few; None for fewer than five beyond the plane.
    """
    losses = subject.numbers("loss")
    if losses is None or not (losses > 0).all():
        return None
    inputs = [x for name in _INPUTS if (x := _coordinate(subject.numbers(name))) is not None]
    if not inputs and (compute := _coordinate(subject.numbers("C"))) is not None:
        inputs = [compute]
    for shape in (_quadratic, _plane) if inputs else ():
        basis = orthonormal(shape(inputs))
        if len(losses) >= basis.shape[1] + _SPARE_OF_SURFACE:
            values = _robust_remainder(np.log(losses), basis)
            return Residuals(subject.rows, values, basis, "a smooth surface", False, True)
    return None


_INPUTS = ("N", "D", "P_w", "P_a", "P_kv", "P_post")


def _coordinate(values: np.ndarray | None) -> np.ndarray | None:
    if values is None or not (values > 0).all() or np.ptp(np.log(values)) < 1e-9:
        return None
    logs = np.log(values)
    return (logs - logs.mean()) / logs.std()


def _plane(inputs: Sequence[np.ndarray]) -> np.ndarray:
    """A constant and the inputs, (n, 1 + inputs)."""
    return np.column_stack([np.ones(len(inputs[0])), *inputs])


def _quadratic(inputs: Sequence[np.ndarray]) -> np.ndarray:
    """The plane and all products of two inputs; of one input, its powers up to the fourth."""
    if len(inputs) == 1:
        return inputs[0][:, None] ** np.arange(5)
    products = [x * y for i, x in enumerate(inputs) for y in inputs[i:]]
    return np.column_stack([_plane(inputs), *products])


def _robust_remainder(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """What a Huber regression on an orthonormal basis leaves (n,)."""
    rest = values - basis @ (basis.T @ values)
    for _ in range(_STEPS):
        scale = _TO_STANDARD_DEVIATION * float(np.median(np.abs(rest)))
        weights = np.minimum(1.0, TUNING * scale / np.maximum(np.abs(rest), 1e-300))
        weighted = np.maximum(weights, _SMALLEST_WEIGHT)[:, None] * basis
        rest = values - basis @ np.linalg.solve(basis.T @ weighted, weighted.T @ values)
    return rest


def enough_for_tests(residuals: Residuals) -> bool:
    """Whether runs are left to judge the distribution of residuals by."""
    n, k = residuals.directions.shape
    return n >= k + 2 * SPARE_RUNS
