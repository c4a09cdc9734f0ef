"""Forecasts of held-out runs in a report."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from jscale import JscaleError, laws, runs
from jscale._core.scope import float64
from jscale.report.analysis import Analysis, FittedStudy, _doubts, fitted_study
from jscale.report.analysis._doubts import held_out_forecasts
from jscale.report.analysis.forecast import widened
from tests.report.stand_ins import backtest_of, dense_table, point_of


class Weighed(NamedTuple):
    """What the report reads of an ensemble."""

    law_weights: dict[str, float]
    held_out: int


WEIGHED = Weighed({"coupled": 0.7, "chinchilla": 0.3}, 61)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, dense: Analysis) -> list[tuple]:
    """The calls of the backtest and the ensemble, neither of which fits anything."""
    calls = []

    def backtest(law, table, **settings):
        calls.append(("backtest", law, settings))
        return backtest_of(table, 0.005, cuts=(0.6,))

    def ensemble(given, table, **settings):
        calls.append(("ensemble", given, settings))
        return WEIGHED

    monkeypatch.setattr(_doubts, "backtest", backtest)
    monkeypatch.setattr(_doubts, "ensemble", ensemble)
    return calls


def asked(analysis: Analysis, **changes) -> FittedStudy:
    return dataclasses.replace(analysis.study, backtest=True, **changes)


def test_the_law_has_the_errors_of_its_posterior(dense: Analysis, calls: list):
    posterior = dense.study.posterior
    assert posterior is not None
    forecasts = held_out_forecasts(asked(dense))
    assert forecasts is not None
    assert forecasts.result is not None
    assert (forecasts.law_weights, forecasts.held_out) == WEIGHED
    (_, law, settings), (_, given, weighing) = calls
    assert law is laws.chinchilla
    assert given == [laws.chinchilla, laws.coupled]
    assert settings["errors"] == weighing["errors"] == posterior.errors
    assert (settings["by"], settings["cuts"]) == ("compute", (0.6, 0.8))


def test_a_law_without_a_posterior_has_the_band_of_its_residuals(dense: Analysis, calls: list):
    held_out_forecasts(asked(dense, posterior=None))
    assert calls[0][1].name == "chinchilla, in-sample RMS"


def test_no_backtest_unless_asked(dense: Analysis, calls: list):
    assert held_out_forecasts(dense.study) is None
    assert dense.held_out is None
    assert calls == []


def test_one_cut_where_two_are_too_many(dense: Analysis, calls: list, monkeypatch):
    def picky(law, table, **settings):
        if settings["cuts"] != 1:
            raise JscaleError("two cuts fall on one")
        return backtest_of(table, 0.005, cuts=(0.6,))

    monkeypatch.setattr(_doubts, "backtest", picky)
    forecasts = held_out_forecasts(asked(dense))
    assert forecasts is not None
    assert forecasts.result is not None


def test_too_few_runs_are_a_reason(dense: Analysis):
    """For real: six runs of a law with five parameters."""
    table = dense.study.table.where(np.arange(32) < 6)
    point = point_of(laws.chinchilla, table, laws.params(laws.chinchilla))
    study = fitted_study(table, point, None, budgets=(), post_bits=(), backtest=True)
    forecasts = held_out_forecasts(study)
    assert forecasts is not None
    assert forecasts.result is None
    assert forecasts.law_weights == {}
    assert "no cut by C leaves enough of its 6 runs" in forecasts.reason


def test_laws_are_not_weighed_where_the_report_has_another(dense: Analysis, calls: list):
    law = laws.fix(laws.chinchilla, E=1.8)
    table = dense.study.table
    params = {name: value for name, value in dense.study.point.params.items() if name != "E"}
    study = fitted_study(
        table, point_of(law, table, params), None, budgets=(), post_bits=(), backtest=True
    )
    forecasts = held_out_forecasts(study)
    assert forecasts is not None
    assert forecasts.law_weights == {}
    assert [name for name, *_ in calls] == ["backtest"]


def test_failed_forecasts_widen_the_bands_of_losses(dense: Analysis):
    assert dense.forecast is not None
    study = asked(dense)
    failed = backtest_of(study.table, 0.0003)
    forecasts = _doubts.HeldOutForecasts(failed)
    correction = _doubts.correction_of(study, forecasts)
    assert correction is not None
    assert correction.factor(1.0) > 2
    plain, wide = dense.forecast, widened(dense.forecast, study, correction)
    assert (plain.correction, wide.correction) == (None, correction)
    beyond = np.log10(plain.plans.compute / dense.study.compute.max())
    for end in ("q05", "q95"):
        was = np.log(getattr(plain.plans.loss, end) / plain.plans.loss.q50)
        now = np.log(getattr(wide.plans.loss, end) / wide.plans.loss.q50)
        np.testing.assert_allclose(now, was * correction.factor(beyond))
    np.testing.assert_array_equal(wide.plans.loss.point, plain.plans.loss.point)
    np.testing.assert_array_equal(wide.plans.N.q95, plain.plans.N.q95)
    assert wide.gain.q95 - wide.gain.q05 > plain.gain.q95 - plain.gain.q05

    # Bands that hold are not narrowed, and nothing is changed where it is not asked for.
    too_wide = _doubts.correction_of(study, _doubts.HeldOutForecasts(backtest_of(study.table, 0.3)))
    assert too_wide is not None
    assert widened(dense.forecast, study, too_wide) is dense.forecast
    assert _doubts.correction_of(dataclasses.replace(study, correct=False), forecasts) is None
    assert _doubts.correction_of(dataclasses.replace(study, posterior=None), forecasts) is None
    assert _doubts.correction_of(study, None) is None


def test_runs_in_order_of_an_input_without_compute():
    """For real: one law of size, by the band of its residuals."""
    sizes = np.geomspace(1e7, 1e10, 20)
    table = runs.read({"N": sizes, "loss": dense_table()["loss"].max() * sizes**-0.05})
    params = {"L_inf": 0.0, "A": 3.0, "alpha": 0.05}
    study = fitted_study(
        table, point_of(laws.power_size, table, params), None, budgets=(), post_bits=(),
        backtest=True,
    )  # fmt: skip
    with float64():
        forecasts = held_out_forecasts(study)
    assert forecasts is not None
    assert forecasts.result is not None
    assert forecasts.result.how == "by N"
    assert [cut.fitted for cut in forecasts.result.cuts] == [12, 16]


def test_an_ensemble_forecasts_the_runs_in_16_bits(bits: Analysis, monkeypatch):
    asked_for = []

    def forecaster(given, table, **settings):
        asked_for.append((given, len(table), settings["errors"]))
        return "several laws"

    def backtest(law, table, **settings):
        if law != "several laws":
            raise JscaleError("not asked for here")
        asked_for.append((law, settings["cuts"]))
        return backtest_of(table, 0.005, cuts=(0.5,))

    monkeypatch.setattr(_doubts, "ensemble_forecaster", forecaster)
    monkeypatch.setattr(_doubts, "backtest", backtest)
    forecasts = held_out_forecasts(asked(bits, ensemble=True))
    assert forecasts is not None
    assert forecasts.ensemble is not None
    assert forecasts.ensemble_table is not None
    names = ("P_w", "P_a", "P_kv", "P_post")
    assert all((forecasts.ensemble_table[name] == 16).all() for name in names)
    in_16_bits = len(forecasts.ensemble_table)
    assert 0 < in_16_bits < len(bits.study.table)
    (given, count, errors), (_, cuts) = asked_for
    assert (given, count, cuts) == (None, in_16_bits, (0.8,))
    assert errors is None or all(each.discrepancy is not None for each in errors)


def test_no_ensemble_unless_asked(bits: Analysis, monkeypatch):
    def backtest(law, table, **settings):
        raise JscaleError("too few runs")

    monkeypatch.setattr(_doubts, "backtest", backtest)
    for study in (asked(bits), asked(bits, ensemble=True)):
        forecasts = held_out_forecasts(study)
        assert forecasts is not None
        assert forecasts.ensemble is None
