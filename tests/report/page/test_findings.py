"""The findings in sentences."""

import dataclasses

import jax
import numpy as np
import pytest

from jscale import assess, laws, runs
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.report.analysis import (
    Analysis,
    Band,
    FittedStudy,
    Forecast,
    HeldOutForecasts,
    PrecisionAnalysis,
)
from jscale.report.analysis._identification import identification
from jscale.report.analysis.forecast import resource_curve
from jscale.report.analysis.forecast._returns import compute_returns
from jscale.report.page.findings import decision
from jscale.report.page.findings._findings import (
    _past,
    extrapolation,
    findings,
    largest_run,
    marginal_returns,
)
from jscale.report.page.findings._of_fit import (
    Finding,
    certificate,
    identified_parameters,
    posterior_doubts,
    residual_doubts,
    sampling,
)
from jscale.report.page.tables import count_digits, critical_rows, decimal, plan_rows
from jscale.report.page.tables._tables import _measured
from tests.report import stand_ins
from tests.report.stand_ins import dense_table, posterior_of


def by_lead(analysis: Analysis) -> dict[str, Finding]:
    return {finding.lead: finding for finding in findings(analysis)}


def without_forecast(analysis: Analysis, study: FittedStudy) -> Analysis:
    """The analysis of another study whose law has no forecast."""
    return dataclasses.replace(
        analysis,
        study=study,
        forecast=None,
        resource=resource_curve(study),
        identification=identification(study),
        precision=None,
    )


def identified(analysis: Analysis, **changes) -> Finding:
    """The finding about identification after changes to the study."""
    study = dataclasses.replace(analysis.study, **changes)
    changed = dataclasses.replace(analysis, study=study, identification=identification(study))
    return identified_parameters(changed)


@pytest.fixture(scope="module")
def of_dense(dense: Analysis) -> dict[str, Finding]:
    return by_lead(dense)


def test_fit_names_the_row_with_the_largest_residual(dense: Analysis, of_dense):
    point = dense.study.point
    i = int(np.argmax(np.abs(point.residuals)))
    assert of_dense["Fit"].text.startswith("The chinchilla law fits 32 runs with residuals of")
    assert f"that of row {point.rows[i] + 1}, " in of_dense["Fit"].text
    assert "(median 1.5)" in of_dense["Fit"].text
    assert of_dense["Certificate"].tone == "good"


def test_next_decade_starts_at_the_largest_run(dense_forecast: Forecast, of_dense):
    text = of_dense["The next decade"].text
    assert "from 1.2×10²² to 1.2×10²³ FLOP" in text
    assert f"{dense_forecast.gain.q50[0]:.3f}" in text
    assert "90%" in text


def test_size_exponent_has_the_digits_of_its_tile(dense_forecast: Forecast, of_dense):
    assert decimal(dense_forecast.growth, 0).inline in of_dense["Size and data"].text


def test_extrapolation_lists_decades(dense: Analysis, dense_forecast: Forecast, of_dense):
    assert "10²⁴ FLOP: 1.9 in compute" in of_dense["Extrapolation"].text
    assert of_dense["Extrapolation"].tone == "doubt"
    nowhere = tuple(dict.fromkeys(d, 0.0) for d in dense_forecast.decades_outside)
    inside = dataclasses.replace(dense_forecast, decades_outside=nowhere)
    (finding,) = extrapolation(dense.study, inside)
    assert finding.tone == "good"
    assert extrapolation(dataclasses.replace(dense.study, budgets=()), inside) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "All 64 starts and a second optimiser reach the same minimum"),
        (dict(agreement=0.5), "32 of 64 starts and a second optimiser"),
        (dict(status=Status.collinear_design), "do not identify all parameters"),
        (dict(status=Status.at_bound, at_bound=("E",)), "with E at its bound"),
        (dict(status=Status.at_bound, at_bound=("E", "alpha")), "with E and α at their bounds"),
        (
            dict(status=Status.not_converged, agreement=0.05),
            "did not converge (3 of 64 starts agree)",
        ),
        (dict(second_method=False), "a second optimiser stopped short"),
    ],
)
def test_certificate_states_the_result(changes: dict, words: str):
    finding = certificate(stand_ins.certificate(**changes))
    assert words in finding.text
    assert finding.tone == ("doubt" if "status" in changes else "good")


def test_chains_that_did_not_converge_are_reported(dense: Analysis):
    assert sampling(dense.study) == []
    assert dense.study.posterior is not None
    posterior = dataclasses.replace(dense.study.posterior, status=Status.not_converged)
    (finding,) = sampling(dataclasses.replace(dense.study, posterior=posterior))
    assert finding.text.startswith("The chains did not converge")


def test_mixing_is_reported_even_where_the_status_is_converged(dense: Analysis):
    assert dense.study.posterior is not None
    notes = (
        Note("divergences", "warning", "32 of 2,000 transitions diverged", {}),
        Note("prior-dominated", "warning", "the prior decides about alpha", {}),
        Note("bits-off", "info", "no column for P_w", {}),
    )
    posterior = dataclasses.replace(dense.study.posterior, notes=notes)
    study = dataclasses.replace(dense.study, posterior=posterior)
    (mixing,) = sampling(study)
    assert mixing == Finding("Posterior", "32 of 2,000 transitions diverged.", "doubt")
    (prior,) = posterior_doubts(study)
    assert prior == Finding("Posterior", "The prior decides about alpha.", "doubt")

    # Nothing that reads "converged" stands above it.
    texts = [finding.text for finding in findings(dataclasses.replace(dense, study=study))]
    above = texts[: texts.index(mixing.text)]
    assert not any("converged" in text for text in above)


def test_doubts_come_first_and_good_news_last(dense: Analysis):
    tones = [finding.tone for finding in findings(dense)]
    assert tones == sorted(tones, key=["doubt", "plain", "good"].index)


def test_doubts_about_residuals_are_sentences(dense: Analysis):
    assert residual_doubts(dense.doubts) == []
    off = dataclasses.replace(
        dense.doubts.largest_runs, p_value=1e-5, offset=-0.06, z=-7.2, on_side=4
    )
    doubts = dataclasses.replace(dense.doubts, largest_runs=off)
    (finding,) = residual_doubts(doubts)
    assert (finding.lead, finding.tone) == ("Largest runs", "doubt")
    assert finding.text.startswith("The 4 runs with the largest compute (from ")
    assert "5.8% of the loss below the law" in finding.text
    assert finding.text.endswith(".")
    assert findings(dataclasses.replace(dense, doubts=doubts))[0] == finding


def test_collinear_parameters_are_named(dense: Analysis):
    point, table = dense.study.point, dense.study.table
    expected = Finding("Identification", "The data identify all parameters.", "good")
    assert identified_parameters(dense) == expected
    tied = identified(dense, posterior=posterior_of(point, table, tied=0.9996))
    assert "α and β (0.999)" in tied.text
    assert "A and" not in tied.text
    wide = identified(dense, posterior=posterior_of(point, table, spread=0.5))
    assert "spans a factor of" in wide.text


def test_without_a_posterior_correlations_come_from_the_covariance(dense: Analysis):
    covariance = dense.study.point.covariance.copy()
    covariance[1, 3] = covariance[3, 1] = -0.99 * np.sqrt(covariance[1, 1] * covariance[3, 3])
    # A parameter at its bound has no standard error.
    covariance[0, 0] = np.inf
    point = dataclasses.replace(dense.study.point, covariance=covariance)
    assert "A and α (0.99)" in identified(dense, posterior=None, point=point).text


def test_a_constant_input_is_named(dense: Analysis, without_posterior):
    study = without_posterior(laws.qat, dense_table(P_w=np.full(32, 8.0)))
    assert "P_w is 8 in every run" in identified_parameters(without_forecast(dense, study)).text


def test_unidentified_parameters_are_named(dense: Analysis):
    unidentified = stand_ins.certificate(unidentified=("A", "B"))
    point = dataclasses.replace(dense.study.point, certificate=unidentified)
    assert "do not identify A and B separately" in identified(dense, point=point).text


def test_precision_and_critical_tokens(
    bits: Analysis, bits_forecast: Forecast, bits_precision: PrecisionAnalysis
):
    results = by_lead(bits)
    assert "best training precision is 7.0" in results["Precision"].text
    assert "tokens at 3 bits" in results["Too much data"].text
    assert bits_precision.critical is not None
    limit = bits_precision.critical.at_plans[3.0].q50[0]
    exceeded = limit < bits_forecast.plans.D.q50[0]
    assert ("better with less data" in results["Too much data"].text) == exceeded


def with_bits(analysis: Analysis, **bits: float) -> Analysis:
    """The analysis with other bits of all runs, for the part that is said in sentences."""
    inputs = dict(analysis.study.data.inputs)
    inputs |= {name: np.full_like(inputs[name], value) for name, value in bits.items()}
    data = dataclasses.replace(analysis.study.data, inputs=inputs)
    study = dataclasses.replace(analysis.study, data=data)
    return dataclasses.replace(analysis, study=study)


def test_bits_outside_those_of_the_runs_are_said(bits: Analysis):
    assert "of the runs:" not in decision(bits).sentence
    high = with_bits(bits, P_w=8, P_a=12, P_kv=16)
    reserve = "7.0 bits, below the 8 to 16 bits of the runs"
    reason = "no run supports this number, which comes from the law and its prior."
    assert decision(high).sentence.endswith(f" {reserve}: {reason}")
    precision = by_lead(high)["Precision"]
    assert precision.tone == "doubt"
    assert precision.text.endswith(f" {reserve}: {reason}")
    assert reserve in by_lead(high)["Extrapolation"].text
    (row,) = plan_rows(high)
    assert row.outside.endswith(reserve)
    assert row.tone in ("doubt", "bad")
    low = with_bits(bits, P_w=4, P_a=4, P_kv=4)
    assert "7.0 bits, above the 4 bits of the runs" in decision(low).sentence


def test_the_largest_run_against_the_optimum(dense: Analysis):
    forecast = dense.forecast
    assert forecast is not None

    def text(low: float, high: float) -> str:
        points = (np.full(2, value) for value in (20.0, low, 18.0, 20.0, 22.0, high))
        decade = dataclasses.replace(forecast.decade, ratio=Band(*points))
        (found,) = largest_run(dense.study, dataclasses.replace(forecast, decade=decade))
        return found.text

    N, D = (dense.study.data.inputs[name] for name in ("N", "D"))
    own = (D / N)[np.argmax(N * D)]
    assert "undertrained for its compute" in text(2 * own, 3 * own)
    assert "overtrained for its compute" in text(own / 3, own / 2)
    assert "within the band of the compute-optimal" in text(own / 2, 2 * own)


def test_no_verdict_on_the_largest_run_where_bits_are_planned(bits: Analysis):
    assert "Largest run" not in by_lead(bits)


def test_twice_the_parameters_and_the_tokens_of_the_largest_run(dense: Analysis, of_dense):
    """Against the closed forms of Chinchilla's law at the point estimate."""
    forecast, params = dense.forecast, dense.study.point.params
    assert forecast is not None
    returns = forecast.returns
    size = params["A"] * returns.N ** -params["alpha"]
    data = params["B"] * returns.D ** -params["beta"]
    by_size, by_data = (returns.changes[name].point[0] for name in ("N", "D"))
    assert by_size == pytest.approx(size * (2 ** -params["alpha"] - 1), rel=1e-9)
    assert by_data == pytest.approx(data * (2 ** -params["beta"] - 1), rel=1e-9)
    share = params["beta"] * data / (params["alpha"] * size)
    assert returns.per_flop.point[0] == pytest.approx(share, rel=1e-9)

    text = of_dense["Marginal returns"].text
    assert f"by {decimal(returns.changes['N'], 0).inline} with twice the parameters and by" in text
    assert f"{decimal(returns.changes['D'], 0).inline} with twice the tokens. The next FLOP" in text
    assert "times as much as on parameters" in text


def test_other_bits_of_the_largest_run(bits: Analysis):
    """8 bits for a run of 16, one more for a run of fewer."""
    inputs = bits.study.data.inputs
    fewer = {**inputs, **{name: np.full_like(inputs["N"], 5) for name in ("P_w", "P_a", "P_kv")}}
    low = dataclasses.replace(bits.study, data=dataclasses.replace(bits.study.data, inputs=fewer))
    for study, own, other in ((bits.study, 16.0, 8.0), (low, 5.0, 6.0)):
        returns = compute_returns(study)
        run = {name: column[study.largest] for name, column in study.data.inputs.items()}
        assert (run["P_w"], returns.others["P_w"]) == (own, other)
        losses = [
            float(study.law(**{**run, "P_w": value}, **study.point.params))
            for value in (own, other)
        ]
        change = returns.changes["P_w"].point[0]
        assert change == pytest.approx(losses[1] - losses[0], abs=1e-6)
        text = marginal_returns(returns, "nats per token").text
        assert f"with {other:.0f} bits of the weights" in text


def test_no_share_where_more_tokens_would_harm(dense_forecast: Forecast):
    harmful = dense_forecast.returns.per_flop._replace(q05=np.array([-1.0]))
    returns = dataclasses.replace(dense_forecast.returns, per_flop=harmful)
    assert "FLOP" not in marginal_returns(returns, "nats per token").text


def test_bits_that_never_harm_have_no_number_of_tokens():
    def at(tokens: float) -> Band:
        return Band(*[np.array([tokens])] * 6)

    text = _past({3.0: at(1.5e7), 6.0: at(np.inf), 8.0: at(np.inf)})
    assert text == "past 15M tokens at 3 bits and at no number of tokens at 6 and 8 bits"
    assert _past({6.0: at(np.inf)}) == "at no number of tokens at 6 bits"


def test_estimates_have_the_digits_of_their_errors():
    assert _measured(330.26, 95.2) == "330 ± 95"
    assert _measured(0.29294, 0.0081) == "0.2929 ± 0.0081"
    assert _measured(1.2395, 0.1) == "1.24 ± 0.10"
    assert _measured(2e8, np.inf) == "2×10⁸ ± –"


def test_no_critical_tokens_where_bits_after_training_are_constant(
    bits: Analysis, bits_precision: PrecisionAnalysis
):
    same = with_bits(bits, P_post=16)
    assert bits.study.varies_post_bits
    assert not same.study.varies_post_bits
    precision = dataclasses.replace(bits_precision, critical=None)
    same = dataclasses.replace(same, precision=precision)
    text = by_lead(same)["Too much data"].text
    assert text.startswith("No critical tokens: the runs do not differ in P_post")
    assert critical_rows(same) == []


def test_laws_without_a_plan(dense: Analysis, without_posterior):
    study = without_posterior(laws.power_data, dense_table())
    text = by_lead(without_forecast(dense, study))["The next decade"].text
    assert "Ten times the largest run's 200B tokens lowers the loss by" in text

    design = {
        "N": np.geomspace(1e7, 1e9, 8),
        "D": np.geomspace(1e9, 1e10, 8),
        "S": np.geomspace(1e3, 1e5, 8),
    }
    law = laws.kaplan_steps
    steps = runs.simulate(law, laws.params(law), design, noise=0.0, key=jax.random.key(0))
    study = without_posterior(law, steps)
    assert "No plan" in by_lead(without_forecast(dense, study))


def test_digits_of_a_count_depend_on_its_interval(dense_forecast: Forecast):
    def digits(middle: float, low: float, high: float) -> int:
        ends = {"q50": np.array([middle]), "q05": np.array([low]), "q95": np.array([high])}
        return count_digits(dense_forecast.gain._replace(**ends), 0)

    assert digits(100.0, 99.0, 101.0) == 3
    assert digits(100.0, 80.0, 120.0) == 2


def with_held_out(analysis: Analysis, *arguments, **settings) -> Analysis:
    return dataclasses.replace(analysis, held_out=HeldOutForecasts(*arguments, **settings))


def test_a_failed_backtest_stands_first(dense: Analysis):
    result = stand_ins.backtest_of(dense.study.table, spread=0.0003)
    (law,) = result.laws
    first = findings(with_held_out(dense, result))[0]
    assert (first.lead, first.tone) == ("Backtest", "doubt")
    assert first.text.startswith(f"80% bands held {law.summary.bands[1].held} of ")
    assert "held-out runs (" in first.text
    assert "too narrow" in first.text
    assert "less certain than the bands of this report say" in first.text


def test_wider_bands_are_stated(dense: Analysis, dense_forecast: Forecast):
    result = stand_ins.backtest_of(dense.study.table, spread=0.0003)
    correction = assess.BandCorrection(np.log(1.2), np.log(1.5))
    forecast = dataclasses.replace(dense_forecast, correction=correction)
    first = findings(dataclasses.replace(with_held_out(dense, result), forecast=forecast))[0]
    assert "less certain than" not in first.text
    assert first.text.endswith(
        "widened accordingly: 1.20 times at the edge of the runs, 1.80 times one decade of compute "
        "beyond them."
    )


def test_a_backtest_that_holds(dense: Analysis):
    result = stand_ins.backtest_of(dense.study.table, spread=0.005)
    finding = by_lead(with_held_out(dense, result))["Backtest"]
    assert finding.text == f"{result.laws[0].verdict}."
    assert finding.tone in ("good", "plain")
    assert "as they should" in finding.text or "too few runs to judge" in finding.text


def test_a_backtest_of_which_only_the_wide_bands_fail(dense: Analysis):
    result = stand_ins.backtest_of(dense.study.table, spread=0.005)
    (law,) = result.laws
    half, most, all_but = law.summary.bands
    narrow = dataclasses.replace(all_but, coverage=0.8, high=0.9)
    summary = dataclasses.replace(law.summary, bands=(half, most, narrow))
    failed = dataclasses.replace(result, laws=(dataclasses.replace(law, summary=summary),))
    finding = findings(with_held_out(dense, failed))[0]
    assert (finding.lead, finding.tone) == ("Backtest", "doubt")
    assert " 95% bands held 80%: too narrow." in finding.text


def test_runs_too_few_for_a_backtest_are_a_sentence(dense: Analysis):
    finding = by_lead(with_held_out(dense, None, "few.csv: no cut leaves enough runs"))["Backtest"]
    assert finding == Finding(
        "Backtest", "No forecast of held-out runs. few.csv: no cut leaves enough runs."
    )
    assert "Backtest" not in by_lead(dense)


def test_another_law_that_forecasts_better(dense: Analysis):
    result = stand_ins.backtest_of(dense.study.table, spread=0.005)

    def finding(**weights: float) -> Finding | None:
        forecasts = with_held_out(dense, result, law_weights=weights, held_out=61)
        return by_lead(forecasts).get("Law")

    clear = finding(coupled=0.8, chinchilla=0.2)
    assert clear is not None
    assert clear.tone == "doubt"
    assert clear.text.startswith("61 forecasts of held-out runs favour the law coupled: ")
    assert "80% of the weight, chinchilla 20%" in clear.text
    assert "--law coupled" in clear.text
    slight = finding(coupled=0.55, chinchilla=0.45)
    assert slight is not None
    assert slight.tone == "plain"
    assert finding(chinchilla=0.8, coupled=0.2) is None
    assert finding() is None
