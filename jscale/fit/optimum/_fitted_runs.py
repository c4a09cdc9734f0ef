"""The runs that a point was fitted to."""

import numpy as np

from jscale.fit.objective import apply_weights
from jscale.fit.optimum._point import Point
from jscale.runs import Data, Runs, select


def fitted_runs(point: Point, table: Runs) -> Data:
    """The runs as they were fitted: those that the point keeps, else those of the table.

    Numbers that were given as weights are known only to a point that keeps its runs.

    Args:
        point: the fit.
        table: the table that was fitted.
    """
    context = point._context
    if context is not None and point.table_digest == context.table.digest == table.digest:
        return context.data

    data = select(table, point.law)
    if point.weights is not None and point.weights != "given":
        on = "log" if point.residuals_of == "log" else "raw"
        data = apply_weights(table, data, point.weights, on)
    is_fitted = np.isin(data.rows, point.rows)
    return data if is_fitted.all() else data.only(is_fitted)
