"""The optimum nearest to published constants, and what a law says at them."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jscale.fit import Objective
from jscale.fit.objective import Problem, at_runs, tabulate
from jscale.fit.solve import descend
from jscale.laws import LawFunction, describe
from jscale.runs import Runs, select


class Optimum(NamedTuple):
    """A place in parameter space.

    Attributes:
        params: parameter → value.
        objective: its value there.
    """

    params: dict[str, float]
    objective: float


def value_at(law: LawFunction, table: Runs, params: Mapping[str, float], goal: Objective) -> float:
    """The objective at given parameters."""
    data = select(table, law)
    fit_data, _ = tabulate(law, data, goal)
    return float(Problem(law, goal, fit_data).value(_free(law, table, params)))


def nearest(law: LawFunction, table: Runs, params: Mapping[str, float], goal: Objective) -> Optimum:
    """Where a descent from ``params`` ends: the published optimum, if that is one."""
    data = select(table, law)
    fit_data, stages = tabulate(law, data, goal)
    start = _free(law, table, params)
    # The last stage alone: a detour by way of a larger delta may end in another valley.
    end = descend(law, goal, fit_data, stages[-1:], start[None], near=True)
    found = Problem(law, goal, fit_data).coordinates.to_params(end.free[0])
    return Optimum({name: float(value) for name, value in found.items()}, float(end.value[0]))


def _free(law: LawFunction, table: Runs, params: Mapping[str, float]) -> jnp.ndarray:
    data = select(table, law)
    return at_runs(describe(law), data.inputs, data.loss).to_free(params)


def r_squared(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of ``observed`` (rows,) that ``predicted`` explains."""
    return float(
        1 - np.sum((observed - predicted) ** 2) / np.sum((observed - observed.mean()) ** 2)
    )
