"""How far a result can be trusted.

Laws compared on held-out runs, bands judged by forecasts of held-out runs, one number under every
way of fitting it, the measured coverage of intervals, and published numbers beside those computed
here.
"""

from jscale.assess.auditing import (
    Audit,
    LackOfFit,
    LargestRuns,
    Trend,
    advice,
    audit,
    doubts,
    lack_of_fit,
    largest_runs,
)
from jscale.assess.backtesting import (
    Backtest,
    BacktestedLaw,
    BandCoverage,
    Forecast,
    Forecaster,
    ForecastScores,
    HeldOutRun,
    backtest,
    in_sample_band,
)
from jscale.assess.comparison import (
    Comparison,
    Contender,
    EffectiveCompute,
    LeaveOneOut,
    NestedTest,
    StackedModel,
    Stacking,
    compare,
    effective_compute,
    loo,
    stacking,
)
from jscale.assess.coverage import Calibration, Coverage, calibrate
from jscale.assess.ensembles import (
    BandCorrection,
    CorrectedPosterior,
    Ensemble,
    Member,
    band_correction,
    correct_bands,
    corrected_forecaster,
    ensemble,
    ensemble_forecaster,
)
from jscale.assess.published import Reproduction, reproduce, reproducible
from jscale.assess.robustness import OBJECTIVES, Sensitivity, Specification, sensitivity
from jscale.assess.targets import Quantity, quantity

__all__ = [
    "OBJECTIVES",
    "Audit",
    "Backtest",
    "BacktestedLaw",
    "BandCorrection",
    "BandCoverage",
    "Calibration",
    "Comparison",
    "Contender",
    "CorrectedPosterior",
    "Coverage",
    "EffectiveCompute",
    "Ensemble",
    "Forecast",
    "ForecastScores",
    "Forecaster",
    "HeldOutRun",
    "LackOfFit",
    "LargestRuns",
    "LeaveOneOut",
    "Member",
    "NestedTest",
    "Quantity",
    "Reproduction",
    "Sensitivity",
    "Specification",
    "StackedModel",
    "Stacking",
    "Trend",
    "advice",
    "audit",
    "backtest",
    "band_correction",
    "calibrate",
    "compare",
    "correct_bands",
    "corrected_forecaster",
    "doubts",
    "effective_compute",
    "ensemble",
    "ensemble_forecaster",
    "in_sample_band",
    "lack_of_fit",
    "largest_runs",
    "loo",
    "quantity",
    "reproduce",
    "reproducible",
    "sensitivity",
    "stacking",
]
