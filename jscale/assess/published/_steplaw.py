"""Li et al. 2025 (Step Law): the best learning rate and batch as powers of size and tokens."""

from collections.abc import Mapping

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.laws import LawFunction, step_law_batch, step_law_learning_rate
from jscale.runs import Runs

DATASET = "steplaw"
RATE = {"ln k": (0.586, 0.623), "a": (0.7129, 0.0298), "b": (0.3075, 0.0191)}
BATCH = {"ln k": (-0.544, 0.437), "p": (0.5709, 0.0187)}
"""Mean and standard deviation of the 1,000 bootstrap fits in the authors' repository."""
LOSS_TOLERANCE = 0.0025
"""The authors' script keeps the runs within this share of the least loss of their cell."""
DRAWS = 1000
_WITHIN = 2.0
"""In published standard errors."""
_FITS: tuple[tuple[str, LawFunction, dict[str, tuple[float, float]]], ...] = (
    ("learning rate", step_law_learning_rate, RATE),
    ("batch", step_law_batch, BATCH),
)


def best_runs(table: Runs) -> Runs:
    """The runs within ``LOSS_TOLERANCE`` of the least loss at their size and number of tokens."""
    cells, cell = np.unique(table["group"], return_inverse=True)
    least = np.array([table["loss"][cell == i].min() for i in range(len(cells))])
    return table.where(table["loss"] / least[cell] - 1 < LOSS_TOLERANCE)


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = best_runs(tables[DATASET])
    cells = len(np.unique(table["group"]))
    reason = (
        f"the authors' script gives our values on the table that they published ({cells} cells), "
        "as reported in issue 10 of their repository (4.375, 0.7669, 0.1967): "
        "the published numbers are not of this table"
    )
    rows: list[Row] = []
    for label, law, published in _FITS:
        bootstrap = fit.bootstrap(law, table, draws=DRAWS, key=key, objective="log-squares")
        means = _means(bootstrap)
        protocol = Protocol(
            DATASET,
            f"{label}: {len(table)} runs within {LOSS_TOLERANCE:.2%} of the best of their cell, "
            f"{DRAWS:,} bootstraps",
        )
        for name, (value, error) in published.items():
            quantity = f"{name} of the {label}"
            row = protocol.in_errors(
                quantity, value, means[name], error=error, within=_WITHIN, reason=reason
            )
            rows.append(row)
    return tuple(rows)


def _means(bootstrap: fit.Bootstrap) -> dict[str, float]:
    """Mean over the converged draws of every parameter, and of ``ln k``."""
    draws = {name: values[bootstrap.settled] for name, values in bootstrap.draws.items()}
    means = {name: float(np.mean(values)) for name, values in draws.items()}
    return {**means, "ln k": float(np.mean(np.log(draws["k"])))}


paper = Paper(DATASET, "Li et al. 2025, arXiv 2503.04715", _rows, (DATASET,))
