"""Panferov et al. 2025 (QuEST): one share of effective parameters for every number format."""

import math
from collections.abc import Mapping

import jax
import numpy as np

from jscale import fit
from jscale.assess.published._descend import r_squared
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.laws import QUEST_FORMATS, compressed_methods, params, quest
from jscale.runs import Runs, read

DATASET = "quest"
RMSE, R2 = 0.01272, 0.998428
DENSE = {"ln A": 2.0960566, "alpha": 0.0627265, "ln B": 4.4591255, "beta": 0.2412884}
E = 0.00142
FORMATS = tuple(name for name in QUEST_FORMATS if name != "16")
_STARTS = 4
"""All of them reach the same optimum."""
_E_COMMENT = (
    "the runs do not identify an irreducible loss: the fit has E = 0, "
    "and holding E at 0.5 raises the RMSE only to 0.0146"
)


def with_indicators(table: Runs) -> Runs:
    """The runs with a column ``compressed_i`` for every format of ``FORMATS``.

    It is 1 for the runs of that format and 0 for all others.
    """
    flags = {f"compressed_{i}": (table["P_key"] == name) * 1.0 for i, name in enumerate(FORMATS, 1)}
    columns = {name: table[name] for name in ("N", "D", "C", "loss")}
    return read({**columns, **flags}, name=table.name)


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = tables[DATASET]
    law = compressed_methods(len(FORMATS))
    point = fit.point(law, with_indicators(table), objective="log-squares", starts=_STARTS)
    return (*_evaluated(table), *_fitted(point))


def _evaluated(table: Runs) -> tuple[Row, ...]:
    shares = np.array([QUEST_FORMATS[str(name)].share for name in table["P_key"]])
    predicted = np.asarray(quest(table["N"], table["D"], shares, **params(quest)))
    protocol = Protocol(DATASET, "104 runs, published constants")
    rmse = math.sqrt(np.mean((table["loss"] - predicted) ** 2))
    return (
        protocol.absolute("RMSE, nats/token", RMSE, rmse, within=5e-6),
        protocol.absolute("R2", R2, r_squared(table["loss"], predicted), within=5e-7),
    )


def _fitted(point: fit.Point) -> tuple[Row, ...]:
    protocol = Protocol(DATASET, "104 runs, squares of log residuals")
    p = point.params
    dense = {
        "ln A": math.log(p["A"]),
        "alpha": p["alpha"],
        "ln B": math.log(p["B"]),
        "beta": p["beta"],
    }
    published = {f"eff {name}": QUEST_FORMATS[name].share for name in FORMATS}
    shares = {f"eff {name}": p[f"eff_{i}"] for i, name in enumerate(FORMATS, 1)}
    identified = "E" not in point.certificate.at_bound
    return (
        *protocol.constants(DENSE, dense, within=1e-3),
        protocol.absolute(
            "E, nats/token", E, p["E"], within=0.01, comment=_E_COMMENT, identified=identified
        ),
        *protocol.constants(published, shares, within=1e-3),
    )


paper = Paper(DATASET, "Panferov et al. 2025, arXiv 2502.05003", _rows, (DATASET,))
