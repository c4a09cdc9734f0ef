"""Backtests: laws fitted to some runs and judged by their forecasts of the others."""

from jscale.assess.backtesting._backtest import LEAST_DRAWS, backtest
from jscale.assess.backtesting._bands import BandCoverage
from jscale.assess.backtesting._clusters import clusters
from jscale.assess.backtesting._forecasters import (
    SPARE_RUNS,
    Forecast,
    Forecaster,
    fit_notes,
    fit_settings,
    forecaster_of,
    in_sample_band,
    inputs_at,
    law_digest,
    outcome_column,
    priors_text,
    without_outcome,
)
from jscale.assess.backtesting._held_out import HeldOutRun
from jscale.assess.backtesting._result import MIN_EFFECTIVE, Backtest, BacktestedLaw, Cut
from jscale.assess.backtesting._scores import Scores, score
from jscale.assess.backtesting._split import Needs, Split, Splits
from jscale.assess.backtesting._summary import ForecastScores, summarise
from jscale.assess.backtesting._windows import expanding_windows

__all__ = [
    "LEAST_DRAWS",
    "MIN_EFFECTIVE",
    "SPARE_RUNS",
    "Backtest",
    "BacktestedLaw",
    "BandCoverage",
    "Cut",
    "Forecast",
    "ForecastScores",
    "Forecaster",
    "HeldOutRun",
    "Needs",
    "Scores",
    "Split",
    "Splits",
    "backtest",
    "clusters",
    "expanding_windows",
    "fit_notes",
    "fit_settings",
    "forecaster_of",
    "in_sample_band",
    "inputs_at",
    "law_digest",
    "outcome_column",
    "priors_text",
    "score",
    "summarise",
    "without_outcome",
]
