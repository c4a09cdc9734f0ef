"""Scores of draws and the coverage of bands against closed forms."""

import numpy as np
import pytest
from scipy import stats

from jscale.assess.backtesting._bands import band_coverage, binomial_limits, effective_number
from jscale.assess.backtesting._scores import QUANTILES, fair_crps, log_density, score

RNG = np.random.default_rng(0)


def crps_of_normal(z: float) -> float:
    """The closed form of Gneiting & Raftery 2007, eq. 21."""
    return z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)


@pytest.mark.parametrize("z", [0.0, -1.3, 3.0])
def test_the_crps_of_a_normal_is_unbiased_in_small_samples(z: float):
    samples = np.sort(np.random.default_rng(1).normal(size=(20_000, 5)), axis=1)
    scores = np.array([fair_crps(sample, z) for sample in samples])
    error = scores.std() / np.sqrt(len(scores))
    assert scores.mean() == pytest.approx(crps_of_normal(z), abs=4 * error)


def test_the_crps_is_that_of_its_definition():
    draws = np.sort(RNG.gamma(2.0, size=40))
    pairs = np.abs(draws[:, None] - draws[None, :]).sum() / (40 * 39)
    expected = np.abs(draws - 1.7).mean() - pairs / 2
    assert fair_crps(draws, 1.7) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("z", [0.0, 1.0, -2.0])
def test_the_log_score_of_a_normal(z: float):
    draws = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    assert log_density(draws, z) == pytest.approx(stats.norm.logpdf(z), abs=0.06)


def test_the_log_score_is_finite_far_outside_the_draws_and_falls_with_distance():
    draws = np.sort(RNG.normal(size=500))
    values = [log_density(draws, z) for z in (5.0, 10.0, 100.0)]
    assert np.isfinite(values).all()
    assert values == sorted(values, reverse=True)


def test_scores_of_log_normal_draws():
    z, spread = np.array([-1.0, 0.0, 2.0]), 0.02
    draws = 3.0 * np.exp(spread * np.random.default_rng(2).normal(size=(20_000, 3)))
    observed = 3.0 * np.exp(spread * z)
    scores = score(draws, observed)
    assert scores.pit == pytest.approx(stats.norm.cdf(z), abs=0.01)
    assert scores.crps == pytest.approx([spread * crps_of_normal(x) for x in z], rel=0.03)
    assert scores.crps_raw == pytest.approx(3.0 * scores.crps, rel=0.06)
    expected = 3.0 * np.exp(spread * stats.norm.ppf(QUANTILES))
    assert scores.quantiles[:, 0] == pytest.approx(expected, rel=0.002)
    assert scores.log_score == pytest.approx(stats.norm.logpdf(z) - np.log(spread), abs=0.08)
    # The density of the loss is that of its log over the loss.
    assert scores.log_score_raw == pytest.approx(scores.log_score - np.log(observed), abs=0.02)


def test_losses_without_a_logarithm_have_scores_of_their_own_unit_only():
    observed = np.array([0.3, -0.3])
    scores = score(RNG.normal(size=(500, 2)), observed)
    assert np.isnan(scores.crps).all()
    assert np.isnan(scores.log_score).all()
    assert (scores.crps_raw > 0).all()
    assert scores.log_score_raw == pytest.approx(stats.norm.logpdf(observed), abs=0.1)


def test_draws_that_are_not_finite_are_left_out():
    draws = np.exp(RNG.normal(size=(400, 1)))
    holed = np.concatenate([draws, [[np.nan], [np.inf]]])
    assert score(holed, np.ones(1)).crps == score(draws, np.ones(1)).crps
    nothing = score(np.full((5, 1), np.nan), np.ones(1))
    assert np.isnan(nothing.pit).all()


def test_ties_count_half_in_the_integral_transform():
    assert score(np.array([[1.0], [2.0], [2.0], [3.0]]), np.array([2.0])).pit.tolist() == [0.5]


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (7, 7), (23, 61), (1, 2)])
def test_limits_are_those_of_clopper_and_pearson(hits: int, count: int):
    expected = stats.binomtest(hits, count).proportion_ci(method="exact")
    assert binomial_limits(hits / count, count) == pytest.approx((expected.low, expected.high))


def test_runs_in_clusters_of_their_own_are_independent():
    inside = np.arange(30) % 3 > 0
    assert effective_number(inside, np.arange(30)) == 30


def test_runs_that_always_agree_count_once_a_cluster():
    cluster = np.repeat(np.arange(40), 5)
    inside = np.repeat(np.arange(40) % 4 > 0, 5)
    few = (stats.t.ppf(0.975, 199) / stats.t.ppf(0.975, 39)) ** 2
    assert effective_number(inside, cluster) == pytest.approx(40 * few)
    # Where every band holds its run, nothing is known of the correlation: it may be 1.
    assert effective_number(np.ones(200, bool), cluster) == pytest.approx(40 * few)
    assert effective_number(inside, np.zeros(200)) == 1


def test_clusters_without_a_common_part_hardly_matter():
    inside = np.random.default_rng(3).random(2000) < 0.8
    cluster = np.repeat(np.arange(400), 5)
    assert effective_number(inside, cluster) > 1700


def test_limits_hold_the_coverage_of_correlated_runs():
    """Clusters of eight with correlation 0.4: the limits hold the truth, naive ones do not."""
    rng = np.random.default_rng(4)
    truth, rho, clusters, size = 0.8, 0.4, 25, 8
    common = rng.beta(truth * (1 / rho - 1), (1 - truth) * (1 / rho - 1), size=(600, clusters))
    label = np.repeat(np.arange(clusters), size)
    held = naive = 0
    for shares in common:
        inside = rng.random(clusters * size) < np.repeat(shares, size)
        band = band_coverage(0.8, np.zeros(200), np.where(inside, 2.0, 0.5), np.ones(200), label)
        held += band.low <= truth <= band.high
        low, high = binomial_limits(band.coverage, 200)
        naive += low <= truth <= high
    assert held / 600 > 0.92
    assert naive / 600 < 0.8


def test_a_band():
    lower, upper = np.array([1.0, 1.0, 2.0, 2.0]), np.array([1.1, 1.1, 2.2, 2.2])
    band = band_coverage(0.8, lower, upper, np.array([1.0, 1.2, 2.1, 5.0]), np.arange(4))
    assert (band.held, band.count, band.coverage, band.effective) == (2, 4, 0.5, 4)
    assert band.width == pytest.approx(np.log(1.1))
    assert band.verdict == ""
    missed = band_coverage(0.8, np.ones(20), np.ones(20), np.full(20, 2.0), np.arange(20))
    assert missed.verdict == "too narrow"
    assert band_coverage(0.5, -np.ones(20), np.ones(20), np.zeros(20), np.arange(20)).verdict == (
        "too wide"
    )
