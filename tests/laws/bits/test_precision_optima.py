"""Optima of the precision laws against brute force and 40-digit values; misprinted equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale._core.errors import JscaleError
from jscale.laws.bits._precision_optima import (
    large_budget_bits,
    ptq_critical_tokens,
    serving_optimum,
    tied_bits,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

KUMAR = laws.params(laws.precision)
POST = {name: KUMAR[name] for name in ("C_T", "gamma_D", "gamma_N", "gamma_post")}
DATA = {name: KUMAR[name] for name in ("B", "beta")}
TERMS = {name: KUMAR[name] for name in ("A", "B", "alpha", "beta")}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


@pytest.mark.parametrize(("k", "x"), [(2, 1.256431209), (3, 1.903813694)])
def test_tied_bits(k, x):
    np.testing.assert_allclose(tied_bits(1.0, k), x, rtol=REFERENCE)
    np.testing.assert_allclose(tied_bits(1.9475, k), 1.9475 * x, rtol=REFERENCE)


@pytest.mark.parametrize("k", [1.05, 1.5, 2, 3, 12, 1e4])
def test_tied_bits_are_the_maximum(k):
    """The bits maximise the effective parameters at a given product of size and bits."""
    best = float(tied_bits(2.0, k))

    def per_bit(P):
        return k * np.log(-np.expm1(-P / 2.0)) - np.log(P)

    grid = np.geomspace(0.01, 100, 20_001)
    assert per_bit(best) >= per_bit(grid).max() - 1e-14
    assert (
        abs(best / grid[per_bit(grid).argmax()] - 1) < 1e-3 or k == 1.05
    )  # the maximum is flat there


def test_tied_bits_are_not_those_of_the_misprint():
    """Eq. 7 as printed gives 1.46 bits at the averaged scale, and depends on alpha.

    It has 3 alpha in place of 3.
    """
    gamma, alpha = 1.9475, 0.4965
    assert float(tied_bits(gamma)) == pytest.approx(3.70767717, rel=REFERENCE)
    assert float(tied_bits(gamma, 3 * alpha)) == pytest.approx(1.461012766, rel=REFERENCE)
    assert jax.grad(tied_bits)(gamma) == pytest.approx(1.903813694, rel=REFERENCE)


@pytest.mark.parametrize("k", [1, 0.5, -1, float("nan")])
def test_one_factor_has_no_best_bits(k):
    with pytest.raises(JscaleError, match="expected a number above 1"):
        tied_bits(2.0, k)


@pytest.mark.parametrize(
    ("N", "P_post", "D"),
    [
        (3e7, 2, 3031320924.0),
        (3e7, 8, 75586237020000.0),
        (2.2e8, 4, 175320986500.0),
        (1e9, 3, 54504095160.0),
        (7e10, 5, 6830852280000.0),
        (4.05e11, 6, 67388987460000.0),
    ],
)
def test_critical_tokens(N, P_post, D):
    result = ptq_critical_tokens(N, P_post, **DATA, **POST)
    np.testing.assert_allclose(result, D, rtol=REFERENCE)

    def loss(D):
        return laws.precision(N, D, P_post=float(P_post), **KUMAR)

    others = result * np.concatenate([np.geomspace(1e-3, 0.99, 200), np.geomspace(1.01, 1e3, 200)])
    assert loss(result) < loss(others).min()
    # Eq. 12 as printed lacks the factor beta: the loss at its point is higher.
    misprinted = result * DATA["beta"] ** (-1 / (POST["gamma_D"] + DATA["beta"]))
    assert loss(misprinted) > loss(result) + 1e-6


@pytest.mark.parametrize(
    ("decades", "exact", "expected"),
    [
        (30, 29.01427259, 29.83188342),
        (60, 96.99106585, 97.30497731),
        (120, 231.4306608, 231.5714884),
    ],
)
def test_large_budgets(decades, exact, expected):
    result = large_budget_bits(1e9, 10.0**decades, **TERMS, gamma=1.9475)
    np.testing.assert_allclose(result, expected, rtol=REFERENCE)
    np.testing.assert_allclose(result, exact, rtol=0.03 if decades == 30 else 0.004)
    leading = KUMAR["beta"] * 1.9475 * decades * np.log(10)
    assert abs(result - exact) < 0.1 * abs(leading - exact)  # eq. 23, first term


@pytest.mark.parametrize(
    ("N", "exact", "error"), [(1e8, 33.611, 0.020), (8e9, 24.841, 0.039), (1e12, 15.012, 0.097)]
)
def test_the_error_of_large_budget_bits_grows_with_the_size(N, exact, error):
    """At 1e30 FLOP, against the optimum of the tied law found by search, to five digits."""
    result = large_budget_bits(N, 1e30, **TERMS, gamma=1.9475)
    np.testing.assert_allclose(result / exact - 1, error, atol=6e-4)


def test_exact_bits_of_large_budgets():
    """Reference values for the asymptote, by brute force on the tied law."""
    P, theta = np.linspace(5, 60, 550_001), TERMS | {"gamma": 1.9475}
    D = 1e30 * 16 / 6 / 1e9 / P
    loss = (
        theta["A"] * (1e9 * (-np.expm1(-P / 1.9475)) ** 3) ** -theta["alpha"]
        + theta["B"] * D ** -theta["beta"]
    )
    # The retained fraction is 1 to almost all digits, so brute force is accurate to a percent.
    assert P[loss.argmin()] == pytest.approx(29.01427259, rel=0.01)


@pytest.mark.parametrize(
    ("C", "N", "D", "P"),
    [
        (1e8, 25497733.33, 73419277620.0, 3.921917243),
        (1e9, 198656194.4, 968788792600.0, 5.033822393),
        (1e13, 1096293217000.0, 1.83812688e16, 9.121647241),
    ],
)
def test_serving(C, N, D, P):
    result = serving_optimum(C, **TERMS, **POST)
    for value, expected in zip(result, (N, D, P), strict=True):
        np.testing.assert_allclose(value, expected, rtol=REFERENCE)

    def loss(log_D, log_P):
        size = C / jnp.exp(log_P)
        dense = laws.chinchilla(
            size, jnp.exp(log_D), **{k: KUMAR[k] for k in ("E", "A", "B", "alpha", "beta")}
        )
        return dense + laws.ptq_degradation(size, jnp.exp(log_D), jnp.exp(log_P), **POST)

    at = jnp.log(result.D), jnp.log(result.P)
    np.testing.assert_allclose(jax.grad(loss, (0, 1))(*at), 0.0, atol=1e-9)
    rng = np.random.default_rng(0)
    away = rng.normal(size=(2, 2000)) * [[0.3], [0.1]]
    assert loss(at[0] + away[0], at[1] + away[1]).min() > loss(*at)


def test_serving_in_almost_no_bits_is_a_trap():
    """Eq. 29 has no global minimum: an infinite size with bits close to 0 reaches the floor."""
    dense = {k: KUMAR[k] for k in ("E", "A", "B", "alpha", "beta")}
    result = serving_optimum(1e9, **TERMS, **POST)
    best = laws.chinchilla(result.N, result.D, **dense) + laws.ptq_degradation(
        result.N, result.D, result.P, **POST
    )
    size, bits, tokens = 1e9 / 1e-15, 1e-15, 1e15
    assert (
        laws.chinchilla(size, tokens, **dense) + laws.ptq_degradation(size, tokens, bits, **POST)
        < best
    )


def test_derivatives_of_serving():
    def bits(log_C):
        return serving_optimum(jnp.exp(log_C), **TERMS, **POST).P

    at, step = jnp.log(1e11), 1e-4
    difference = (bits(at + step) - bits(at - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(bits)(at), difference, rtol=1e-6)
