"""M1 to M4: each contains the one before it, and M4 solves its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jscale import fit, laws, runs
from jscale.laws.loss._saturating import m1, m2, m3, m4, m4_resource
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

M4 = {"eps_inf": 0.1, "eps_0": 1.0, "alpha": 0.5, "beta": 2.0, "c": 0.4}
X = np.geomspace(1e-3, 1e9, 25)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def test_a_value_worked_out_in_40_digits():
    np.testing.assert_allclose(m4(1000.0, **M4), 0.2120180794, rtol=REFERENCE)


@pytest.mark.parametrize("alpha", [0.01, 0.5, 1.0, 3.0])
def test_m4_solves_its_equation(alpha):
    theta = {**M4, "alpha": alpha}
    eps = np.asarray(m4(X, **theta))
    # Near guessing 1 - eps / eps_0 has few digits.
    x, eps = X[eps < 0.99], eps[eps < 0.99]
    ratio = (eps - theta["eps_inf"]) / (theta["eps_0"] - eps) ** alpha
    np.testing.assert_allclose(ratio, 2.0 * x**-0.4, rtol=1e-9)
    assert len(x) > 8


def test_m4_by_bisection():
    """M4 against a solver of its own."""
    for x in (1e-2, 1.0, 30.0, 1e5):
        low, high = M4["eps_inf"], M4["eps_0"]
        for _ in range(100):
            eps = 0.5 * (low + high)
            over = (eps - 0.1) / (1.0 - eps) ** 0.5 > 2.0 * x**-0.4
            low, high = (low, eps) if over else (eps, high)
        np.testing.assert_allclose(m4(x, **M4), low, rtol=1e-12)


def test_m4_at_alpha_zero_is_m2():
    plain = {k: M4[k] for k in ("eps_inf", "beta", "c")}
    at_zero = m4(X, **{**M4, "alpha": 0.0})
    np.testing.assert_allclose(at_zero, np.minimum(m2(X, **plain), 1.0), rtol=1e-14)
    np.testing.assert_allclose(m4(1e4, **{**M4, "alpha": 1e-9}), m2(1e4, **plain), rtol=1e-8)


def test_m4_stays_between_guessing_and_the_floor():
    # At the ends of the range the value is that of the end, not NaN.
    eps = m4(jnp.array([0.0, 1e-300, 1e300, jnp.inf]), **M4)
    np.testing.assert_allclose(eps, [1.0, 1.0, 0.1, 0.1], rtol=1e-12)
    assert np.isposinf(m4(10.0, **{**M4, "eps_0": 0.1}))


def test_m4_is_differentiated_through_its_equation():
    def of_log(v):
        return m4(jnp.exp(v[0]), eps_inf=v[1], eps_0=v[2], alpha=v[3], beta=v[4], c=v[5])

    at = jnp.array([[np.log(x), *M4.values()] for x in (0.1, 100.0, 1e6)])
    check_grads(jax.jit(jax.vmap(of_log)), (at,), order=1, atol=1e-6, rtol=1e-6)
    # By the implicit function theorem, written out: d eps / d ln x.
    eps = m4(100.0, **M4)
    slope = -M4["c"] / (1 / (eps - 0.1) + 0.5 / (1.0 - eps))
    gradient = jax.grad(lambda log_x: m4(jnp.exp(log_x), **M4))(jnp.log(100.0))
    np.testing.assert_allclose(gradient, slope, rtol=1e-12)


def test_m4_has_a_closed_inverse():
    eps = np.asarray(m4(X, **M4))
    inside = (eps < 0.99) & (eps > 0.1005)
    np.testing.assert_allclose(m4_resource(eps[inside], **M4), X[inside], rtol=1e-9)
    outside = m4_resource(jnp.array([0.05, 0.1, 1.0, 2.0]), **M4)
    np.testing.assert_array_equal(outside, [np.inf, np.inf, 0.0, 0.0])
    for eps in (0.05, 0.1, 1.0):
        assert np.isfinite(jax.grad(lambda e: m4_resource(e, **M4))(eps))
    gradient = jax.grad(lambda e: jnp.log(m4_resource(e, **M4)))(0.3)
    np.testing.assert_allclose(gradient, -(1 / 0.2 + 0.5 / 0.7) / 0.4, rtol=1e-12)


def test_the_first_three():
    theta = {"beta": 2.0, "c": 0.4}
    np.testing.assert_array_equal(m2(X, eps_inf=0.0, **theta), m1(X, **theta))
    np.testing.assert_allclose(m3(X, gamma=0.0, **theta), m1(X, **theta), rtol=1e-14)
    # Far beyond saturation the resource does not matter, far before it M3 is M1.
    np.testing.assert_allclose(m3(1e12, gamma=1e-3, **theta), m1(1e3, **theta), rtol=1e-8)
    np.testing.assert_allclose(m3(1.0, gamma=1e-9, **theta), m1(1.0, **theta), rtol=1e-8)


def test_recovery():
    x = np.geomspace(1, 1e5, 40)
    eps = np.asarray(m4(x, **M4)) * np.exp(5e-4 * np.random.default_rng(0).normal(size=40))
    point = fit.point(m4, runs.read({"x": x, "loss": eps, "error": eps}), starts=4)
    assert point.certificate.converged
    for name, truth in M4.items():
        assert abs(point.params[name] - truth) < 4 * point.stderr[name], name
        assert point.stderr[name] < 0.1 * truth, name
    assert laws.describe(m4).output.column == "error"
