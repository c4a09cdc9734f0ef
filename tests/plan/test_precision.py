"""The best training precision: reference values, its dependence on the budget, failures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.solve import root
from jscale._core.status import Status
from jscale.plan.costs import precision_scaled_flops
from tests.plan import facts
from tests.plan.cases import KUMAR, POWERS, RTOL, assert_derivatives, draws, powers

MEAN_GAMMA = 1.9475
UNBIASED = dict.fromkeys(("n_w", "n_a", "n_kv"), 0.0)
TIED = laws.tie(laws.fix(laws.low_precision, **UNBIASED), gamma_a="gamma_w", gamma_kv="gamma_w")
"""Three equal factors without biases: f(P) = (1 - exp(-P / gamma))**3."""


@pytest.fixture
def float64_mode():
    with float64():
        yield


def of(law, **changes):
    """The constants that ``law`` has, with changes."""
    return {name: (KUMAR | changes)[name] for name in laws.describe(law).parameter_names}


LAWS = {
    "pstar_tied_gbar": (TIED, of(TIED, gamma_w=MEAN_GAMMA)),
    "pstar_factorised_nobias": (laws.precision, KUMAR | UNBIASED),
    "pstar_factorised_bias": (laws.precision, KUMAR),
    "pstar_w_only_bias": (laws.qat, of(laws.qat)),
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", LAWS)
def test_pstar(name, float64_mode):
    law, theta = LAWS[name]
    best = plan.optimal_precision(law, theta, cost=precision_scaled_flops, throw=True)
    np.testing.assert_allclose(best.P_opt, facts.PSTAR[name], rtol=RTOL)
    assert best.N_opt is best.D_opt is best.loss is best.budget is None


@pytest.mark.parametrize("name", facts.PSTAR_X)
def test_pstar_x(name, float64_mode):
    k, x = facts.PSTAR_X[name]
    best = plan.optimal_precision(powers(k), POWERS, cost=precision_scaled_flops, throw=True)
    np.testing.assert_allclose(best.P_opt / POWERS["gamma"], x, rtol=RTOL)


def test_the_printed_condition_is_not_used(float64_mode):
    """Eq. 7 as printed has a spurious alpha and gives 1.461 bits.

    The optimum is at 3.708 bits, with biases at 7.002.
    """

    def printed(P):
        x = P / MEAN_GAMMA
        return 3 * KUMAR["alpha"] * x * jnp.exp(-x) / (1 - jnp.exp(-x)) - 1

    misprint = root(printed, jnp.asarray(0.1), jnp.asarray(20.0)).x
    np.testing.assert_allclose(misprint, facts.PSTAR_EQ7_AS_PRINTED, rtol=RTOL)
    bits = [
        plan.optimal_precision(*LAWS[name], cost=precision_scaled_flops).P_opt
        for name in ("pstar_tied_gbar", "pstar_factorised_bias")
    ]
    np.testing.assert_allclose(bits, [3.70768, 7.00211], atol=5e-6)


def test_it_is_the_joint_optimum_of_any_budget(float64_mode):
    best = plan.optimal_precision(laws.precision, KUMAR, budget=np.array([1e18, 1e26]), throw=True)
    np.testing.assert_allclose(
        best.P_opt, plan.optimal_precision(laws.precision, KUMAR).P_opt, rtol=1e-11
    )
    joint = plan.optimal(laws.precision, KUMAR, np.array([1e18, 1e26]), free=("N", "D", "P"))
    for name in ("N_opt", "D_opt", "P_opt", "loss", "budget", "status"):
        np.testing.assert_array_equal(getattr(best, name), getattr(joint, name))


def test_it_maximises_effective_parameters_per_bit(float64_mode):
    theta = draws(of(laws.low_precision), 300, spread=0.1)
    best = plan.optimal_precision(laws.low_precision, theta, throw=True)
    parts = {name: theta[name] for name in laws.describe(laws.effective_parameters).parameter_names}

    effective_parameters = jax.jit(laws.effective_parameters)

    def per_bit(P):
        return np.asarray(effective_parameters(1.0, P, P, P, **parts)) / P

    grid = per_bit(np.geomspace(0.5, 100, 20001)[:, None]).max(axis=0)
    reached = per_bit(np.asarray(best.P_opt))
    assert np.all(reached >= grid * (1 - 1e-14))
    np.testing.assert_allclose(reached, grid, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "law", "theta"),
    [
        ("FIXEDN_FACTORISED_BIAS", *LAWS["pstar_factorised_bias"]),
        ("FIXEDN_TIED_GBAR", *LAWS["pstar_tied_gbar"]),
    ],
    ids=["fixedN_factorised_bias", "fixedN_tied_gbar"],
)
def test_fixedN(name, law, theta, float64_mode):
    """Up to 1e40 FLOP, where the loss of effective parameters to precision is 1e-11."""
    N, budget, P, D = np.array(getattr(facts, name)).T
    best = plan.optimal_precision(law, theta, N=N, budget=budget)
    assert np.all(np.asarray(best.status) == Status.converged)
    np.testing.assert_allclose(best.P_opt, P, rtol=1e-8)
    np.testing.assert_allclose(best.D_opt, D, rtol=1e-8)
    np.testing.assert_array_equal(best.N_opt, N)


def test_fixedN_depends_on_tokens_per_parameter_alone_where_the_exponents_are_equal(float64_mode):
    sizes = np.geomspace(1e8, 1e10, 24)  # as many as there are rows above: no new code to compile
    budget = 6 / 16 * sizes * (100 * sizes) * 9.46581982  # 100 tokens per parameter
    best = plan.optimal_precision(laws.precision, KUMAR, N=sizes, budget=budget, throw=True)
    np.testing.assert_allclose(best.P_opt, 9.46581982, rtol=RTOL)


def test_fixedN_grows_with_the_logarithm_of_compute(float64_mode):
    budgets = np.geomspace(1e20, 1e30, 24)
    bits = plan.optimal_precision(
        laws.precision, KUMAR, N=np.full(24, 1e9), budget=budgets, throw=True
    ).P_opt
    per_decade = np.diff(bits) / np.diff(np.log10(budgets))
    assert np.all(per_decade > 2)
    assert np.all(np.diff(per_decade) > 0)
    slope_at_infinite_compute = KUMAR["beta"] * KUMAR["gamma_w"] * np.log(10)
    assert np.all(per_decade < 1.05 * slope_at_infinite_compute)


def test_gradients_are_the_finite_differences(float64_mode):
    theta = laws.params(laws.low_precision, "kumar2024")

    def joint(point):
        best = plan.optimal_precision(laws.low_precision, point)
        return jnp.stack([best.P_opt])

    def at_size(point):
        best = plan.optimal_precision(
            laws.low_precision,
            {name: point[name] for name in theta},
            N=point["N"],
            budget=point["budget"],
        )
        return jnp.stack([best.P_opt, jnp.log(best.D_opt), best.loss])

    assert_derivatives(joint, theta, jax.jacfwd)
    assert_derivatives(at_size, theta | {"N": 1e9, "budget": 1e22})


def test_draws_and_vmap_agree(float64_mode):
    theta = draws(of(laws.qat), 40)
    solve = functools.partial(plan.optimal_precision, laws.qat, cost=precision_scaled_flops)
    together, mapped = solve(theta), jax.jit(jax.vmap(solve))(theta)
    np.testing.assert_allclose(together.P_opt, mapped.P_opt, rtol=1e-12)
    np.testing.assert_array_equal(together.status, np.zeros(40))


def test_float32():
    """At a given size the optimum is flat at large budgets: accurate to 5e-5, or not converged."""
    best = plan.optimal_precision(laws.precision, KUMAR)
    assert best.P_opt.dtype == jnp.float32
    np.testing.assert_allclose(best.P_opt, facts.PSTAR["pstar_factorised_bias"], rtol=1e-6)
    rows = np.array(facts.FIXEDN_FACTORISED_BIAS, np.float64)
    N, budget, P, D = rows[rows[:, 1] < 1e38].T
    best = plan.optimal_precision(laws.precision, KUMAR, N=N, budget=budget)
    converged = np.asarray(best.status) == Status.converged
    assert np.all(converged | (budget > 1e24))
    np.testing.assert_allclose(best.P_opt[converged], P[converged], rtol=5e-5)
    np.testing.assert_allclose(best.D_opt[converged], D[converged], rtol=5e-5)


def test_one_factor_without_bias_has_no_optimum(float64_mode):
    best = plan.optimal_precision(powers(1), POWERS, cost=precision_scaled_flops)
    assert int(best.status) == Status.no_interior_optimum
    assert np.isnan(best.P_opt)
    with pytest.raises(JscaleError, match="optimal precision of 'tied': no_interior_optimum"):
        plan.optimal_precision(powers(1), POWERS, cost=precision_scaled_flops, throw=True)


@laws.law(formula="E + A * N**-alpha + B * D**-beta + delta * 2**-P_w", source="a test")
def additive(
    N: laws.roles.Count,
    D: laws.roles.Tokens,
    P_w: laws.roles.Bits,
    *,
    E: laws.roles.Irreducible,
    A: laws.roles.SizeCoefficient,
    B: laws.roles.DataCoefficient,
    alpha: laws.roles.Exponent,
    beta: laws.roles.Exponent,
    delta: laws.roles.BitScale,
) -> laws.roles.Loss:
    """Loss, nats per token (a test); bits add to the loss and are not effective parameters."""
    return E + A * N**-alpha + B * D**-beta + delta * 2.0**-P_w


def test_a_law_whose_optimum_depends_on_the_budget_needs_one(float64_mode):
    theta = {name: POWERS[name] for name in ("E", "A", "B", "alpha", "beta")} | {"delta": 3.0}
    solve = functools.partial(plan.optimal_precision, additive, cost=precision_scaled_flops)
    with pytest.raises(
        JscaleError,
        match="law 'additive': the optimal precision depends on N and D, so it needs budget=",
    ):
        solve(theta)
    inside = jax.jit(solve)(theta)
    assert int(inside.status) == Status.not_converged
    assert np.isnan(inside.P_opt)
    small, large = solve(theta, budget=np.array([1e20, 1e24]), throw=True).P_opt
    assert large > small + 1


def test_invalid_arguments_raise_one_line():
    for call, message in (
        (
            lambda: plan.optimal_precision(laws.precision, KUMAR, N=1e9),
            "grows with compute: give budget=",
        ),
        (
            lambda: plan.optimal_precision(laws.chinchilla, {}),
            "'chinchilla' has no training precision",
        ),
        (lambda: plan.optimal_precision(laws.precision, KUMAR, P_w=4), "either P or P_w"),
        (
            lambda: plan.optimal_precision(laws.precision, KUMAR, D=1e9),
            "D cannot be both free and given",
        ),
        (lambda: plan.optimal_precision(laws.precision, {}), "params miss E, A"),
        (
            lambda: plan.optimal_precision(laws.precision, KUMAR, budget=-1),
            "budget must be a finite number above 0",
        ),
    ):
        with pytest.raises(JscaleError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
