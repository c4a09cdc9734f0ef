"""The arrays of a fit from a table of runs."""

import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.fit.objective._coordinates import centred_coordinates
from jscale.fit.objective._floor import highest_floor
from jscale.fit.objective._losses import Objective
from jscale.fit.objective._problem import FitData
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

RAW_OBJECTIVE_HINT = ", or an objective of the values themselves such as raw-squares"


def require_positive_losses(law: LawFunction, table: Runs, data: Data, hint: str) -> None:
    """Check that every loss has a logarithm; ``hint`` ends the message and says what to do.

    Raises:
        JscaleError: a value of 0 or below.
    """
    low = np.flatnonzero(data.loss <= 0)
    if low.size:
        column, row = describe(law).output.column, int(data.rows[low[0]]) + 1
        raise JscaleError(
            f"{table.name}: column {shown(column)}, row {row}: {data.loss[low[0]]:g} has no "
            f"logarithm; expected values above 0{hint}"
        )


def require_enough_runs(law: LawFunction, table: Runs, data: Data) -> None:
    """Check that there are enough runs for the law's parameters, and that its floor is below them.

    Raises:
        JscaleError: fewer runs than parameters, no parameter left to fit, or a floor that was fixed
            and that losses lie below by more than their scatter.
    """
    record = describe(law)
    if not record.parameters:
        raise JscaleError(f"law {record.name!r} has no free parameter left to fit")
    if len(data) < len(record.parameters):
        count = f"{len(data)} run{'s' * (len(data) != 1)}"
        raise JscaleError(
            f"{table.name}: {count} cannot determine the {len(record.parameters)} parameters of "
            f"law {record.name!r} ({', '.join(record.parameter_names)})"
        )
    for parameter, floor in record.held:
        low = np.flatnonzero(data.loss <= floor)
        is_floor = parameter.role.name == "irreducible loss"
        if is_floor and low.size and floor >= highest_floor(data.inputs, data.loss):
            row = int(data.rows[low[0]]) + 1
            raise JscaleError(
                f"{table.name}: column 'loss', row {row}: {data.loss[low[0]]:g} is at or below the "
                f"floor {parameter.name} = {floor:g} that was fixed, by more than the scatter of "
                f"the losses; expected a higher loss ({low.size} rows in all)"
            )


def tabulate(law: LawFunction, data: Data, objective: Objective) -> tuple[FitData, jnp.ndarray]:
    """The arrays of a fit, and the stages (deltas) of its objective."""
    coordinates = centred_coordinates(describe(law), data.inputs, data.loss)
    stages = jnp.asarray(objective.stages())
    fit_data = FitData(
        inputs={name: np.asarray(column, float) for name, column in data.inputs.items()},
        loss=np.asarray(data.loss),
        centre=coordinates.centre,
        delta=stages[-1],
        weights=data.weights,
        errors=data.errors,
    )
    return fit_data, stages
