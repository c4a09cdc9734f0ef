"""Scans along a floor, and the coordinates about conditional modes, on densities that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jscale.fit.bayes.sampling import _conditional_modes, _scan
from jscale.fit.bayes.sampling._transport import (
    KNOTS,
    REACH,
    identity,
    knots,
    transport_of,
    transported,
)

MARGINAL = scipy.stats.skewnorm(5.0)
TIGHT = 1e-8


def ridge(points: np.ndarray) -> np.ndarray:
    """Log density: x is skewed; y and z, given x, are normal about a curve, y ever wider."""
    x, y, z = points.T
    of_y = scipy.stats.norm.logpdf(y, x**2, 0.05 * np.exp(x / 2))
    return MARGINAL.logpdf(x) + of_y + scipy.stats.norm.logpdf(z, np.sin(x) - y, 0.1)


def scan_of_ridge() -> tuple:
    axes = np.diag([0.6, 0.05, 0.1])
    return _conditional_modes.modes_along(ridge, np.array([0.4, 0.16, 0.2]), axes)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def test_a_scan_finds_conditional_modes_widths_and_the_marginal_density():
    points, _ = scan_of_ridge()
    x = np.array([point.values[0] for point in points])
    assert (np.diff(x) > 0).all()
    # From end to end: ten nats below the mode.
    ends = MARGINAL.logpdf(x[[0, -1]]) - MARGINAL.logpdf(x).max()
    assert (ends < -_conditional_modes._DEEP + 0.5).all()
    for point in points:
        x, y, z = point.values
        width = 0.05 * np.exp(x / 2)
        assert y == pytest.approx(x**2, abs=1e-3 * width)
        assert z == pytest.approx(np.sin(x) - y, abs=1e-3)
        expected = np.array([[width, 0.0], [-width, 0.1]])
        np.testing.assert_allclose(point.root, expected, atol=1e-4)
    heights = np.array([point.height - MARGINAL.logpdf(point.values[0]) for point in points])
    assert np.ptp(heights) < 1e-3


@pytest.mark.parametrize("factor", [1e-3, 1.0, 30.0])
def test_a_search_finds_the_widths_from_a_poor_estimate(factor):
    """As that of the mode may be: with a thousandth of the width, the step gains nothing."""
    start = np.array([0.4, 0.16, np.sin(0.4) - 0.16])
    (end,), _ = _conditional_modes._conditional_modes(
        ridge, [start], [factor * np.diag([0.06, 0.1])]
    )
    width = 0.05 * np.exp(0.2)
    np.testing.assert_allclose(end.root, [[width, 0.0], [-width, 0.1]], rtol=1e-3)


def test_quantiles_of_a_scan_are_those_of_the_marginal_density():
    marginal = _scan._Marginal(*scan_of_ridge())
    normals = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
    expected = MARGINAL.ppf(scipy.stats.norm.cdf(normals))
    np.testing.assert_allclose(marginal.at(normals), expected, atol=0.02)
    beyond = marginal.at(np.array([-8.0, 8.0]))
    assert beyond[0] < expected[0]
    assert beyond[1] > expected[-1]


def test_a_scan_that_makes_hardly_any_way_is_given_up(monkeypatch):
    monkeypatch.setattr(_conditional_modes, "_MOST_TURNS", 20)
    assert scan_of_ridge() == ([], [])


@pytest.mark.parametrize("edge", [1.0, 0.0])
def test_a_scan_ends_at_a_cliff(edge):
    """With the mode before it, and at it."""

    def cliff(points):
        return np.where(points[:, 0] <= edge, -0.5 * (points**2).sum(axis=1), -np.inf)

    points, steps = _conditional_modes.modes_along(cliff, np.zeros(3), np.eye(3))
    assert edge - 0.05 < max(point.values[0] for point in points) <= edge
    assert min(point.values[0] for point in points) < -4.0
    marginal = _scan._Marginal(points, steps)
    normals = np.array([-3.0, -1.0, 0.0, 1.0, 2.5])
    expected = scipy.stats.truncnorm(-np.inf, edge).ppf(scipy.stats.norm.cdf(normals))
    np.testing.assert_allclose(marginal.at(normals), expected, atol=0.05)


def test_a_density_without_values_has_no_scan():
    nowhere, _ = _conditional_modes.modes_along(
        lambda points: np.full(len(points), -np.inf), np.zeros(3), np.eye(3)
    )
    assert len(nowhere) < _scan._FEWEST


def test_the_height_of_a_search_that_has_not_ended_is_that_of_its_place(monkeypatch):
    """Not that which a step would have gained."""
    monkeypatch.setattr(_conditional_modes, "_TURNS", 1)
    start = np.array([0.4, 5.0, -3.0])
    (end,), _ = _conditional_modes._conditional_modes(ridge, [start], [np.diag([0.06, 0.1])])
    expected = ridge(end.values[None])[0] + np.log(np.diagonal(end.root)).sum()
    assert end.values.tobytes() == start.tobytes()
    assert end.height == pytest.approx(expected, rel=1e-12)


def bent():
    """A transport along a curve, between whose knots widths and correlations change."""
    along = 0.3 * knots() + 0.02 * knots() ** 3
    modes = np.stack([np.sin(along), along**2], axis=1)
    roots = np.array([[[np.exp(0.2 * x), 0.0], [x, 0.5 + 0.1 * x**2]] for x in along])
    return transport_of(1, along, modes, roots)


@pytest.mark.parametrize("first", [-7.0, -REACH, -0.63, 0.0, 2.11, REACH, 6.5])
def test_a_transport_returns_the_log_of_its_volume(first):
    """Between knots, on them and beyond the last."""
    z = jnp.array([first, 0.7, -1.2])
    move = jax.jit(lambda z: transported(bent(), z))
    change = jax.jit(jax.jacfwd(lambda z: transported(bent(), z)[0]))(z)
    assert float(move(z)[1]) == pytest.approx(np.linalg.slogdet(change)[1], abs=TIGHT)


def test_a_transport_goes_through_its_knots():
    place = KNOTS // 2 + 3
    x = 0.3 * knots()[place] + 0.02 * knots()[place] ** 3
    values, _ = jax.jit(lambda z: transported(bent(), z))(jnp.array([knots()[place], 1.0, 2.0]))
    # The value along the ridge is the second of the sampler's.
    expected = [np.sin(x) + np.exp(0.2 * x), x, x**2 + x * 1.0 + (0.5 + 0.1 * x**2) * 2.0]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("index", [0, 2])
def test_the_identity_only_changes_the_order(index):
    z = jnp.array([-6.3, 0.2, 5.5, 1.0])
    values, log_volume = transported(identity(4, index), z)
    expected = np.insert(np.array(z[1:]), index, z[0])
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert float(log_volume) == pytest.approx(0.0, abs=1e-12)
