"""Weights of candidates and the correction of bands, against closed forms and planted factors."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import softmax

from jscale import laws, runs
from jscale.assess.backtesting import Split
from jscale.assess.ensembles import BandCorrection
from jscale.assess.ensembles._candidates import Candidate
from jscale.assess.ensembles._correction import (
    DRIFT,
    ENSEMBLE,
    LAW_ALONE,
    MAX_DECADES,
    corrected,
    distance_quantity,
    fit_correction,
    known_distance,
)
from jscale.assess.ensembles._evidence import _points, correction_from, evidence_of
from jscale.assess.ensembles._weights import SHRINKAGE, Window, weights_of
from jscale.fit import ErrorModel, Prediction

RNG, KEY = np.random.default_rng(0), jax.random.key(0)


def window(log_scores, clusters=None) -> Window:
    scores = np.asarray(log_scores, float)
    return Window(scores, np.arange(scores.shape[1]) if clusters is None else np.asarray(clusters))


# --- weights -------------------------------------------------------------------------------------


def test_weights_are_the_shrunk_softmax_of_mean_scores_times_the_root_of_the_count():
    weights = weights_of([window([[1.0, 2.0, 0.0, 1.0], [1.5, 1.5, 1.5, 1.5]])], 2)
    expected = 0.9 * softmax([1.0 * 2, 1.5 * 2]) + 0.1 / 2
    np.testing.assert_allclose(weights, expected, rtol=1e-12)


def test_several_windows_count_by_their_mean():
    first, second = window([[0.0, 0.0], [1.0, 1.0]]), window([[2.0] * 9, [0.0] * 9])
    both = weights_of([first, second], 2)
    scores = np.array([0.0 + 2.0 * 3, np.sqrt(2) + 0.0]) / 2
    np.testing.assert_allclose(both, 0.9 * softmax(scores) + 0.05, rtol=1e-12)
    # The same forecasts twice are not twice the evidence.
    np.testing.assert_allclose(weights_of([first] * 3, 2), weights_of([first], 2), rtol=1e-12)


def test_no_window_means_equal_weights():
    np.testing.assert_array_equal(weights_of([], 4), [0.25] * 4)


def test_one_outlier_has_a_bounded_influence():
    """One of 25 runs that a candidate did not expect, at two distances."""
    scores = RNG.normal(size=25) + np.zeros((2, 1))
    weights = []
    for surprise in (-20.0, -1e6, -np.inf, np.nan):
        scores[1, 7] = surprise
        weights.append(weights_of([window(scores)], 2))
    for other in weights[1:]:
        np.testing.assert_allclose(other, weights[0], rtol=1e-12)
    np.testing.assert_allclose(weights[0], 0.9 * softmax([8 / 25 * 5, 0.0]) + 0.05, rtol=1e-12)


def test_a_run_that_nobody_can_score_changes_nothing_but_the_count():
    scores = np.array([[1.0, np.nan, 0.5], [0.0, np.nan, 1.0]])
    weights = weights_of([window(scores)], 2)
    assert np.isfinite(weights).all()
    gap = (1.5 - 1.0) / 3 * np.sqrt(3)
    np.testing.assert_allclose(weights, 0.9 * softmax([gap, 0.0]) + 0.05, rtol=1e-12)


@pytest.mark.parametrize("level", [-3.0, 0.0, 3.0])
def test_the_sharper_forecast_has_the_weight_with_and_without_logarithms(level: float):
    """Losses relative to a unigram model are negative."""
    rng, N = np.random.default_rng(3), np.geomspace(1e7, 1e9, 20)
    columns = {"N_nv": N, "vocab": np.full(20, 32e3), "d_model": np.full(20, 512.0), "D": 20 * N}
    table = runs.read(columns | {"loss_u": level + 0.1 * rng.normal(size=20)})
    is_small = N < 2e8
    draws = [level + width * rng.normal(size=(400, int((~is_small).sum()))) for width in (0.1, 0.5)]
    candidate, window_ = (
        Candidate(laws.vocabulary, ErrorModel("student")),
        Split("", is_small, ~is_small),
    )
    (found,) = evidence_of([[{"draws": each}] for each in draws], candidate, table, [window_])
    assert np.isfinite(found.log_scores).all()
    assert weights_of([found], 2)[0] > 0.85


def test_a_cluster_counts_once():
    one = window([[0.0, 1.0], [1.0, 0.5]])
    repeated = window([[0.0] * 50 + [1.0], [1.0] * 50 + [0.5]], [0] * 50 + [1])
    np.testing.assert_allclose(weights_of([repeated], 2), weights_of([one], 2), rtol=1e-12)
    named = Window(repeated.log_scores, np.array(["b"] * 50 + ["a"]))
    np.testing.assert_allclose(weights_of([named], 2), weights_of([one], 2), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_candidate_keeps_a_share(count):
    scores = np.zeros((count, 1000))
    scores[0] = 5.0
    weights = weights_of([window(scores)], count)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights.min() >= SHRINKAGE / count - 1e-12
    assert weights.max() <= 1 - SHRINKAGE + SHRINKAGE / count + 1e-12


# --- correction of bands -------------------------------------------------------------------------


def pit_of(factor, count: int, seed: int = 0) -> np.ndarray:
    """Transforms of forecasts whose bands are too narrow by a factor."""
    return stats.norm.cdf(factor * np.random.default_rng(seed).normal(size=count))


def test_a_planted_factor_of_two_is_recovered():
    decades = np.random.default_rng(1).uniform(0, 1, 2000)
    correction = fit_correction(pit_of(2.0, 2000), decades, np.arange(2000))
    np.testing.assert_allclose(correction.factor(np.array([0.0, 0.5, 1.0])), 2.0, rtol=0.1)
    assert (correction.count, correction.clusters) == (2000, 2000)
    assert correction.furthest == decades.max()
    assert "2,000 held-out runs;" in correction.notes[0].message


def test_a_planted_growth_with_distance_is_recovered():
    decades = np.random.default_rng(1).uniform(0, 1.5, 4000)
    correction = fit_correction(pit_of(np.exp(0.6 * decades), 4000), decades, np.arange(4000))
    assert correction.slope == pytest.approx(0.6, abs=0.1)
    assert correction.log_factor == pytest.approx(0.0, abs=0.07)


@pytest.mark.parametrize("count", [20, 200, 2000])
def test_right_bands_are_left_as_they_are(count):
    pit = (np.random.default_rng(2).permutation(count) + 0.5) / count
    decades = np.random.default_rng(3).uniform(0, 1, count)
    correction = fit_correction(pit, decades, np.arange(count))
    # Few runs leave it between that of the public tables and 1.
    within = 0.2 if count == 20 else 0.1
    np.testing.assert_allclose(correction.factor(np.array([0.0, 1.0])), 1.0, atol=within)


def test_few_runs_hardly_move_the_prior():
    # The mode solves (x - mean) / sd**2 = exp(-2 x) - 1 for one run at one standard deviation.
    one = fit_correction(stats.norm.cdf([1.0]), np.zeros(1), np.zeros(1))
    mean, sd = ENSEMBLE.log_factor
    mode = brentq(lambda x: (x - mean) / sd**2 + 1 - np.exp(-2 * x), -2, 2)
    assert one.log_factor == pytest.approx(mode, abs=1e-4)
    assert mean < one.log_factor < mean + sd
    assert one.slope == pytest.approx(0.0, abs=1e-6)  # at the edge of the runs
    # A hundred runs of one cluster are no more than one.
    same = fit_correction(np.full(100, 0.999), np.zeros(100), np.zeros(100))
    single = fit_correction(np.full(1, 0.999), np.zeros(1), np.zeros(1))
    assert same.log_factor == pytest.approx(single.log_factor, abs=1e-5)
    assert (same.count, same.clusters) == (100, 1)
    assert "by forecasts of 100 held-out runs in 1 cluster;" in same.notes[0].message


def test_a_run_that_several_cuts_hold_out_counts_once():
    correction = fit_correction(
        pit_of(2.0, 60), np.zeros(60), np.repeat(np.arange(10), 6), runs=np.repeat(np.arange(20), 3)
    )
    assert (correction.count, correction.clusters) == (20, 10)
    assert "by forecasts of 20 held-out runs in 10 clusters;" in correction.notes[0].message


@pytest.mark.parametrize(
    ("points", "warned"),
    [(3, True), (7, True), (8, False), (60, False)],
)
def test_many_held_out_runs_of_few_sizes_and_budgets_are_few_checks(points, warned):
    labels = np.arange(60) % points
    found = fit_correction(pit_of(1.0, 60), np.zeros(60), np.arange(60), points=labels)
    assert found.points == points
    notes = [note for note in found.notes if note.code == "few-checked-points"]
    assert [note.severity for note in notes] == ["warning"] * warned
    if warned:
        assert f"have only {points} different pairs of size and budget" in notes[0].message


def test_few_held_out_runs_of_as_many_sizes_are_no_surprise():
    found = fit_correction(pit_of(1.0, 4), np.zeros(4), np.arange(4), points=np.arange(4))
    assert [note.code for note in found.notes] == ["corrected-bands"]


@pytest.mark.parametrize(
    ("pit", "decades"),
    [([], []), ([np.nan, 0.5], [0.1, np.nan])],
    ids=["no runs", "none with a score and a distance"],
)
def test_without_forecasts_bands_are_widened_as_on_public_tables_but_not_narrowed(pit, decades):
    evidence = np.array(pit), np.array(decades), np.arange(len(pit))
    correction = fit_correction(*evidence)
    assert ENSEMBLE.log_factor[0] < 0
    assert correction == BandCorrection(drift=DRIFT)
    assert "no runs are held out" in correction.notes[0].message
    widened = fit_correction(*evidence, LAW_ALONE)
    assert widened == BandCorrection(LAW_ALONE.log_factor[0], LAW_ALONE.slope[0], DRIFT)


@pytest.mark.parametrize(("far", "excess"), [(1.0, 1.04), (2.0, 1.17)])
def test_the_added_error_counts_twice_where_held_out_runs_are_far(far, excess):
    """The factor is fitted without it: right bands become wider by what DRIFT says."""
    pit = (np.random.default_rng(2).permutation(4000) + 0.5) / 4000
    correction = fit_correction(pit, np.full(4000, far), np.arange(4000))
    level = 0.03 / stats.norm.ppf(0.9) * RNG.normal(size=(20_000, 1))
    moved = corrected(prediction(np.exp(level), np.array([far])), correction, KEY).draws
    assert np.log(moved).std() / level.std() == pytest.approx(excess, abs=0.01)


def test_draws_that_all_miss_give_a_finite_factor():
    correction = fit_correction(np.array([0.0, 1.0] * 50), np.full(100, 0.3), np.arange(100))
    assert 2 < correction.factor(0.3) < 5


def test_the_factor_is_constant_inside_and_far_beyond():
    correction = BandCorrection(0.1, 0.2, count=10)
    at = correction.factor(np.array([-3.0, 0.0, np.nan, 1.0, MAX_DECADES, 9.0]))
    expected = np.exp([0.1, 0.1, 0.1, 0.3, 0.1 + 0.2 * MAX_DECADES, 0.1 + 0.2 * MAX_DECADES])
    np.testing.assert_allclose(at, expected, rtol=1e-12)


def prediction(draws: np.ndarray, decades: np.ndarray) -> Prediction:
    share = {"parameters": np.ones(len(decades))}
    return Prediction("chinchilla", {}, draws, draws, share, {"C": decades}, ())


@pytest.mark.parametrize("signed", [False, True], ids=["losses", "values of either sign"])
def test_bands_widen_about_their_median(signed):
    z = RNG.normal(size=(1001, 3))
    draws = z - 1.0 if signed else np.exp(0.7 + 0.01 * z)
    decades = np.array([0.0, 1.0, 2.0])
    correction = BandCorrection(float(np.log(1.5)), float(np.log(2.0)), count=1)
    moved = corrected(prediction(draws, decades), correction, KEY).draws
    np.testing.assert_allclose(np.median(moved, axis=0), np.median(draws, axis=0), rtol=1e-9)

    level = (lambda x: x) if signed else np.log
    widths = [np.ptp(level(each), axis=0) for each in (moved, draws)]
    np.testing.assert_allclose(widths[0] / widths[1], [1.5, 3.0, 6.0], rtol=1e-9)


def test_draws_that_are_not_finite_stay_so():
    draws = np.exp(RNG.normal(size=(100, 1)))
    draws[3] = np.nan
    moved = corrected(prediction(draws, np.zeros(1)), BandCorrection(0.3, 0.0, count=1), KEY).draws
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(draws))


@pytest.mark.parametrize("signed", [False, True], ids=["losses", "values of either sign"])
def test_the_added_error_grows_with_distance_and_has_one_sign(signed):
    draws = np.full((20_000, 4), -2.0 if signed else 2.0)
    decades = np.array([-1.0, 0.0, 1.0, 2.0])
    correction = BandCorrection(drift=0.01)
    moved = corrected(prediction(draws, decades), correction, KEY).draws
    error = (moved - draws) / 2.0 if signed else np.log(moved / draws)
    np.testing.assert_allclose(error.std(axis=0), [0.0, 0.0, 0.01, 0.02], rtol=0.03, atol=1e-12)
    np.testing.assert_allclose(error[:, 3], 2 * error[:, 2], rtol=1e-6, atol=1e-12)
    again = corrected(prediction(draws, decades), correction, KEY).draws
    np.testing.assert_array_equal(again, moved)


@pytest.mark.parametrize(
    ("names", "quantity"),
    [
        (["chinchilla"], "C"),
        (["power_size"], "N"),
        (["power_data"], "D"),
        (["power_data", "power_size"], "N"),
        (["power_size", "power_compute"], "C"),
        (["ptq_degradation"], "C"),
    ],
)
def test_one_quantity_measures_distances(names, quantity):
    chosen = [getattr(laws, name) for name in names]
    assert distance_quantity(chosen) == quantity
    decades = {name: np.full(1, np.nan) for name in "CND"} | {quantity: np.ones(1)}
    known = replace(prediction(np.ones((2, 1)), np.ones(1)), decades=decades)
    assert known_distance(known) == "CND".index(quantity)


def test_held_out_runs_are_as_far_as_the_law_can_tell():
    """Two decades of compute are one of size for a law of sizes."""
    N = np.geomspace(1e7, 1e9, 20)
    table = runs.read({"N": N, "D": 20 * N, "loss": N**-0.1})
    is_small = N < 2e8
    window = Split("N", is_small, ~is_small)
    draws = np.exp(RNG.normal(size=(200, int((~is_small).sum()))))
    furthest = {}
    for law in (laws.power_size, laws.chinchilla):
        candidate = Candidate(law, ErrorModel("student"))
        evidence = evidence_of([[{"draws": draws}]], candidate, table, [window])
        found = correction_from([[{"draws": draws}]], evidence, [candidate], table, [window])
        furthest[law] = found.furthest
        assert found.points == found.count == (~is_small).sum()
    ends = N[-1] / N[is_small].max()
    assert furthest[laws.power_size] == pytest.approx(np.log10(ends), rel=1e-9)
    assert furthest[laws.chinchilla] == pytest.approx(2 * np.log10(ends), rel=1e-9)


def test_sizes_and_budgets_are_counted_by_rounded_numbers():
    """Numbers of tokens and compute that are measured differ in their last digits."""
    columns = {
        "N": [1e8, 1e8, 1e9, 1e9],
        "D": [1e10, 1.0001e10, 1e10, 2e10],
        "C": [6.00e18, 6.01e18, 6.1e19, 6.2e19],
        "loss": [3.0, 3.1, 2.8, 2.7],
    }
    assert _points(runs.read(columns)).tolist() == [0, 0, 1, 2]
    sizes = {"N": [1e8, 1e8, 1e9], "loss": [3.0, 3.1, 2.8]}
    assert _points(runs.read(sizes)).tolist() == [0, 0, 1]
