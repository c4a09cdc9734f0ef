"""One law fitted many times to parts of one table, by one compiled program.

Rows are left out by weights of zero and a Huber delta is a number of the program, so that a fit to
other rows or with
another delta costs no compilation: on the Chinchilla table a first fit takes some 2.5 s of CPU, the
next ones 0.1 s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from jscale._core.status import Status
from jscale.fit import Certificate, Huber, HuberLikelihood, Objective, Squares
from jscale.fit.objective import RAW_OBJECTIVE_HINT, FitData, centred_coordinates, require_enough_runs, require_positive_losses
from jscale.fit.optimum import find_optimum
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

_ALL_SQUARES = 1e3
"""A Huber delta that no log residual reaches: the loss is half the square everywhere."""
_STAGES = {Huber: 3, HuberLikelihood: 7, Squares: 1}
"""Stages of the program, enough for every delta from 1e-4 and from 1e-3 on; a stage too many costs
a
step. Objectives that are not here are compiled for themselves."""


@dataclass(frozen=True)
class Refit:
    """A certified fit to some of the runs.

    Attributes:
        params: parameter → value.
        covariance: (k, k), as that of :class:`jscale.fit.Point`.
        objective: its value.
        certificate: why to believe it.
        residuals: (rows,) of all runs, those left out as well; as those of
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


def refit(
    law: LawFunction, table: Runs, data: Data, keep: np.ndarray, goal: Objective, *, starts: int
) -> Refit:
    """What :func:`jscale.fit.point` finds for the rows of ``data`` where ``keep`` is true; in a
    float64 scope.

    Args:
        law: a declared law.
        table: where the data are from, for messages.
        data: of the law, all rows that any of the fits uses.
        keep: booleans, shape (rows,).
        goal: the objective.
        starts: number of starting points.

    Raises:
        JscaleError: as :func:`jscale.fit.point`.
    """
    record, part = describe(law), data.only(keep)
    if goal.on == "log":
        require_positive_losses(law, table, part, RAW_OBJECTIVE_HINT)
    require_enough_runs(law, table, part)
    program, stages = _program(goal)
    fit_data = FitData(
        inputs={name: jnp.asarray(column) for name, column in data.inputs.items()},
        loss=jnp.asarray(data.loss),
        centre=centred_coordinates(record, part.inputs, part.loss).centre,
        delta=stages[-1],
        weights=jnp.asarray(keep, dtype=float),
    )
    found = find_optimum(law, program, fit_data, stages, starts=starts, keep=keep)
    return Refit(
        params=found.params,
        covariance=found.covariance,
        objective=found.value,
        certificate=found.certificate,
        residuals=found.residuals,
    )


def _program(goal: Objective) -> tuple[Objective, jnp.ndarray]:
    """The objective that is compiled for ``goal``, one of each kind, and the deltas that make it
    ``goal``.
    """
    stages = goal.stages()
    if type(goal) not in _STAGES:
        return goal, jnp.asarray(stages)
    if goal == Squares("log"):
        program, stages = Huber(), (_ALL_SQUARES,)
    elif isinstance(goal, Huber | HuberLikelihood):
        program = replace(goal, delta=type(goal).delta)
    else:
        program = goal
    padded = (*(stages[:1] * (_STAGES[type(program)] - len(stages))), *stages)
    return program, jnp.asarray(padded)
