"""Questions of the paper and of a planner, each one call of the general optimiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan import costs
from tests.plan import facts
from tests.plan.cases import BESIROGLU, KUMAR, RTOL

BUDGET, SERVED = 1e21, 1e12
SIZE = {"N": plan.Free(1e6, 1e13), "D": plan.Free(1e6, 1e16)}


@pytest.fixture
def float64_mode():
    with float64():
        yield


def parts_flops(N, D, P_w, P_a, P_kv):
    """Training FLOP at the mean of the three parts' bits."""
    return 6 * N * D * (P_w + P_a + P_kv) / 48


def trained_and_served(N, D, P, P_post):
    """FLOP of training in P bits, and of serving in P_post bits."""
    return 6 * N * D * P / 16 + 2 * N * SERVED * P_post / 16


def served_bytes(N, P_post):
    """Bytes of the weights in use."""
    return costs.weight_bytes(N, P_post)


def test_best_bits_of_a_given_size(float64_mode):
    """Fixed N: the reference table, by the general optimiser."""
    N, C, P, D = np.array(facts.FIXEDN_FACTORISED_BIAS[:4]).T
    best = plan.solve(
        laws.precision,
        {"N": N, "D": plan.Free(), "P": plan.Free(3.2, 256.0)},
        params=KUMAR,
        constraints=[(costs.precision_scaled_flops, "==", C)],
    )
    np.testing.assert_allclose(best.values["P"], P, rtol=RTOL)
    np.testing.assert_allclose(best.values["D"], D, rtol=RTOL)


def test_critical_tokens_are_where_more_data_is_free_and_useless(float64_mode):
    """D_crit as the minimum over D alone, at a size and bits after training."""
    unbiased = KUMAR | {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0}
    variables = {"N": 8e9, "D": plan.Free(), "P_post": 4.0}
    best = plan.solve(laws.precision, variables, params=unbiased, throw=True)
    row = facts.DCRIT_SIZES.index(8e9)
    expected = facts.DCRIT_NOBIAS[row][facts.DCRIT_BITS.index(4)]
    np.testing.assert_allclose(best.values["D"], expected, rtol=1e-8)


def test_each_part_has_its_own_bits(float64_mode):
    """Their elasticities are in proportion to their cost; less loss than one precision for all."""
    bits = {name: plan.Free(3.2, 32.0) for name in ("P_w", "P_a", "P_kv")}
    best = plan.solve(
        laws.precision,
        SIZE | bits,
        params=KUMAR,
        constraints=[(parts_flops, "==", BUDGET)],
        throw=True,
    )
    one = plan.optimal(laws.precision, KUMAR, BUDGET, free=("N", "D", "P"))
    assert float(best.objective) < float(one.loss)

    def loss(bits):
        return laws.precision(best.values["N"], best.values["D"], **bits, **KUMAR)

    slopes = jax.grad(loss)({name: best.values[name] for name in bits})
    values = np.array([float(slope) for slope in slopes.values()])
    np.testing.assert_allclose(values, values[0], rtol=1e-7)


def test_training_and_serving_in_different_bits(float64_mode):
    """Both free under one budget: no grid of bits and sizes does better."""
    best = plan.solve(
        laws.precision,
        SIZE | {"P": plan.Free(3.2, 32.0), "P_post": plan.Free(3.0, 32.0)},
        params=KUMAR,
        constraints=[(trained_and_served, "<=", 1e22)],
        throw=True,
    )
    assert int(best.status) == Status.converged
    N, P, post = np.meshgrid(
        np.geomspace(1e9, 3e10, 41), np.geomspace(6, 14, 41), np.geomspace(4, 9, 41)
    )
    D = (1e22 - 2 * N * SERVED * post / 16) * 16 / (6 * N * P)
    loss = laws.precision(N, np.where(D > 0, D, np.nan), P, P, P, post, **KUMAR)
    assert float(best.objective) <= np.nanmin(loss)
    np.testing.assert_allclose(best.objective, np.nanmin(loss), rtol=1e-4)


def test_how_much_larger_a_model_in_few_bits_must_be(float64_mode):
    """At matched loss and data, 1 / f(4) times the size, corrected for f(16)."""
    data = 1e12
    sixteen = laws.precision(1e9, data, 16.0, 16.0, 16.0, **KUMAR)
    best = plan.solve(
        served_bytes,
        {"N": plan.Free(), "P_post": 4.0, "D": data, "P": 4.0},
        params=KUMAR,
        constraints=[(laws.precision, "<=", float(sixteen))],
    )
    expected = 0.9936591813 / 0.1909881926
    np.testing.assert_allclose(best.values["N"] / 1e9, expected, rtol=1e-9)


def test_a_lifetime_target_is_the_cost_of_sardana(float64_mode):
    """70B on 4.26T tokens, 10T served: a smaller model on more tokens costs 20% less."""
    theta = laws.params(laws.chinchilla, "hoffmann2022_rounded")
    cost = costs.LifetimeCost(1e13)
    loss = float(laws.chinchilla(7e10, 4.26e12, **theta))
    best = plan.solve(cost, SIZE, params=theta, constraints=[(laws.chinchilla, "<=", loss)])
    np.testing.assert_allclose(best.values["N"], 33651594880.0, rtol=RTOL)
    np.testing.assert_allclose(best.objective / cost.flops(7e10, 4.26e12), 0.8030538307, rtol=RTOL)


def test_repeated_data_have_a_marginal_value(float64_mode):
    """What one more unique token saves is the derivative of the optimum by U."""
    theta = laws.params(laws.data_constrained)
    budget = [(costs.training_flops, "<=", 1e23)]

    def at(U):
        variables = SIZE | {"U": U}
        return plan.solve(laws.data_constrained, variables, params=theta, constraints=budget)

    value = jax.grad(lambda U: at(U).objective)(jnp.asarray(1e11))
    step = 1e7
    difference = (at(1e11 + step).objective - at(1e11 - step).objective) / (2 * step)
    np.testing.assert_allclose(value, difference, rtol=1e-5)
    assert float(value) < 0
    best = at(1e11)
    assert 1 < float(best.values["D"]) / 1e11 < 20  # epochs


def test_multipliers_have_the_units_of_their_costs(float64_mode):
    """In dollars: the nats per dollar are the nats per FLOP over the dollars per FLOP."""
    rate = 2.0 / (3600 * 4e14)

    def dollars(N, D):
        return 6 * N * D * rate

    by_flop = plan.solve(
        laws.chinchilla, SIZE, params=BESIROGLU, constraints=[(costs.training_flops, "<=", 1e24)]
    )
    by_dollar = plan.solve(
        laws.chinchilla, SIZE, params=BESIROGLU, constraints=[(dollars, "<=", 1e24 * rate)]
    )
    np.testing.assert_allclose(by_dollar.multipliers[0] * rate, by_flop.multipliers[0], rtol=1e-9)
