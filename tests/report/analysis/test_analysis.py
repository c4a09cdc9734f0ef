"""The record of an analysis: forecast, precision and summaries, against closed forms."""

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from jscale import laws
from jscale._core.scope import float64
from jscale.fit import Posterior
from jscale.fit.errors import as_error_model
from jscale.report.analysis import Analysis, Forecast, PrecisionAnalysis
from jscale.report.analysis._evaluate import optimal_plans, subsample
from jscale.report.analysis.forecast import compute_forecast, resource_curve, size_profiles
from jscale.report.analysis.forecast._forecast import curve_points, decades_outside, round_budgets
from jscale.report.analysis.forecast._new_runs import _lacking
from tests.report.stand_ins import dense_table, point_of

QAT = ("E", "A", "B", "alpha", "beta", "gamma_w", "n_w")


def closed_form(theta: dict[str, Any], compute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optimal parameters and loss by Hoffmann et al. 2022, eq. 4, shape (draws, budgets)."""
    names = ("E", "A", "B", "alpha", "beta")
    E, A, B, alpha, beta = (np.asarray(theta[name])[:, None] for name in names)
    N = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (compute / 6) ** (beta / (alpha + beta))
    return N, E + A * N**-alpha + B * (compute / 6 / N) ** -beta


def test_plans_equal_the_closed_form_at_every_draw(dense: Analysis, dense_forecast: Forecast):
    plans, budgets = dense_forecast.plans, np.array(dense.study.budgets)
    N, loss = closed_form(dense.study.samples, budgets)
    np.testing.assert_allclose(plans.N.point, N[0], rtol=1e-8)
    np.testing.assert_allclose(plans.N.q05, np.quantile(N[1:], 0.05, axis=0), rtol=1e-8)
    np.testing.assert_allclose(plans.loss.q95, np.quantile(loss[1:], 0.95, axis=0), rtol=1e-10)
    np.testing.assert_allclose(plans.N.point * plans.D.point * 6, budgets, rtol=1e-8)
    np.testing.assert_array_equal(plans.solved, 1.0)
    assert plans.P is None
    assert dense_forecast.full is None


def test_the_next_decade_starts_at_the_largest_run(dense: Analysis, dense_forecast: Forecast):
    table, theta = dense.study.table, dense.study.samples
    largest = (6 * table["N"] * table["D"]).max()
    np.testing.assert_allclose(dense_forecast.decade.compute, [largest, 10 * largest])
    _, loss = closed_form(theta, dense_forecast.decade.compute)
    gain = loss[1:, 0] - loss[1:, 1]
    np.testing.assert_allclose(dense_forecast.gain.q50, np.median(gain), rtol=1e-8)
    share = theta["beta"] / (theta["alpha"] + theta["beta"])
    np.testing.assert_allclose(dense_forecast.growth.q95, np.quantile(share[1:], 0.95), rtol=1e-8)


def test_the_curve_spans_the_runs_and_the_budgets(dense: Analysis, dense_forecast: Forecast):
    compute, runs = dense_forecast.curve.compute, dense.study.compute
    assert runs is not None
    assert compute[0] < runs.min()
    assert compute[-1] > max(dense.study.budgets)
    assert compute[-1] >= 10**2.4 * runs.max()
    assert (np.diff(dense_forecast.curve.loss.q50) < 0).all()
    ends = curve_points(np.array([1e20, 1e21]), (1e17, 1e26))[[0, -1]]
    assert ends == pytest.approx([1e17 / 1.6, 1.6e26])


def test_stops_are_round_numbers_and_the_budgets(dense: Analysis, dense_forecast: Forecast):
    stops = dense_forecast.stops
    assert {1e22, 2e22, 5e22, 1e24} <= set(stops.compute)
    assert (np.diff(stops.compute) > 0).all()
    assert len(stops.compute) == len(dense_forecast.stop_decades)
    N, loss = closed_form(dense.study.samples, stops.compute)
    np.testing.assert_allclose(stops.N.q95, np.quantile(N[1:], 0.95, axis=0), rtol=1e-8)
    np.testing.assert_allclose(stops.loss.q50, np.median(loss[1:], axis=0), rtol=1e-10)
    assert len(round_budgets(1e6, 1e30)) == 25
    assert round_budgets(3e20, 2e21).tolist() == [5e20, 1e21, 2e21]


def test_new_runs_scatter_about_the_law(dense_forecast: Forecast):
    for law, new in (
        (dense_forecast.curve.loss, dense_forecast.new_run),
        (dense_forecast.plans.loss, dense_forecast.new_run_at_plans),
    ):
        assert new is not None
        np.testing.assert_allclose(new.q50, law.q50, rtol=3e-3)
        # Independent noise of 0.5%: widths of 90% bands add as squares, Student's tails aside.
        expected = np.hypot(np.log(law.q95 / law.q05), 3.29 * 0.005)
        ratio = np.log(new.q95 / new.q05) / expected
        assert (ratio > 0.97).all(), ratio
        assert (ratio < 1.2).all(), ratio


def test_decades_outside_the_runs(dense: Analysis, dense_forecast: Forecast):
    study, plans = dense.study, dense_forecast.plans
    assert study.compute is not None
    decades = dense_forecast.decades_outside[1]
    assert decades["compute"] == pytest.approx(np.log10(1e24 / study.compute.max()))
    assert decades["size"] == pytest.approx(np.log10(plans.N.q50[1] / 1e10))
    assert decades["tokens per parameter"] == 0.0

    # Tokens per parameter outside the design count, at any compute.
    moved = dataclasses.replace(plans, ratio=plans.ratio._replace(q50=np.array([1e-3, 1e6])))
    below, above = decades_outside(study, moved)
    ratio = study.table["D"] / study.table["N"]
    assert below["tokens per parameter"] == pytest.approx(np.log10(ratio.min() / 1e-3))
    assert above["tokens per parameter"] == pytest.approx(np.log10(1e6 / ratio.max()))


def test_without_draws_there_is_no_band(without_posterior):
    forecast = compute_forecast(without_posterior(laws.chinchilla, dense_table()))
    assert forecast is not None
    assert not forecast.curve.loss.has_width
    assert forecast.curve_draws == 0
    np.testing.assert_array_equal(forecast.plans.N.q50, forecast.plans.N.point)


def test_thinned_samples_span_all_chains(dense: Analysis):
    study = dense.study
    assert study.draws is not None
    alpha, draws = subsample(study.samples, 10)["alpha"], study.draws["alpha"]
    assert len(alpha) == 11
    assert alpha[0] == study.point.params["alpha"]
    assert (alpha[1], alpha[-1]) == (draws[0], draws[-1])


def test_laws_without_size_and_data_have_no_forecast(without_posterior):
    table = dense_table()
    assert compute_forecast(without_posterior(laws.power_size, table)) is None
    assert resource_curve(without_posterior(laws.chinchilla, table)) is None


def test_the_curve_of_one_resource_is_the_law(without_posterior):
    law, table = laws.fix(laws.power_compute, L_inf=1.7), dense_table()
    point = point_of(law, table, {"A": 1600.0, "alpha": 0.165})
    curve = resource_curve(dataclasses.replace(without_posterior(law, table), point=point))
    assert curve is not None
    np.testing.assert_allclose(curve.loss.q50, 1.7 + 1600.0 * curve.x**-0.165, rtol=1e-12)
    assert curve.at_budgets is not None
    np.testing.assert_allclose(curve.at_budgets.q50, 1.7 + 1600.0 * 1e22**-0.165, rtol=1e-12)
    last = table["C"].max()
    gain = 1600.0 * (last**-0.165 - (10 * last) ** -0.165)
    np.testing.assert_allclose(curve.gain.q50, gain, rtol=1e-9)


def test_size_profiles_are_lowest_at_the_plan(dense: Analysis):
    first, last = dense.size_profiles
    assert (first.budget, last.budget) == dense.study.budgets
    for profile in (first, last):
        lowest = profile.N[np.argmin(profile.loss.point)]
        assert abs(np.log(lowest / profile.optimal_size.q50[0])) < 0.2
        optimal_loss = profile.optimal_loss.point[0]
        assert profile.loss.point.min() == pytest.approx(optimal_loss, rel=1e-3)
    assert size_profiles(dense.study, None) == ()


def test_joint_plan_has_the_published_precision(bits_forecast: Forecast):
    """Kumar et al. 2024 at its own constants: 7.00211 bits at every budget."""
    plans, curve = bits_forecast.plans, bits_forecast.curve
    assert plans.P is not None
    assert curve.P is not None
    np.testing.assert_allclose(plans.P.point, 7.00211, atol=1e-5)
    np.testing.assert_allclose(curve.P.point, 7.00211, atol=1e-5)
    assert bits_forecast.full is not None
    assert (bits_forecast.full.loss.point > curve.loss.point).all()


def test_compute_of_runs_counts_their_bits(bits: Analysis):
    table = bits.study.table
    widest = np.maximum(table["P_w"], table["P_a"])
    np.testing.assert_allclose(bits.study.compute, 6 * table["N"] * table["D"] * widest / 16)


def test_bit_curves_have_the_runs_of_their_size_and_data(
    bits: Analysis, bits_precision: PrecisionAnalysis
):
    curves = bits_precision.bit_curves
    assert curves is not None
    # All places have as many settings: the one with the most compute is chosen.
    assert (curves.N, curves.D) == (2e8, 1.3e10)
    assert list(curves.curves) == ["weights", "weights, activations and KV cache alike"]
    weights, together = curves.runs.values()
    assert sorted(weights[0]) == [4, 16]
    assert sorted(together[0]) == [4, 8, 16]
    at_8 = curves.curves["weights"].point[curves.bits == 8.0]
    theta = {name: bits.study.point.params[name] for name in QAT}
    np.testing.assert_allclose(at_8, laws.qat(2e8, 1.3e10, 8.0, **theta), rtol=1e-2)


def test_critical_tokens_equal_the_closed_form(
    bits: Analysis, bits_forecast: Forecast, bits_precision: PrecisionAnalysis
):
    critical = bits_precision.critical
    assert critical is not None
    assert list(critical.curves) == [3.0, 4.0]
    p = {name: np.asarray(value) for name, value in bits.study.point.params.items()}

    def closed(size, post):
        top = p["beta"] * p["B"] * size ** p["gamma_N"] * np.exp(post / p["gamma_post"])
        return (top / (p["gamma_D"] * p["C_T"])) ** (1 / (p["gamma_D"] + p["beta"]))

    for post, curve in critical.curves.items():
        np.testing.assert_allclose(curve.point, closed(critical.N, post), rtol=1e-8)

    # Trained in P* bits, N counts as N_eff: eq. 13 with the factor of those bits.
    plans = bits_forecast.plans
    assert plans.P is not None
    parts = {n: p[n] for n in ("gamma_w", "n_w", "gamma_a", "n_a", "gamma_kv", "n_kv")}
    N, P = plans.N.q50, plans.P.q50
    with float64():
        kept = np.asarray(laws.effective_parameters(N, P, P, P, **parts))
    np.testing.assert_allclose(critical.at_plans[4.0].point, closed(N, 4.0), rtol=1e-8)
    np.testing.assert_allclose(critical.at_best[4.0].point, closed(kept, 4.0), rtol=1e-8)


def test_best_precision_of_a_given_size_increases_with_compute(bits_precision: PrecisionAnalysis):
    at_size = bits_precision.at_size
    assert list(at_size) == ["200M parameters", "2B parameters"]
    for curve in at_size.values():
        finite = curve.q50[np.isfinite(curve.q50)]
        assert len(finite) > 5
        assert (np.diff(finite) > 0).all()
        assert (np.isfinite(curve.q05) == np.isfinite(curve.q50)).all()


def test_without_a_best_precision_plans_are_in_full_precision(bits: Analysis, monkeypatch):
    """As with one factor and no bias, where fewer bits are always better."""

    def without_interior(study, samples, compute, free, **fixed):
        plans = optimal_plans(study, samples, compute, tuple(set(free) - {"P"}), P=16.0)
        if "P" in free:
            return {name: np.full_like(values, np.nan) for name, values in plans.items()}
        return plans

    monkeypatch.setattr("jscale.report.analysis.forecast._forecast.optimal_plans", without_interior)
    forecast = compute_forecast(bits.study)
    assert forecast is not None
    assert forecast.plans.P is None
    assert forecast.full is None
    np.testing.assert_allclose(forecast.plans.N.point * forecast.plans.D.point * 6, 1e20, rtol=1e-8)


def test_without_any_optimum_there_is_no_forecast(dense: Analysis, monkeypatch):
    nothing = {name: np.full((2, 3), np.nan) for name in ("N", "D", "loss")}
    target = "jscale.report.analysis.forecast._forecast.optimal_plans"
    monkeypatch.setattr(target, lambda *args, **kwargs: nothing)
    assert compute_forecast(dense.study) is None


def test_a_fixed_input_reaches_the_plan(bits: Analysis):
    samples = subsample(bits.study.samples, 3)
    plans = optimal_plans(bits.study, samples, np.array([1e20]), ("N", "D"), P=16.0)
    assert set(plans) == {"N", "D", "loss"}
    np.testing.assert_allclose(plans["N"] * plans["D"] * 6, 1e20, rtol=1e-8)


def test_summaries_of_the_columns(dense: Analysis):
    table = dense.study.table
    columns = {column.name: column for column in dense.columns}
    assert list(columns) == ["N", "D", "D/N", "C", "loss"]
    ratio = table["D"] / table["N"]
    summary = columns["D/N"]
    assert (summary.minimum, summary.maximum) == (ratio.min(), ratio.max())
    assert summary.median == np.median(ratio)
    assert columns["N"].unit == "parameters"


def test_summaries_of_the_noise(dense: Analysis):
    assert dense.study.posterior is not None
    sigma = dense.study.posterior.noise["sigma"]
    assert dense.noise["sigma"]["mean"] == pytest.approx(sigma.mean())
    assert dense.noise["sigma"]["q95"] == pytest.approx(np.quantile(sigma, 0.95))
    assert dense.irreducible["E"].q50[0] == np.quantile(dense.study.samples["E"][1:], 0.5)


def test_what_the_scatter_of_new_runs_depends_on_is_named():
    def lacking(errors: str, rows: SimpleNamespace | None) -> str:
        law, model = laws.chinchilla, as_error_model(errors)
        return _lacking(cast(Posterior, SimpleNamespace(law=law, errors=model, known_rows=rows)))

    rows = SimpleNamespace(columns={"batch": None, "C": None})
    assert lacking("normal + scale(batch)", rows) == "batch of the run, which a plan does not have"
    assert lacking("normal + scale(C, D/N)", rows) == lacking("student", None) == ""
    assert lacking("normal + scale(C)", None) == "the runs, which the posterior does not hold"
