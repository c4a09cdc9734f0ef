"""The general optimiser: reference values, named functions, multipliers, derivatives, statuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan import costs
from jscale.plan.optimiser._variables import read_variables
from jscale.plan.problem import charged_bits
from tests.plan import facts
from tests.plan.cases import BESIROGLU, KUMAR, RTOL, draws

UNBIASED = KUMAR | {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0}
SIZE = {"N": plan.Free(), "D": plan.Free()}
JOINT = {**SIZE, "P": plan.Free(1.0, 64.0)}
FREE = {**SIZE, "P": plan.Free()}
EQ29 = [
    [2.549773333e07, 7.341927762e10, 3.921917243],
    [1.986561944e08, 9.687887926e11, 5.033822393],
]
"""N, D, P of eq. 29 at C = 1e8 and 1e9 bits of weights."""


@pytest.fixture
def float64_mode():
    with float64():
        yield


def served_bits(N, P_post):
    """Bits of weights: the inference cost of Kumar et al., eq. 29."""
    return N * P_post


def weight_bytes(N, bytes_each):
    """Bytes of weights."""
    return N * bytes_each


def weight_bits(N, P):
    """Bits of weights in the precision of training."""
    return N * P


def joint(params, budget):
    """The joint plan of size, data and bits: one program for all tests of this file."""
    scaled = [(costs.precision_scaled_flops, "==", budget)]
    return plan.solve(laws.precision, JOINT, params=params, constraints=scaled)


def dense(params, constraints, **variables):
    return plan.solve(laws.chinchilla, SIZE | variables, params=params, constraints=constraints)


@pytest.mark.smoke
def test_the_joint_plan_is_the_reference_value_and_the_named_function(float64_mode):
    N, D, P, loss = np.array(facts.BUDGET_FACTORISED_BIAS).T
    budget = np.array(facts.BUDGETS)
    best = joint(KUMAR, budget)
    named = plan.optimal(laws.precision, KUMAR, budget, free=("N", "D", "P"))
    np.testing.assert_array_equal(best.status, 0)
    assert float(np.max(best.residual)) <= 1e-8
    for name, expected, other in (("N", N, named.N_opt), ("D", D, named.D_opt)):
        np.testing.assert_allclose(best.values[name], expected, rtol=RTOL)
        np.testing.assert_allclose(best.values[name], other, rtol=1e-9)
    np.testing.assert_allclose(best.values["P"], P, rtol=RTOL)
    np.testing.assert_allclose(best.objective, loss, rtol=RTOL)
    np.testing.assert_allclose(best.constraints[0], budget, rtol=1e-9)


def derivative(function, x):
    """A function of one number there, and its derivative; the search is not compiled again."""
    return jax.jvp(function, (x,), (jnp.ones_like(x),))


def test_derivatives_of_both_orders_are_those_of_the_named_function(float64_mode):
    def solved(log_C):
        return dense(BESIROGLU, [(costs.training_flops, "==", jnp.exp(log_C))]).objective

    def named(log_C):
        return plan.optimal(laws.chinchilla, BESIROGLU, jnp.exp(log_C)).loss

    log_C = jnp.log(1e21)
    first, second = derivative(jax.grad(solved), log_C)
    expected = derivative(jax.grad(named), log_C)
    np.testing.assert_allclose(first, expected[0], rtol=1e-10)
    np.testing.assert_allclose(second, expected[1], rtol=1e-8)


def test_multipliers_and_their_derivatives(float64_mode):
    """The multiplier of a budget is what one more FLOP saves."""

    def loss(log_C):
        return plan.optimal(laws.precision, KUMAR, jnp.exp(log_C), free=("N", "D", "P")).loss

    def solved(log_C):
        best = joint(KUMAR, jnp.exp(log_C))
        return best.objective, best.multipliers[0]

    log_C = jnp.log(1e21)
    (_, multiplier), (first, multiplier_slope) = derivative(solved, log_C)
    np.testing.assert_allclose(first, derivative(loss, log_C)[1], rtol=1e-10)
    np.testing.assert_allclose(multiplier, -first / 1e21, rtol=1e-10)
    step = 1e-4
    difference = (solved(log_C + step)[1] - solved(log_C - step)[1]) / (2 * step)
    np.testing.assert_allclose(multiplier_slope, difference, rtol=1e-6)

    by_theta = jax.grad(lambda t: jnp.log(joint(t, 1e21).values["N"]))(KUMAR)
    expected = jax.grad(
        lambda t: jnp.log(plan.optimal(laws.precision, t, 1e21, free=("N", "D", "P")).N_opt)
    )(KUMAR)
    for name, value in expected.items():
        np.testing.assert_allclose(by_theta[name], value, rtol=1e-7, atol=1e-12)


def test_draws_are_the_loop_over_them_and_vmap(float64_mode):
    theta = draws(KUMAR, 9)
    together = joint(theta, 1e22)
    mapped = jax.jit(jax.vmap(lambda t: joint(t, 1e22)))(theta)
    np.testing.assert_allclose(together.objective, mapped.objective, rtol=1e-12)
    one = joint({name: value[4] for name, value in theta.items()}, 1e22)
    np.testing.assert_allclose(together.values["N"][4], one.values["N"], rtol=1e-9)


def test_float32_agrees():
    best = joint(KUMAR, 1e21)
    assert best.objective.dtype == jnp.float32
    assert int(best.status) == Status.converged
    np.testing.assert_allclose(best.values["P"], facts.PSTAR["pstar_factorised_bias"], rtol=1e-3)


def test_bounds_and_several_costs(float64_mode):
    """A cap of 4e10 parameters holds N; memory and compute bind together."""
    budget = (costs.training_flops, "<=", 1e24)
    best = dense(BESIROGLU, [budget], N=plan.Free(1e8, 4e10))
    assert int(best.status) == Status.at_bound
    assert best.at_bounds() == ["N at its upper bound"]
    exact = laws.chinchilla(4e10, 1e24 / 2.4e11, **BESIROGLU)
    np.testing.assert_allclose(best.objective, exact, rtol=1e-12)

    def at_cap(cap):
        return laws.chinchilla(cap, 1e24 / (6 * cap), **BESIROGLU)

    np.testing.assert_allclose(best.bound_multipliers["N"], -jax.grad(at_cap)(4e10), rtol=1e-9)
    by_cap = jax.grad(lambda c: dense(BESIROGLU, [budget], N=plan.Free(1e8, c)).objective)(4e10)
    np.testing.assert_allclose(by_cap, jax.grad(at_cap)(4e10), rtol=1e-9)

    slack = dense(BESIROGLU, [budget], N=plan.Free(1e8, 4e12))
    named = plan.optimal(laws.chinchilla, BESIROGLU, 1e24)
    assert int(slack.status) == Status.converged
    np.testing.assert_allclose(slack.values["N"], named.N_opt, rtol=1e-9)
    np.testing.assert_allclose(slack.bound_multipliers["N"], 0.0)


def test_cost_at_a_target_and_a_target_below_the_floor(float64_mode):
    target = np.array([2.0, 1.5])
    best = plan.solve(
        costs.training_flops, SIZE, params=BESIROGLU, constraints=[(laws.chinchilla, "<=", target)]
    )
    named = plan.cheapest(laws.chinchilla, BESIROGLU, np.array([2.0, 1.99999, 2.00001]))
    np.testing.assert_array_equal(best.status, [Status.converged, Status.infeasible])
    np.testing.assert_allclose(best.objective[0], named.budget[0], rtol=1e-9)
    assert np.isnan(best.objective[1])
    saved = (named.budget[1] - named.budget[2]) / 2e-5
    np.testing.assert_allclose(best.multipliers[0][0], saved, rtol=1e-6)


def test_the_cheapest_bits_of_a_target_from_distant_starts(float64_mode):
    """The best points of the scan cost up to 1e38 FLOP, the optima 1e18 to 1e24."""
    theta = draws(KUMAR, 12, spread=0.08) | {"E": KUMAR["E"]}
    limits = [(laws.precision, "<=", 2.95), (weight_bits, "<=", 1e15)]
    best = plan.solve(costs.precision_scaled_flops, FREE, params=theta, constraints=limits)
    named = plan.cheapest(laws.precision, theta, 2.95, free=("N", "D", "P"), throw=True)
    np.testing.assert_array_equal(best.status, Status.converged)
    np.testing.assert_allclose(best.objective, named.budget, rtol=1e-9)
    np.testing.assert_array_equal(best.multipliers[1], 0.0)


def test_plans_in_a_corner_of_two_limits(float64_mode):
    """Weights in 5 GB: at the corner the bits determine the size, and the budget the tokens."""
    theta = draws(KUMAR, 12, spread=0.15, seed=2)
    limits = [(costs.precision_scaled_flops, "<=", 1e23), (weight_bits, "<=", 4e10)]
    best = plan.solve(laws.precision, FREE, params=theta, constraints=limits)
    P = np.linspace(4.0, 14.0, 2001)[:, None]
    N, D = 4e10 / P, 1e23 / (6 / 16 * 4e10)
    losses = jax.jit(laws.precision)(N, D, P_w=P, P_a=P, P_kv=P, P_post=P, **theta)
    along = np.asarray(losses).min(axis=0)
    np.testing.assert_array_equal(best.status, Status.converged)
    assert np.all(best.objective <= along * (1 + 1e-12))
    held = np.asarray(best.multipliers[1]) > 0
    assert held.any()
    np.testing.assert_allclose(best.objective[held], along[held], rtol=1e-6)


def test_the_inference_cost_model_needs_a_lower_bound(float64_mode):
    """Eq. 29 has a local optimum above 1 bit; without a bound the loss falls as P goes to 0."""

    def at(budget, bits):
        variables = {"N": plan.Free(), "D": plan.Free(), "P_post": bits}
        served = [(served_bits, "==", budget)]
        return plan.solve(laws.precision, variables, params=UNBIASED, constraints=served)

    best = at(np.array([1e8, 1e9]), plan.Free(1.0, 256.0))
    table = np.stack([best.values[name] for name in ("N", "D", "P_post")], axis=1)
    np.testing.assert_allclose(table, EQ29, rtol=RTOL)
    assert int(at(1e10, plan.Free()).status) == Status.unbounded_below


def test_listed_formats_are_enumerated(float64_mode):
    formats = [4.0, 8.0, 16.0]
    best = plan.solve(
        laws.precision,
        SIZE | {"P": plan.Choice(formats)},
        params=KUMAR,
        constraints=[(costs.precision_scaled_flops, "==", 1e21)],
    )
    every = plan.optimal(laws.precision, KUMAR, 1e21, P=formats)
    assert float(best.values["P"]) == 8.0
    np.testing.assert_allclose(best.objective, np.min(every.loss), rtol=1e-12)


def test_shares_on_the_simplex(float64_mode):
    """The objective sum(a / share) has shares in proportion to the roots of a."""
    weights = jnp.array([1.0, 4.0, 9.0])

    def total(mix):
        return jnp.sum(weights / mix)

    best = plan.solve(total, {"mix": plan.Simplex(3)})
    np.testing.assert_allclose(best.values["mix"], np.array([1, 2, 3]) / 6, rtol=1e-9)


def rare(mix):
    return 100 * mix[0] + mix[1] ** 2 + mix[2] ** 2


def test_a_share_at_its_bound_is_named(float64_mode):
    best = plan.solve(rare, {"mix": plan.Simplex(3)})
    assert int(best.status) == Status.at_bound
    np.testing.assert_array_equal(best.side["mix"], [-1, 0, 0])
    assert best.at_bounds() == ["mix[0] at its lower bound"]
    np.testing.assert_allclose(best.bound_multipliers["mix"], [99, 0, 0], rtol=1e-3)


def bent(N, k):
    """For k = 8 with a kink at 1e9, otherwise a parabola above it."""
    distance = jnp.log(N / 1e9)
    return jnp.where(k == 8, jnp.abs(distance) + 1.0, distance**2 + 2.0)


def uneven(N, k):
    """For k = 4 a parabola, otherwise it falls with N."""
    return jnp.where(k == 4, jnp.log(N / 1e9) ** 2, -jnp.log(N))


def test_a_kink_is_found_and_no_combination_is_dropped(float64_mode):
    best = plan.solve(bent, {"N": plan.Free(1e3, 1e15), "k": plan.Choice([4, 8, 16])})
    assert int(best.status) == Status.kink
    assert float(best.values["k"]) == 8
    np.testing.assert_allclose([best.values["N"], best.objective], [1e9, 1.0], rtol=1e-9)
    assert int(best.unsolved) == 0

    open_ended = plan.solve(uneven, {"N": plan.Free(), "k": plan.Choice([4, 8, 16])})
    assert int(open_ended.status) == Status.unbounded_below
    assert int(open_ended.unsolved) == 2


def kinked(N, D, E, A, B, alpha, beta):
    """The two-term law with a kink at 1e10 parameters."""
    return E + A * N**-alpha + B * D**-beta + 0.05 * jnp.abs(jnp.log(N / 1e10))


def test_a_kink_on_a_constraint(float64_mode):
    """Its derivatives are not known, which is not the same as 0."""

    def loss(budget):
        limit = [(costs.training_flops, "<=", budget)]
        best = plan.solve(kinked, SIZE, params=BESIROGLU, constraints=limit)
        return best.objective, best

    slope, best = jax.jacfwd(loss, has_aux=True)(1e22)
    assert int(best.status) == Status.kink
    np.testing.assert_allclose(best.values["N"], 1e10, rtol=1e-8)
    np.testing.assert_allclose(best.values["D"], 1e22 / 6e10, rtol=1e-7)
    assert np.isnan(slope)
    assert np.isnan(best.multipliers[0])


def doubled(N, D):
    return 12 * N * D


def test_derivatives_where_two_constraints_are_one(float64_mode):
    def loss(budget):
        limits = [(costs.training_flops, "<=", budget), (doubled, "<=", 2 * budget)]
        return dense(BESIROGLU, limits).objective

    expected = jax.grad(lambda budget: plan.optimal(laws.chinchilla, BESIROGLU, budget).loss)
    np.testing.assert_allclose(jax.grad(loss)(1e24), expected(1e24), rtol=1e-9)


def prompted(Prompt):
    return jnp.log(Prompt / 1e6) ** 2


def test_a_name_that_begins_with_p_is_no_number_of_bits(float64_mode):
    best = plan.solve(prompted, {"Prompt": plan.Free()})
    np.testing.assert_allclose(best.values["Prompt"], 1e6, rtol=1e-7)


def test_bits_are_charged_by_one_rule():
    """Unquantised weights count as 16 bits, also beside activations of 32."""
    for values in ({"P_w": np.inf, "P_a": 32.0}, {"P_a": 32.0, "P_w": 4.0}, {"P": 32.0}):
        assert float(charged_bits(values)) == 32.0
    assert float(charged_bits({"P_w": np.inf, "P_a": 4.0})) == 16.0
    assert float(charged_bits({"P_a": 4.0})) == 16.0


def lone(N):
    return 1.0 / N


BAD = {
    "contradictory": (
        {"variables": {"N": plan.Free(1e10, 1e9), "D": plan.Free()}},
        "the bounds of N contradict each other: 1e\\+10 is not below 1e\\+09",
    ),
    "zero bound": ({"variables": SIZE | {"N": plan.Free(0, 1e9)}}, "lower bound of N must be"),
    "unknown variable": (
        {"variables": SIZE | {"U": plan.Free()}},
        "neither the objective nor a constraint has U",
    ),
    "missing": ({"variables": {"N": plan.Free()}}, "chinchilla needs D; expected among"),
    "no variables": ({"variables": {}}, "variables must map names"),
    "sense": (
        {"constraints": [(costs.training_flops, "<", 1.0)]},
        r"constraints\[0\] must have one of <=, >=, ==, not '<'",
    ),
    "no triple": ({"constraints": [3]}, r"constraints\[0\] must be a function"),
    "nan bound": (
        {"constraints": [(costs.training_flops, "<=", np.nan)]},
        r"the bound of constraints\[0\] \(training_flops\) must be a finite number",
    ),
    "nan draw": (
        {"params": BESIROGLU | {"A": np.array([400.0, np.nan])}},
        r"parameter A\[1\] must be a finite number, not nan",
    ),
    "candidates": (
        {"variables": {"N": plan.Choice(range(1, 1001)), "D": plan.Choice(range(1, 1001))}},
        "make 1,000,000 combinations; expected at most 4,096",
    ),
    "constraint on an unknown": (
        {"constraints": [(served_bits, "<=", 1e9)]},
        "served_bits needs P_post; expected among",
    ),
    "not a function": ({"objective": 3}, "objective must be a law, a cost or a function, not 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name):
    change, message = BAD[name]
    arguments = {"objective": laws.chinchilla, "variables": SIZE, "params": BESIROGLU} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.solve(arguments.pop("objective"), arguments.pop("variables"), **arguments)
    assert "\n" not in str(error.value)


def test_empty_lists_and_small_simplexes_are_one_line():
    with pytest.raises(JscaleError, match="the list of a choice is empty"):
        plan.Choice([])
    with pytest.raises(JscaleError, match="size of a simplex is 1"):
        plan.Simplex(1)


def test_throw_names_the_outcome(float64_mode):
    with pytest.raises(JscaleError, match=r"plan: no_interior_optimum \(1 of 1 solves\)"):
        plan.solve(laws.chinchilla, SIZE, params=BESIROGLU, throw=True)


def test_problems_that_differ_only_in_which_bounds_are_given_share_a_program():
    """The layout is what a program is compiled for."""
    open_ended, within = (read_variables({"N": each})[0] for each in (plan.Free(), plan.Free(1, 9)))
    assert open_ended == within
