"""Plans over draws: regret, one plan for all draws, probabilities, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.laws import law
from jscale.laws.roles import Count, Exponent, Irreducible, Loss, SizeCoefficient
from tests.plan.cases import BESIROGLU, draws

BUDGET, DRAWS = 1e24, 24
SIZES = np.geomspace(1e10, 3e11, 4001)


@pytest.fixture
def float64_mode():
    with float64():
        yield


@pytest.fixture(scope="module")
def theta():
    return draws(BESIROGLU, DRAWS, spread=0.04, seed=5)


@pytest.fixture(scope="module")
def losses(theta):
    """Of every size at the budget, in every draw: (sizes, draws)."""
    return laws.chinchilla(SIZES[:, None], BUDGET / (6 * SIZES[:, None]), **theta)


def test_regret_is_the_cost_that_the_optimum_would_save(theta, float64_mode):
    """In compute it is exact for the two-term law; plans of two budgets."""
    plans = {"N": np.array([2e10, 5e10, 2e11]), "D": 1e24 / (6 * np.array([2e10, 5e10, 1e11]))}
    found = plan.regret(laws.chinchilla, theta, plans)
    np.testing.assert_allclose(found.cost, 6 * plans["N"] * plans["D"], rtol=1e-12)
    np.testing.assert_array_equal(found.lost, 0)
    for i in range(3):
        loss = laws.chinchilla(plans["N"][i], plans["D"][i], **theta)
        own = plan.optimal(laws.chinchilla, theta, float(found.cost[i]))
        needed = plan.cheapest(laws.chinchilla, theta, loss)
        np.testing.assert_allclose(found.nats[i], np.mean(loss - own.loss), rtol=1e-9)
        np.testing.assert_allclose(found.loss[i], np.mean(loss), rtol=1e-12)
        wasted = float(found.cost[i]) - needed.budget
        np.testing.assert_allclose(found.flops[i], np.mean(wasted), rtol=1e-7)


@pytest.mark.parametrize("risk", ["mean", "cvar", "regret"])
def test_no_size_beats_the_robust_plan(risk, theta, losses, float64_mode):
    best = plan.robust(laws.chinchilla, theta, BUDGET, risk=risk, level=0.75, throw=True)
    own = np.asarray(plan.optimal(laws.chinchilla, theta, BUDGET).loss)
    values = losses - own if risk == "regret" else losses
    worst = DRAWS if risk == "mean" else DRAWS // 4
    brute = np.sort(values, axis=1)[:, -worst:].mean(axis=1)
    assert float(best.value) <= brute.min() * (1 + 1e-12)
    np.testing.assert_allclose(best.value, brute.min(), rtol=1e-4)
    np.testing.assert_allclose(best.N, SIZES[brute.argmin()], rtol=2e-2)
    np.testing.assert_allclose(6 * best.N * best.D, BUDGET, rtol=1e-12)
    known = np.mean(losses[brute.argmin()] - own) if risk == "regret" else np.nan
    np.testing.assert_allclose(best.regret, known, rtol=1e-2)


def test_the_least_tail_regret_of_many_draws(float64_mode):
    """Its kinks are too dense for derivatives: no size of a fine grid is better."""
    many = draws(BESIROGLU, 400, spread=0.02, seed=6)
    best = plan.robust(laws.chinchilla, many, BUDGET, risk="regret", throw=True)
    sizes = np.geomspace(0.9, 1.1, 401)[:, None] * float(best.N)
    own = np.asarray(plan.optimal(laws.chinchilla, many, BUDGET).loss)
    excess = laws.chinchilla(sizes, BUDGET / (6 * sizes), **many) - own
    brute = np.sort(excess, axis=1)[:, -40:].mean(axis=1)
    assert float(best.value) <= brute.min() * (1 + 1e-12)


def test_probabilities(theta, losses, float64_mode):
    small, large = {"N": 2e10, "D": BUDGET / 1.2e11}, {"N": 2e11, "D": BUDGET / 1.2e12}
    share = np.mean(laws.chinchilla(**small, **theta) < laws.chinchilla(**large, **theta))
    np.testing.assert_allclose(plan.beats(laws.chinchilla, theta, small, large), share)
    assert float(plan.beats(laws.chinchilla, theta, small, small)) == 0.5

    target = float(np.quantile(losses, 0.8, axis=1, method="inverted_cdf").min())
    likely = plan.assured(laws.chinchilla, theta, target, 0.8, throw=True)
    np.testing.assert_allclose(likely.budget, BUDGET, rtol=1e-3)
    below_floor = plan.assured(laws.chinchilla, theta, 1.0, 0.8)
    assert int(below_floor.status) == Status.infeasible
    assert np.isnan(below_floor.N)


def test_an_assured_plan_reaches_the_loss_in_enough_draws(theta, float64_mode):
    """As does its derivative: the cheapest plan of the draw that decides."""
    wanted = 0.9  # of 24 draws: 22
    likely = plan.assured(laws.chinchilla, theta, 2.0, wanted)
    reached = laws.chinchilla(likely.N, likely.D, **theta) <= 2.0 * (1 + 1e-12)
    assert np.sum(reached) == 22

    def budget(shift):
        shifted = theta | {"alpha": theta["alpha"] + shift}
        return jnp.log(plan.assured(laws.chinchilla, shifted, 2.0, wanted).budget)

    difference = (budget(1e-5) - budget(-1e-5)) / 2e-5
    assert abs(difference) > 1
    np.testing.assert_allclose(jax.grad(budget)(0.0), difference, rtol=1e-5)


@pytest.mark.parametrize("risk", ["cvar", "regret"])
def test_robust_plans_have_derivatives(risk, theta, float64_mode):
    """By finite differences, also where the least regret lies at a kink."""

    def size(shift):
        shifted = theta | {"alpha": theta["alpha"] + shift}
        best = plan.robust(laws.chinchilla, shifted, BUDGET, risk=risk, level=0.75)
        return jnp.log(best.N)

    difference = (size(1e-6) - size(-1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(size)(0.0), difference, rtol=1e-4)


@law(formula="E + log(A * N / D)**2 - alpha * log(N * D / 1e20)**2 / 2", source="test")
def bent(N: Count, D: Count, *, E: Irreducible, A: SizeCoefficient, alpha: Exponent) -> Loss:
    """The best loss is concave in the logarithm of the budget, and flat if alpha is 0."""
    return E + jnp.log(A * N / D) ** 2 - alpha * jnp.log(N * D / 1e20) ** 2 / 2


def test_regret_where_the_optimal_loss_is_concave_or_flat_in_the_budget(float64_mode):
    """The first is an ordinary draw; a flat one is left out of all numbers."""
    theta = {"E": 9.0, "A": 1.0, "alpha": np.array([0.01, 0.0])}
    N, D = 1.1e11, 1e11
    found = plan.regret(bent, theta, {"N": [N], "D": [D]})
    assert int(found.lost[0]) == 1
    above, log_size = np.log(1.1) ** 2, np.log(N * D / 1e20)
    np.testing.assert_allclose(found.nats, above, rtol=1e-9)
    np.testing.assert_allclose(found.loss, 9 + above - 0.005 * log_size**2, rtol=1e-9)
    needed = np.exp(np.sqrt(log_size**2 - 200 * above) - log_size)
    np.testing.assert_allclose(found.flops / found.cost, 1 - needed, rtol=1e-2)


BAD = {
    "risk": (lambda t: plan.robust(laws.chinchilla, t, 1e24, risk="worst"), "must be mean, cvar"),
    "level": (lambda t: plan.robust(laws.chinchilla, t, 1e24, level=1.0), "level must be at least"),
    "probability": (
        lambda t: plan.assured(laws.chinchilla, t, 2.0, 1.0),
        "probability must be above 0 and below 1, not 1.0",
    ),
    "plans": (lambda t: plan.regret(laws.chinchilla, t, {"N": 1e9}), "plans lack D"),
    "negative": (
        lambda t: plan.regret(laws.chinchilla, t, {"N": -1e9, "D": 1e10}),
        "N must be a finite number above 0",
    ),
    "nan draw": (
        lambda t: plan.robust(laws.chinchilla, t | {"A": np.full(DRAWS, np.nan)}, 1e24),
        r"parameter A\[0\] must be a finite number, not nan",
    ),
    "lengths": (
        lambda t: plan.robust(laws.chinchilla, t | {"A": np.ones(3)}, 1e24),
        "draws differ in length",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name, theta):
    call, message = BAD[name]
    with pytest.raises(JscaleError, match=message) as error:
        call(theta)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("risk", ["mean", "cvar", "regret"])
def test_no_size_beats_the_robust_plan_under_limits(risk, theta, float64_mode):
    """Sizes to a limit that binds for some of the draws, or for all of them."""
    own = np.asarray(plan.optimal(laws.chinchilla, theta, BUDGET).N_opt)
    for most in (float(np.median(own)), 2e10):
        best = plan.robust(
            laws.chinchilla,
            theta,
            BUDGET,
            risk=risk,
            level=0.75,
            bounds={"N": (None, 1e13)},
            constraints=[(weight_bytes, "<=", 2 * most)],
        )
        sizes = np.append(SIZES[most > SIZES], most)[:, None]
        values = laws.chinchilla(sizes, BUDGET / (6 * sizes), **theta)
        size = np.minimum(own, most)  # each draw's own: its loss falls up to its optimum
        least = laws.chinchilla(size, BUDGET / (6 * size), **theta)
        np.testing.assert_allclose(best.regret, best.loss - least.mean(), atol=1e-9)
        if risk == "regret":
            values = values - least
        worst = DRAWS if risk == "mean" else DRAWS // 4
        brute = np.sort(values, axis=1)[:, -worst:].mean(axis=1).min()
        assert float(best.value) <= brute + 1e-8
        np.testing.assert_allclose(best.value, brute, atol=1e-6)
        assert float(best.N) <= most * (1 + 1e-6)
    np.testing.assert_allclose(best.N, 2e10, rtol=1e-6)
    assert int(best.status) == Status.at_bound


def test_statuses_of_robust_plans_under_limits(theta, float64_mode):
    def at(**limits):
        return plan.robust(laws.chinchilla, theta, BUDGET, **limits)

    assert int(at(bounds={"N": (1e8, 1e14)}).status) == Status.converged
    tokens = at(bounds={"D": (None, 1e12)})
    assert int(tokens.status) == Status.at_bound
    np.testing.assert_allclose(tokens.D, 1e12, rtol=1e-6)
    assert float(tokens.budget) <= BUDGET
    none = at(constraints=[(weight_count, "<=", 1e3), (weight_count, ">=", 1e4)])
    assert int(none.status) == Status.infeasible
    assert np.isnan(none.N)
    with pytest.raises(JscaleError, match="outside of jit and vmap"):
        jax.jit(lambda budget: plan.robust(laws.chinchilla, theta, budget, bounds={"N": (1, 2)}).N)(
            BUDGET
        )


def weight_count(N):
    return N


def weight_bytes(N):
    """One function, so that all plans under this limit share their programs."""
    return plan.costs.weight_bytes(N, 16)


def test_no_bits_beat_the_robust_plan_along_a_limit(float64_mode):
    """Sizes and bits in 5 GB: the best plan is along that limit, where lattices are jagged."""
    rng = np.random.default_rng(2)
    theta = {
        name: value * np.exp(0.15 * rng.normal(size=30))
        for name, value in laws.params(laws.precision).items()
    }
    best = plan.robust(
        laws.precision,
        theta,
        1e23,
        free=("N", "D", "P"),
        constraints=[(lambda N, P: N * P / 8, "<=", 5e9)],
    )
    bits = np.linspace(4.0, 14.0, 20_001)[:, None]
    sizes = 5e9 * 8 / bits
    tokens = 1e23 / (6 * sizes * bits / 16)
    law = jax.jit(laws.precision)
    losses = law(sizes, tokens, P_w=bits, P_a=bits, P_kv=bits, P_post=bits, **theta)
    along = np.asarray(losses).mean(axis=1)
    np.testing.assert_allclose(best.value, along.min(), rtol=1e-9)
    np.testing.assert_allclose(best.P, bits[along.argmin(), 0], rtol=2e-3)
    assert int(best.status) == Status.at_bound


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"constraints": (len, "<=", 1e9)}, "must be functions of N, D and P"),
        ({"constraints": [(len, "<=")]}, "must be functions of N, D and P"),
        ({"bounds": {"N": 1e9}}, "must be pairs of a least and a largest value"),
        ({"bounds": {"N": (2e9, 1e9)}}, "of N: 2e9 is not below 1e9"),
        ({"bounds": {"P": (4, 8)}}, "has P, which is not free"),
        ({"constraints": [(len, "==", 1.0)]}, "must be functions of N, D and P"),
        ({"bounds": {"N": (None, 1e9)}, "free": "D", "N": 1e9}, "need both N and D"),
    ],
)
def test_invalid_limits_are_one_line(limits, message, theta):
    with pytest.raises(JscaleError, match=message):
        plan.robust(laws.chinchilla, theta, BUDGET, **limits)
