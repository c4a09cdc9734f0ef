"""Problems of a plan: fixed inputs, other costs, no optimum, invalid arguments."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan.costs import precision_scaled_flops, training_flops
from tests.plan import facts
from tests.plan.cases import (
    BESIROGLU,
    JOINT,
    KUMAR,
    POWERS,
    RTOL,
    draws,
    powers,
)


@pytest.fixture
def float64_mode():
    with float64():
        yield


def test_given_size_or_tokens_leave_the_other_to_the_budget(float64_mode):
    by_size = plan.optimal(laws.chinchilla, BESIROGLU, 6e21, free="D", N=1e9)
    by_tokens = plan.optimal(laws.chinchilla, BESIROGLU, 6e21, free="N", D=1e12)
    for best in (by_size, by_tokens):
        np.testing.assert_allclose([best.N_opt, best.D_opt], [1e9, 1e12], rtol=1e-14)
        np.testing.assert_allclose(best.loss, laws.chinchilla(1e9, 1e12, **BESIROGLU), rtol=1e-14)
        assert int(best.status) == Status.converged


def test_bits_may_be_given_one_by_one(float64_mode):
    """The cost then is 6 N D, and bits that are not given mean full precision."""
    best = plan.optimal(laws.precision, KUMAR, 1e22, P_w=4, P_post=5, throw=True)
    assert best.P_opt is None
    np.testing.assert_allclose(training_flops.flops(best.N_opt, best.D_opt), 1e22, rtol=1e-13)
    np.testing.assert_allclose(
        best.loss, laws.precision(best.N_opt, best.D_opt, P_w=4.0, P_post=5.0, **KUMAR), rtol=1e-13
    )
    full = plan.optimal(laws.precision, KUMAR, 1e22)
    dense = {name: KUMAR[name] for name in ("E", "A", "B", "alpha", "beta")}
    np.testing.assert_allclose(
        full.N_opt, plan.optimal(laws.chinchilla, dense, 1e22).N_opt, rtol=1e-12
    )


def test_bits_after_training_may_be_the_best_to_train_in(float64_mode):
    """Training in P_post bits needs no quantisation; brute force compares it with more bits."""
    post = np.array([4.0, 5.0, 6.9, 7.2])
    best = plan.optimal(laws.precision, KUMAR, 1e25, free=JOINT, P_post=post, throw=True)
    N, P = (
        np.geomspace(1e9, 1e14, 401)[:, None, None],
        np.append(np.geomspace(3.2, 20, 400), post)[:, None],
    )
    loss = laws.precision(N, precision_scaled_flops.tokens(1e25, N, P), P, P, P, post, **KUMAR)
    grid = np.asarray(loss).min(axis=(0, 1))
    assert np.all(best.loss <= grid)
    np.testing.assert_allclose(best.loss, grid, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(best.P_opt) == post, [True, True, True, False])
    np.testing.assert_allclose(best.P_opt[3], facts.PSTAR["pstar_factorised_bias"], rtol=RTOL)


def test_a_cost_may_be_chosen(float64_mode):
    """At 6 N D more bits cost nothing, so there is no optimum; at 16 bits both costs agree."""
    free = plan.optimal(laws.qat, laws.params(laws.qat), 1e21, free=JOINT, cost=training_flops)
    assert int(free.status) != Status.converged
    same = plan.optimal(laws.precision, KUMAR, 1e21, P=16, cost=training_flops)
    np.testing.assert_allclose(
        same.N_opt, plan.optimal(laws.precision, KUMAR, 1e21, P=16).N_opt, rtol=1e-12
    )


def test_bits_of_weights_alone_are_charged_6nd(float64_mode):
    """Weights in 3 bits are dequantised for the product; a precision of all parts is charged."""
    theta = laws.params(laws.qat)
    for P in (3.0, 8.0):
        best = plan.optimal(laws.qat, theta, 1e21, P=P, throw=True)
        np.testing.assert_allclose(6 * best.N_opt * best.D_opt, 1e21, rtol=1e-12)
    assert int(plan.optimal(laws.qat, theta, 1e21, free=JOINT).status) != Status.converged
    assert int(plan.optimal_precision(laws.qat, theta).status) == Status.no_interior_optimum


@pytest.mark.parametrize(
    ("bits", "charged"),
    [
        ({"P_w": 4.0}, 16.0),
        ({"P_w": 4.0, "P_a": 8.0}, 8.0),
        ({"P_w": 4.0, "P_a": 8.0, "P_kv": 12.0}, 8.0),
        ({"P_kv": 4.0}, 16.0),
        ({"P": 8.0}, 8.0),
    ],
)
def test_a_product_is_charged_at_the_wider_of_weights_and_activations(bits, charged, float64_mode):
    best = plan.optimal(laws.precision, KUMAR, 1e21, throw=True, **bits)
    np.testing.assert_allclose(6 / 16 * charged * best.N_opt * best.D_opt, 1e21, rtol=1e-12)


def test_costs_are_each_others_inverse():
    for cost, bits in ((training_flops, None), (precision_scaled_flops, 4)):
        budget = cost.flops(10**9, 2 * 10**10, bits)
        assert cost.tokens(budget, 10**9, bits) == pytest.approx(2e10, rel=1e-14)
        assert cost.parameters(budget, 2 * 10**10, bits) == pytest.approx(1e9, rel=1e-14)
    assert training_flops.flops(1e9, 2e10) == precision_scaled_flops.flops(1e9, 2e10, 16) == 1.2e20
    with pytest.raises(JscaleError, match="give P"):
        precision_scaled_flops.flops(1e9, 2e10)


@dataclass(frozen=True)
class FloorPrice:
    """A user's own cost, constant below 6 bits: a kink, and the optimum, at 6 bits."""

    name: str = "floor_price"
    needs_bits: bool = True

    def rate(self, P):
        return 6 / 16 * jnp.maximum(P, 6.0)

    def flops(self, N, D, P=None):
        return self.rate(P) * N * D

    def tokens(self, budget, N, P=None):
        return budget / self.rate(P) / N

    def parameters(self, budget, D, P=None):
        return budget / self.rate(P) / D


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (
            lambda: plan.optimal(powers(1), POWERS, 1e21, free=JOINT, cost=precision_scaled_flops),
            Status.no_interior_optimum,
        ),
        (lambda: plan.optimal(laws.precision, KUMAR, 1e21, P=3), Status.no_interior_optimum),
        (
            lambda: plan.optimal(laws.precision, KUMAR, 1e21, free="D", N=1e9, P=3),
            Status.no_interior_optimum,
        ),
    ],
    ids=["one-factor", "below-the-domain", "below-the-domain-at-a-size"],
)
def test_no_optimum_is_a_status_with_nan(call, status, float64_mode):
    best = call()
    assert int(best.status) == status
    assert np.isnan([best.N_opt, best.D_opt, best.P_opt, best.loss]).all()


def test_an_optimum_at_a_kink_of_the_cost_has_a_value(float64_mode):
    best = plan.optimal(powers(1), POWERS, 1e21, free=JOINT, cost=FloorPrice(), throw=True)
    at_6 = plan.optimal(powers(1), POWERS, 1e21, P=6.0, cost=FloorPrice(), throw=True)
    assert int(best.status) == Status.kink
    np.testing.assert_allclose(best.P_opt, 6.0, rtol=1e-9)
    np.testing.assert_allclose(best.N_opt, at_6.N_opt, rtol=1e-6)
    np.testing.assert_allclose(best.loss, at_6.loss, rtol=1e-12)
    alone = plan.optimal_precision(powers(1), POWERS, cost=FloorPrice(), throw=True)
    assert int(alone.status) == Status.kink
    np.testing.assert_allclose(alone.P_opt, 6.0, rtol=1e-9)


REUSE = laws.params(laws.data_constrained)


def test_an_optimum_where_the_second_derivative_jumps_is_one(float64_mode):
    """Up to U tokens the best size is where parameters begin to count as repeated."""
    C, U = np.array([1e20, 1e22, 1e24, 1e26]), 1e12
    best = plan.optimal(laws.data_constrained, REUSE, C, U=U, throw=True)
    dense = {name: REUSE[name] for name in ("E", "A", "B", "alpha", "beta")}
    fresh = plan.optimal(laws.chinchilla, dense, C)
    np.testing.assert_array_equal(best.status, 0)
    np.testing.assert_allclose(best.N_opt[1], 9.218326e9, rtol=1e-6)
    np.testing.assert_allclose(best.loss[1], 2.187997, atol=1e-6)
    np.testing.assert_allclose(best.N_opt[:2], fresh.N_opt[:2], rtol=1e-8)
    assert np.all(best.loss[2:] > fresh.loss[2:])
    by_C = jax.grad(lambda C: jnp.log(plan.optimal(laws.data_constrained, REUSE, C, U=U).N_opt))
    share = REUSE["beta"] / (REUSE["alpha"] + REUSE["beta"])
    np.testing.assert_allclose(by_C(1e22) * 1e22, share, rtol=1e-6)


def test_a_plateau_has_a_value_that_brute_force_does_not_beat(float64_mode):
    """1e7 tokens read 1e8 times over: neither size nor data adds anything."""
    best = plan.optimal(laws.data_constrained, REUSE, 1e24, U=1e7)
    assert int(best.status) == Status.flat
    N = np.geomspace(1e6, 1e16, 2001)
    grid = laws.data_constrained(N, 1e24 / (6 * N), 1e7, **REUSE)
    np.testing.assert_allclose(best.loss, np.min(grid), rtol=1e-13)


def test_throw_turns_a_status_into_an_error(float64_mode):
    with pytest.raises(
        JscaleError, match=r"optimal plan of 'precision': no_interior_optimum \(1 of 2 solves\)"
    ):
        plan.optimal(laws.precision, KUMAR, 1e21, P=[3.0, 8.0], throw=True)
    with pytest.raises(JscaleError, match="outside of jit"):
        jax.jit(lambda C: plan.optimal(laws.chinchilla, BESIROGLU, C, throw=True))(1e21)


BAD = {
    "zero": ({"budget": 0}, "budget must be a finite number above 0, not 0"),
    "beyond float64": (
        {"budget": 10**400},
        "budget must be a number or an array of numbers, not an integer beyond 1.8e308",
    ),
    "ragged": (
        {"budget": [1e21, [1e21]]},
        "budget must be a number or an array of numbers, not lists of different lengths",
    ),
    "negative": (
        {"budget": [1e21, -1e21]},
        r"budget\[1\] must be a finite number above 0, not -1e\+21",
    ),
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
    "no names": ({"free": 3}, r"free must be names such as \('N', 'D'\), not 3"),
    "P-and-part": (
        {"P": 8, "P_w": 4},
        "P stands for P_w, P_a, P_kv: give either P or P_w, not both",
    ),
    "P-free-and-part": ({"free": JOINT, "P_a": 4}, "give either P or P_a, not both"),
    "P-zero": ({"P": 0}, "P must be a finite number above 0"),
    "P-infinite": ({"P": np.inf}, "P must be a finite number above 0"),
    "size-zero": ({"free": "D", "N": 0}, "N must be a finite number above 0"),
    "bits-nan": ({"P_post": float("nan")}, "P_post must be a number above 0"),
    "unknown-input": ({"P_wt": 4}, "law 'precision' has no input P_wt"),
    "cost-without-bits": (
        {"cost": precision_scaled_flops},
        "depends on the training precision: free P, or give P=",
    ),
    "no-cost": (
        {"cost": 3},
        "cost must be one of jscale.plan.costs or an object with name, needs_bits",
    ),
    "missing": (
        {"params": {k: v for k, v in KUMAR.items() if k not in ("E", "n_a")}},
        "params miss E, n_a",
    ),
    "unknown": ({"params": KUMAR | {"delta": 1.0}}, "params have unknown delta"),
    "nan-draw": (
        {"params": KUMAR | {"A": np.array([1.0, np.nan])}},
        r"parameter A\[1\] must be a finite number",
    ),
    "out-of-support": (
        {"params": KUMAR | {"alpha": -0.5}},
        "alpha = -0.5 lies outside its support, positive",
    ),
    "text-parameter": ({"params": KUMAR | {"A": "4e3"}}, "parameter A must be a number, not '4e3'"),
    "no-mapping": ({"params": [1.0]}, "params must map the names of parameters to values"),
    "shapes": ({"params": draws(KUMAR, 3), "budget": [1e20, 1e21]}, r"write budget\[:, None\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_arguments_raise_one_line(name):
    change, message = BAD[name]
    arguments = {"params": KUMAR, "budget": 1e21} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.optimal(laws.precision, arguments.pop("params"), arguments.pop("budget"), **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("law", "inputs", "message"),
    [
        (
            laws.joint_moe,
            {"E_experts": 0.5},
            "E_experts must be a finite number of experts, 1 or more, not 0.5",
        ),
        (
            laws.joint_moe,
            {"E_experts": [8.0, 0.5]},
            r"E_experts\[1\] must be a finite number of experts, 1 or more",
        ),
        (laws.sparse_moe, {"sparsity": -0.1}, "sparsity must be a number from 0 to 1, not -0.1"),
        (
            laws.mixture_additive(2),
            {"mix_1": 0.9, "mix_2": 0.9},
            r"^mix_1 \+ mix_2 must be 1, not 1.8$",
        ),
        (
            laws.mixture_additive(2),
            {"mix_1": [0.5, 0.3], "mix_2": 0.5},
            r"^mix_1 \+ mix_2\[1\] must be 1, not 0.8$",
        ),
        (
            laws.mixture_additive(5),
            {f"mix_{i}": 0.3 for i in range(1, 6)},
            r"^mix_1 \+ … \+ mix_5 must be 1, not 1.5$",
        ),
    ],
)
def test_inputs_outside_a_laws_definition_raise_one_line(law, inputs, message):
    theta = {p.name: 0.5 for p in laws.describe(law).parameters}
    with pytest.raises(JscaleError, match=message):
        plan.optimal(law, theta, 1e21, **inputs)


def test_inputs_are_not_checked_inside_a_transformation():
    theta = {p.name: 0.5 for p in laws.describe(laws.joint_moe).parameters}
    loss = jax.jit(lambda E: plan.optimal(laws.joint_moe, theta, 1e21, E_experts=E).loss)(0.5)
    assert loss.shape == ()


def test_unsuitable_laws_raise_one_line():
    for call, message in (
        (
            lambda: plan.optimal(laws.chinchilla, BESIROGLU, 1e21, free=JOINT),
            "'chinchilla' has no training precision",
        ),
        (
            lambda: plan.optimal(laws.chinchilla, BESIROGLU, 1e21, P=8),
            "'chinchilla' has no training precision",
        ),
        (lambda: plan.optimal(laws.kaplan_size, {}, 1e21), "'kaplan_size' has no input D"),
        (lambda: plan.optimal(powers(3), POWERS, 1e21), "'tied' also needs P_w"),
        (lambda: plan.optimal(len, {}, 1e21), "not a declared law"),
    ):
        with pytest.raises(JscaleError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
