"""Returns, verdicts, repeated data and serving volumes: closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.plan.scenarios._allocation import Allocation
from tests.plan.cases import BESIROGLU, KUMAR, draws

GOPHER = {"N": 280e9, "D": 0.3e12}


@pytest.fixture
def float64_mode():
    with float64():
        yield


def test_returns_are_those_of_the_two_terms_and_equal_at_the_optimum(float64_mode):
    returns = plan.marginal_returns(laws.chinchilla, BESIROGLU, GOPHER)
    p = BESIROGLU
    size = p["alpha"] * p["A"] * GOPHER["N"] ** -p["alpha"]
    data = p["beta"] * p["B"] * GOPHER["D"] ** -p["beta"]
    np.testing.assert_allclose(returns.by_log["N"], size, rtol=1e-12)
    np.testing.assert_allclose(returns.by_log["D"], data, rtol=1e-12)
    np.testing.assert_allclose(returns.per_cost["D"] * returns.cost, data, rtol=1e-12)

    best = plan.optimal(laws.chinchilla, p, 1e24)
    there = {"N": best.N_opt, "D": best.D_opt}
    at_best = plan.marginal_returns(laws.chinchilla, p, there).per_cost
    slope = jax.grad(lambda C: plan.optimal(laws.chinchilla, p, C).loss)(1e24)
    for value in at_best.values():
        np.testing.assert_allclose(value, -slope, rtol=1e-8)


def test_bits_return_as_much_as_size_and_data_at_the_joint_optimum(float64_mode):
    best = plan.optimal(laws.precision, KUMAR, 1e21, free=("N", "D", "P"))
    at = {"N": best.N_opt, "D": best.D_opt, "P": best.P_opt}
    per_cost = plan.marginal_returns(laws.precision, KUMAR, at).per_cost
    assert list(per_cost) == ["N", "D", "P"]
    np.testing.assert_allclose(list(per_cost.values()), per_cost["N"], rtol=1e-6)
    full = {"N": best.N_opt, "D": best.D_opt, "P_w": np.inf}
    assert float(plan.marginal_returns(laws.precision, KUMAR, full).by_log["P_w"]) == 0.0


def test_gopher_was_undertrained_in_every_draw(float64_mode):
    theta = draws(BESIROGLU, 24)
    found = plan.allocation(laws.chinchilla, theta, **GOPHER)
    best = plan.optimal(laws.chinchilla, theta, 6 * GOPHER["N"] * GOPHER["D"])
    loss = laws.chinchilla(**GOPHER, **theta)
    np.testing.assert_allclose(found.excess, loss - best.loss, rtol=1e-9)
    assert np.all(np.asarray(found.tokens) < 1)
    assert float(found.share_overtrained) == 0.0
    assert int(found.lost) == 0
    own = plan.allocation(laws.chinchilla, theta, best.N_opt, best.D_opt)
    np.testing.assert_allclose(own.excess, 0.0, atol=1e-12)


def test_draws_without_an_optimum_have_no_part_in_the_share():
    def share(*tokens):
        values = jnp.array(tokens)
        best = plan.optimal(laws.chinchilla, BESIROGLU, 6e22)
        return Allocation(values, values, values, best)

    some = share(0.5, 2.0, np.nan, 3.0, np.nan)
    assert (float(some.share_overtrained), int(some.lost)) == (pytest.approx(2 / 3), 2)
    assert np.isnan(float(share(np.nan).share_overtrained))


def test_repeated_data_by_finite_differences(float64_mode):
    theta = laws.params(laws.data_constrained)
    N, D, U = 7e9, 4e11, 1e11
    found = plan.repeated_data(laws.data_constrained, theta, N, D, U)

    def loss(D, U):
        return float(laws.data_constrained(N, D, U, **theta))

    step = 1e-5
    by_epoch = (loss(D - step * U, U) - loss(D + step * U, U)) / (2 * step)
    by_token = (loss(D, U * (1 - step)) - loss(D, U * (1 + step))) / (2 * step * U)
    fresh = (loss(D - step * U, U - step * U) - loss(D + step * U, U + step * U)) / (2 * step)
    np.testing.assert_allclose(found.epoch, by_epoch, rtol=1e-6)
    np.testing.assert_allclose(found.fresh_token, by_token, rtol=1e-6)
    np.testing.assert_allclose(found.fresh, fresh, rtol=1e-6)
    assert float(found.epochs) == 4.0


def test_at_the_break_even_volume_both_models_cost_the_same():
    small, large = (33.7e9, 9.3e12), (70e9, 4.26e12)
    served = plan.break_even_tokens(small, large)
    cost = plan.costs.LifetimeCost(served)
    np.testing.assert_allclose(cost.flops(*small), cost.flops(*large), rtol=1e-6)


BAD = {
    "not smaller": (
        lambda: plan.break_even_tokens((7e10, 1e12), (7e10, 2e12)),
        "small is not smaller",
    ),
    "no pair": (lambda: plan.break_even_tokens(7e10, (7e10, 2e12)), "small must be a pair"),
    "no tokens": (
        lambda: plan.marginal_returns(laws.chinchilla, BESIROGLU, {"N": 1e9}),
        "also needs D",
    ),
    "no repeats": (
        lambda: plan.repeated_data(laws.chinchilla, BESIROGLU, 1e9, 1e10, 1e9),
        "has no input U",
    ),
    "zero": (lambda: plan.allocation(laws.chinchilla, BESIROGLU, 0.0, 1e10), "N must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name):
    call, message = BAD[name]
    with pytest.raises(JscaleError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
