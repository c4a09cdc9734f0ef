"""The held-out runs of a backtest, each with its forecast, its scores and its distance."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jscale.assess.backtesting._forecasters import Forecast
from jscale.assess.backtesting._scores import score
from jscale.assess.backtesting._split import Split
from jscale.runs import Runs


@dataclass(frozen=True)
class HeldOutRun:
    """The forecast of one held-out run.

    Attributes:
        law: name of the law or the method.
        cut: label of the split.
        row: number of the run in the table, counted from 1 as in messages.
        C: training compute, FLOP; NaN where the table has none.
        loss: observed.
        predicted: median of the forecast.
        q025: 2.5% quantile of the loss of a new run.
        q10: 10% quantile.
        q25: 25% quantile.
        q75: 75% quantile.
        q90: 90% quantile.
        q975: 97.5% quantile.
        decades: powers of ten of compute outside the range of the fitted runs, 0 inside; of the
            column that orders the runs where the table has no compute.
        decades_N: those of the size; NaN where the table has none.
        decades_D: those of the tokens; NaN where the table has none.
        pit: probability integral transform, share of the draws below the observed loss.
        crps: continuous ranked probability score of the log loss; NaN without a log.
        crps_raw: that of the loss itself.
        log_score: log density of the observed log loss, nats; NaN without a log.
    """

    law: str
    cut: str
    row: int
    C: float
    loss: float
    predicted: float
    q025: float
    q10: float
    q25: float
    q75: float
    q90: float
    q975: float
    decades: float
    decades_N: float
    decades_D: float
    pit: float
    crps: float
    crps_raw: float
    log_score: float


class Observed(NamedTuple):
    """What is known of all runs.

    Attributes:
        table: validated runs.
        outcome: (rows,) what is forecast.
        column: the column that orders the runs, or None.
    """

    table: Runs
    outcome: np.ndarray
    column: str | None


def held_out_runs(law: str, known: Observed, split: Split, forecast: Forecast) -> list[HeldOutRun]:
    """The held-out runs of one split with their scores."""
    table, held_out = known.table, np.flatnonzero(split.held_out)
    scores = score(forecast.draws, known.outcome[held_out])
    distance = {name: _decades(table, split, name) for name in ("C", "N", "D")}
    compute = table["C"] if "C" in table else np.full(len(table), np.nan)
    decades = distance["C"]
    if "C" not in table and known.column is not None:
        decades = _decades(table, split, known.column)

    rows = []
    for i, row in enumerate(held_out):
        q025, q10, q25, q50, q75, q90, q975 = scores.quantiles[:, i].tolist()
        rows.append(
            HeldOutRun(
                law=law,
                cut=split.label,
                row=int(row) + 1,
                C=float(compute[row]),
                loss=float(known.outcome[row]),
                predicted=q50,
                q025=q025,
                q10=q10,
                q25=q25,
                q75=q75,
                q90=q90,
                q975=q975,
                decades=float(decades[row]),
                decades_N=float(distance["N"][row]),
                decades_D=float(distance["D"][row]),
                pit=float(scores.pit[i]),
                crps=float(scores.crps[i]),
                crps_raw=float(scores.crps_raw[i]),
                log_score=float(scores.log_score[i]),
            )
        )
    return rows


def _decades(table: Runs, split: Split, column: str) -> np.ndarray:
    """Powers of ten outside the range of the fitted runs, shape (rows,); NaN where it has none."""
    if column not in table or table[column].dtype.kind != "f":
        return np.full(len(table), np.nan)
    values = table[column]
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(values > 0, np.log10(values), np.nan)
    fitted = logs[split.training]
    fitted = fitted[~np.isnan(fitted)]
    if not fitted.size:
        return np.full(len(table), np.nan)
    return np.maximum(0.0, np.maximum(logs - fitted.max(), fitted.min() - logs))
