"""The best end of descents from many starts: why to believe it, and how far off it may be."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.scope import to_numpy
from jscale._core.solve import Descent
from jscale._core.status import Status
from jscale.fit.objective import (
    FitData,
    Linearization,
    Objective,
    examine,
    ranges,
    slopes,
    spread_starts,
)
from jscale.fit.optimum._certificate import (
    AGREEING_STARTS,
    CHALLENGE,
    COLLINEAR,
    GRADIENT,
    Certificate,
    at_bound,
    conditioning,
    gradient_cosine,
    unidentified,
)
from jscale.fit.optimum._sandwich import sandwich
from jscale.fit.solve import AGREEMENT, distinct_minima, multistart, second_method
from jscale.laws import LawFunction, describe

_EXACT = 1.5e-8
"""Root mean square of residuals that are nothing but rounding, so that a gradient has no scale."""
_HARDLY = 0.02
"""Share of a sum of residuals by which a ridge may lie above the best end; half of it in nats a run
of a likelihood."""
_APART = 0.03
"""Share of its start range by which ends on a ridge differ in a parameter that it leaves open."""
_BY_ROW = ("predicted", "residuals", "jacobian", "raw_jacobian", "slopes", "weights")


class Optimum(NamedTuple):
    """An optimum.

    Attributes:
        params: parameter → value.
        free: the free vector, with the log scale where the objective has one.
        value: the objective.
        predicted: (rows,) by the law, of all runs.
        residuals: (rows,) observed minus predicted; of the logarithm if all runs have one, NaN
            where the law has none.
        certificate: why to believe it.
        covariance: (k, k) of the parameters, by the sandwich; infinite where the runs leave no
            degree of freedom.
    """

    params: dict[str, float]
    free: np.ndarray
    value: float
    predicted: np.ndarray
    residuals: np.ndarray
    certificate: Certificate
    covariance: np.ndarray


class RowSubset(NamedTuple):
    """A fit to those runs of a tableau that ``keep`` (rows,) names, all for None: the others weigh
    nothing.
    """

    law: LawFunction
    objective: Objective
    fit_data: FitData
    keep: np.ndarray | None

    def examine(self, free: jax.Array) -> Linearization:
        return to_numpy(examine(self.law, self.objective, self.fit_data, free))

    def part(self, local: Linearization) -> Linearization:
        """What is known of the runs that are fitted."""
        if self.keep is None:
            return local
        return local._replace(**{name: getattr(local, name)[self.keep] for name in _BY_ROW})

    def slopes(self, free: jax.Array, residual: np.ndarray) -> np.ndarray:
        """Derivative of every fitted run's contribution by its residual, at residuals of the
        caller's choice.
        """
        if self.keep is not None:
            wide = np.zeros(len(self.keep))
            wide[self.keep] = residual
            residual = wide
        found = np.asarray(
            slopes(self.law, self.objective, self.fit_data, free, jnp.asarray(residual))
        )
        return found if self.keep is None else found[self.keep]


def find_optimum(
    law: LawFunction,
    objective: Objective,
    fit_data: FitData,
    stages: jax.Array,
    *,
    starts: int,
    keep: np.ndarray | None = None,
) -> Optimum:
    """The best end of ``starts`` descents.

    Args:
        law: a declared law.
        objective: what is minimised.
        tableau: the runs.
        stages: deltas to go through.
        starts: number of starting points.
        keep: booleans, shape (rows,), of the runs that are fitted where the others weigh nothing;
            None for all.
    """
    record, place = describe(law), RowSubset(law, objective, fit_data, keep)
    begin = spread_starts(record, starts)
    descents = multistart(law, objective, fit_data, stages, begin)
    best = int(np.argmin(np.where(np.isfinite(descents.value), descents.value, np.inf)))
    free = descents.free[best]
    every = place.examine(free)
    local = place.part(every)
    rival = float(second_method(law, objective, fit_data, begin[0]))
    certificate = _certified(law, local, descents, best, rival)
    if certificate.status == Status.not_converged:
        certificate = _on_a_ridge(certificate, place, descents) or certificate
    if certificate.status == Status.collinear_design:
        certificate = replace(certificate, unidentified=_open(certificate, place, descents))
    covariance = _covariance(place, free, local)
    params = {name: float(local.params[name]) for name in record.parameter_names}
    return Optimum(
        params=params,
        free=np.asarray(free),
        value=float(descents.value[best]),
        predicted=every.predicted,
        residuals=_compared(np.asarray(fit_data.loss), every.predicted),
        certificate=certificate,
        covariance=covariance,
    )


def _covariance(place: RowSubset, free: jax.Array, local: Linearization) -> np.ndarray:
    """The sandwich of the parameters (k, k); infinite without a degree of freedom."""
    weights = (
        None
        if place.fit_data.weights is None or place.keep is not None
        else np.asarray(place.fit_data.weights)
    )
    found = sandwich(
        local.residuals,
        local.jacobian,
        local.params_jacobian,
        lambda r: place.slopes(free, r),
        weights=weights,
    )
    return np.full_like(found, np.inf) if len(local.residuals) == len(found) else found


def _compared(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    if observed.min() <= 0:
        return observed - predicted
    return np.log(observed) - np.log(np.where(predicted > 0, predicted, np.nan))


def _on_a_ridge(
    certificate: Certificate, place: RowSubset, descents: Descent
) -> Certificate | None:
    """The certificate as it reads where most starts end, if that is a ridge and hardly higher than
    the
    best end.

    Of a design that cannot tell parameters apart one start in many falls into a corner below the
    ridge, and there the design does not look poor.
    """
    values = np.asarray(descents.value)
    common = int(max(distinct_minima(values), key=len)[0])
    if not np.isfinite(values[common]) or values[common] - values.min() > _hardly(place, values):
        return None
    local = place.part(place.examine(descents.free[common]))
    usual = _certified(place.law, local, descents, common, np.inf)
    if usual.status != Status.collinear_design:
        return None
    return replace(
        certificate, status=usual.status, condition=usual.condition, unidentified=usual.unidentified
    )


def _hardly(place: RowSubset, values: np.ndarray) -> float:
    """By how much an objective may be above the least of some ``values`` and fit about as well."""
    if not place.objective.has_scale:
        return _HARDLY * abs(float(values.min()))
    # The level of a log likelihood means nothing: it is measured in nats.
    return (
        _HARDLY * 0.5 * float(len(place.fit_data.loss) if place.keep is None else place.keep.sum())
    )


def _open(certificate: Certificate, place: RowSubset, descents: Descent) -> tuple[str, ...]:
    """The parameters that a poor design leaves open: where it is best fitted, and where it is
    fitted
        about as well.

    The design about one point of a ridge shows the ridge's direction there; its ends show where it
    leads.
    """
    record = describe(place.law)
    values, free = (
        np.asarray(descents.value),
        np.asarray(descents.free)[:, : len(record.parameters)],
    )
    near = values <= values.min() + _hardly(place, values)
    apart = np.ptp(free[near], axis=0) > _APART * np.ptp(np.asarray(ranges(record)), axis=1)
    astray = {name for name, far in zip(record.parameter_names, apart, strict=True) if far}
    named = (astray - set(certificate.at_bound)).union(certificate.unidentified)
    return tuple(name for name in record.parameter_names if name in named)


def _certified(
    law: LawFunction, local: Linearization, descents: Descent, best: int, rival: float
) -> Certificate:
    """The certificate of the best of some descents; ``rival`` is the objective that a second method
    reached.
    """
    record = describe(law)
    values, jacobian = np.asarray(descents.value), local.jacobian
    root = np.sqrt(local.weights)[:, None]
    value = float(values[best])
    slack = AGREEMENT * max(abs(value), 1e-12 * len(jacobian))
    agreement = float(np.mean(np.isfinite(values) & (values <= value + slack)))
    # A parameter at its edge pulls against the edge and says nothing about the others.
    bounds = at_bound(record, np.asarray(descents.free[best]))
    inner = np.array([name not in bounds for name in record.parameter_names])
    gradient = gradient_cosine(jacobian[:, inner], local.slopes) if np.isfinite(value) else np.inf
    condition, shares = conditioning((root * jacobian)[:, inner])
    condition_raw, _ = conditioning((root * local.raw_jacobian)[:, inner])
    exact = float(np.sqrt(np.mean(np.square(local.residuals)))) <= _EXACT
    beaten = rival < value - slack
    settled = bool(descents.settled[best]) and np.isfinite(value) and (gradient < GRADIENT or exact)
    # One start that ends lower than all others may be luck, however many a tenth of them is.
    alone = np.sum(values <= value + slack) < 2
    sound = settled and agreement >= AGREEING_STARTS and not alone and not beaten
    collinear = not condition <= COLLINEAR
    # On a ridge descents crawl and starts end in different places: the design is the cause, so it
    # is named first.
    ended = (
        Status.collinear_design
        if collinear and np.isfinite(value)
        else Status.not_converged
        if not sound
        else Status.at_bound
        if bounds
        else Status.converged
    )
    return Certificate(
        status=ended,
        agreement=agreement,
        gradient_norm=gradient,
        condition=condition,
        condition_raw=condition_raw,
        starts=len(values),
        second_method=bool(abs(rival - value) <= CHALLENGE * abs(value) + slack),
        unidentified=unidentified(
            [n for n, k in zip(record.parameter_names, inner, strict=True) if k], shares
        ),
        at_bound=bounds,
    )
