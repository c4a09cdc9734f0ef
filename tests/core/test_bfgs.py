"""BFGS: known minima, domains with ends, and the inverse Hessian that it builds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.scope import float64
from jscale._core.solve import bfgs

SETTINGS = {"max_turns": 400, "tolerance": 1e-12}


@pytest.fixture(autouse=True)
def wide():
    with float64():
        yield


def minimum(objective, start, **settings):
    @jax.jit
    def solve(point):
        return bfgs(jax.value_and_grad(objective), point, **{**SETTINGS, **settings})

    return jax.tree.map(np.asarray, solve(jnp.asarray(start, float)))


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


HESSIAN = np.array(
    [[4.0, 1.0, 0.0, 0.5], [1.0, 2.0, 0.3, 0.0], [0, 0.3, 0.5, 0.1], [0.5, 0, 0.1, 9]]
)
CENTRE = np.array([0.3, -1.2, 2.0, 0.0])


def quadratic(x):
    return 0.5 * (x - CENTRE) @ HESSIAN @ (x - CENTRE) + 7.0


# Each: objective, start, minimum.
MINIMA = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], [1.0, 1.0]),
    "quadratic": (quadratic, [4.0, 4.0, -4.0, 4.0], CENTRE),
    "one coordinate": (lambda x: jnp.cosh(x[0] - 2.0), [-6.0], [2.0]),
    "logarithm": (lambda x: jnp.sum(x - jnp.log(x)), [0.01, 5.0], [1.0, 1.0]),
    "flat tails": (lambda x: jnp.log1p(jnp.sum((x - 1) ** 2)), [9.0, -9.0], [1.0, 1.0]),
}


@pytest.mark.parametrize("name", MINIMA)
def test_known_minima(name):
    objective, start, expected = MINIMA[name]
    end = minimum(objective, start)
    np.testing.assert_allclose(end.free, expected, atol=1e-5)
    assert end.value == pytest.approx(float(objective(jnp.asarray(end.free))), rel=1e-12)


def test_a_start_at_the_minimum_stays_there():
    end = minimum(quadratic, CENTRE)
    np.testing.assert_array_equal(end.free, CENTRE)
    assert end.value == 7.0


def test_the_inverse_hessian_is_near_that_of_a_quadratic():
    end = minimum(quadratic, [4.0, 4.0, -4.0, 4.0])
    ratios = np.linalg.eigvals(end.inverse_hessian @ HESSIAN)
    np.testing.assert_allclose(ratios, 1.0, atol=0.1)
    np.testing.assert_allclose(end.inverse_hessian, end.inverse_hessian.T, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_outside_the_domain_are_left(bad):
    """The objective is not finite beyond 1, just behind the minimum at 0.9."""
    end = minimum(lambda x: jnp.where(x[0] > 1.0, bad, (x[0] - 0.9) ** 2 * 50), [-8.0])
    np.testing.assert_allclose(end.free, [0.9], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_start_outside_the_domain_has_an_infinite_value(bad):
    end = minimum(lambda x: jnp.where(x[0] > 0.0, bad, x[0] ** 2), [3.0])
    assert end.value == np.inf
    np.testing.assert_array_equal(end.free, [3.0])


def test_a_gradient_that_is_not_finite_is_no_step():
    """A root has no finite gradient at its end, where the value is finite."""
    end = minimum(lambda x: jnp.sqrt(jnp.abs(x[0])) + 0.0 * x[0], [0.7])
    assert np.isfinite(end.value)
    assert end.value <= np.sqrt(0.7)


@pytest.mark.parametrize("max_turns", [1, 2, 5, 17])
def test_the_end_is_never_above_the_start(max_turns):
    """Also of a descent that is cut off, on a surface with many minima."""
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)))

    def rough(x):
        return jnp.sum(jnp.sin(3 * weights @ x)) + 0.01 * x @ x

    starts = jnp.asarray(np.random.default_rng(1).normal(size=(50, 3)) * 3)
    settings = {**SETTINGS, "max_turns": max_turns}
    ends = jax.jit(jax.vmap(lambda x: bfgs(jax.value_and_grad(rough), x, **settings)))(starts)
    before = np.asarray(jax.vmap(rough)(starts))
    assert (np.asarray(ends.value) <= before).all()
    assert (np.linalg.eigvalsh(np.asarray(ends.inverse_hessian)) > 0).all()
    if max_turns == 1:  # the first turn evaluates the start
        np.testing.assert_array_equal(ends.free, starts)
