"""How a posterior is laid out in a file: groups, attributes and names of dimensions.

Besides the draws a file holds the runs that were fitted, from which forecasts with a discrepancy,
effects or a scale that varies are computed: the losses in ``observed_data``; the inputs of the law,
standard errors, inducing points and the columns of the error model in ``constant_data``. Labels are
stored by their position in a list of the attribute ``columns``.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jscale.fit.errors import FittedRows

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior

LOSS, LOSS_SE, INDUCING = "loss", "loss_se", "inducing"
ROW, POINT, DIMENSION = "row", "inducing_point", "coordinate"


def column_variable(position: int) -> str:
    """The variable of a column of the error model, whose own name may contain any character."""
    return f"column_{position}"


def draws_group(posterior: "Posterior") -> dict[str, np.ndarray]:
    """Parameter, noise parameter or weights → (chains, draws, ...)."""
    columns = {**posterior.draws, **posterior.noise, **posterior.weights}
    return {
        name: values.reshape(posterior.chains, -1, *values.shape[1:])
        for name, values in columns.items()
    }


def row_groups(rows: FittedRows | None) -> dict[str, dict[str, np.ndarray]]:
    """The groups of the runs; none for a posterior without them."""
    if rows is None:
        return {}
    constant = {name: np.asarray(values, float) for name, values in rows.inputs.items()}
    if rows.loss_se is not None:
        constant[LOSS_SE] = rows.loss_se
    if rows.inducing is not None:
        constant[INDUCING] = rows.inducing
    for i, values in enumerate(rows.columns.values()):
        if values.dtype.kind != "f":
            values = np.unique(values, return_inverse=True)[1].astype(float)
        constant[column_variable(i)] = values
    return {"observed_data": {LOSS: rows.loss}, "constant_data": constant}


def row_dimensions(rows: FittedRows | None) -> dict[str, list[str]]:
    """Variable of the runs → names of its dimensions."""
    groups = row_groups(rows)
    names = [name for variables in groups.values() for name in variables]
    return {name: [POINT, DIMENSION] if name == INDUCING else [ROW] for name in names}


def columns_text(rows: FittedRows | None) -> str:
    """The attribute ``columns``: a list of [name, labels], with null for a column of numbers."""
    columns: Mapping[str, Any] = {} if rows is None else rows.columns
    entries = [
        [name, None if values.dtype.kind == "f" else np.unique(values).tolist()]
        for name, values in columns.items()
    ]
    return json.dumps(entries)
