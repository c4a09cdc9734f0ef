"""Every start of a fit, at a cost that does not grow with their number where there are many runs."""

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.solve import Descent
from jscale.fit.objective import FitData, Objective
from jscale.fit.solve._staged_descent import descend
from jscale.laws import LawFunction

MANY = 20_000
"""Rows from which on the starts are first sorted out on a part of the runs. 8 starts on 100,000
runs
took 7 s, so that 64 on a million would take nine minutes; this way they took 21 s."""
_PART = 8_000
_MOST_ENDS = 8


def multistart(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, starts: jax.Array
) -> Descent:
    """Where the descents from all ``starts`` (starts, k) end.

    With many runs the starts go down on a part of the runs, drawn once and for all, and only the
    different ends go on
    with all of them: starts that meet on the part share the end that they reach from there. The
    ends of all but the best few are left where they were, at an infinite objective.
    """
    if len(_counting(fit_data)) < MANY:
        return descend(law, objective, fit_data, stages, starts)
    part = descend(law, objective, thinned(fit_data, _PART), stages, starts)
    values = np.where(np.isfinite(part.value), part.value, np.inf)
    ends = distinct_minima(values)[:_MOST_ENDS]
    k = starts.shape[1]
    whole = [
        descend(law, objective, fit_data, stages, part.free[group[:1], :k], near=True)
        for group in ends
    ]
    free, steps = np.array(part.free), np.array(part.steps)
    value, settled = np.full(len(values), np.inf), np.zeros(len(values), bool)
    for group, end in zip(ends, whole, strict=True):
        free[group], value[group], settled[group] = end.free[0], end.value[0], end.settled[0]
        steps[group] += int(end.steps[0])
    return Descent(jnp.asarray(free), jnp.asarray(value), jnp.asarray(steps), jnp.asarray(settled))


def thinned(fit_data: FitData, rows: int) -> FitData:
    """``rows`` of the runs that count, the same in every call."""
    chosen = np.sort(np.random.default_rng(0).choice(_counting(fit_data), rows, replace=False))
    return fit_data._replace(
        inputs={name: column[chosen] for name, column in fit_data.inputs.items()},
        loss=fit_data.loss[chosen],
        weights=None if fit_data.weights is None else fit_data.weights[chosen],
        errors=None if fit_data.errors is None else fit_data.errors[chosen],
    )


def _counting(fit_data: FitData) -> np.ndarray:
    """The places of the runs that weigh anything."""
    return (
        np.arange(len(fit_data.loss))
        if fit_data.weights is None
        else np.flatnonzero(fit_data.weights)
    )


def distinct_minima(values: np.ndarray) -> list[np.ndarray]:
    """The finite ``values`` (starts,) that agree, as lists of their places, lowest first."""
    order = np.argsort(values, kind="stable")
    order = order[np.isfinite(values[order])]
    if not order.size:
        return [np.arange(len(values))]
    gaps = np.diff(values[order]) > AGREEMENT * np.abs(values[order][:-1])
    return np.split(order, np.flatnonzero(gaps) + 1)


AGREEMENT = 1e-6
"""Two starts agree when their objectives differ by less than this share."""
