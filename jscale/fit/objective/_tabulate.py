"""The arrays of a fit from a table of runs."""

import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit.objective._coordinates import at_runs
from jscale.fit.objective._losses import Objective
from jscale.fit.objective._problem import FitData
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

AS_THEY_ARE = ", or an objective of the values themselves such as raw-squares"


def require_logarithms(law: LawFunction, table: Runs, data: Data, what: str) -> None:
    """Check that the runs can be compared by their logarithms; ``what`` ends the sentence that says
    what to do.

    Raises:
        JscaleError: a value of 0 or below.
    """
    low = np.flatnonzero(data.loss <= 0)
    if low.size:
        raise JscaleError(
            f"{table.name}: column {describe(law).output.column!r}, row {int(data.rows[low[0]]) + 1}: "
            f"{data.loss[low[0]]:g} has no logarithm; expected values above 0{what}"
        )


def require_enough(law: LawFunction, table: Runs, data: Data) -> None:
    """Check that the runs can determine the law at all.

    Raises:
        JscaleError: fewer runs than parameters, no parameter left to fit, or a loss at or below a
            floor that was fixed.
    """
    record = describe(law)
    if not record.parameters:
        raise JscaleError(f"law {record.name!r} has no free parameter left to fit")
    if len(data) < len(record.parameters):
        raise JscaleError(
            f"{table.name}: {len(data)} run{'s' * (len(data) != 1)} cannot determine the {len(record.parameters)} "
            f"parameters of law {record.name!r} ({', '.join(record.parameter_names)})"
        )
    for parameter, floor in record.held:
        low = np.flatnonzero(data.loss <= floor)
        if parameter.role.name == "irreducible loss" and low.size:
            row = int(data.rows[low[0]]) + 1
            raise JscaleError(
                f"{table.name}: column 'loss', row {row}: {data.loss[low[0]]:g} is at or below the floor "
                f"{parameter.name} = {floor:g} that was fixed; expected more ({low.size} rows in all)"
            )


def tabulate(law: LawFunction, data: Data, objective: Objective) -> tuple[FitData, jnp.ndarray]:
    """The arrays of a fit and the stages of its objective."""
    coordinates = at_runs(describe(law), data.inputs, data.loss)
    stages = jnp.asarray(objective.stages())
    inputs = {name: jnp.asarray(column) for name, column in data.inputs.items()}
    weights, errors = (
        None if column is None else jnp.asarray(column) for column in (data.weights, data.errors)
    )
    return FitData(
        inputs, jnp.asarray(data.loss), coordinates.centre, stages[-1], weights, errors
    ), stages
