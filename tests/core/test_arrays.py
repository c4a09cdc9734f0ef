"""Numbers of any kind become floats of the same value; terms and sums are finite or infinite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jscale._core.arrays import as_float, log, power_sum, standard_normal, term
from jscale._core.scope import float64

BIG = 10**15


@pytest.mark.parametrize(
    "x", [1.5, np.float32(1.5), np.float64(1.5), np.array([1.5]), np.float32([1.5])]
)
def test_floats_pass_through(x):
    assert as_float(x) is x


def test_jax_floats_pass_through():
    for dtype in ("float16", "bfloat16", "float32"):
        x = jnp.ones(2, dtype)
        assert as_float(x) is x
    half = np.ones(2, jnp.bfloat16)
    assert as_float(half) is half


def test_large_integers():
    assert as_float(BIG) == 1e15
    assert type(as_float(BIG)) is float
    assert as_float(10**30) == 1e30
    for x in (np.int64(BIG), np.array([BIG]), np.uint64(BIG)):
        assert as_float(x).dtype == np.float64
        assert as_float(x) == 1e15
    assert as_float(jnp.arange(3)).dtype == "float32"
    with float64():
        assert as_float(jnp.asarray([BIG]))[0] == 1e15


def test_booleans_are_numbers():
    assert type(as_float(True)) is float
    assert as_float(np.True_).dtype == np.float64
    assert as_float(jnp.asarray(True)).dtype == "float32"


def test_log_of_a_large_count():
    np.testing.assert_allclose(log(BIG), np.log(1e15), rtol=1e-6)
    np.testing.assert_allclose(log(np.array([BIG, BIG])), [np.log(1e15)] * 2, rtol=1e-6)


def test_term_has_the_kind_of_its_arguments():
    assert type(term(2.0, 100, 0.5)) is float
    assert term(2.0, 100, 0.5) == 0.2
    assert type(term(2.0, np.array([100]), 0.5)) is np.ndarray
    assert isinstance(term(2.0, 100, jnp.asarray(0.5)), jax.Array)
    assert term(jnp.float32(2), jnp.arange(1, 4), jnp.float32(0.5)).dtype == "float32"


@pytest.mark.parametrize("resource", [0.0, -1.0])
def test_term_of_an_exhausted_resource(resource):
    """Infinite with zero gradients, so that a sum of terms is never NaN."""
    value, gradients = jax.value_and_grad(term, argnums=(0, 1, 2))(2.0, jnp.asarray(resource), 0.5)
    assert value == jnp.inf
    assert [float(g) for g in gradients] == [0.0, 0.0, 0.0]


def test_power_sum_is_the_root_of_a_sum_of_powers():
    for a, b, power in [
        (3.0, 2.0, 0.4),
        (2.0, 3.0, 0.4),
        (2.0, 2.0, 1.5),
        (5.0, 0.0, 0.7),
        (0.0, 0.0, 0.7),
    ]:
        expected = (a ** (1 / power) + b ** (1 / power)) ** power
        assert power_sum(a, b, power) == pytest.approx(expected, rel=1e-14)
        assert power_sum(*map(jnp.float32, (a, b, power))) == pytest.approx(expected, rel=1e-6)
    assert type(power_sum(3.0, 2.0, 0.4)) is float
    assert type(power_sum(np.array([3.0, 0.0]), 2.0, 0.4)) is np.ndarray
    assert power_sum(jnp.float32(40.0), jnp.float32(0.7), jnp.float32(0.03)) == pytest.approx(40.0)


def test_power_sum_has_derivatives_at_equal_terms_and_finite_ones_at_the_limits():
    with float64():
        gradient = jax.jit(jax.grad(power_sum, argnums=(0, 1, 2)))
        np.testing.assert_allclose(
            gradient(2.0, 2.0, 0.5), [2**-0.5, 2**-0.5, 2**0.5 * np.log(4)], rtol=1e-12
        )
        check_grads(jax.jit(power_sum), (2.0, 2.0, 0.5), order=2)
        for a, b in [(np.inf, 1.0), (0.0, 0.0), (1.0, 0.0), (1e300, 1e-300)]:
            assert np.isfinite(gradient(a, b, 0.3)).all()
    assert power_sum(jnp.inf, jnp.float32(1.0), 0.3) == jnp.inf


def test_term_at_infinity_and_nan():
    gradient = jax.grad(term, argnums=1)(2.0, jnp.asarray(jnp.inf), 0.5)
    assert term(2.0, jnp.asarray(jnp.inf), 0.5) == 0
    assert gradient == 0
    assert np.isnan(term(2.0, jnp.asarray(jnp.nan), 0.5))


@pytest.mark.parametrize("shape", [(), (1,), (40, 7), (3, 0), (256,), (300,)])
def test_normal_numbers_are_those_of_jax_for_every_shape(key, shape):
    np.testing.assert_array_equal(standard_normal(key, shape), jax.random.normal(key, shape))
    with float64():
        numbers = standard_normal(key, shape)
        np.testing.assert_array_equal(numbers, jax.random.normal(key, shape))
    assert numbers.dtype == np.float64
