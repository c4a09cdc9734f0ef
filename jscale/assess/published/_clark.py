"""Clark et al. 2022: the law of routed models, one router at a time."""

from collections.abc import Mapping

import jax
import numpy as np

from jscale.assess.comparison import SubsetFit, fit_subset
from jscale.assess.published._row import Paper, Protocol, Row
from jscale.fit import Squares
from jscale.laws import params, routed
from jscale.runs import Runs, select

DATASET = "clark-moe"
ROUTERS = {"S-Base": "clark2022_sbase", "RL-R": "clark2022_rlr", "Hash": "clark2022_hash"}
_WITHIN = 2.0
"""In our standard errors; the paper prints none."""
_REASON = "the paper does not state exactly which runs it fitted"
_STARTS = 64


def _rows(tables: Mapping[str, Runs], key: jax.Array) -> tuple[Row, ...]:
    table = tables[DATASET]
    data = select(table, routed)
    standard = (table["routing_frequency"] == 0.5) & (table["k"] == 1) & (table["seed"] == 42)
    rows: list[Row] = []
    for router, source in ROUTERS.items():
        chosen = standard & np.isin(table["router"], ["Dense", router])
        # By weights of one table: three tables of different length would be three compilations.
        fitted = fit_subset(routed, table, data, chosen, Squares("log"), starts=_STARTS)
        label = f"{router} and dense, {chosen.sum()} runs"
        rows += _router_rows(label, params(routed, source), fitted)
    return tuple(rows)


def _router_rows(label: str, published: dict[str, float], fitted: SubsetFit) -> tuple[Row, ...]:
    protocol = Protocol(DATASET, f"{label}, squares of log residuals")
    errors = dict(zip(fitted.params, np.sqrt(np.diag(fitted.covariance)), strict=True))
    return tuple(
        protocol.in_our_errors(
            name, value, fitted.params[name], error=errors[name], within=_WITHIN, reason=_REASON
        )
        for name, value in published.items()
    )


paper = Paper(DATASET, "Clark et al. 2022, arXiv 2202.01169, Table 3", _rows, (DATASET,))
