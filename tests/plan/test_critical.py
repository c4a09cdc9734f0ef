"""The critical number of tokens: eq. 13, its derivatives, and laws without one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from tests.plan import facts
from tests.plan.cases import BESIROGLU, KUMAR, RTOL, assert_derivatives, draws

SIZES, BITS = np.array(facts.DCRIT_SIZES)[:, None], np.array(facts.DCRIT_BITS)
ROBUST = KUMAR | {"C_w": 1.0, "C_a": 1.0, "C_kv": 1.0}


@pytest.fixture
def float64_mode():
    with float64():
        yield


def closed_form(N, P_post, theta):
    """Kumar et al. 2024, eq. 13."""
    top = theta["beta"] * theta["B"] * N ** theta["gamma_N"] * jnp.exp(P_post / theta["gamma_post"])
    return (top / (theta["gamma_D"] * theta["C_T"])) ** (1 / (theta["gamma_D"] + theta["beta"]))


@pytest.mark.smoke
def test_dcrit_nobias(float64_mode):
    result = plan.critical_tokens(laws.precision, KUMAR, N=SIZES, P_post=BITS, throw=True)
    np.testing.assert_allclose(result.D_crit, facts.DCRIT_NOBIAS, rtol=RTOL)
    assert result.status.shape == (8, 6)


def test_dcrit_bias(float64_mode):
    """With C_T exp(b) in place of C_T, D_crit is less by exp(b / (gamma_D + beta)) = 3.07711."""
    theta = laws.params(laws.precision, "kumar2024_bias")
    result = plan.critical_tokens(laws.precision, theta, N=SIZES, P_post=BITS, throw=True)
    np.testing.assert_allclose(
        np.array(facts.DCRIT_NOBIAS) / result.D_crit, np.full((8, 6), 3.07711), rtol=2e-6
    )


def test_the_printed_condition_is_not_used(float64_mode):
    """Eq. 12 as printed lacks the factor beta, which makes D_crit twice as large."""
    result = plan.critical_tokens(laws.precision, KUMAR, N=8e9, P_post=4).D_crit
    misprint = result * KUMAR["beta"] ** (-1 / (KUMAR["gamma_D"] + KUMAR["beta"]))
    assert misprint > 1.9 * result
    slope = jax.grad(lambda D: laws.precision(8e9, D, P_post=4.0, **KUMAR))
    assert abs(slope(result) * result) < 1e-12
    assert slope(misprint) * misprint > 1e-3


def test_it_is_the_least_loss_over_tokens(float64_mode):
    """Also for a model trained in 6 bits, for which eq. 13 needs effective parameters."""
    theta = draws(KUMAR, 50, spread=0.1)
    result = plan.critical_tokens(laws.precision, theta, N=1e9, P_post=3.5, P=6, throw=True)
    D = np.geomspace(1e6, 1e16, 20001)[:, None]
    loss = lambda D: np.asarray(laws.precision(1e9, D, 6.0, 6.0, 6.0, 3.5, **theta))  # noqa: E731
    least = loss(np.asarray(result.D_crit))
    assert np.all(least <= loss(D).min(axis=0) * (1 + 1e-15))
    np.testing.assert_allclose(D[np.argmin(loss(D), axis=0), 0], result.D_crit, rtol=2e-3)


def test_robustness_to_quantisation_raises_it(float64_mode):
    plain = plan.critical_tokens(laws.precision, KUMAR, N=1e9, P_post=3, P=6, throw=True)
    robust = plan.critical_tokens(laws.precision_robust, ROBUST, N=1e9, P_post=3, P=6, throw=True)
    share = (1 - np.exp(-3.0)) ** 3
    np.testing.assert_allclose(
        robust.D_crit / plain.D_crit, share ** (-1 / (0.5068 + 0.4965)), rtol=1e-10
    )


def test_gradients_are_the_finite_differences(float64_mode):
    def function(point):
        inputs = {name: point[name] for name in ("N", "P_post", "P_w")}
        theta = {name: point[name] for name in KUMAR}
        return jnp.stack([jnp.log(plan.critical_tokens(laws.precision, theta, **inputs).D_crit)])

    point = KUMAR | {"N": 8e9, "P_post": 4.0, "P_w": 8.0}
    assert_derivatives(function, point, jax.jacfwd)


def test_second_derivatives_are_those_of_the_closed_form(float64_mode):
    names = ("beta", "gamma_D", "gamma_post", "P_post")
    point = jnp.asarray([(KUMAR | {"P_post": 4.0})[name] for name in names])

    def computed(x):
        moved = KUMAR | {"P_post": 4.0} | dict(zip(names, x, strict=True))
        return jnp.log(
            plan.critical_tokens(laws.precision, moved, N=8e9, P_post=moved.pop("P_post")).D_crit
        )

    def exact(x):
        moved = KUMAR | dict(zip(names, x, strict=True))
        return jnp.log(closed_form(8e9, moved["P_post"], moved))

    second, expected = (jax.jit(jax.hessian(function))(point) for function in (computed, exact))
    np.testing.assert_allclose(second, expected, rtol=1e-8, atol=1e-10)


def test_draws_vmap_and_jit_agree(float64_mode):
    theta = draws(KUMAR, 200)
    together = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4, throw=True)
    mapped = jax.jit(jax.vmap(lambda t: plan.critical_tokens(laws.precision, t, N=8e9, P_post=4)))(
        theta
    )
    np.testing.assert_allclose(together.D_crit, mapped.D_crit, rtol=1e-12)
    np.testing.assert_allclose(together.D_crit, closed_form(8e9, 4.0, theta), rtol=1e-11)


@pytest.mark.parametrize(
    ("law", "theta", "inputs"),
    [
        (laws.chinchilla, BESIROGLU, {}),
        (laws.kaplan, laws.params(laws.kaplan), {}),
        (laws.precision, KUMAR, {}),
        (laws.precision, KUMAR, {"P_post": np.inf, "P": 8}),
        (laws.precision, KUMAR, {"P_post": 8, "P": 8}),
    ],
    ids=["chinchilla", "kaplan", "never-quantised", "infinite-bits", "quantised-to-its-own-bits"],
)
def test_where_more_data_never_hurts_it_is_infinite(law, theta, inputs, float64_mode):
    result = plan.critical_tokens(law, theta, N=8e9, **inputs)
    assert result.D_crit == np.inf
    assert int(result.status) == Status.no_interior_optimum


def test_the_search_fails_where_more_data_always_hurts(float64_mode):
    result = plan.critical_tokens(
        laws.ptq_degradation, laws.params(laws.ptq_degradation, "kumar2024"), N=8e9, P_post=4
    )
    assert np.isnan(result.D_crit)
    assert int(result.status) == Status.not_converged


def test_entries_without_a_critical_point_do_not_affect_other_derivatives(float64_mode):
    def total(size):
        result = plan.critical_tokens(
            laws.precision, KUMAR, N=size, P_post=jnp.asarray([4.0, jnp.inf, 5.0])
        )
        return jnp.sum(jnp.where(result.status == Status.converged, jnp.log(result.D_crit), 0.0))

    slope = KUMAR["gamma_N"] / (KUMAR["gamma_D"] + KUMAR["beta"])
    np.testing.assert_allclose(jax.grad(total)(8e9) * 8e9, 2 * slope, rtol=1e-10)


def test_float32():
    """Relative errors of at most 3.3e-6; the search ends at 1e20 tokens."""
    result = plan.critical_tokens(laws.precision, KUMAR, N=SIZES, P_post=BITS, throw=True)
    assert result.D_crit.dtype == jnp.float32
    np.testing.assert_allclose(result.D_crit, facts.DCRIT_NOBIAS, rtol=1e-5)
    assert plan.critical_tokens(laws.precision, KUMAR, N=8e9, P_post=20).D_crit == np.inf
    with float64():
        assert (
            1e20
            < plan.critical_tokens(laws.precision, KUMAR, N=8e9, P_post=20, throw=True).D_crit
            < 1e24
        )


def test_invalid_arguments_raise_one_line():
    for call, message in (
        (
            lambda: plan.critical_tokens(laws.precision, KUMAR, N=0, P_post=4),
            "N must be a finite number above 0",
        ),
        (
            lambda: plan.critical_tokens(laws.precision, KUMAR, N=8e9, P_post="int4"),
            "P_post must be a number",
        ),
        (
            lambda: plan.critical_tokens(laws.precision, KUMAR, N=8e9, P_post=4, P=8, P_w=8),
            "either P or P_w",
        ),
        (
            lambda: plan.critical_tokens(laws.precision, KUMAR, N=8e9, D=1e9),
            "D cannot be both free and given",
        ),
        (
            lambda: plan.critical_tokens(laws.chinchilla, BESIROGLU, N=8e9, P_post=4),
            "'chinchilla' has no input P_post",
        ),
        (lambda: plan.critical_tokens(laws.kaplan_size, {}, N=8e9), "'kaplan_size' has no input D"),
        (
            lambda: plan.critical_tokens(laws.precision, KUMAR, N=8e9, throw=True),
            "critical tokens of 'precision'",
        ),
    ):
        with pytest.raises(JscaleError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
