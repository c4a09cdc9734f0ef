"""The lowest end of descents from many starts, its certificate and its covariance."""

from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from jscale._core.solve import Descent
from jscale._core.status import Status
from jscale.fit.objective import (
    BY_ROW,
    FitData,
    Linearization,
    Objective,
    linearize,
    scores_at,
    spread_starts,
    start_ranges,
)
from jscale.fit.optimum._certificate import (
    AGREEING_STARTS,
    COLLINEAR,
    GRADIENT,
    SECOND_METHOD,
    Certificate,
    at_bound,
    conditioning,
    gradient_cosine,
    unidentified,
)
from jscale.fit.optimum._sandwich import sandwich
from jscale.fit.solve import AGREEMENT, distinct_minima, multistart, second_method
from jscale.laws import LawFunction, describe

_ROUNDING_RMS = 1.5e-8
"""Root mean square of residuals that are only rounding, so that a gradient has no scale."""
_SECOND_STARTS = 3
"""Starts of the second optimiser. Of 54 fits one start sufficed for 53, two for all."""
_RIDGE_TOLERANCE = 0.02
"""Share of a sum of residuals by which a ridge may lie above the lowest end; half of it in nats a
run of a likelihood."""
_RIDGE_RANGE = 0.03
"""Share of its start range by which the ends on a ridge differ in a parameter that is open."""


class Optimum(NamedTuple):
    """An optimum.

    Attributes:
        params: parameter → value.
        free: the free vector, with the log scale where the objective has one.
        value: the objective.
        predicted: (rows,) by the law, of all runs.
        residuals: (rows,) observed minus predicted; of the logarithm if all runs have one, NaN
            where the law has none.
        certificate: of convergence.
        covariance: (k, k) of the parameters, by the sandwich; infinite without a degree of freedom.
        linearization: at the optimum, of all runs.
    """

    params: dict[str, float]
    free: np.ndarray
    value: float
    predicted: np.ndarray
    residuals: np.ndarray
    certificate: Certificate
    covariance: np.ndarray
    linearization: Linearization


class RowSubset(NamedTuple):
    """A fit to some runs of a table, where the others have weight 0.

    The arrays keep all rows, so that subsets of one table share compiled programs.

    Attributes:
        law: a declared law.
        objective: what is minimised.
        fit_data: all runs.
        mask: (rows,) booleans of the runs that are fitted; None for all.
    """

    law: LawFunction
    objective: Objective
    fit_data: FitData
    mask: np.ndarray | None

    @property
    def count(self) -> int:
        """Number of runs that are fitted."""
        return len(self.fit_data.loss) if self.mask is None else int(self.mask.sum())

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of the fitted runs; None where all count once."""
        # With ``mask`` the weights only mark the rows.
        if self.fit_data.weights is None or self.mask is not None:
            return None
        return np.asarray(self.fit_data.weights)

    def linearize(self, free: jax.Array) -> Linearization:
        """Predictions, residuals and Jacobians of all runs."""
        return linearize(self.law, self.objective, self.fit_data, free)

    def fitted_rows(self, linearization: Linearization) -> Linearization:
        """The rows of the runs that are fitted."""
        if self.mask is None:
            return linearization
        rows = {name: getattr(linearization, name)[self.mask] for name in BY_ROW}
        return linearization._replace(**rows)

    def score(self, free: jax.Array, residual: np.ndarray) -> np.ndarray:
        """Derivative of the objective by each residual of the fitted runs (rows,)."""
        if self.mask is None:
            return scores_at(self.objective, self.fit_data, free, residual)
        all_rows = np.zeros(len(self.mask))
        all_rows[self.mask] = residual
        return scores_at(self.objective, self.fit_data, free, all_rows)[self.mask]


def find_optimum(
    law: LawFunction,
    objective: Objective,
    fit_data: FitData,
    stages: jax.Array,
    *,
    starts: int,
    mask: np.ndarray | None = None,
) -> Optimum:
    """The lowest end of ``starts`` descents.

    Args:
        law: a declared law.
        objective: what is minimised.
        fit_data: the runs.
        stages: deltas to go through.
        starts: number of starting points.
        mask: (rows,) booleans of the runs that are fitted where the others have weight 0; None for
            all.
    """
    record, subset = describe(law), RowSubset(law, objective, fit_data, mask)

    # 1. Descend from all starts.
    points = spread_starts(record, starts)
    descents = multistart(law, objective, fit_data, stages, points)
    best = int(np.argmin(np.where(np.isfinite(descents.value), descents.value, np.inf)))
    free = descents.free[best]

    # 2. Certify the lowest end, with a second optimiser as well.
    all_rows = subset.linearize(free)
    linearization = subset.fitted_rows(all_rows)
    value = float(descents.value[best])
    enough = value + SECOND_METHOD * abs(value)
    other_value = second_method(law, objective, fit_data, points[:_SECOND_STARTS], enough)
    certificate = _certify(law, linearization, descents, best, other_value)

    # 3. A design that does not identify the parameters is named first, and all that it leaves open.
    if certificate.status == Status.not_converged:
        certificate = _ridge_certificate(certificate, subset, descents) or certificate
    if certificate.status == Status.collinear_design:
        names = open_parameters(certificate, subset, descents)
        certificate = replace(certificate, unidentified=names)

    return Optimum(
        params={name: float(linearization.params[name]) for name in record.parameter_names},
        free=np.asarray(free),
        value=value,
        predicted=all_rows.predicted,
        residuals=_log_residuals(np.asarray(fit_data.loss), all_rows.predicted),
        certificate=certificate,
        covariance=_covariance(subset, free, linearization),
        linearization=all_rows,
    )


def _covariance(subset: RowSubset, free: jax.Array, linearization: Linearization) -> np.ndarray:
    """The sandwich of the parameters (k, k); infinite without a degree of freedom."""
    covariance = sandwich(
        linearization.residuals,
        linearization.jacobian,
        linearization.params_jacobian,
        lambda r: subset.score(free, r),
        weights=subset.weights,
    )
    is_saturated = len(linearization.residuals) == len(covariance)
    return np.full_like(covariance, np.inf) if is_saturated else covariance


def _log_residuals(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Residuals of the logarithm, or of the values where some have no logarithm."""
    if observed.min() <= 0:
        return observed - predicted
    return np.log(observed) - np.log(np.where(predicted > 0, predicted, np.nan))


def _ridge_certificate(
    certificate: Certificate, subset: RowSubset, descents: Descent
) -> Certificate | None:
    """The certificate at the most common end, if that is a ridge about as low as the lowest end.

    With a design that does not identify the parameters, one start in many may end in a corner below
    the ridge, and the design is not collinear there.
    """
    values = np.asarray(descents.value)
    common = int(max(distinct_minima(values), key=len)[0])
    if not np.isfinite(values[common]):
        return None
    if values[common] - values.min() > tolerance(subset, values):
        return None

    linearization = subset.fitted_rows(subset.linearize(descents.free[common]))
    at_ridge = _certify(subset.law, linearization, descents, common, np.inf)
    if at_ridge.status != Status.collinear_design:
        return None
    return replace(
        certificate,
        status=at_ridge.status,
        condition=at_ridge.condition,
        unidentified=at_ridge.unidentified,
    )


def tolerance(subset: RowSubset, values: np.ndarray) -> float:
    """How far an objective may exceed the least of ``values`` and still fit about as well."""
    if not subset.objective.has_scale:
        return _RIDGE_TOLERANCE * abs(float(values.min()))
    # The level of a log likelihood is arbitrary, so it is measured in nats.
    return _RIDGE_TOLERANCE * 0.5 * float(subset.count)


def open_parameters(
    certificate: Certificate, subset: RowSubset, descents: Descent
) -> tuple[str, ...]:
    """The parameters that a collinear design does not identify.

    The Jacobian at one point of a ridge gives the direction of the ridge there; the ends that fit
    about as well show which parameters change along it.
    """
    record = describe(subset.law)
    names = record.parameter_names
    values, free = np.asarray(descents.value), np.asarray(descents.free)[:, : len(names)]
    on_ridge = values <= values.min() + tolerance(subset, values)
    widths = np.ptp(start_ranges(record), axis=1)
    differs = np.ptp(free[on_ridge], axis=0) > _RIDGE_RANGE * widths

    differing = {name for name, changes in zip(names, differs, strict=True) if changes}
    is_open = (differing - set(certificate.at_bound)).union(certificate.unidentified)
    return tuple(name for name in names if name in is_open)


def _certify(
    law: LawFunction, linearization: Linearization, descents: Descent, best: int, other_value: float
) -> Certificate:
    """The certificate of one end of the descents.

    Args:
        law: a declared law.
        linearization: about that end, of the fitted runs.
        descents: from all starts.
        best: index of the end.
        other_value: objective that the second method reached.
    """
    record = describe(law)
    values, value = np.asarray(descents.value), float(descents.value[best])
    is_finite = bool(np.isfinite(value))

    # 1. How many starts agree, and whether the second method does.
    slack = AGREEMENT * max(abs(value), 1e-12 * len(linearization.jacobian))
    agreement = float(np.mean(np.isfinite(values) & (values <= value + slack)))
    second_agrees = bool(abs(other_value - value) <= SECOND_METHOD * abs(value) + slack)

    # 2. Gradient and conditioning in the parameters inside their bounds: the gradient by one at its
    #    bound is not zero, and says nothing about the others.
    bounds = at_bound(record, np.asarray(descents.free[best]))
    interior = np.array([name not in bounds for name in record.parameter_names])
    root = np.sqrt(linearization.weights)[:, None]
    jacobian = linearization.jacobian
    cosine = gradient_cosine(jacobian[:, interior], linearization.score)
    gradient = cosine if is_finite else np.inf
    condition, shares = conditioning((root * jacobian)[:, interior])
    condition_raw, _ = conditioning((root * linearization.raw_jacobian)[:, interior])
    names = [name for name in record.parameter_names if name not in bounds]

    # 3. Converged, unless a single start ended lower than all others, which may be luck, however
    #    large its share is.
    with np.errstate(over="ignore"):
        rms = float(np.sqrt(np.mean(np.square(linearization.residuals))))
    is_stationary = gradient < GRADIENT or rms <= _ROUNDING_RMS
    is_minimum = bool(descents.converged[best]) and is_finite and is_stationary
    is_confirmed = agreement >= AGREEING_STARTS and np.sum(values <= value + slack) >= 2
    is_lowest = not other_value < value - slack
    status = _status(
        collinear=not condition <= COLLINEAR and is_finite,
        converged=bool(is_minimum and is_confirmed and is_lowest),
        bound=bool(bounds),
    )
    return Certificate(
        status=status,
        agreement=agreement,
        gradient_norm=gradient,
        condition=condition,
        condition_raw=condition_raw,
        starts=len(values),
        second_method=second_agrees,
        unidentified=unidentified(names, shares),
        at_bound=bounds,
    )


def _status(*, collinear: bool, converged: bool, bound: bool) -> Status:
    # On a ridge descents are slow and end in different places: the design is the cause, so it comes
    # first.
    if collinear:
        return Status.collinear_design
    if not converged:
        return Status.not_converged
    return Status.at_bound if bound else Status.converged
