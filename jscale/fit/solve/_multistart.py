"""All starts of a fit, at a cost that does not grow with their number on large tables."""

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.solve import Descent
from jscale.fit.objective import FitData, Objective
from jscale.fit.solve._staged_descent import descend
from jscale.laws import LawFunction

LARGE_TABLE = 20_000
"""Runs from which on the starts first descend on a subsample. 8 starts on 100,000 runs took 7 s, so
that 64 on a million would take nine minutes; with a subsample they took 21 s."""
_SUBSAMPLE = 8_000
_MAX_MINIMA = 8
AGREEMENT = 1e-6
"""Two starts agree when their objectives differ by less than this share."""


def multistart(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, starts: np.ndarray
) -> Descent:
    """The ends of the descents from all ``starts`` (starts, k).

    On a large table the starts descend on a subsample of the runs, the same in every call, and only
    the distinct minima continue with all runs: starts that reach the same minimum of the subsample
    share the end that is reached from there. Of all but the lowest few minima the ends stay as they
    are, with an infinite objective.
    """
    if len(_weighted_rows(fit_data)) < LARGE_TABLE:
        return descend(law, objective, fit_data, stages, starts)

    # 1. All starts on the subsample.
    k = starts.shape[1]
    subsampled = descend(law, objective, subsample(fit_data, _SUBSAMPLE), stages, starts)
    values = np.where(np.isfinite(subsampled.value), subsampled.value, np.inf)
    minima = distinct_minima(values)[:_MAX_MINIMA]

    # 2. One descent on all runs from each of the lowest minima.
    free, steps = np.array(subsampled.free), np.array(subsampled.steps)
    value, converged = np.full(len(values), np.inf), np.zeros(len(values), bool)
    for group in minima:
        initial = np.asarray(subsampled.free)[group[:1], :k]
        end = descend(law, objective, fit_data, stages, initial, skip_walls=True)
        free[group], value[group], converged[group] = end.free[0], end.value[0], end.converged[0]
        steps[group] += int(end.steps[0])

    return Descent(
        jnp.asarray(free), jnp.asarray(value), jnp.asarray(steps), jnp.asarray(converged)
    )


def subsample(fit_data: FitData, rows: int) -> FitData:
    """``rows`` of the runs of positive weight, the same in every call."""
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(_weighted_rows(fit_data), rows, replace=False))
    return fit_data._replace(
        inputs={name: column[chosen] for name, column in fit_data.inputs.items()},
        loss=fit_data.loss[chosen],
        weights=None if fit_data.weights is None else fit_data.weights[chosen],
        errors=None if fit_data.errors is None else fit_data.errors[chosen],
    )


def _weighted_rows(fit_data: FitData) -> np.ndarray:
    """Indices of the runs whose weight is not 0."""
    if fit_data.weights is None:
        return np.arange(len(fit_data.loss))
    return np.flatnonzero(fit_data.weights)


def distinct_minima(values: np.ndarray) -> list[np.ndarray]:
    """Indices of the finite ``values`` (starts,) that agree, one array a minimum, lowest first."""
    order = np.argsort(values, kind="stable")
    order = order[np.isfinite(values[order])]
    if not order.size:
        return [np.arange(len(values))]
    gaps = np.diff(values[order]) > AGREEMENT * np.abs(values[order][:-1])
    return np.split(order, np.flatnonzero(gaps) + 1)
