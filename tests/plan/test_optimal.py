"""Compute-optimal plans: the printed numbers, the conditions of an optimum, derivatives, and bad questions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan.costs import ProductCost, precision_scaled_flops, training_flops
from tests.plan import facts
from tests.plan.cases import (
    BESIROGLU,
    JOINT,
    KUMAR,
    POWERS,
    RTOL,
    RTOL32,
    assert_derivatives,
    differences,
    draws,
    perturbed,
    powers,
)

BUDGETS = np.array(facts.BUDGETS)
UNBIASED = {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0}


@pytest.fixture
def wide():
    with float64():
        yield


def stacked(best):
    """Logarithms of the counts, the bits where there are any, and the loss."""
    logs = [jnp.log(v) for v in (best.N_opt, best.D_opt, best.P_opt) if v is not None]
    return jnp.stack([*logs, best.loss])


# --- reference values -----------------------------------------------------------------------------------------------
@pytest.mark.smoke
@pytest.mark.parametrize("source", facts.CHINCHILLA)
def test_chinchilla_opt(source, wide):
    C, N, D, loss = np.array(facts.CHINCHILLA[source]).T
    best = plan.optimal(laws.chinchilla, laws.params(laws.chinchilla, source), C, throw=True)
    np.testing.assert_allclose(best.N_opt, N, rtol=RTOL)
    np.testing.assert_allclose(best.D_opt, D, rtol=RTOL)
    np.testing.assert_allclose(best.loss, loss, rtol=RTOL)
    np.testing.assert_array_equal(best.budget, C)
    assert best.P_opt is None


@pytest.mark.smoke
def test_budget_factorised_bias(wide):
    N, D, P, loss = np.array(facts.BUDGET_FACTORISED_BIAS).T
    best = plan.optimal(laws.precision, KUMAR, BUDGETS, free=JOINT, throw=True)
    for found, expected in ((best.N_opt, N), (best.D_opt, D), (best.P_opt, P), (best.loss, loss)):
        np.testing.assert_allclose(found, expected, rtol=RTOL)


def test_budget_factorised_nobias(wide):
    N, D, P, loss = np.array(facts.BUDGET_FACTORISED_NOBIAS).T
    best = plan.optimal(laws.precision, KUMAR | UNBIASED, BUDGETS, free=JOINT, throw=True)
    for found, expected in ((best.N_opt, N), (best.D_opt, D), (best.P_opt, P), (best.loss, loss)):
        np.testing.assert_allclose(found, expected, rtol=RTOL)


def test_budget_P16_bias(wide):
    N, D, loss = np.array(facts.BUDGET_P16_BIAS).T
    best = plan.optimal(laws.precision, KUMAR, BUDGETS, P=16, throw=True)
    for found, expected in ((best.N_opt, N), (best.D_opt, D), (best.P_opt, np.full(9, 16.0)), (best.loss, loss)):
        np.testing.assert_allclose(found, expected, rtol=RTOL)


def test_tokens_follow_the_corrected_equations(wide):
    """Eq. 6, 16 and 17 as printed lack a factor 1 / P in D: with it, tokens peak at the optimal precision."""
    bits = np.array([4.0, 7.0, 8.0, 16.0])
    tokens = plan.optimal(laws.precision, KUMAR, 1e21, P=bits, throw=True).D_opt
    np.testing.assert_allclose(tokens / tokens[-1], [0.877, 1.305, 1.291, 1.0], atol=5e-4)


# --- an optimum -----------------------------------------------------------------------------------------------------
def test_first_order_conditions(wide):
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
    np.testing.assert_allclose(precision_scaled_flops.flops(best.N_opt, best.D_opt, best.P_opt), C, rtol=1e-13)


@pytest.mark.parametrize("law", [laws.precision, laws.qat], ids=lambda law: laws.describe(law).name)
def test_brute_force_finds_nothing_better(law, wide):
    """201 sizes times 301 precisions around every one of 40 scattered laws."""
    theta = draws(laws.params(law, "kumar2024"), 40, spread=0.3, seed=1)
    best = plan.optimal(law, theta, 1e22, free=JOINT, throw=True)
    parts = [name for name in laws.describe(law).bit_inputs if name != "P_post"]

    def least(theta):
        log_N, P = jnp.meshgrid(jnp.linspace(np.log(1e6), np.log(1e16), 201), jnp.geomspace(0.1, 200, 301))
        N = jnp.exp(log_N)
        D = precision_scaled_flops.tokens(1e22, N, P)
        return jnp.min(law(N, D, **dict.fromkeys(parts, P), **theta))

    grid = jax.jit(lambda theta: jax.lax.map(least, theta))({k: jnp.asarray(v) for k, v in theta.items()})
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-3)


@pytest.mark.parametrize("law", [laws.chinchilla, laws.kaplan], ids=lambda law: laws.describe(law).name)
def test_brute_force_finds_nothing_better_without_bits(law, wide):
    theta = draws(laws.params(law), 200, spread=0.2, seed=2)
    best = plan.optimal(law, theta, 1e23, throw=True)
    N = np.geomspace(1e4, 1e22, 4001)[:, None]
    grid = law(N, training_flops.tokens(1e23, N), **theta).min(axis=0)
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-5)


# --- derivatives ----------------------------------------------------------------------------------------------------
def closed_form(theta, C):
    """LAWS of the two-term law: ln N, ln D and the loss at the optimum."""
    total = theta["alpha"] + theta["beta"]
    G = (theta["alpha"] * theta["A"] / (theta["beta"] * theta["B"])) ** (1 / total)
    N = G * (C / 6) ** (theta["beta"] / total)
    D = (C / 6) / N
    loss = theta["E"] + theta["A"] * N ** -theta["alpha"] + theta["B"] * D ** -theta["beta"]
    return jnp.stack([jnp.log(N), jnp.log(D), loss])


def test_chinchilla_is_its_closed_form_to_second_order(wide):
    """By ln C, since a change of C by 1 FLOP is nothing."""
    point = {name: jnp.asarray(value) for name, value in BESIROGLU.items()} | {"log_C": jnp.log(1e21)}

    def split(point):
        theta = {name: value for name, value in point.items() if name != "log_C"}
        return theta, jnp.exp(point["log_C"])

    def ours(point):
        return stacked(plan.optimal(laws.chinchilla, *split(point)))

    def exact(point):
        return closed_form(*split(point))

    both = jax.jit(lambda f=ours: (f(point), jax.jacrev(f)(point), jax.jacfwd(jax.jacrev(f))(point)))()
    expected = exact(point), jax.jacfwd(exact)(point), jax.jacfwd(jax.jacfwd(exact))(point)
    for found, true in zip(jax.tree.leaves(both), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-8, atol=1e-12)


@pytest.mark.smoke
def test_gradient_by_every_parameter_and_the_budget_is_the_finite_difference(wide):
    def function(point):
        theta = {name: value for name, value in point.items() if name != "budget"}
        return stacked(plan.optimal(laws.precision, theta, point["budget"], free=JOINT))

    assert_derivatives(function, KUMAR | {"budget": 1e21})


def test_gradient_by_given_inputs_is_the_finite_difference(wide):
    """At a given size and post-training precision, with the weights' bits apart from the others."""

    def function(point):
        theta = {name: point[name] for name in KUMAR}
        inputs = {name: point[name] for name in ("P_w", "P_post")}
        return stacked(plan.optimal(laws.precision, theta, point["budget"], **inputs))

    assert_derivatives(function, KUMAR | {"budget": 1e24, "P_w": 6.0, "P_post": 4.0})


def test_second_derivatives_are_the_finite_differences(wide):
    theta = laws.params(laws.qat, "kumar2024")
    point = {name: theta[name] for name in ("alpha", "beta", "gamma_w", "n_w")} | {"log_C": float(np.log(1e21))}

    def function(point):
        moved = {name: point.get(name, theta[name]) for name in theta}
        return stacked(plan.optimal(laws.qat, moved, jnp.exp(point["log_C"]), free=JOINT))

    first = jax.jacrev(function)
    moved = jax.jit(jax.vmap(first))({k: jnp.asarray(v) for k, v in perturbed(point).items()})
    second = jax.jit(jax.jacfwd(first))({name: jnp.asarray(value) for name, value in point.items()})
    for row in point:
        expected = differences(moved[row], point)  # (n, outputs)
        found = np.stack([second[row][column] for column in point])
        scale = np.abs(expected).max(axis=0)
        assert np.all(np.abs(found - expected) <= 1e-6 * scale + 1e-9), (row, found, expected)


# --- draws ----------------------------------------------------------------------------------------------------------
def test_four_thousand_draws_are_the_loop_over_them(wide):
    theta = draws(KUMAR, 4000)
    best = plan.optimal(laws.precision, theta, 1e21, free=JOINT, throw=True)
    assert best.N_opt.shape == best.status.shape == best.budget.shape == (4000,)
    for i in range(0, 4000, 571):
        one = plan.optimal(laws.precision, {k: float(v[i]) for k, v in theta.items()}, 1e21, free=JOINT)
        for found, expected in zip(jax.tree.leaves(best), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(found[i], expected, rtol=1e-11)


def test_vmap_over_draws_is_draws(wide):
    theta = draws(BESIROGLU, 40)
    mapped = jax.jit(jax.vmap(lambda t: plan.optimal(laws.chinchilla, t, 1e23)))(theta)
    for found, expected in zip(
        jax.tree.leaves(mapped), jax.tree.leaves(plan.optimal(laws.chinchilla, theta, 1e23)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_draws_scalars_and_budgets_broadcast(wide):
    theta = BESIROGLU | {"alpha": np.linspace(0.3, 0.4, 5)}
    best = plan.optimal(laws.chinchilla, theta, np.array([[1e20], [1e22], [1e24]]))
    assert {leaf.shape for leaf in jax.tree.leaves(best)} == {(3, 5)}
    one = plan.optimal(laws.chinchilla, BESIROGLU | {"alpha": float(theta["alpha"][3])}, 1e22)
    np.testing.assert_allclose(best.N_opt[1, 3], one.N_opt, rtol=1e-12)
    np.testing.assert_array_equal(best.budget[:, 0], [1e20, 1e22, 1e24])


def test_jit_is_eager(wide):
    theta = laws.params(laws.qat)
    eager = plan.optimal(laws.qat, theta, 1e21, free=JOINT)
    jitted = jax.jit(lambda theta, C: plan.optimal(laws.qat, theta, C, free=JOINT))(theta, 1e21)
    for found, expected in zip(jax.tree.leaves(jitted), jax.tree.leaves(eager), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_second_question_of_the_same_shape_compiles_nothing(wide):
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


def test_failed_draws_leave_the_derivatives_of_the_others_alone(wide):
    theta = BESIROGLU | {"A": jnp.asarray([482.01, -482.01, 300.0])}  # no optimum with a negative coefficient

    def total(budget):
        best = plan.optimal(laws.chinchilla, theta, budget)
        return jnp.sum(jnp.where(best.status == Status.converged, jnp.log(best.N_opt), 0.0))

    best = plan.optimal(laws.chinchilla, theta, 1e21)
    np.testing.assert_array_equal(best.status, [0, Status.no_interior_optimum, 0])
    np.testing.assert_array_equal(np.isnan(best.N_opt), [False, True, False])
    share = BESIROGLU["beta"] / (BESIROGLU["alpha"] + BESIROGLU["beta"])
    np.testing.assert_allclose(jax.grad(total)(1e21) * 1e21, 2 * share, rtol=1e-10)


# --- float32 --------------------------------------------------------------------------------------------------------
BUDGETS32 = 10.0 ** np.arange(15, 29)
LAWS32 = {
    "chinchilla-krajewski2024": (laws.chinchilla, "krajewski2024_dense", ("N", "D")),
    "precision": (laws.precision, "kumar2024", JOINT),
}


@pytest.mark.parametrize("name", LAWS32)
def test_float32(name):
    """Budgets from 1e15 to 1e28 FLOP: nothing overflows, and the errors stay below those of the docstring."""
    law, source, free = LAWS32[name]
    theta = laws.params(law, source)

    def function(theta, budget):
        best = plan.optimal(law, theta, budget, free=free)
        relative = jax.jacfwd(
            lambda t: stacked(plan.optimal(law, {k: t[k] * v for k, v in theta.items()}, budget, free=free))
        )
        return best, relative({k: jnp.ones_like(budget) for k in theta})

    def run(dtype):
        rounded = {k: np.float32(v).astype(dtype) for k, v in theta.items()}
        best, by_theta = jax.jit(jax.vmap(function, (None, 0)))(rounded, np.float32(BUDGETS32).astype(dtype))
        return best, np.stack([by_theta[k] for k in theta])

    best, by_theta = run(np.float32)
    with float64():
        exact, exact_by_theta = run(np.float64)
    np.testing.assert_array_equal(best.status, 0)
    for field in ("N_opt", "D_opt", "P_opt", "loss"):
        if getattr(best, field) is not None:
            assert getattr(best, field).dtype == jnp.float32
            rtol = RTOL32["loss" if field == "loss" else "counts"]
            np.testing.assert_allclose(getattr(best, field), getattr(exact, field), rtol=rtol, err_msg=field)
    largest = np.abs(exact_by_theta).max(axis=(0, 1), keepdims=True)
    assert np.all(np.abs(by_theta - exact_by_theta) <= RTOL32["derivatives"] * largest)


def test_float32_says_where_it_ends():
    """Beyond about 1e15 tokens the second derivative of the data term underflows: NaN with a status, not a guess."""
    best = plan.optimal(laws.precision, KUMAR, np.float32(1e34), free=JOINT)
    assert int(best.status) == Status.not_converged
    assert np.isnan(best.N_opt)
    with pytest.raises(JscaleError, match="1e\\+40 is too large for float32"):
        plan.optimal(laws.precision, KUMAR, 1e40)


def test_dtype_is_the_callers(wide):
    single = {name: jnp.asarray(value, jnp.float32) for name, value in BESIROGLU.items()}
    assert plan.optimal(laws.chinchilla, single, 1e21).N_opt.dtype == jnp.float32
    assert plan.optimal(laws.chinchilla, BESIROGLU, 10**21).N_opt.dtype == jnp.float64
    assert plan.optimal(laws.chinchilla, BESIROGLU, [10**21]).N_opt.dtype == jnp.float64
    assert plan.optimal(laws.chinchilla, BESIROGLU, jnp.asarray(1e21, jnp.float32)).N_opt.dtype == jnp.float32
    assert plan.optimal(laws.chinchilla, single, np.array([1e21])).N_opt.dtype == jnp.float64


# --- questions ------------------------------------------------------------------------------------------------------
def test_given_size_or_tokens_leave_the_other_to_the_budget(wide):
    by_size = plan.optimal(laws.chinchilla, BESIROGLU, 6e21, free="D", N=1e9)
    by_tokens = plan.optimal(laws.chinchilla, BESIROGLU, 6e21, free="N", D=1e12)
    for best in (by_size, by_tokens):
        np.testing.assert_allclose([best.N_opt, best.D_opt], [1e9, 1e12], rtol=1e-14)
        np.testing.assert_allclose(best.loss, laws.chinchilla(1e9, 1e12, **BESIROGLU), rtol=1e-14)
        assert int(best.status) == Status.converged


def test_bits_may_be_given_one_by_one(wide):
    """The cost then is 6 N D, and bits that are not given mean full precision."""
    best = plan.optimal(laws.precision, KUMAR, 1e22, P_w=4, P_post=5, throw=True)
    assert best.P_opt is None
    np.testing.assert_allclose(training_flops.flops(best.N_opt, best.D_opt), 1e22, rtol=1e-13)
    np.testing.assert_allclose(
        best.loss, laws.precision(best.N_opt, best.D_opt, P_w=4.0, P_post=5.0, **KUMAR), rtol=1e-13
    )
    full = plan.optimal(laws.precision, KUMAR, 1e22)
    dense = {name: KUMAR[name] for name in ("E", "A", "B", "alpha", "beta")}
    np.testing.assert_allclose(full.N_opt, plan.optimal(laws.chinchilla, dense, 1e22).N_opt, rtol=1e-12)


def test_bits_after_training_may_be_the_best_to_train_in(wide):
    """Trained in P_post bits a model loses nothing; brute force decides between that and more bits."""
    post = np.array([4.0, 5.0, 6.9, 7.2])
    best = plan.optimal(laws.precision, KUMAR, 1e25, free=JOINT, P_post=post, throw=True)
    N, P = np.geomspace(1e9, 1e14, 401)[:, None, None], np.append(np.geomspace(3.2, 20, 400), post)[:, None]
    loss = laws.precision(N, precision_scaled_flops.tokens(1e25, N, P), P, P, P, post, **KUMAR)
    grid = np.asarray(loss).min(axis=(0, 1))
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(best.P_opt) == post, [True, True, True, False])
    np.testing.assert_allclose(best.P_opt[3], facts.PSTAR["pstar_factorised_bias"], rtol=RTOL)


def test_a_cost_may_be_chosen(wide):
    """At 6 N D more bits cost nothing, so there is no best number of them; at 16 bits both costs are the same."""
    free = plan.optimal(laws.qat, laws.params(laws.qat), 1e21, free=JOINT, cost=training_flops)
    assert int(free.status) != Status.converged
    same = plan.optimal(laws.precision, KUMAR, 1e21, P=16, cost=training_flops)
    np.testing.assert_allclose(same.N_opt, plan.optimal(laws.precision, KUMAR, 1e21, P=16).N_opt, rtol=1e-12)


def test_costs_are_each_others_inverse():
    for cost, bits in ((training_flops, None), (precision_scaled_flops, 4)):
        budget = cost.flops(10**9, 2 * 10**10, bits)
        assert cost.tokens(budget, 10**9, bits) == pytest.approx(2e10, rel=1e-14)
        assert cost.parameters(budget, 2 * 10**10, bits) == pytest.approx(1e9, rel=1e-14)
    assert training_flops.flops(1e9, 2e10) == precision_scaled_flops.flops(1e9, 2e10, 16) == 1.2e20
    with pytest.raises(JscaleError, match="give P"):
        precision_scaled_flops.flops(1e9, 2e10)


class HalfPrice(ProductCost):
    """From 6 bits down, bits cost nothing less: a kink in the cost, and the optimum in the kink."""

    def __init__(self):
        super().__init__("half_price", needs_bits=True)

    def _rate(self, P):
        return 6 / 16 * jnp.maximum(P, 6.0)


@pytest.mark.parametrize(
    ("question", "status"),
    [
        (lambda: plan.optimal(powers(1), POWERS, 1e21, free=JOINT), Status.no_interior_optimum),
        (lambda: plan.optimal(laws.precision, KUMAR, 1e21, P=3), Status.no_interior_optimum),
        (lambda: plan.optimal(laws.precision, KUMAR, 1e21, free="D", N=1e9, P=3), Status.no_interior_optimum),
        (lambda: plan.optimal(powers(1), POWERS, 1e21, free=JOINT, cost=HalfPrice()), Status.not_converged),
    ],
    ids=["one-factor", "below-the-domain", "below-the-domain-at-a-size", "kink"],
)
def test_no_optimum_is_a_status_with_nan(question, status, wide):
    best = question()
    assert int(best.status) == status
    assert np.isnan([best.N_opt, best.D_opt, best.P_opt, best.loss]).all()


def test_throw_turns_a_status_into_an_error(wide):
    with pytest.raises(JscaleError, match=r"optimal plan of 'precision': no_interior_optimum \(1 of 2 solves\)"):
        plan.optimal(laws.precision, KUMAR, 1e21, P=[3.0, 8.0], throw=True)
    with pytest.raises(JscaleError, match="outside of jit"):
        jax.jit(lambda C: plan.optimal(laws.chinchilla, BESIROGLU, C, throw=True))(1e21)


BAD = {
    "zero": ({"budget": 0}, "budget must be a finite number above 0, not 0"),
    "negative": ({"budget": [1e21, -1e21]}, r"budget\[1\] must be a finite number above 0, not -1e\+21"),
    "nan": ({"budget": float("nan")}, "budget must be a finite number above 0, not nan"),
    "infinite": ({"budget": np.inf}, "budget must be a finite number"),
    "text": ({"budget": "abc"}, "budget must be a number, not 'abc'"),
    "list": ({"budget": [10**21, "x"]}, "budget must be a number"),
    "boolean": ({"budget": True}, "budget must be a number"),
    "none": ({"budget": None}, "budget must be a number"),
    "free-unknown": ({"free": ("N", "T")}, "free holds T: only N, D and P"),
    "free-and-given": ({"N": 1e9}, "N cannot be both free and given"),
    "both-given": ({"free": (), "N": 1e9, "D": 1e10}, "N and D are both given"),
    "neither": ({"free": ("N",)}, "D is neither free nor given"),
    "P-and-part": ({"P": 8, "P_w": 4}, "P stands for P_w, P_a, P_kv: give either P or P_w, not both"),
    "P-free-and-part": ({"free": JOINT, "P_a": 4}, "give either P or P_a, not both"),
    "P-zero": ({"P": 0}, "P must be a finite number above 0"),
    "P-infinite": ({"P": np.inf}, "P must be a finite number above 0"),
    "size-zero": ({"free": "D", "N": 0}, "N must be a finite number above 0"),
    "bits-nan": ({"P_post": float("nan")}, "P_post must be a number above 0"),
    "unknown-input": ({"P_wt": 4}, "law 'precision' has no input P_wt"),
    "cost-without-bits": ({"cost": precision_scaled_flops}, "depends on the training precision: free P, or give P="),
    "missing": ({"params": {k: v for k, v in KUMAR.items() if k not in ("E", "n_a")}}, "params miss E, n_a"),
    "unknown": ({"params": KUMAR | {"delta": 1.0}}, "params have unknown delta"),
    "nan-draw": ({"params": KUMAR | {"A": np.array([1.0, np.nan])}}, r"parameter A\[1\] must be a finite number"),
    "text-parameter": ({"params": KUMAR | {"A": "4e3"}}, "parameter A must be a number, not '4e3'"),
    "no-mapping": ({"params": [1.0]}, "params must map the names of parameters to values"),
    "shapes": ({"params": draws(KUMAR, 3), "budget": [1e20, 1e21]}, r"write budget\[:, None\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_questions_are_one_clear_line(name):
    change, message = BAD[name]
    question = {"params": KUMAR, "budget": 1e21} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.optimal(laws.precision, question.pop("params"), question.pop("budget"), **question)
    assert "\n" not in str(error.value)


def test_bad_laws_are_one_clear_line():
    for question, message in (
        (lambda: plan.optimal(laws.chinchilla, BESIROGLU, 1e21, free=JOINT), "'chinchilla' has no training precision"),
        (lambda: plan.optimal(laws.chinchilla, BESIROGLU, 1e21, P=8), "'chinchilla' has no training precision"),
        (lambda: plan.optimal(laws.kaplan_size, {}, 1e21), "'kaplan_size' has no input D"),
        (lambda: plan.optimal(powers(3), POWERS, 1e21), "'tied' also needs P_w"),
        (lambda: plan.optimal(len, {}, 1e21), "not a declared law"),
    ):
        with pytest.raises(JscaleError, match=message) as error:
            question()
        assert "\n" not in str(error.value)
