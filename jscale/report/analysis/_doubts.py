"""What residuals of the fit and forecasts of held-out runs give reason to doubt."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import jax

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.assess import (
    Backtest,
    BandCorrection,
    LackOfFit,
    LargestRuns,
    backtest,
    band_correction,
    ensemble,
    ensemble_forecaster,
    in_sample_band,
    lack_of_fit,
    largest_runs,
)
from jscale.assess.ensembles import candidates_of
from jscale.laws import describe
from jscale.report.analysis._study import FULL_BITS, FittedStudy
from jscale.runs import Runs

BACKTEST_CUTS = (0.6, 0.8)
"""Shares of the runs, by compute, below which the law is fitted to forecast the others."""
ENSEMBLE_CUT = 0.8
"""The share for the ensemble, which itself holds out runs of those below."""
_SEED = 0


@dataclass(frozen=True, eq=False)
class ResidualDoubts:
    """Tests of the residuals of the fit.

    Attributes:
        largest_runs: the runs with the largest compute against the law fitted to the others.
        lack_of_fit: trends of the residuals.
    """

    largest_runs: LargestRuns
    lack_of_fit: LackOfFit

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes of both."""
        return (*self.largest_runs.notes, *self.lack_of_fit.notes)


def residual_doubts(study: FittedStudy) -> ResidualDoubts:
    """The tests of the residuals of a study's fit."""
    return ResidualDoubts(
        largest_runs=largest_runs(study.point, study.table),
        lack_of_fit=lack_of_fit(study.point, study.table),
    )


@dataclass(frozen=True, eq=False)
class HeldOutForecasts:
    """How the law forecasts the larger runs from the smaller ones, and which law does it best.

    Attributes:
        result: the backtest of the law; None where the runs are too few.
        reason: why there is none, in a sentence; empty where there is one.
        law_weights: law of the same inputs → its weight in the ensemble of them with the errors of
            the report, the largest first; empty where there is only one, or no run to hold out.
        held_out: forecasts of held-out runs that these weights come from.
        ensemble: how an ensemble of laws forecasts the runs with the most compute, all of them in
            full precision where the law has bits; None where it is not asked for.
        ensemble_table: the runs of that forecast.
    """

    result: Backtest | None
    reason: str = ""
    law_weights: Mapping[str, float] = field(default_factory=dict)
    held_out: int = 0
    ensemble: Backtest | None = None
    ensemble_table: Runs | None = None


def held_out_forecasts(study: FittedStudy) -> HeldOutForecasts | None:
    """The backtest of a study's law, if the study has one.

    The law is fitted with the error model of the posterior; without a posterior it has a band as
    wide as the residuals.
    """
    if not study.backtest:
        return None
    if not study.ensemble:
        return HeldOutForecasts(*_forecasts_of_law(study))
    table = _in_full_precision(study)
    with ThreadPoolExecutor(1) as beside:
        several = beside.submit(in_float64(_ensemble_backtest), table)
        own = _forecasts_of_law(study)
        return HeldOutForecasts(*own, several.result(), ensemble_table=table)


def _forecasts_of_law(
    study: FittedStudy,
) -> tuple[Backtest | None, str, Mapping[str, float], int]:
    """The backtest or the reason why there is none, weights of laws, and what they come from."""
    try:
        result = _backtest(study)
    except JscaleError as error:
        return None, str(error), {}, 0
    return result, "", *_law_weights(study)


def _backtest(study: FittedStudy) -> Backtest:
    """The backtest at 60 and 80% of the runs, or at one cut where these are too close.

    Raises:
        JscaleError: too few runs.
    """
    posterior, table = study.posterior, study.table
    law = in_sample_band(study.law) if posterior is None else study.law
    errors = None if posterior is None else posterior.errors
    by = "compute" if "C" in table else study.record.input_names[0]
    key = jax.random.key(_SEED)
    try:
        return backtest(law, table, errors=errors, key=key, by=by, cuts=BACKTEST_CUTS)
    except JscaleError:
        return backtest(law, table, errors=errors, key=key, by=by, cuts=1)


def correction_of(study: FittedStudy, forecasts: HeldOutForecasts | None) -> BandCorrection | None:
    """The correction of bands that a backtest calls for; None without one or without draws."""
    if study.posterior is None or forecasts is None or forecasts.result is None:
        return None
    if not study.correct:
        return None
    return band_correction(forecasts.result, errors=study.posterior.errors)


def _in_full_precision(study: FittedStudy) -> Runs:
    """The runs that a law without bits can forecast."""
    table = study.table
    chosen = table.kept.copy()
    for name in study.record.bit_inputs:
        chosen &= (table[name] == FULL_BITS) if name in table else True
    return table.where(chosen)


def _ensemble_backtest(table: Runs) -> Backtest | None:
    """The backtest of the laws that suit the columns; None where none does or runs are too few.

    They have the error model with a discrepancy where runs allow it: independent errors get little
    weight and would double the time.
    """
    try:
        models = dict.fromkeys(each.errors for each in candidates_of(None, table, None))
        smooth = [each for each in models if each.discrepancy is not None]
        several = ensemble_forecaster(None, table, errors=smooth or None)
        return backtest(several, table, key=jax.random.key(_SEED), cuts=(ENSEMBLE_CUT,))
    except JscaleError:
        return None


def _law_weights(study: FittedStudy) -> tuple[dict[str, float], int]:
    """Weights of the laws for the table's columns, the study's among them, and what from.

    All laws have the errors of the report's posterior, so that only the laws differ.
    """
    errors = "student" if study.posterior is None else study.posterior.errors
    try:
        laws = list(dict.fromkeys(each.law for each in candidates_of(None, study.table, None)))
        if len(laws) < 2 or study.record.name not in {describe(law).name for law in laws}:
            return {}, 0
        result = ensemble(laws, study.table, errors=errors, key=jax.random.key(_SEED))
    except JscaleError:
        return {}, 0  # no law suits the table by itself, or too few runs
    return (result.law_weights, result.held_out) if result.held_out else ({}, 0)
