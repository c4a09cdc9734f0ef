"""Quantiles of curves over draws."""

import numpy as np

from jscale.plan.gridsearch._chunks import over_draws
from jscale.report.analysis._bands import QUANTILES, band


def test_quantiles_of_the_draws_and_the_point_apart():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(500, 3))
    found = band(np.vstack([np.full((1, 3), 9.0), draws]))
    np.testing.assert_array_equal(found.point, 9.0)
    np.testing.assert_allclose(found[1:], np.quantile(draws, QUANTILES, axis=0), rtol=1e-12)
    assert found.has_width


def test_a_point_alone_has_no_width():
    found = band(np.array([[1.0, 2.0]]))
    assert not found.has_width
    np.testing.assert_array_equal(found.q05, [1.0, 2.0])
    assert found.at(1).q50 == 2.0


def test_missing_draws_are_left_out_and_infinite_ones_kept():
    values = np.array(
        [[0.0, 0.0, 0.0], [1.0, np.nan, np.inf], [3.0, np.nan, np.inf], [np.nan, np.nan, 1.0]]
    )
    found = band(values)
    np.testing.assert_array_equal(found.q50, [2.0, np.nan, np.inf])
    assert found.q05[2] < np.inf or found.q25[2] == np.inf
    assert found.ends() == (1.1, 2.9)


def test_over_draws_is_a_loop_over_draws_and_points():
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=37), rng.normal(size=300)  # more lanes than one part holds

    def function(params, points):
        return {"y": params["a"] * points["x"], "none": None}

    found = over_draws(function, {"a": a}, {"x": x})
    assert set(found) == {"y"}
    assert found["y"].dtype == np.float64
    np.testing.assert_array_equal(found["y"], a[:, None] * x)


def test_over_draws_knows_two_sizes_only():
    sizes = []

    def function(params, points):
        sizes.append(params["a"].shape)
        return {"y": params["a"] + points["x"]}

    for draws, points in ((1, 1), (1, 41), (9, 100), (100, 100)):
        found = over_draws(function, {"a": np.arange(draws)}, {"x": np.arange(points)})["y"]
        np.testing.assert_array_equal(found, np.add.outer(np.arange(draws), np.arange(points)))
    assert sizes == [(64,)] * 2 + [(8192,)] * 3
