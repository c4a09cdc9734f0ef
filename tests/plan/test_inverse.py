"""Plans without a budget: printed values, conditions of the optimum, brute force, derivatives and
bad questions.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan import costs
from tests.plan.cases import BESIROGLU, JOINT, KUMAR, RTOL, assert_derivatives, draws

ROUNDED = laws.params(laws.chinchilla, "hoffmann2022_rounded")
LIFETIME = costs.LifetimeCost(T=1e13)
SERVED = np.array([0.0, 1e11, 1e13, 1e15, 1e18])


@pytest.fixture
def wide():
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


def use(theta, N, D):
    """The tokens served for which N and D are the cheapest that reach their loss (Sardana et al.
    2023).
    """
    by_size = theta["alpha"] * theta["A"] * N ** -theta["alpha"]
    by_data = theta["beta"] * theta["B"] * D ** -theta["beta"]
    return (by_size / by_data - 1) * 3 * D


@pytest.mark.smoke
def test_sardana_hoffmann_rounded(wide):
    """The quality of 70B parameters on 4.26T tokens, 10T tokens served: a smaller model costs 20%
    less.
    """
    loss = laws.chinchilla(7e10, 4.26e12, **ROUNDED)
    best = plan.cheapest(laws.chinchilla, ROUNDED, loss, cost=LIFETIME, throw=True)
    np.testing.assert_allclose(best.N_opt, 33651594880.0, rtol=RTOL)
    np.testing.assert_allclose(best.D_opt, 9351054464000.0, rtol=RTOL)
    np.testing.assert_allclose(best.budget / LIFETIME.flops(7e10, 4.26e12), 0.8030538307, rtol=RTOL)
    np.testing.assert_allclose(best.loss, loss, rtol=1e-14)


@pytest.mark.smoke
def test_total_cost_J(wide):
    best = plan.best_value(laws.chinchilla, BESIROGLU, 1e-24, throw=True)
    np.testing.assert_allclose(best.budget, 4.429093728e22, rtol=RTOL)
    np.testing.assert_allclose(best.loss + 1e-24 * best.budget, 2.109916586, rtol=RTOL)


def test_lifetime_plans_satisfy_their_conditions(wide):
    """At a given loss, at a given budget and at a price, from no use at all to a use that dwarfs
    training.
    """
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
            use(theta, best.N_opt, best.D_opt) / scale, served / scale, atol=1e-9, err_msg=kind
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


def test_brute_force_finds_nothing_better(wide):
    """100,001 sizes for every use; each is trained until it reaches the loss, or for as long as the
    budget lasts.
    """
    N = np.geomspace(1e2, 1e12, 100001)[:, None]
    cost = costs.LifetimeCost(SERVED)
    best = plan.cheapest(laws.chinchilla, ROUNDED, 2.2, cost=cost, throw=True)
    gap = 2.2 - ROUNDED["E"] - ROUNDED["A"] * N ** -ROUNDED["alpha"]
    D = (ROUNDED["B"] / np.where(gap > 0, gap, np.nan)) ** (1 / ROUNDED["beta"])
    grid = np.nanmin(cost.flops(N, D), axis=0)
    assert np.all(best.budget <= grid * (1 + 1e-13))
    np.testing.assert_allclose(best.budget, grid, rtol=1e-6)

    best = plan.optimal(laws.chinchilla, ROUNDED, 1e23, cost=cost, throw=True)
    D = cost.tokens(1e23, N)
    grid = np.nanmin(laws.chinchilla(N, np.where(D > 0, D, np.nan), **ROUNDED), axis=0)
    assert np.all(best.loss <= grid * (1 + 1e-13))
    np.testing.assert_allclose(best.loss, grid, rtol=1e-6)


def test_best_value_is_its_closed_form(wide):
    theta, price = draws(BESIROGLU, 6, spread=0.1), np.geomspace(1e-28, 1e-18, 6)
    best = plan.best_value(laws.chinchilla, theta, price, throw=True)
    budget, J = closed_form(theta, price)
    np.testing.assert_allclose(best.budget, budget, rtol=1e-9)
    np.testing.assert_allclose(best.loss + price * best.budget, J, rtol=1e-13)


def test_derivatives(wide):
    """By the parameters and the tokens served; at no use the budget of best value has a closed
    form.
    """
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
    found = jax.jit(jax.grad(value))(theta)
    exact = jax.grad(lambda theta: jnp.log(closed_form(theta, 1e-24)[0]))(theta)
    for name in set(theta) - {"E"}:
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-8, err_msg=name)
    assert abs(found["E"]) < 1e-10


def test_cheapest_is_the_inverse_of_optimal_with_bits(wide):
    """Also where training in the bits that are used afterwards is the best."""
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


def test_best_value_with_bits_is_an_optimum_at_its_budget(wide):
    post = np.array([4.0, 9.0])
    best = plan.best_value(laws.precision, KUMAR, 1e-24, free=JOINT, P_post=post, throw=True)
    same = plan.optimal(laws.precision, KUMAR, best.budget, free=JOINT, P_post=post, throw=True)
    np.testing.assert_allclose(best.P_opt, same.P_opt, rtol=1e-8)
    np.testing.assert_allclose(best.loss, same.loss, rtol=1e-13)
    for factor in (0.9, 1.1):
        near = plan.optimal(laws.precision, KUMAR, factor * best.budget, free=JOINT, P_post=post)
        assert np.all(near.loss + 1e-24 * near.budget > best.loss + 1e-24 * best.budget)


def test_a_given_size_reaches_a_loss_before_more_data_hurts(wide):
    """Quantised to 4 bits, a model of 1e9 parameters has a least loss; the first budget that
    reaches one counts.
    """
    turn = plan.critical_tokens(laws.precision, KUMAR, N=1e9, P_post=4).D_crit
    least = laws.precision(1e9, turn, P_post=4.0, **KUMAR)
    best = plan.cheapest(
        laws.precision, KUMAR, least * np.array([0.9999, 1.01]), free="D", N=1e9, P_post=4
    )
    np.testing.assert_array_equal(best.status, [Status.no_interior_optimum, Status.converged])
    assert best.D_opt[1] < turn
    np.testing.assert_allclose(
        laws.precision(1e9, best.D_opt[1], P_post=4.0, **KUMAR), 1.01 * least, rtol=1e-13
    )
    np.testing.assert_allclose(best.budget[1], 6e9 * best.D_opt[1], rtol=1e-13)


def test_what_cannot_be_had_is_a_status(wide):
    """Below the irreducible loss, at it, and a loss that any model has; the derivatives of the
    others stay whole.
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
        JscaleError, match=r"cheapest plan of 'chinchilla': no_interior_optimum \(1 of 1 solves\)"
    ):
        plan.cheapest(laws.chinchilla, ROUNDED, 1.6, cost=LIFETIME, throw=True)


def test_float32():
    """Against what float64 gives; measured 4e-6 for the counts and the budgets."""
    best = plan.cheapest(
        laws.chinchilla, ROUNDED, laws.chinchilla(7e10, 4.26e12, **ROUNDED), cost=LIFETIME
    )
    expected = {"N_opt": 33651594880.0, "D_opt": 9351054464000.0, "budget": 2.561099284e24}
    for name, value in expected.items():
        assert getattr(best, name).dtype == np.float32
        np.testing.assert_allclose(getattr(best, name), value, rtol=5e-5, err_msg=name)
    worth = plan.best_value(laws.chinchilla, BESIROGLU, 1e-24)
    assert worth.budget.dtype == np.float32
    np.testing.assert_allclose(worth.budget, 4.429093728e22, rtol=5e-5)


@pytest.mark.parametrize(
    ("question", "message"),
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
def test_bad_questions_are_one_clear_line(question, message):
    with pytest.raises(JscaleError, match=message) as error:
        question()
    assert "\n" not in str(error.value)
