"""Plans without a budget: published values, optimality conditions, brute force, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.laws import law
from jscale.laws.roles import Count, DataCoefficient, Exponent, Irreducible, Loss, SizeCoefficient
from jscale.plan import costs
from tests.plan.cases import BESIROGLU, JOINT, KUMAR, RTOL, assert_derivatives, draws

ROUNDED = laws.params(laws.chinchilla, "hoffmann2022_rounded")
LIFETIME = costs.LifetimeCost(T=1e13)
SAME_SERVED = costs.LifetimeCost(np.full((5, 1), LIFETIME.T))
SERVED = np.array([0.0, 1e11, 1e13, 1e15, 1e18])


@pytest.fixture
def float64_mode():
    with float64():
        yield


def closed_form(theta, price):
    """Budget and J of the two-term law under 6 N D."""
    alpha, beta = theta["alpha"], theta["beta"]
    G = (alpha * theta["A"] / (beta * theta["B"])) ** (1 / (alpha + beta))
    g = alpha * beta / (alpha + beta)
    K = theta["A"] * G**-alpha + theta["B"] * G**beta
    budget = 6 * (g * K / (6 * price)) ** (1 / (1 + g))
    return budget, theta["E"] + K * (budget / 6) ** -g + price * budget


def repeated(theta, count):
    """The same parameters as draws, so that tests share a compiled program."""
    return {name: np.full(count, value) for name, value in theta.items()}


def tokens_served(theta, N, D):
    """The tokens served for which N and D reach their loss at the least cost (Sardana et al.)."""
    by_size = theta["alpha"] * theta["A"] * N ** -theta["alpha"]
    by_data = theta["beta"] * theta["B"] * D ** -theta["beta"]
    return (by_size / by_data - 1) * 3 * D


@pytest.mark.smoke
def test_sardana_hoffmann_rounded(float64_mode):
    """The loss of 70B parameters on 4.26T tokens, 10T served: a smaller model costs 20% less."""
    loss = laws.chinchilla(7e10, 4.26e12, **ROUNDED)
    best = plan.cheapest(laws.chinchilla, repeated(ROUNDED, 5), loss, cost=SAME_SERVED, throw=True)
    np.testing.assert_allclose(best.N_opt, 33651594880.0, rtol=RTOL)
    np.testing.assert_allclose(best.D_opt, 9351054464000.0, rtol=RTOL)
    np.testing.assert_allclose(best.budget / LIFETIME.flops(7e10, 4.26e12), 0.8030538307, rtol=RTOL)
    np.testing.assert_allclose(best.loss, loss, rtol=1e-14)


@pytest.mark.smoke
def test_total_cost_J(float64_mode):
    price = np.full(6, 1e-24)
    best = plan.best_value(laws.chinchilla, repeated(BESIROGLU, 6), price, throw=True)
    np.testing.assert_allclose(best.budget, 4.429093728e22, rtol=RTOL)
    np.testing.assert_allclose(best.loss + 1e-24 * best.budget, 2.109916586, rtol=RTOL)


def test_lifetime_plans_satisfy_their_conditions(float64_mode):
    """At a loss, at a budget and at a price; serving from 0 to much more than training."""
    theta = draws(ROUNDED, 5, spread=0.05)
    served, cost = SERVED[:, None], costs.LifetimeCost(SERVED[:, None])
    plans = {
        "loss": plan.cheapest(laws.chinchilla, theta, 2.2, cost=cost, throw=True),
        "budget": plan.optimal(laws.chinchilla, theta, 1e23, cost=cost, throw=True),
        "price": plan.best_value(laws.chinchilla, theta, 1e-24, cost=cost, throw=True),
    }
    for kind, best in plans.items():
        assert best.N_opt.shape == (5, 5), kind
        scale = served + 3 * best.D_opt
        np.testing.assert_allclose(
            tokens_served(theta, best.N_opt, best.D_opt) / scale,
            served / scale,
            atol=1e-9,
            err_msg=kind,
        )
        np.testing.assert_allclose(
            cost.flops(best.N_opt, best.D_opt), best.budget, rtol=1e-12, err_msg=kind
        )
        np.testing.assert_allclose(
            best.loss, laws.chinchilla(best.N_opt, best.D_opt, **theta), rtol=1e-13
        )
    np.testing.assert_allclose(plans["loss"].loss, 2.2, rtol=1e-13)
    np.testing.assert_allclose(plans["budget"].budget, 1e23, rtol=1e-13)
    by_size = theta["alpha"] * theta["A"] * plans["price"].N_opt ** -theta["alpha"]
    np.testing.assert_allclose(by_size, 1e-24 * plans["price"].budget, rtol=1e-9)


def test_brute_force_has_no_lower_result(float64_mode):
    """100,001 sizes for every number of tokens served.

    Each is trained until it reaches the loss, or until it has used the budget.
    """
    N = np.geomspace(1e2, 1e12, 100001)[:, None]
    theta = repeated(ROUNDED, 5)
    cost, plan_cost = costs.LifetimeCost(SERVED), costs.LifetimeCost(SERVED[:, None])
    best = plan.cheapest(laws.chinchilla, theta, 2.2, cost=plan_cost, throw=True)
    gap = 2.2 - ROUNDED["E"] - ROUNDED["A"] * N ** -ROUNDED["alpha"]
    D = (ROUNDED["B"] / np.where(gap > 0, gap, np.nan)) ** (1 / ROUNDED["beta"])
    grid = np.nanmin(cost.flops(N, D), axis=0)
    assert np.all(best.budget <= grid[:, None] * (1 + 1e-13))
    np.testing.assert_allclose(best.budget[:, 0], grid, rtol=1e-6)

    best = plan.optimal(laws.chinchilla, theta, 1e23, cost=plan_cost, throw=True)
    D = cost.tokens(1e23, N)
    grid = np.nanmin(laws.chinchilla(N, np.where(D > 0, D, np.nan), **ROUNDED), axis=0)
    assert np.all(best.loss <= grid[:, None] * (1 + 1e-13))
    np.testing.assert_allclose(best.loss[:, 0], grid, rtol=1e-6)


def test_best_value_is_its_closed_form(float64_mode):
    theta, price = draws(BESIROGLU, 6, spread=0.1), np.geomspace(1e-28, 1e-18, 6)
    best = plan.best_value(laws.chinchilla, theta, price, throw=True)
    budget, J = closed_form(theta, price)
    np.testing.assert_allclose(best.budget, budget, rtol=1e-9)
    np.testing.assert_allclose(best.loss + price * best.budget, J, rtol=1e-13)


def test_derivatives(float64_mode):
    """By the parameters and the tokens served; without serving there is a closed form."""
    point = {**ROUNDED, "T": 1e13, "target": 2.2}

    def cheapest(point):
        theta = {name: point[name] for name in ROUNDED}
        best = plan.cheapest(
            laws.chinchilla, theta, point["target"], cost=costs.LifetimeCost(point["T"])
        )
        return jnp.log(jnp.stack([best.N_opt, best.D_opt, best.budget]))

    assert_derivatives(cheapest, point)

    def value(theta):
        return jnp.log(plan.best_value(laws.chinchilla, theta, 1e-24).budget)

    theta = {name: jnp.asarray(value) for name, value in BESIROGLU.items()}
    slopes = jax.grad(value)(theta)
    exact = jax.grad(lambda theta: jnp.log(closed_form(theta, 1e-24)[0]))(theta)
    for name in set(theta) - {"E"}:
        np.testing.assert_allclose(slopes[name], exact[name], rtol=1e-8, err_msg=name)
    assert abs(slopes["E"]) < 1e-10


def test_cheapest_is_the_inverse_of_optimal_with_bits(float64_mode):
    """Also where training in ``P_post`` bits is the best."""
    post = np.array([4.0, 9.0])
    best = plan.optimal(
        laws.precision, KUMAR, np.full(2, 1e23), free=JOINT, P_post=post, throw=True
    )
    back = plan.cheapest(laws.precision, KUMAR, best.loss, free=JOINT, P_post=post, throw=True)
    for name, rtol in (("budget", 1e-12), ("N_opt", 1e-8), ("D_opt", 1e-8), ("P_opt", 1e-8)):
        np.testing.assert_allclose(
            getattr(back, name), getattr(best, name), rtol=rtol, err_msg=name
        )
    assert back.P_opt[0] == 4


def test_best_value_with_bits_is_an_optimum_at_its_budget(float64_mode):
    post = np.array([4.0, 9.0])
    best = plan.best_value(laws.precision, KUMAR, 1e-24, free=JOINT, P_post=post, throw=True)
    same = plan.optimal(laws.precision, KUMAR, best.budget, free=JOINT, P_post=post, throw=True)
    np.testing.assert_allclose(best.P_opt, same.P_opt, rtol=1e-8)
    np.testing.assert_allclose(best.loss, same.loss, rtol=1e-13)
    for factor in (0.9, 1.1):
        other = plan.optimal(laws.precision, KUMAR, factor * best.budget, free=JOINT, P_post=post)
        assert np.all(other.loss + 1e-24 * other.budget > best.loss + 1e-24 * best.budget)


def test_a_given_size_reaches_a_loss_before_more_data_hurts(float64_mode):
    """Quantised to 4 bits, a model of 1e9 parameters has a least loss over its tokens.

    Two budgets reach a loss above it; the smaller is the plan.
    """
    D_crit = plan.critical_tokens(laws.precision, KUMAR, N=1e9, P_post=4).D_crit
    least = laws.precision(1e9, D_crit, P_post=4.0, **KUMAR)
    best = plan.cheapest(
        laws.precision, KUMAR, least * np.array([0.9999, 1.01]), free="D", N=1e9, P_post=4
    )
    np.testing.assert_array_equal(best.status, [Status.no_interior_optimum, Status.converged])
    assert best.D_opt[1] < D_crit
    np.testing.assert_allclose(
        laws.precision(1e9, best.D_opt[1], P_post=4.0, **KUMAR), 1.01 * least, rtol=1e-13
    )
    np.testing.assert_allclose(best.budget[1], 6e9 * best.D_opt[1], rtol=1e-13)


@law(
    formula="E + A * N**-alpha + B * D**-beta + 0.05 * maximum(log(N / 1e10), -log(N / 1e10))",
    source="test",
)
def kinked(
    N: Count,
    D: Count,
    *,
    E: Irreducible,
    A: SizeCoefficient,
    B: DataCoefficient,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    """The two-term law with a kink at 1e10 parameters, the best size of many budgets."""
    return E + A * N**-alpha + B * D**-beta + 0.05 * jnp.abs(jnp.log(N / 1e10))


def test_a_law_with_a_preferred_size_is_inverted_too(float64_mode):
    """Although the largest budgets of the search have no size in their range that reaches it."""
    best = plan.cheapest(kinked, ROUNDED, 2.0)
    assert int(best.status) == Status.kink
    np.testing.assert_allclose([best.N_opt, best.loss], [1e10, 2.0], rtol=1e-9)
    np.testing.assert_allclose(kinked(1e10, best.budget / 6e10, **ROUNDED), 2.0, rtol=1e-9)


def test_losses_out_of_reach_have_a_status(float64_mode):
    """Below the irreducible loss, at it, and above that of any model.

    They do not affect the derivatives of the others.
    """

    def total(target):
        best = plan.cheapest(laws.chinchilla, ROUNDED, target, cost=LIFETIME)
        return jnp.sum(jnp.where(best.status == 0, jnp.log(best.N_opt), 0.0)), best

    slopes, best = jax.grad(total, has_aux=True)(jnp.asarray([1.6, 1.69, 2.0, 1e6]))
    bad = int(Status.no_interior_optimum)
    np.testing.assert_array_equal(best.status, [bad, bad, 0, bad])
    for value in (best.N_opt, best.D_opt, best.loss, best.budget):
        np.testing.assert_array_equal(np.isnan(value), best.status == bad)
    np.testing.assert_array_equal(np.sign(slopes), [0, 0, -1, 0])
    with pytest.raises(
        JscaleError,
        match=r"cheapest plan of 'chinchilla': no_interior_optimum \(25 of 25 solves\)",
    ):
        plan.cheapest(laws.chinchilla, repeated(ROUNDED, 5), 1.6, cost=SAME_SERVED, throw=True)


def test_float32():
    """Against what float64 gives; measured 4e-6 for the counts and the budgets."""
    best = plan.cheapest(
        laws.chinchilla, ROUNDED, laws.chinchilla(7e10, 4.26e12, **ROUNDED), cost=LIFETIME
    )
    expected = {"N_opt": 33651594880.0, "D_opt": 9351054464000.0, "budget": 2.561099284e24}
    for name, value in expected.items():
        assert getattr(best, name).dtype == np.float32
        np.testing.assert_allclose(getattr(best, name), value, rtol=5e-5, err_msg=name)
    best = plan.best_value(laws.chinchilla, BESIROGLU, 1e-24)
    assert best.budget.dtype == np.float32
    np.testing.assert_allclose(best.budget, 4.429093728e22, rtol=5e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: plan.cheapest(laws.chinchilla, ROUNDED, -2.0),
            "loss must be a finite number above 0, not -2",
        ),
        (lambda: plan.cheapest(laws.chinchilla, ROUNDED, "2"), "loss must be a number, not '2'"),
        (
            lambda: plan.best_value(laws.chinchilla, ROUNDED, 0.0),
            "price must be a finite number above 0, not 0",
        ),
        (lambda: plan.best_value(laws.kaplan_size, {}, 1e-24), "'kaplan_size' has no input D"),
        (
            lambda: plan.cheapest(laws.chinchilla, ROUNDED, 2.0, N=1e9, D=1e10, free=()),
            "N and D are both given",
        ),
    ],
)
def test_invalid_arguments_raise_one_line(call, message):
    with pytest.raises(JscaleError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
