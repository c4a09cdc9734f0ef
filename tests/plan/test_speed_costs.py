"""Costs by measured speeds: interpolation, and plans beside a grid over the precision."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from jscale.plan import costs

UNTYPED: Any = costs
"""For calls that a type checker refuses."""
THETA = laws.params(laws.precision)
TABLES: dict[str, dict[str, float]] = {
    "throughput": {"bf16": 41e3, "fp8": 52e3, "nvfp4": 56e3},
    "kink": {"bf16": 1.0, "fp8": 2.0, "nvfp4": 2.05},
}
BUDGET = 1e22


@pytest.fixture(autouse=True, scope="module")
def float64_mode():
    with float64():
        yield


def kept(P: np.ndarray) -> np.ndarray:
    """Effective parameters per parameter at P bits of weights, activations and cache."""
    factors = [
        1 - np.exp(THETA[f"n_{part}"] - P / THETA[f"gamma_{part}"]) for part in ("w", "a", "kv")
    ]
    return np.prod(factors, axis=0)


def test_between_and_beyond_formats():
    cost = costs.speed_cost({"nvfp4": 1.5})
    assert cost.speeds == ((4.0, 1.5), (16.0, 1.0))
    assert cost.speed(8.0) == pytest.approx(1.5**0.5, rel=1e-15)
    np.testing.assert_allclose(cost.speed(np.array([1.0, 4.0, 16.0, 32.0])), [1.5, 1.5, 1.0, 0.5])
    assert cost.flops(1e9, 2e10, 4) == pytest.approx(1.2e20 / 1.5, rel=1e-15)
    assert cost.in_format("nvfp4").factor == pytest.approx(4.0, rel=1e-15)
    traced = jax.jit(cost.speed)(jnp.array([1.0, 6.0, 32.0]))
    np.testing.assert_allclose(traced, cost.speed(np.array([1.0, 6.0, 32.0])), rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: UNTYPED.speed_cost(3, device="H100"), "speeds is 3; expected formats and their"),
        (lambda: UNTYPED.speed_cost({"a": {"fp8": 2}}, device=["a"]), "device must be the name of"),
        (lambda: costs.speed_cost({"a": 2}, device="a"), "speeds is 2; expected formats and"),
        (lambda: costs.speed_cost({"fp8": [1.2, 1.3]}), "speeds: that of fp8 must be one number"),
        (lambda: costs.speed_cost({(4, 8): 1.2}), "the bits of a format must be one number"),
        (lambda: UNTYPED.speed_cost({"fp8": 2}, factor="a"), "factor must be a number, not 'a'"),
        (lambda: costs.speed_cost({"fp8": 2}, factor=0), "factor must be a finite number above 0"),
        (lambda: costs.speed_cost({"W4A16": 2}), "speeds: 'W4A16' has 4 bits of weights and 16 of"),
        (lambda: costs.speed_cost({"fp8": 2}).in_format("W8"), "8 bits of weights and 16 of act"),
        (lambda: costs.speed_cost({"fp8": 2}).speed(-4), "P must be a finite number above 0, not"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(JscaleError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_format_of_weights_and_activations_alike():
    assert costs.speed_cost({"W8A8": 1.5}).speeds == costs.speed_cost({"fp8": 1.5}).speeds


def test_speeds_in_proportion_to_bits_are_the_cost_by_bits():
    cost, P = costs.speed_cost({16: 1, 8: 2, 4: 4}), np.array([4.0, 5.7, 16.0, 30.0])
    expected = costs.precision_scaled_flops.flops(1e9, 2e10, P)
    np.testing.assert_allclose(cost.flops(1e9, 2e10, P), expected, rtol=1e-14)


@pytest.mark.parametrize("name", TABLES)
def test_plans_beside_a_grid(name):
    """With equal exponents the best precision maximises ``kept(P) * speed(P)``."""
    cost = costs.speed_cost(TABLES[name])
    best = plan.optimal(laws.precision, THETA, BUDGET, free=("N", "D", "P"), cost=cost, throw=True)
    assert best.P_opt is not None
    P = np.linspace(3.2, 30.0, 200_001)
    expected = P[np.argmax(kept(P) * cost.speed(P))]
    np.testing.assert_allclose(best.P_opt, expected, atol=3e-4)
    assert int(best.status) == (Status.kink if name == "kink" else Status.converged)
    np.testing.assert_allclose(cost.flops(best.N_opt, best.D_opt, best.P_opt), BUDGET, rtol=1e-10)

    # No size and precision of a grid has a lower loss at the budget.
    N, P = np.meshgrid(best.N_opt * np.geomspace(0.5, 2, 41), np.geomspace(3.5, 24, 121))
    inputs = {"N": N, "D": cost.tokens(BUDGET, N, P), "P_w": P, "P_a": P, "P_kv": P}
    assert np.min(laws.precision(**inputs, **THETA)) >= float(best.loss)


def test_other_planners_agree():
    cost = costs.speed_cost(TABLES["throughput"])
    best = plan.optimal(laws.precision, THETA, BUDGET, free=("N", "D", "P"), cost=cost)
    assert best.P_opt is not None
    alone = plan.optimal_precision(laws.precision, THETA, cost=cost)
    np.testing.assert_allclose(alone.P_opt, best.P_opt, rtol=1e-6)
    free = {name: plan.Free() for name in ("N", "D", "P")}
    solved = plan.solve(laws.precision, free, params=THETA, constraints=[(cost, "<=", BUDGET)])
    np.testing.assert_allclose(solved.values["P"], best.P_opt, rtol=1e-4)
    np.testing.assert_allclose(solved.objective, best.loss, rtol=1e-9)


def test_one_format_serves_laws_without_bits():
    theta = laws.params(laws.chinchilla)
    cost = costs.speed_cost({"nvfp4": 1.5}).in_format("nvfp4")
    fast = plan.optimal(laws.chinchilla, theta, 1e22, cost=cost)
    plain = plan.optimal(laws.chinchilla, theta, 1.5e22)
    np.testing.assert_allclose(fast.loss, plain.loss, rtol=1e-12)
