"""Derivatives of plans: closed forms, finite differences, and both precisions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan.costs import precision_scaled_flops
from tests.plan.cases import (
    BESIROGLU,
    JOINT,
    KUMAR,
    RTOL32,
    assert_derivatives,
    differences,
    perturbed,
)


@pytest.fixture
def float64_mode():
    with float64():
        yield


def stacked(best):
    """Logarithms of the counts, the bits where there are any, and the loss."""
    logs = [jnp.log(v) for v in (best.N_opt, best.D_opt, best.P_opt) if v is not None]
    return jnp.stack([*logs, best.loss])


def closed_form(theta, C):
    """The optimum of the two-term law: ln N, ln D and the loss."""
    total = theta["alpha"] + theta["beta"]
    G = (theta["alpha"] * theta["A"] / (theta["beta"] * theta["B"])) ** (1 / total)
    N = G * (C / 6) ** (theta["beta"] / total)
    D = (C / 6) / N
    loss = theta["E"] + theta["A"] * N ** -theta["alpha"] + theta["B"] * D ** -theta["beta"]
    return jnp.stack([jnp.log(N), jnp.log(D), loss])


def test_chinchilla_is_its_closed_form_to_second_order(float64_mode):
    """By ln C, since a change of C by 1 FLOP is below rounding."""
    point = {name: jnp.asarray(value) for name, value in BESIROGLU.items()} | {
        "log_C": jnp.log(1e21)
    }

    def split(point):
        theta = {name: value for name, value in point.items() if name != "log_C"}
        return theta, jnp.exp(point["log_C"])

    def value(point):
        planned = stacked(plan.optimal(laws.chinchilla, *split(point)))
        return planned, planned

    def first(point):
        jacobian, planned = jax.jacrev(value, has_aux=True)(point)
        return jacobian, (planned, jacobian)

    @jax.jit
    def exact(point):
        def at(point):
            return closed_form(*split(point))

        return at(point), jax.jacfwd(at)(point), jax.jacfwd(jax.jacfwd(at))(point)

    second, (planned, jacobian) = jax.jit(jax.jacfwd(first, has_aux=True))(point)
    for value, true in zip(
        jax.tree.leaves((planned, jacobian, second)), jax.tree.leaves(exact(point)), strict=True
    ):
        np.testing.assert_allclose(value, true, rtol=1e-8, atol=1e-12)


@pytest.mark.smoke
def test_gradient_by_every_parameter_and_the_budget_is_the_finite_difference(float64_mode):
    def function(point):
        theta = {name: value for name, value in point.items() if name != "budget"}
        return stacked(plan.optimal(laws.precision, theta, point["budget"], free=JOINT))

    assert_derivatives(function, KUMAR | {"budget": 1e21})


def test_gradient_by_given_inputs_is_the_finite_difference(float64_mode):
    """At a given post-training precision and a precision of the weights alone."""

    def function(point):
        theta = {name: point[name] for name in KUMAR}
        inputs = {name: point[name] for name in ("P_w", "P_post")}
        return stacked(plan.optimal(laws.precision, theta, point["budget"], **inputs))

    assert_derivatives(function, KUMAR | {"budget": 1e24, "P_w": 6.0, "P_post": 4.0})


def test_second_derivatives_are_the_finite_differences(float64_mode):
    theta = laws.params(laws.qat, "kumar2024")
    settings: dict[str, Any] = {"free": JOINT, "cost": precision_scaled_flops}
    point = {name: theta[name] for name in ("alpha", "beta", "gamma_w", "n_w")} | {
        "log_C": float(np.log(1e21))
    }

    def function(point):
        moved = {name: point.get(name, theta[name]) for name in theta}
        return stacked(plan.optimal(laws.qat, moved, jnp.exp(point["log_C"]), **settings))

    first = jax.jacrev(function)
    # Every row depends on its own entries alone.
    over_rows = jax.jacrev(lambda rows: function(rows).sum(axis=1))
    moved = over_rows({k: jnp.asarray(v) for k, v in perturbed(point).items()})
    second = jax.jacfwd(first)({name: jnp.asarray(value) for name, value in point.items()})
    for row in point:
        expected = differences(moved[row].T, point)  # (n, outputs)
        computed = np.stack([second[row][column] for column in point])
        scale = np.abs(expected).max(axis=0)
        assert np.all(np.abs(computed - expected) <= 1e-6 * scale + 1e-9), (row, computed, expected)


BUDGETS32 = 10.0 ** np.arange(15, 29)
LAWS32 = {
    "chinchilla-krajewski2024": (laws.chinchilla, "krajewski2024_dense", ("N", "D")),
    "precision": (laws.precision, "kumar2024", JOINT),
}


@pytest.mark.parametrize("name", LAWS32)
def test_float32(name):
    """Budgets from 1e15 to 1e28 FLOP: no overflow, and errors below those of the docstring."""
    law, source, free = LAWS32[name]
    theta = laws.params(law, source)

    def run(dtype):
        """The plans, and their derivatives (parameters, outputs, budgets)."""
        rounded = {k: np.float32(v).astype(dtype) for k, v in theta.items()}
        budgets = np.float32(BUDGETS32).astype(dtype)

        def scaled(factors):
            moved = {k: factors[k] * v for k, v in rounded.items()}
            best = plan.optimal(law, moved, budgets, free=free)
            return stacked(best), best

        ones = {k: jnp.ones((), dtype) for k in theta}
        by_theta, best = jax.jacfwd(scaled, has_aux=True)(ones)
        return best, np.stack([by_theta[k] for k in theta])

    best, by_theta = run(np.float32)
    with float64():
        exact, exact_by_theta = run(np.float64)
    np.testing.assert_array_equal(best.status, 0)
    for field in ("N_opt", "D_opt", "P_opt", "loss"):
        if getattr(best, field) is not None:
            assert getattr(best, field).dtype == jnp.float32
            rtol = RTOL32["loss" if field == "loss" else "counts"]
            np.testing.assert_allclose(
                getattr(best, field), getattr(exact, field), rtol=rtol, err_msg=field
            )
    largest = np.abs(exact_by_theta).max(axis=(0, 2), keepdims=True)
    assert np.all(np.abs(by_theta - exact_by_theta) <= RTOL32["derivatives"] * largest)


def test_float32_has_a_status_where_it_underflows():
    """Beyond about 1e15 tokens the second derivative of the data term underflows.

    The loss is constant to the rounding of float32 there, which the status says.
    """
    best = plan.optimal(laws.precision, KUMAR, np.float32(1e34), free=JOINT)
    assert int(best.status) == Status.flat
    with float64():
        exact = plan.optimal(laws.precision, KUMAR, 1e34, free=JOINT)
    np.testing.assert_allclose(best.loss, exact.loss, rtol=RTOL32["loss"])
    with pytest.raises(JscaleError, match="1e\\+40 is too large for float32"):
        plan.optimal(laws.precision, KUMAR, 1e40)


def test_dtype_is_that_of_the_arguments(float64_mode):
    single = {name: jnp.asarray(value, jnp.float32) for name, value in BESIROGLU.items()}
    assert plan.optimal(laws.chinchilla, single, 1e21).N_opt.dtype == jnp.float32
    assert plan.optimal(laws.chinchilla, BESIROGLU, 10**21).N_opt.dtype == jnp.float64
    assert plan.optimal(laws.chinchilla, BESIROGLU, [10**21]).N_opt.dtype == jnp.float64
    assert (
        plan.optimal(laws.chinchilla, BESIROGLU, jnp.asarray(1e21, jnp.float32)).N_opt.dtype
        == jnp.float32
    )
    assert plan.optimal(laws.chinchilla, single, np.array([1e21])).N_opt.dtype == jnp.float64
