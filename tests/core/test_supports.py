"""Every support maps to the real line and back, smoothly, in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from jscale._core import supports
from jscale._core.scope import float64

SUPPORTS = [
    supports.real,
    supports.positive,
    supports.unit,
    supports.negative,
    supports.interval(-2.0, 5.0),
    supports.above(1.0),
    supports.above(0.0),
    supports.below(3.0),
]
each = pytest.mark.parametrize("support", SUPPORTS, ids=repr)


@each
@pytest.mark.parametrize(
    ("dtype", "rtol", "reach"), [("float32", 2e-6, 5.0), ("float64", 2e-14, 9.0)]
)
def test_round_trip(support, dtype, rtol, reach):
    """For free values up to ``reach``: rounding near an end other than 0 costs e**-reach digits."""
    with jax.enable_x64(dtype == "float64"):
        free = jnp.linspace(-reach, reach, 101, dtype=dtype)
        natural = support.to_natural(free)
        assert natural.dtype == dtype
        assert support.contains(natural).all()
        back = support.to_free(natural)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, free, rtol=0, atol=rtol * np.exp(reach))
        np.testing.assert_allclose(support.to_natural(back), natural, rtol=rtol, atol=rtol)
        assert (jnp.diff(natural) > 0).all()


@given(free=st.floats(-700, 700))
def test_full_precision_close_to_zero(free):
    with float64():
        natural = supports.positive.to_natural(free)
        np.testing.assert_allclose(supports.positive.to_free(natural), free, rtol=1e-13, atol=1e-13)
        above = supports.above(0.0)
        np.testing.assert_allclose(
            above.to_free(above.to_natural(free)), free, rtol=1e-13, atol=1e-13
        )
        unit = supports.unit.to_natural(-abs(free))
        np.testing.assert_allclose(supports.unit.to_free(unit), -abs(free), rtol=1e-13, atol=1e-13)


def test_derivatives():
    """First and second ones, of all supports in one program."""

    def to_natural(free):
        return [support.to_natural(free) for support in SUPPORTS]

    def to_free(values):
        return [support.to_free(x) for support, x in zip(SUPPORTS, values, strict=True)]

    with float64():
        free = jnp.asarray(0.7)
        check_grads(jax.jit(to_natural), (free,), order=2, rtol=1e-6)
        check_grads(jax.jit(to_free), (to_natural(free),), order=2, rtol=1e-5, eps=1e-5)


@each
def test_ends(support):
    """A support is open: its ends map to infinity, values outside to NaN."""
    lower, upper = support.lower, support.upper
    assert not support.contains(lower)
    assert not support.contains(upper)
    assert not support.contains(jnp.nan)
    if np.isfinite(lower):
        assert support.to_free(lower) == -jnp.inf
        assert np.isnan(support.to_free(lower - 1))
        assert not support.contains(lower - 1)
    if np.isfinite(upper):
        assert support.to_free(upper) == jnp.inf
        assert np.isnan(support.to_free(upper + 1))
        assert not support.contains(upper + 1)
    inside = support.to_natural(0.0)
    assert np.isfinite(inside)
    assert support.contains(inside)


@each
def test_numbers_of_any_kind(support):
    expected = support.to_natural(jnp.asarray(1.0))
    for one in (1, 1.0, np.float64(1), np.int64(1), np.array([1, 1]), True):
        np.testing.assert_allclose(
            support.to_natural(one), np.broadcast_to(expected, np.shape(one)), rtol=1e-6
        )
        assert np.shape(support.contains(one)) == np.shape(one)


def test_large_integers():
    """A token count is a Python int above 2**31."""
    for count in (10**13, np.int64(10**13), np.array(10**13)):
        np.testing.assert_allclose(supports.positive.to_free(count), np.log(1e13), rtol=1e-6)
        assert supports.positive.contains(count)
        np.testing.assert_allclose(supports.above(1.0).to_free(count), 1e13, rtol=1e-6)


def test_linear_at_large_values():
    with float64():
        assert supports.above(1.0).to_natural(1e6) == 1 + 1e6
        assert supports.below(1.0).to_natural(-1e6) == 1 - 1e6
        assert supports.above(1.0).to_free(1e6) == 1e6 - 1


def test_under_jit_and_vmap():
    for support in SUPPORTS:
        free = jnp.linspace(-2.0, 2.0, 5)
        mapped = jax.jit(jax.vmap(lambda x, s=support: s.to_free(s.to_natural(x))))(free)
        np.testing.assert_allclose(mapped, free, atol=1e-5)


def test_names():
    assert [repr(s) for s in (supports.real, supports.positive, supports.unit)] == [
        "real",
        "positive",
        "unit",
    ]
    assert repr(supports.negative) == "below(-inf, 0.0)"
    assert repr(supports.interval(-2.0, 5.0)) == "interval(-2.0, 5.0)"
    assert supports.interval(0.0, 1.0).name == "unit"
