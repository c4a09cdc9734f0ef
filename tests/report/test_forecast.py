"""The optimal path, plans and the next decade, against closed forms."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from jscale import laws
from jscale._core.scope import float64
from jscale.report.analysis._forecast import best, forecast, grid, single_resource, stacked
from jscale.report.analysis._size_profiles import profiles
from jscale.report.analysis._study import Study
from tests.report.stand_ins import dense_table, point_of

QAT = ("E", "A", "B", "alpha", "beta", "gamma_w", "n_w")


def closed_form(theta: dict[str, Any], compute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optimal parameters and loss by Hoffmann et al. 2022, eq. 4; draws down, budgets across."""
    E, A, B, alpha, beta = (
        np.asarray(theta[name])[:, None] for name in ("E", "A", "B", "alpha", "beta")
    )
    N = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (compute / 6) ** (beta / (alpha + beta))
    return N, E + A * N**-alpha + B * (compute / 6 / N) ** -beta


def test_plans_are_the_closed_form_at_every_draw(dense: Study, dense_ahead):
    N, loss = closed_form(stacked(dense), np.array(dense.budgets))
    np.testing.assert_allclose(dense_ahead.plans.N.point, N[0], rtol=1e-8)
    np.testing.assert_allclose(dense_ahead.plans.N.q05, np.quantile(N[1:], 0.05, axis=0), rtol=1e-8)
    np.testing.assert_allclose(
        dense_ahead.plans.loss.q95, np.quantile(loss[1:], 0.95, axis=0), rtol=1e-10
    )
    np.testing.assert_allclose(
        dense_ahead.plans.N.point * dense_ahead.plans.D.point * 6, dense.budgets, rtol=1e-8
    )
    np.testing.assert_array_equal(dense_ahead.plans.solved, 1.0)
    assert dense_ahead.plans.P is None
    assert dense_ahead.full is None


def test_the_next_decade_starts_at_the_largest_run(dense: Study, dense_ahead):
    largest = (6 * dense.table["N"] * dense.table["D"]).max()
    np.testing.assert_allclose(dense_ahead.decade.compute, [largest, 10 * largest])
    theta = stacked(dense)
    _, loss = closed_form(theta, dense_ahead.decade.compute)
    np.testing.assert_allclose(
        dense_ahead.gain.q50, np.median(loss[1:, 0] - loss[1:, 1]), rtol=1e-8
    )
    share = theta["beta"] / (theta["alpha"] + theta["beta"])
    np.testing.assert_allclose(dense_ahead.growth.q95, np.quantile(share[1:], 0.95), rtol=1e-8)


def test_the_curve_spans_the_runs_and_the_budgets(dense: Study, dense_ahead):
    compute = dense_ahead.curve.compute
    assert compute[0] < dense.compute.min()
    assert compute[-1] > max(dense.budgets)
    assert compute[-1] >= 10**2.4 * dense.compute.max()
    assert (np.diff(dense_ahead.curve.loss.q50) < 0).all()
    assert grid(np.array([1e20, 1e21]), (1e17, 1e26))[[0, -1]] == pytest.approx(
        [1e17 / 1.6, 1.6e26]
    )


def test_without_draws_there_is_no_band(without_posterior):
    ahead = forecast(without_posterior(laws.chinchilla, dense_table()))
    assert ahead is not None
    assert not ahead.curve.loss.has_width
    assert ahead.curve_draws == 0
    np.testing.assert_array_equal(ahead.plans.N.q50, ahead.plans.N.point)


def test_thinning_takes_draws_of_every_chain(dense: Study):
    some = stacked(dense, 10)
    draws = dense.draws["alpha"]
    assert len(some["alpha"]) == 11
    assert some["alpha"][0] == dense.point.params["alpha"]
    assert (some["alpha"][1], some["alpha"][-1]) == (draws[0], draws[-1])


def test_laws_without_size_and_data_make_no_plan(without_posterior):
    table = dense_table()
    assert forecast(without_posterior(laws.power_size, table)) is None
    assert single_resource(without_posterior(laws.chinchilla, table)) is None


def test_one_resource_is_the_law_itself(without_posterior):
    law, table = laws.fix(laws.power_compute, L_inf=1.7), dense_table()
    subject = without_posterior(law, table)
    subject = dataclasses.replace(
        subject, point=point_of(law, table, {"A": 1600.0, "alpha": 0.165})
    )
    curve = single_resource(subject)
    assert curve is not None
    np.testing.assert_allclose(curve.loss.q50, 1.7 + 1600.0 * curve.x**-0.165, rtol=1e-12)
    assert curve.at_budgets is not None
    np.testing.assert_allclose(curve.at_budgets.q50, 1.7 + 1600.0 * 1e22**-0.165, rtol=1e-12)
    last = table["C"].max()
    np.testing.assert_allclose(
        curve.gain.q50, 1600.0 * (last**-0.165 - (10 * last) ** -0.165), rtol=1e-9
    )


def test_profiles_are_least_at_the_plan(dense: Study, dense_ahead):
    first, last = profiles(dense, dense_ahead)
    assert (first.budget, last.budget) == dense.budgets
    for profile in (first, last):
        assert abs(np.log(profile.N[np.argmin(profile.loss.point)] / profile.best.q50[0])) < 0.2
        assert profile.loss.point.min() == pytest.approx(profile.least.point[0], rel=1e-3)
    assert profiles(dense, None) == []


def test_joint_plan_has_the_papers_precision(bits_ahead):
    # Kumar et al. 2024 at its own constants: 7.00211 bits, whatever the budget.
    np.testing.assert_allclose(bits_ahead.plans.P.point, 7.00211, atol=1e-5)
    np.testing.assert_allclose(bits_ahead.curve.P.point, 7.00211, atol=1e-5)
    assert bits_ahead.full is not None
    assert (bits_ahead.full.loss.point > bits_ahead.curve.loss.point).all()


def test_compute_of_runs_counts_their_bits(bits: Study):
    widest = np.maximum(bits.table["P_w"], bits.table["P_a"])
    np.testing.assert_allclose(bits.compute, 6 * bits.table["N"] * bits.table["D"] * widest / 16)


def test_loss_by_bits_shows_the_runs_of_its_place(bits: Study, bits_found):
    cell = bits_found.cell
    assert cell is not None
    assert (cell.N, cell.D) == (
        2e8,
        1.3e10,
    )  # all places have as many settings: the one with the most compute
    assert list(cell.curves) == ["weights", "weights, activations and KV cache alike"]
    weights, together = cell.runs.values()
    assert sorted(weights[0]) == [4, 16]
    assert sorted(together[0]) == [4, 8, 16]
    at_8 = cell.curves["weights"].point[cell.bits == 8.0]
    np.testing.assert_allclose(
        at_8, laws.qat(2e8, 1.3e10, 8.0, **{n: bits.point.params[n] for n in QAT}), rtol=1e-2
    )


def test_critical_tokens_are_the_closed_form(bits: Study, bits_found):
    critical = bits_found.critical
    assert critical is not None
    assert list(critical.curves) == [3.0, 4.0]
    p = {name: np.asarray(value) for name, value in bits.point.params.items()}
    # Trained in 16 bits, N counts as N_eff: eq. 13 with the factor of full precision.
    parts = {n: p[n] for n in ("gamma_w", "n_w", "gamma_a", "n_a", "gamma_kv", "n_kv")}
    with float64():
        N_eff = np.asarray(laws.effective_parameters(critical.N, 16.0, 16.0, 16.0, **parts))
    for post, curve in critical.curves.items():
        D = p["beta"] * p["B"] * N_eff ** p["gamma_N"] * np.exp(post / p["gamma_post"])
        D = (D / (p["gamma_D"] * p["C_T"])) ** (1 / (p["gamma_D"] + p["beta"]))
        np.testing.assert_allclose(curve.point, D, rtol=1e-8)
    assert critical.at_plans[4.0].q50.shape == (1,)


def test_precision_of_a_given_size_grows_with_compute(bits_found):
    at_size = bits_found.at_size
    assert list(at_size) == ["200M parameters", "2B parameters"]
    for curve in at_size.values():
        seen = curve.q50[np.isfinite(curve.q50)]
        assert len(seen) > 5
        assert (np.diff(seen) > 0).all()
        assert (np.isfinite(curve.q05) == np.isfinite(curve.q50)).all()


def test_no_best_precision_falls_back_to_full_precision(bits: Study, monkeypatch):
    """As with one factor and no bias, where fewer bits are always better."""

    def without_interior(subject, params, compute, free, **fixed):
        found = best(subject, params, compute, tuple(set(free) - {"P"}), P=16.0)
        return (
            {name: np.full_like(values, np.nan) for name, values in found.items()}
            if "P" in free
            else found
        )

    monkeypatch.setattr("jscale.report.analysis._forecast.best", without_interior)
    ahead = forecast(bits)
    assert ahead is not None
    assert ahead.plans.P is None
    assert ahead.full is None
    np.testing.assert_allclose(ahead.plans.N.point * ahead.plans.D.point * 6, 1e20, rtol=1e-8)


def test_no_optimum_at_all_makes_no_forecast(dense: Study, monkeypatch):
    nothing = {name: np.full((2, 3), np.nan) for name in ("N", "D", "loss")}
    monkeypatch.setattr("jscale.report.analysis._forecast.best", lambda *a, **k: nothing)
    assert forecast(dense) is None


def test_a_fixed_input_reaches_the_plan(bits: Study):
    found = best(bits, stacked(bits, 3), np.array([1e20]), ("N", "D"), P=16.0)
    assert set(found) == {"N", "D", "loss"}
    np.testing.assert_allclose(found["N"] * found["D"] * 6, 1e20, rtol=1e-8)
