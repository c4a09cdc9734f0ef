"""Costs of counts, hardware and memory: published values, inverses, derivatives, errors."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale.plan import costs

A = costs.Architecture
STANDARD = {"layers": 24.0, "width": 2048.0, "heads": 16.0}

CASES = {
    "inference_flops": (costs.inference_flops, {"N": 7e10, "tokens": 1e12}),
    "serving_flops": (costs.serving_flops, {"N": 7e10, "T_gen": 2000.0, "Q": 1e12}),
    "decode_seconds": (
        costs.decode_seconds,
        {"N": 7e10, "bandwidth": 3.35e20, "bits": 4.0, "kv_bytes": 1e12},
    ),
    "decodable_parameters": (
        costs.decodable_parameters,
        {"seconds": 0.05, "bandwidth": 3.35e12, "bits": 4.0, "kv_bytes": 1e10},
    ),
    "weight_bytes": (costs.weight_bytes, {"N": 4e11, "bits": 4.0}),
    "training_bytes": (
        costs.training_bytes,
        {"N": 4e11, "weights": 8.0, "gradients": 16.0, "master": 32.0, "moment": 16.0},
    ),
    "activation_bytes": (
        functools.partial(costs.activation_bytes, recompute="none"),
        {**STANDARD, "context": 4096.0, "batch": 64.0},
    ),
    "kv_cache_bytes": (
        costs.kv_cache_bytes,
        {
            "layers": 80.0,
            "kv_heads": 8.0,
            "head_dim": 128.0,
            "context": 1e6,
            "batch": 64.0,
            "bits": 8.0,
        },
    ),
    "compute_seconds": (
        costs.compute_seconds,
        {"flops": 1e27, "devices": 1e5, "peak": 2e15, "mfu": 0.4},
    ),
    "dollars": (costs.dollars, {"seconds": 1e7, "devices": 1e5, "price": 2.5}),
    "joules": (costs.joules, {"seconds": 1e7, "devices": 1e5, "watts": 1200.0, "pue": 1.2}),
    "kilowatt_hours": (costs.kilowatt_hours, {"energy": 1e15}),
    "deepseek_flops_per_token": (
        costs.deepseek_flops_per_token,
        {"layers": 80.0, "width": 8192.0, "context": 4096.0},
    ),
    "granular_flops_per_token": (
        costs.granular_flops_per_token,
        {
            "layers": 16.0,
            "width": 1024.0,
            "experts": 64.0,
            "granularity": 16.0,
            "per_parameter": 6.0,
            "per_route": 9.0,
        },
    ),
    "parameters": (
        lambda **sizes: A(**sizes, experts=64, granularity=4).parameters,
        {
            **STANDARD,
            "vocabulary": 5e4,
            "kv_heads": 4.0,
            "head_dim": 96.0,
            "d_ff": 7000.0,
            "positions": 2048.0,
        },
    ),
    "training_flops": (
        lambda D, context, **sizes: A(**sizes, experts=64, gated=True).training_flops(
            D, context, softmax=True
        ),
        {
            **STANDARD,
            "vocabulary": 5e4,
            "active_experts": 6.0,
            "granularity": 2.0,
            "D": 1e13,
            "context": 4096.0,
        },
    ),
    "speed_cost": (
        lambda N, D, P: costs.speed_cost({8: 1.5, 4: 1.8}).flops(N, D, P),
        {"N": 7e10, "D": 2e12, "P": 5.0},
    ),
    "lifetime": (
        lambda N, D, T: costs.LifetimeCost(T).flops(N, D),
        {"N": 7e10, "D": 2e12, "T": 1e13},
    ),
    "lifetime_tokens": (
        lambda C, N, T: costs.LifetimeCost(T).tokens(C, N),
        {"C": 3e24, "N": 7e10, "T": 1e13},
    ),
    "lifetime_parameters": (
        lambda C, D, T: costs.LifetimeCost(T).parameters(C, D),
        {"C": 3e24, "D": 2e12, "T": 1e13},
    ),
}


@pytest.fixture
def float64_mode():
    with float64():
        yield


def test_every_function_has_a_case():
    """And so is differentiated, in both precisions, below."""
    functions = {name for name in costs.__all__ if inspect.isfunction(getattr(costs, name))}
    assert functions <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_finite_differences(name, float64_mode):
    """Of the logarithm by the logarithms, where the differences are accurate to 1e-8."""
    function, point = CASES[name]
    logs = {k: jnp.log(v) for k, v in point.items()}

    def elastic(logs):
        return jnp.log(function(**{k: jnp.exp(v) for k, v in logs.items()}))

    slopes = jax.jit(jax.grad(elastic))(logs)
    for k in point:
        up, down = (float(elastic(logs | {k: logs[k] + step})) for step in (1e-5, -1e-5))
        np.testing.assert_allclose(slopes[k], (up - down) / 2e-5, rtol=1e-6, atol=1e-8, err_msg=k)


@pytest.mark.parametrize("name", CASES)
def test_float32_is_float64_with_its_derivatives(name):
    """Errors of 5e-7 at most; the derivatives themselves must not underflow either."""
    function, point = CASES[name]
    narrow = {k: jnp.float32(v) for k, v in point.items()}
    value, slopes = jax.value_and_grad(lambda p: function(**p))(narrow)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, function(**point), rtol=3e-6)
    with float64():
        exact = jax.grad(lambda p: function(**p))({k: jnp.asarray(v) for k, v in point.items()})
    for k in point:
        assert np.isfinite(slopes[k]), k
        np.testing.assert_allclose(slopes[k], exact[k], rtol=1e-5, err_msg=k)


@pytest.mark.parametrize("name", CASES)
def test_integers_are_numbers(name):
    """Python, numpy and JAX integers, however large, give what floats give; arrays broadcast."""
    function, point = CASES[name]
    integers = {k: v if v < 1 or v != int(v) else int(v) for k, v in point.items()}
    expected = float(function(**point))
    assert float(function(**integers)) == pytest.approx(expected, rel=1e-12)
    numpy = {
        k: np.asarray([v]) if isinstance(v, float) else np.array([v, 2 * v])
        for k, v in integers.items()
    }
    found = np.asarray(function(**numpy))
    assert found.shape == (2,)
    assert found[0] == pytest.approx(expected, rel=1e-12)
    small = {
        k: jnp.int32(v) if isinstance(v, int) and v < 2**31 else float(v)
        for k, v in integers.items()
    }
    assert float(function(**small)) == pytest.approx(expected, rel=3e-6)
    assert float(jax.jit(lambda p: function(**p))(small)) == pytest.approx(expected, rel=3e-6)


def test_lifetime_is_its_own_inverse_and_without_use_is_training():
    cost = costs.LifetimeCost(T=10**13)
    budget = cost.flops(7 * 10**10, 2 * 10**12)
    assert budget == pytest.approx(6 * 7e10 * 2e12 + 2 * 7e10 * 1e13, rel=1e-15)
    assert cost.tokens(budget, 7e10) == pytest.approx(2e12, rel=1e-14)
    assert cost.parameters(budget, 2e12) == pytest.approx(7e10, rel=1e-15)
    assert cost.tokens(2e23, 1e10) == pytest.approx(0, abs=1e-3)  # serving alone costs as much
    unused = costs.LifetimeCost(0)
    for method in ("flops", "tokens", "parameters"):
        ours, product = getattr(unused, method), getattr(costs.training_flops, method)
        assert ours(3e21, 2e9) == pytest.approx(product(3e21, 2e9), rel=1e-15)
    assert hash(cost) == hash(costs.LifetimeCost(10**13))
    parts = costs.training_flops.flops(7e10, 2e12) + costs.serving_flops(7e10, 1e3, 1e10)
    assert parts == pytest.approx(budget, rel=1e-15)


def test_hardware_of_lamda():
    """3.55e23 FLOP and 451 MWh: Thoppilan et al. 2022 (arXiv 2201.08239), section 10."""
    days = costs.compute_seconds(3.55e23, devices=1024, peak=123e12, mfu=0.565) / 86400
    assert days == pytest.approx(57.7, abs=0.05)
    energy = costs.joules(57.7 * 86400, devices=1024, watts=289, pue=1.10)
    assert costs.kilowatt_hours(energy) == pytest.approx(451e3, abs=500)
    assert costs.dollars(7200, devices=8, price=2.5) == 40


def test_memory():
    """24 GB for 1.5e9 parameters: Rajbhandari et al. 2020; 80 and 34: Korthikanti et al. 2022."""
    assert costs.training_bytes(1.5e9) == 24e9
    assert costs.weight_bytes(7e10, 4) == 35e9
    gpt3 = {"layers": 96, "width": 12288, "heads": 96, "context": 2048}
    unit = 96 * 12288 * 2048
    assert costs.activation_bytes(**gpt3, recompute="none") == (34 + 80) * unit
    assert costs.activation_bytes(**gpt3, batch=4) == 4 * 34 * unit
    assert costs.activation_bytes(**gpt3, recompute="full") == 2 * unit


def test_decoding_reads_weights_and_cache():
    """Llama 2 70B in 16 bits, 16 sequences of 4,096 tokens: 140 GB and 21.5 GB."""
    cache = costs.kv_cache_bytes(layers=80, kv_heads=8, head_dim=128, context=4096, batch=16)
    assert cache == 327_680 * 4096 * 16
    seconds = costs.decode_seconds(7e10, bandwidth=8 * 3.35e12, kv_bytes=cache)
    assert seconds == pytest.approx((140e9 + cache) / 26.8e12, rel=1e-15)
    assert costs.decodable_parameters(
        seconds, bandwidth=8 * 3.35e12, kv_bytes=cache
    ) == pytest.approx(7e10, rel=1e-14)
    assert costs.decode_seconds(7e10, bandwidth=1e12, bits=4) == 0.035


BAD = {
    "mfu": (
        lambda: costs.compute_seconds(1e24, devices=1, peak=1e15, mfu=1.2),
        "mfu must be from 0 to 1, not 1.2",
    ),
    "no-mfu": (
        lambda: costs.compute_seconds(1e24, devices=1, peak=1e15, mfu=0),
        "mfu must be a finite number above 0",
    ),
    "price": (
        lambda: costs.dollars(1e6, devices=8, price=[2.0, -1.0]),
        r"price\[1\] must be at least 0, not -1",
    ),
    "pue": (
        lambda: costs.joules(1e6, devices=8, watts=700, pue=0.9),
        "pue must be at least 1, not 0.9",
    ),
    "text": (lambda: costs.weight_bytes("70B"), "N must be a number, not '70B'"),
    "nan": (lambda: costs.inference_flops(np.nan), "N must be a finite number above 0"),
    "bits": (lambda: costs.weight_bytes(7e10, 0), "bits must be a finite number above 0, not 0"),
    "served": (
        lambda: costs.LifetimeCost(-1.0),
        "T, the tokens served, must be at least 0, not -1",
    ),
    "served-text": (lambda: costs.LifetimeCost("1e13"), "T, the tokens served, must be a number"),
    "free-training": (
        lambda: costs.LifetimeCost(1e13, training=0),
        "training, FLOP per parameter and token, must be",
    ),
    "no-speeds": (lambda: costs.speed_cost({}), "speeds is {}; expected formats and their speeds"),
    "speed": (
        lambda: costs.speed_cost({"nvfp4": 0}),
        "speeds: that of nvfp4 must be a finite number",
    ),
    "format": (
        lambda: costs.speed_cost({"fp5": 2.0}),
        "speeds: 'fp5' is no format with known bits, such as nvfp4",
    ),
    "format-twice": (
        lambda: costs.speed_cost({"fp8": 1.4, "int8": 1.5}),
        "speeds has two formats of 8 bits",
    ),
    "device": (
        lambda: costs.speed_cost({"H100": {"fp8": 1.4}}, device="B300"),
        "speeds has no device 'B300'; it has H100",
    ),
    "no-device": (
        lambda: costs.speed_cost({"H100": {"fp8": 1.4}}),
        "speeds has tables by device; choose one of H100",
    ),
    "no-bits": (
        lambda: costs.speed_cost({"fp8": 1.4}).flops(1e9, 2e10),
        "the cost speed_cost depends on the training precision: give P, in bits",
    ),
    "recompute": (
        lambda: costs.activation_bytes(**STANDARD, context=1, recompute="some"),
        "recompute must be one of none, selective, full, not 'some'",
    ),
    "mask": (
        lambda: A(**STANDARD).forward_flops_per_token(1, mask="half"),
        "mask must be causal or full, not 'half'",
    ),
    "kv-heads": (
        lambda: A(**STANDARD, kv_heads=32),
        "heads / kv_heads must be at least 1, not 0.5",
    ),
    "active": (
        lambda: A(**STANDARD, active_experts=2),
        "experts / active_experts must be at least 1, not 0.5",
    ),
    "width": (
        lambda: A(layers=2, width=-8, heads=1),
        "width must be a finite number above 0, not -8",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_numbers_raise_one_line(name):
    call, message = BAD[name]
    with pytest.raises(JscaleError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_numbers_are_not_checked_inside_a_transformation():
    assert (
        jax.jit(lambda mfu: costs.compute_seconds(1e20, devices=1, peak=1e10, mfu=mfu))(2.0) == 5e9
    )


@pytest.mark.parametrize("factor", [0.0, -6.0, float("nan"), float("inf")])
def test_a_product_cost_costs_something(factor):
    with pytest.raises(JscaleError, match="the factor of a cost must be a finite number above 0"):
        costs.ProductCost("free", factor)
