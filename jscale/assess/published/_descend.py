"""The local optimum nearest to published constants, and the objective at them."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jscale.fit import Objective
from jscale.fit.objective import Problem, centred_coordinates, tabulate
from jscale.fit.solve import descend
from jscale.laws import LawFunction, describe
from jscale.runs import Runs, select


class LocalOptimum(NamedTuple):
    """A local minimum of an objective.

    Attributes:
        params: parameter → value.
        objective: its value there.
    """

    params: dict[str, float]
    objective: float


def value_at(
    law: LawFunction, table: Runs, params: Mapping[str, float], objective: Objective
) -> float:
    """The objective at given parameters."""
    data = select(table, law)
    fit_data, _ = tabulate(law, data, objective)
    return float(Problem(law, objective, fit_data).value(_free(law, table, params)))


def nearest(
    law: LawFunction, table: Runs, params: Mapping[str, float], objective: Objective
) -> LocalOptimum:
    """The end of a descent from ``params``: the published optimum, if that is a minimum."""
    data = select(table, law)
    fit_data, stages = tabulate(law, data, objective)
    start = _free(law, table, params)
    # Only the last stage: earlier ones, with a larger delta, may lead to another basin.
    starts = np.asarray(start)[None]
    end = descend(law, objective, fit_data, stages[-1:], starts, skip_walls=True)
    optimum = Problem(law, objective, fit_data).coordinates.to_params(end.free[0])
    values = {name: float(value) for name, value in optimum.items()}
    return LocalOptimum(values, float(end.value[0]))


def _free(law: LawFunction, table: Runs, params: Mapping[str, float]) -> jnp.ndarray:
    data = select(table, law)
    return centred_coordinates(describe(law), data.inputs, data.loss).to_free(params)


def r_squared(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of ``observed`` (rows,) that ``predicted`` explains."""
    residual = np.sum((observed - predicted) ** 2)
    total = np.sum((observed - observed.mean()) ** 2)
    return float(1 - residual / total)
