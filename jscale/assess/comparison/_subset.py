"""Certified fits of one law to subsets of one table, all by one compiled program.

Runs are left out by weights of zero, and a Huber delta is an argument of the program, so that a fit
to other runs or with another delta needs no compilation: on the Chinchilla table the first fit
takes some 2.5 s of CPU, each later one 0.1 s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.fit import Certificate, Huber, HuberLikelihood, Objective, Squares
from jscale.fit.objective import (
    RAW_OBJECTIVE_HINT,
    FitData,
    centred_coordinates,
    require_enough_runs,
    require_positive_losses,
)
from jscale.fit.optimum import find_optimum
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

_SQUARES_DELTA = 1e3
"""A Huber delta that no log residual reaches: the loss is half the square everywhere."""
_STAGES = {Huber: 3, HuberLikelihood: 7, Squares: 1}
"""Stages of the program: enough for every delta from 1e-4 and from 1e-3 on.

A superfluous stage costs one step. Objectives of other classes have programs of their own.
"""


@dataclass(frozen=True, eq=False)
class SubsetFit:
    """A certified fit to some of the runs.

    Attributes:
        params: parameter → value.
        covariance: (k, k), as that of :class:`jscale.fit.Point`.
        objective: its value.
        certificate: the evidence that this is the optimum.
        residuals: (rows,) of all runs, those left out included; as those of
            :class:`jscale.fit.Point`.
    """

    params: Mapping[str, float]
    covariance: np.ndarray
    objective: float
    certificate: Certificate
    residuals: np.ndarray

    @property
    def status(self) -> Status:
        """How the fit ended."""
        return self.certificate.status


def fit_subset(
    law: LawFunction,
    table: Runs,
    data: Data,
    mask: np.ndarray,
    objective: Objective,
    *,
    starts: int,
) -> SubsetFit:
    """The fit of :func:`jscale.fit.point` to the rows of ``data`` where ``mask`` is true.

    In a float64 scope.

    Args:
        law: a declared law.
        table: the table that the data are from, for messages.
        data: of the law, all rows that any of the fits uses.
        mask: booleans, shape (rows,).
        objective: what to minimise.
        starts: number of starting points.

    Raises:
        JscaleError: as :func:`jscale.fit.point`.
    """
    subset = data.only(mask)
    if objective.on == "log":
        require_positive_losses(law, table, subset, RAW_OBJECTIVE_HINT)
    require_enough_runs(law, table, subset)

    program, stages = _program(objective)
    fit_data = FitData(
        inputs={name: jnp.asarray(column) for name, column in data.inputs.items()},
        loss=jnp.asarray(data.loss),
        centre=centred_coordinates(describe(law), subset.inputs, subset.loss).centre,
        delta=stages[-1],
        weights=jnp.asarray(mask, dtype=float),
    )
    optimum = find_optimum(law, program, fit_data, stages, starts=starts, mask=mask)
    return SubsetFit(
        params=optimum.params,
        covariance=optimum.covariance,
        objective=optimum.value,
        certificate=optimum.certificate,
        residuals=optimum.residuals,
    )


def _program(objective: Objective) -> tuple[Objective, jnp.ndarray]:
    """The objective that is compiled, one per class, and the deltas that make it ``objective``."""
    stages = objective.stages()
    if type(objective) not in _STAGES:
        return objective, jnp.asarray(stages)

    if objective == Squares("log"):
        program, stages = Huber(), (_SQUARES_DELTA,)
    elif isinstance(objective, Huber | HuberLikelihood):
        program = replace(objective, delta=type(objective).delta)
    else:
        program = objective
    padding = stages[:1] * (_STAGES[type(program)] - len(stages))
    return program, jnp.asarray((*padding, *stages))
