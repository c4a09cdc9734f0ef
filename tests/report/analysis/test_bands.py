"""Quantiles of curves over draws."""

import numpy as np

from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis._bands import QUANTILES, band


def test_a_band_has_quantiles_of_the_draws_and_the_point_estimate():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(500, 3))
    bands = band(np.vstack([np.full((1, 3), 9.0), draws]))
    np.testing.assert_array_equal(bands.point, 9.0)
    np.testing.assert_allclose(bands[1:], np.quantile(draws, QUANTILES, axis=0), rtol=1e-12)
    assert bands.has_width


def test_a_band_without_draws_has_no_width():
    bands = band(np.array([[1.0, 2.0]]))
    assert not bands.has_width
    np.testing.assert_array_equal(bands.q05, [1.0, 2.0])
    assert bands.at(1).q50 == 2.0


def test_nan_draws_are_left_out_and_infinite_draws_are_kept():
    values = np.array(
        [[0.0, 0.0, 0.0], [1.0, np.nan, np.inf], [3.0, np.nan, np.inf], [np.nan, np.nan, 1.0]]
    )
    bands = band(values)
    np.testing.assert_array_equal(bands.q50, [2.0, np.nan, np.inf])
    assert bands.q05[2] < np.inf or bands.q25[2] == np.inf
    assert bands.ends() == (1.1, 2.9)


def test_in_chunks_evaluates_every_draw_at_every_point():
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=37), rng.normal(size=300)  # more than one chunk

    def function(params, points):
        return {"y": params["a"] * points["x"], "none": None}

    bands = in_chunks(function, {"a": a}, {"x": x})
    assert set(bands) == {"y"}
    assert bands["y"].dtype == np.float64
    np.testing.assert_array_equal(bands["y"], a[:, None] * x)


def test_in_chunks_uses_two_chunk_sizes():
    sizes = []

    def function(params, points):
        sizes.append(params["a"].shape)
        return {"y": params["a"] + points["x"]}

    for draws, points in ((1, 1), (1, 41), (9, 100), (100, 100)):
        bands = in_chunks(function, {"a": np.arange(draws)}, {"x": np.arange(points)})["y"]
        np.testing.assert_array_equal(bands, np.add.outer(np.arange(draws), np.arange(points)))
    assert sizes == [(64,)] * 2 + [(8192,)] * 3
