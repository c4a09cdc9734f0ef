"""Li et al. 2025 (Step Law): the best learning rate and batch as powers of size and tokens."""

from collections.abc import Mapping

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.laws import step_law_batch, step_law_learning_rate
from jscale.runs import Runs

DATASET = "steplaw"
RATE = {"ln k": (0.586, 0.623), "a": (0.7129, 0.0298), "b": (0.3075, 0.0191)}
BATCH = {"ln k": (-0.544, 0.437), "p": (0.5709, 0.0187)}
"""Mean and standard deviation of the 1,000 bootstrap fits in the authors' repository."""
NEAR = 0.0025
"""The authors' script keeps the runs within this share of the least loss of their cell."""
DRAWS = 1000
_ERRORS = 2.0


def near_the_best(table: Runs) -> Runs:
    """The runs whose loss is within ``NEAR`` of the least one at their size and number of tokens."""
    cells, cell = np.unique(table["group"], return_inverse=True)
    least = np.array([table["loss"][cell == i].min() for i in range(len(cells))])
    return table.where(table["loss"] / least[cell] - 1 < NEAR)


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = near_the_best(tables[DATASET])
    cells = len(np.unique(table["group"]))
    found = []
    for law, what, published in (
        (step_law_learning_rate, "learning rate", RATE),
        (step_law_batch, "batch", BATCH),
    ):
        drawn = fit.bootstrap(law, table, draws=DRAWS, key=key, objective="log-squares")
        sheet = Protocol(
            DATASET,
            f"{what}: {len(table)} runs within {NEAR:.2%} of the best of their cell, {DRAWS:,} bootstraps",
        )
        why = (
            f"the authors' script gives ours on the table that they published ({cells} cells), as a reader found too "
            "(issue 10 of their repository: 4.375, 0.7669, 0.1967): the published numbers are not of this table"
        )
        means = {n: float(np.mean(v[drawn.settled])) for n, v in drawn.draws.items()}
        means["ln k"] = float(np.mean(np.log(drawn.draws["k"][drawn.settled])))
        found += [
            sheet.in_errors(
                f"{name} of the {what}", value, means[name], error=error, within=_ERRORS, why=why
            )
            for name, (value, error) in published.items()
        ]
    return tuple(found)


paper = Paper(DATASET, "Li et al. 2025, arXiv 2503.04715", _rows, (DATASET,))
