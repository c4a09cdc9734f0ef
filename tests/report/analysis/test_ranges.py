"""Medians of groups of runs, and ranges of draws."""

import numpy as np

from jscale.report.analysis._ranges import draw_ranges, grouped_medians, residual_trend


def test_medians_of_groups():
    x = np.repeat([3.0, 4.0, 16.0], 10)
    middle, medians = grouped_medians(x, np.arange(30.0))
    np.testing.assert_array_equal(middle, [3.0, 4.0, 16.0])
    np.testing.assert_array_equal(medians, [4.5, 14.5, 24.5])
    middle, medians = grouped_medians(np.arange(80.0), np.arange(80.0))
    assert len(middle) == 8
    np.testing.assert_array_equal(middle, medians)
    assert len(grouped_medians(np.arange(5.0), np.arange(5.0))[0]) == 0


def test_the_median_of_a_handful_is_no_trend():
    seven_of_four = np.repeat(np.arange(7.0), 4)
    middle, _ = grouped_medians(seven_of_four, np.arange(28.0))
    assert len(middle) == 3
    one_alone = np.append(np.repeat([1.0, 2.0, 3.0], 10), 9.0)
    assert grouped_medians(one_alone, np.zeros(31))[0].tolist() == [1.0, 2.0, 3.0]


def test_trends_are_in_percent():
    x, residuals = np.arange(30.0), 0.01 * np.resize([-1.0, 0.0, 1.0], 30)
    trend = residual_trend(x, residuals)
    np.testing.assert_array_equal(trend.percent, 100 * np.expm1(residuals))
    np.testing.assert_array_equal(trend.medians, grouped_medians(x, trend.percent)[1])


def test_ranges_are_quantiles_of_the_draws():
    ranges = draw_ranges({"A": np.linspace(0.0, 1000.0, 1001)})["A"]
    np.testing.assert_allclose(ranges.interval, (50.0, 950.0), rtol=1e-12)
    np.testing.assert_allclose(ranges.limits, (5.0, 995.0), rtol=1e-12)
