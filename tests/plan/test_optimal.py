"""Compute-optimal plans: published values, optimality conditions, brute force, draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan.costs import precision_scaled_flops, training_flops
from tests.plan import facts
from tests.plan.cases import (
    BESIROGLU,
    JOINT,
    KUMAR,
    RTOL,
    draws,
)

BUDGETS = np.array(facts.BUDGETS)
UNBIASED = {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0}


@pytest.fixture
def float64_mode():
    with float64():
        yield


@pytest.mark.smoke
@pytest.mark.parametrize("source", facts.CHINCHILLA)
def test_chinchilla_opt(source, float64_mode):
    C, N, D, loss = np.array(facts.CHINCHILLA[source]).T
    best = plan.optimal(laws.chinchilla, laws.params(laws.chinchilla, source), C, throw=True)
    np.testing.assert_allclose(best.N_opt, N, rtol=RTOL)
    np.testing.assert_allclose(best.D_opt, D, rtol=RTOL)
    np.testing.assert_allclose(best.loss, loss, rtol=RTOL)
    np.testing.assert_array_equal(best.budget, C)
    assert best.P_opt is None


@pytest.mark.smoke
def test_budget_factorised_bias(float64_mode):
    N, D, P, loss = np.array(facts.BUDGET_FACTORISED_BIAS).T
    best = plan.optimal(laws.precision, KUMAR, BUDGETS, free=JOINT, throw=True)
    for value, expected in ((best.N_opt, N), (best.D_opt, D), (best.P_opt, P), (best.loss, loss)):
        np.testing.assert_allclose(value, expected, rtol=RTOL)


def test_budget_factorised_nobias(float64_mode):
    N, D, P, loss = np.array(facts.BUDGET_FACTORISED_NOBIAS).T
    best = plan.optimal(laws.precision, KUMAR | UNBIASED, BUDGETS, free=JOINT, throw=True)
    for value, expected in ((best.N_opt, N), (best.D_opt, D), (best.P_opt, P), (best.loss, loss)):
        np.testing.assert_allclose(value, expected, rtol=RTOL)


def test_budget_P16_bias(float64_mode):
    N, D, loss = np.array(facts.BUDGET_P16_BIAS).T
    best = plan.optimal(laws.precision, KUMAR, BUDGETS, P=16, throw=True)
    for value, expected in (
        (best.N_opt, N),
        (best.D_opt, D),
        (best.P_opt, np.full(9, 16.0)),
        (best.loss, loss),
    ):
        np.testing.assert_allclose(value, expected, rtol=RTOL)


def test_tokens_follow_the_corrected_equations(float64_mode):
    """Eq. 6, 16 and 17 as printed lack a factor 1 / P in D.

    With it, the tokens are largest at the optimal precision.
    """
    bits = np.array([4.0, 7.0, 8.0, 16.0])
    tokens = plan.optimal(laws.precision, KUMAR, 1e21, P=bits, throw=True).D_opt
    np.testing.assert_allclose(tokens / tokens[-1], [0.877, 1.305, 1.291, 1.0], atol=5e-4)


def test_first_order_conditions(float64_mode):
    """Under C = k N D P all elasticities of the loss are equal at the optimum."""
    theta, C = draws(KUMAR, 40, spread=0.1), 10 ** np.linspace(18, 26, 40)
    best = plan.optimal(laws.precision, theta, C, free=JOINT, throw=True)

    def loss(logs, theta):
        N, D, P = jnp.exp(logs)
        return laws.precision(N, D, P, P, P, **theta)

    logs = jnp.log(jnp.stack([best.N_opt, best.D_opt, best.P_opt], axis=1))
    slopes = jax.jit(jax.vmap(jax.grad(loss)))(logs, {k: jnp.asarray(v) for k, v in theta.items()})
    assert np.all(slopes < 0)
    np.testing.assert_allclose(slopes[:, 1:], np.broadcast_to(slopes[:, :1], (40, 2)), rtol=1e-9)
    np.testing.assert_allclose(
        precision_scaled_flops.flops(best.N_opt, best.D_opt, best.P_opt), C, rtol=1e-13
    )


@pytest.mark.parametrize("law", [laws.precision, laws.qat], ids=lambda law: laws.describe(law).name)
def test_brute_force_has_no_lower_loss(law, float64_mode):
    """201 sizes times 301 precisions around every one of 40 scattered laws."""
    theta = draws(laws.params(law, "kumar2024"), 40, spread=0.3, seed=1)
    best = plan.optimal(law, theta, 1e22, free=JOINT, cost=precision_scaled_flops, throw=True)
    parts = [name for name in laws.describe(law).bit_inputs if name != "P_post"]

    def least(theta):
        log_N, P = jnp.meshgrid(
            jnp.linspace(np.log(1e6), np.log(1e16), 201), jnp.geomspace(0.1, 200, 301)
        )
        N = jnp.exp(log_N)
        D = precision_scaled_flops.tokens(1e22, N, P)
        return jnp.min(law(N, D, **dict.fromkeys(parts, P), **theta))

    grid = jax.jit(lambda theta: jax.lax.map(least, theta))(
        {k: jnp.asarray(v) for k, v in theta.items()}
    )
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-3)


@pytest.mark.parametrize(
    "law", [laws.chinchilla, laws.kaplan], ids=lambda law: laws.describe(law).name
)
def test_brute_force_has_no_lower_loss_without_bits(law, float64_mode):
    theta = draws(laws.params(law), 200, spread=0.2, seed=2)
    best = plan.optimal(law, theta, 1e23, throw=True)
    N = np.geomspace(1e4, 1e22, 4001)[:, None]
    grid = law(N, training_flops.tokens(1e23, N), **theta).min(axis=0)
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-5)


def test_four_thousand_draws_are_the_loop_over_them(float64_mode):
    theta = draws(KUMAR, 4000)
    best = plan.optimal(laws.precision, theta, 1e21, free=JOINT, throw=True)
    assert best.N_opt.shape == best.status.shape == best.budget.shape == (4000,)
    for i in range(0, 4000, 571):
        one = plan.optimal(
            laws.precision, {k: float(v[i]) for k, v in theta.items()}, 1e21, free=JOINT
        )
        for value, expected in zip(jax.tree.leaves(best), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(value[i], expected, rtol=1e-11)


def test_vmap_over_draws_is_draws(float64_mode):
    theta = draws(BESIROGLU, 40)
    mapped = jax.jit(jax.vmap(lambda t: plan.optimal(laws.chinchilla, t, 1e23)))(theta)
    for value, expected in zip(
        jax.tree.leaves(mapped),
        jax.tree.leaves(plan.optimal(laws.chinchilla, theta, 1e23)),
        strict=True,
    ):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_draws_scalars_and_budgets_broadcast(float64_mode):
    theta = BESIROGLU | {"alpha": np.linspace(0.3, 0.4, 5)}
    best = plan.optimal(laws.chinchilla, theta, np.array([[1e20], [1e22], [1e24]]))
    assert {leaf.shape for leaf in jax.tree.leaves(best)} == {(3, 5)}
    one = plan.optimal(laws.chinchilla, BESIROGLU | {"alpha": float(theta["alpha"][3])}, 1e22)
    np.testing.assert_allclose(best.N_opt[1, 3], one.N_opt, rtol=1e-12)
    np.testing.assert_array_equal(best.budget[:, 0], [1e20, 1e22, 1e24])


def test_jit_is_eager(float64_mode):
    theta = laws.params(laws.qat)
    solve = functools.partial(plan.optimal, laws.qat, free=JOINT, cost=precision_scaled_flops)
    eager, jitted = solve(theta, 1e21), jax.jit(solve)(theta, 1e21)
    for value, expected in zip(jax.tree.leaves(jitted), jax.tree.leaves(eager), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_a_second_plan_of_the_same_shape_compiles_nothing(float64_mode):
    calls = []

    @laws.law(formula="E + A * N**-alpha + B * D**-beta", source="a test")
    def counted(
        N: laws.roles.Count,
        D: laws.roles.Tokens,
        *,
        E: laws.roles.Irreducible,
        A: laws.roles.SizeCoefficient,
        B: laws.roles.DataCoefficient,
        alpha: laws.roles.Exponent,
        beta: laws.roles.Exponent,
    ) -> laws.roles.Loss:
        """Loss, nats per token (a test)."""
        calls.append(1)
        return E + A * N**-alpha + B * D**-beta

    plan.optimal(counted, BESIROGLU, 1e21)
    before = len(calls)
    assert before > 0
    plan.optimal(counted, BESIROGLU | {"alpha": 0.35}, 3e22)
    assert len(calls) == before


def test_failed_draws_do_not_affect_other_derivatives(float64_mode):
    theta = BESIROGLU | {
        "A": jnp.asarray([482.01, -482.01, 300.0])
    }  # no optimum with a negative coefficient

    def total(budget):
        best = plan.optimal(laws.chinchilla, theta, budget)
        return jnp.sum(jnp.where(best.status == Status.converged, jnp.log(best.N_opt), 0.0))

    best = plan.optimal(laws.chinchilla, theta, 1e21)
    np.testing.assert_array_equal(best.status, [0, Status.no_interior_optimum, 0])
    np.testing.assert_array_equal(np.isnan(best.N_opt), [False, True, False])
    share = BESIROGLU["beta"] / (BESIROGLU["alpha"] + BESIROGLU["beta"])
    np.testing.assert_allclose(jax.grad(total)(1e21) * 1e21, 2 * share, rtol=1e-10)


def test_a_kink_is_sought_only_where_newton_does_not_converge(monkeypatch, float64_mode):
    """The search for one is a quarter of the code, which smooth plans do not compile."""

    class SoughtError(Exception):
        """Says that the search was traced."""

    def sought(*_):
        raise SoughtError

    monkeypatch.setattr("jscale._core.solve._argmin._at_kink", sought)
    law = laws.fix(laws.chinchilla, E=1.5)  # no other test has compiled its plans
    theta = {name: value for name, value in BESIROGLU.items() if name != "E"}
    plan.optimal(law, theta, 1e21, throw=True)
    with pytest.raises(SoughtError):
        jax.jit(functools.partial(plan.optimal, law))(theta, 1e21)
