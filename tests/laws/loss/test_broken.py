"""Broken scaling laws: segments, limits and recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.laws.loss._broken import bnsl, bnsl_slopes
from tests.laws.catalogue_points import exactly, in_dtype
from tests.tolerances import REFERENCE

ONE = {"a": 0.5, "b": 10.0, "c_0": 0.3, "c_1": 0.5, "d_1": 1000.0, "f_1": 0.25}
TWO = {**ONE, "c_2": -0.9, "d_2": 1e7, "f_2": 0.1}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def test_a_value_worked_out_in_40_digits():
    np.testing.assert_allclose(bnsl(1)(10000.0, **ONE), 0.6995237376, rtol=REFERENCE)


def test_two_breaks():
    law, x = bnsl(2), np.geomspace(1, 1e12, 13)
    value = law(x, **TWO)
    np.testing.assert_allclose(value, exactly(laws.describe(law), {"x": x, **TWO}), rtol=1e-13)
    # The product as the paper prints it, where it does not overflow.
    printed = 0.5 + 10 * x**-0.3 * (1 + (x / 1e3) ** 4) ** -0.125 * (1 + (x / 1e7) ** 10) ** 0.09
    np.testing.assert_allclose(value, printed, rtol=1e-12)
    assert laws.get("bnsl(2)") is law


def test_a_break_without_a_change_of_slope_has_no_effect():
    x = np.geomspace(1, 1e12, 13)
    theta = {**TWO, "c_2": 0.0}
    np.testing.assert_allclose(bnsl(2)(x, **theta), bnsl(1)(x, **ONE), rtol=1e-14)
    unbroken = bnsl(1)(x, **{**ONE, "c_1": 0.0})
    np.testing.assert_allclose(
        unbroken, laws.power_size(x, L_inf=0.5, A=10.0, alpha=0.3), rtol=1e-13
    )


def test_slopes_of_the_segments():
    """Far from every break the excess is a power law with the declared slope."""
    slopes = bnsl_slopes(TWO)
    np.testing.assert_allclose(slopes, [-0.3, -0.8, 0.1], rtol=1e-12)
    without_floor = {**TWO, "a": 0.0}
    slope = jax.grad(lambda log_x: jnp.log(bnsl(2)(jnp.exp(log_x), **without_floor)))
    for x, expected in zip((1e-3, 1e5, 1e11), slopes, strict=True):
        np.testing.assert_allclose(slope(jnp.log(x)), expected, rtol=1e-7)
    draws = {k: jnp.array([v, 2 * v]) for k, v in TWO.items()}
    assert bnsl_slopes(draws).shape == (3, 2)


def test_a_sharp_break_is_a_corner():
    sharp = {**ONE, "f_1": 1e-3}  # (x / d)**(1 / f) is then as large as 1e9000
    x = jnp.array([1.0, 999.0, 1001.0, 1e9])
    corner = 0.5 + 10 * x**-0.3 * jnp.maximum(x / 1000.0, 1.0) ** -0.5
    np.testing.assert_allclose(bnsl(1)(x, **sharp), corner, rtol=1e-3)
    gradient = jax.vmap(jax.grad(lambda x, theta: bnsl(1)(x, **theta), (0, 1)), (0, None))
    gradients = jax.jit(gradient)(x, sharp)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


def test_at_infinity_the_last_slope_decides():
    assert bnsl(1)(jnp.inf, **ONE) == 0.5
    assert bnsl(1)(jnp.inf, **{**ONE, "c_1": -0.5}) == jnp.inf


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_the_number_of_breaks_is_validated(n):
    with pytest.raises(JscaleError, match="1 break or more"):
        bnsl(n)


def test_slopes_of_other_parameters_are_refused():
    with pytest.raises(JscaleError, match="not parameters of a broken"):
        bnsl_slopes({"E": 1.0})


@pytest.mark.parametrize("n", [1, 2, 3])
def test_start_ranges_keep_the_breaks_in_order(n):
    places = [p.role.start for p in laws.describe(bnsl(n)).parameters if p.name.startswith("d_")]
    ends = [end for place in places if place for end in place]
    assert len(places) == n
    assert ends == sorted(ends)


def test_recovery():
    table = runs.simulate(
        bnsl(1), ONE, {"x": np.geomspace(10, 1e6, 40)}, noise=5e-4, key=jax.random.key(0)
    )
    point = fit.point(bnsl(1), table, starts=4)
    assert point.certificate.converged
    for name, truth in ONE.items():
        assert abs(point.params[name] - truth) < 4 * point.stderr[name], name
        assert point.stderr[name] < 0.05 * truth, name
