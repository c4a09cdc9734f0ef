"""One resource: the inverse, the slope, and what is special about each form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale.laws.loss._power import power_context, power_law, resource_needed, total_slope
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

THETA = {"A": 2.0, "alpha": 0.3, "L_inf": 1.5}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def test_no_floor_is_a_floor_of_zero():
    x = np.geomspace(1, 1e12, 7)
    with_floor = laws.power_size(x, L_inf=0.0, A=2.0, alpha=0.3)
    np.testing.assert_array_equal(power_law(x, A=2.0, alpha=0.3), with_floor)
    kaplan = laws.params(laws.kaplan_size)
    coefficient = kaplan["N_c"] ** kaplan["alpha_N"]
    np.testing.assert_allclose(
        power_law(x, A=coefficient, alpha=kaplan["alpha_N"]),
        laws.kaplan_size(x, **kaplan),
        rtol=1e-14,
    )


def test_the_inverse_is_the_inverse():
    x = jnp.geomspace(1.0, 1e12, 13)
    loss = laws.power_size(x, **THETA)
    np.testing.assert_allclose(
        resource_needed(loss, **THETA), x, rtol=1e-9
    )  # the excess is a small difference
    np.testing.assert_allclose(
        resource_needed(power_law(x, A=2.0, alpha=0.3), A=2.0, alpha=0.3), x, rtol=1e-12
    )
    # One nat above the floor of Kaplan's units: the scale itself.
    np.testing.assert_allclose(
        resource_needed(1.0, A=8.8e13**0.076, alpha=0.076), 8.8e13, rtol=1e-11
    )


def test_the_inverse_is_differentiable_and_infinite_at_the_floor():
    gradient = jax.grad(lambda loss: jnp.log(resource_needed(loss, **THETA)))
    np.testing.assert_allclose(gradient(1.6), -1 / (0.3 * 0.1), rtol=1e-12)
    needed = resource_needed(jnp.array([1.4, 1.5, 1.6]), **THETA)
    assert np.isposinf(needed[:2]).all()
    assert np.isfinite(needed[2])
    for value in (1.4, 1.5):
        slopes = jax.grad(lambda loss, theta: resource_needed(loss, **theta), (0, 1))(value, THETA)
        assert all(np.isfinite(s) for s in jax.tree.leaves(slopes))


@pytest.mark.parametrize("x", [10.0, 1e5, 1e10])
def test_slope_of_the_total_loss(x):
    slope = jax.grad(lambda log_x: jnp.log(laws.power_size(jnp.exp(log_x), **THETA)))(jnp.log(x))
    loss = laws.power_size(x, **THETA)
    np.testing.assert_allclose(total_slope(loss, alpha=0.3, L_inf=1.5), slope, rtol=1e-10)
    assert -0.3 < slope < 0


def test_lesson():
    """The excess over the floor shrinks by 10**-0.05 when compute grows tenfold."""
    theta = {"L_inf": 1.5, "A": 0.8, "alpha": 0.05}
    np.testing.assert_allclose(laws.power_compute(1e20, **theta), 1.58, rtol=REFERENCE)
    ten_times = resource_needed(1.5 + 0.08 * 0.8912509381, **theta) / resource_needed(1.58, **theta)
    np.testing.assert_allclose(ten_times, 10.0, rtol=1e-7)


def test_a_larger_model_gains_more_from_longer_contexts():
    """Xiong et al. 2023: the larger model has the larger exponent."""
    small, large = (laws.params(power_context, f"xiong2023_{size}") for size in ("7b", "70b"))
    assert large["beta"] > small["beta"]
    # Written out: one nat of context term at a context of alpha tokens.
    for theta in (small, large):
        np.testing.assert_allclose(
            power_context(theta["alpha"], **theta), 1 + theta["gamma"], rtol=1e-15
        )
    np.testing.assert_allclose(
        power_context(32768, **small), 1.56 + (25.4 / 32768) ** 0.45, rtol=1e-14
    )
