"""Capybara: printed numbers, and every closed form against brute force on the law itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.bits._float_precision import (
    CHANNEL_BLOCK,
    capybara,
    float_bits,
    float_critical_tokens,
    float_layout,
    float_optimum,
    tensor_block,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

SUN = laws.params(capybara)
LAYOUT = {name: SUN[name] for name in ("delta", "nu")}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


@pytest.mark.parametrize(
    ("exp_bits", "man_bits", "loss"), [(4, 3, 2.541424086), (2, 1, 2.574749814)]
)
def test_loss(exp_bits, man_bits, loss):
    """Sun et al. 2025, Table 2 and eq. 26: 1.2e9 parameters on 1e11 tokens in blocks of 128."""
    np.testing.assert_allclose(
        capybara(1.2e9, 1e11, exp_bits, man_bits, 128, **SUN), loss, rtol=REFERENCE
    )


def test_critical_tokens():
    """Sun et al. 2025, eq. 21 and 41, against brute force.

    B to the power gamma, as in a widely read summary, is far from the minimum.
    """
    tokens = float_critical_tokens(1.2e9, 2, 1, 128, **SUN)
    np.testing.assert_allclose(tokens, 409621903500.0, rtol=REFERENCE)
    for N, exp_bits, man_bits, block in ((1.2e9, 2, 1, 128), (1e8, 1, 1, 16384), (1e12, 8, 7, 16)):
        best = float(float_critical_tokens(N, exp_bits, man_bits, block, **SUN))
        others = best * np.concatenate(
            [np.geomspace(1e-2, 0.99, 200), np.geomspace(1.01, 1e2, 200)]
        )
        loss = capybara(N, np.append(others, best), exp_bits, man_bits, block, **SUN)
        assert loss.argmin() == 400


@pytest.mark.parametrize(
    ("P", "exp_bits", "man_bits"), [(4, 1.577535018, 1.422464982), (8, 3.655070035, 3.344929965)]
)
def test_layout(P, exp_bits, man_bits):
    """Sun et al. 2025, eq. 31 and 32."""
    np.testing.assert_allclose(float_layout(P, **LAYOUT), (exp_bits, man_bits), rtol=REFERENCE)


@pytest.mark.parametrize(("P", "rounded"), [(4, (2, 1)), (8, (4, 3)), (16, (8, 7))])
def test_layout_is_the_best(P, rounded):
    best = float_layout(float(P), **LAYOUT)
    assert best.exp_bits + best.man_bits + 1 == pytest.approx(P, rel=1e-14)
    assert (round(float(best.exp_bits)), round(float(best.man_bits))) == rounded
    exp_bits = np.linspace(0, P - 1, 2001)
    losses = capybara(1e9, 1e11, exp_bits, P - 1 - exp_bits, 128, **SUN)
    assert capybara(1e9, 1e11, *best, 128, **SUN) <= losses.min()
    exponent_bits = np.arange(P)
    assert (
        exponent_bits[
            capybara(1e9, 1e11, exponent_bits, P - 1 - exponent_bits, 128, **SUN).argmin()
        ]
        == rounded[0]
    )


@pytest.mark.parametrize("D", [1e10, 1e12, 1e14])
def test_best_bits_for_fixed_data(D):
    """Along N P = const: the loss in the best layout is least at these bits."""
    best = float(float_bits(D, 128, **SUN))
    P = best * np.append(np.geomspace(0.5, 2, 400), 1.0)
    loss = capybara(1e10 / P, D, *float_layout(P, **LAYOUT), 128, **SUN)
    assert loss.argmin() == 400


@pytest.mark.parametrize(("C", "bits"), [(1e20, 3.949216016), (1e23, 4.7174)])
def test_joint_optimum(C, bits):
    """Sun et al. 2025, eq. 54, against a numerical optimiser and neighbouring points."""
    best = float_optimum(C, 128, **SUN)
    assert float(best.P) == pytest.approx(bits, rel=1e-5)
    assert float(6 / 16 * best.N * best.D * best.P) == pytest.approx(C, rel=1e-12)
    np.testing.assert_allclose(float_bits(best.D, 128, **SUN), best.P, rtol=1e-12)

    def loss(log_D, log_P):
        D, P = jnp.exp(log_D), jnp.exp(log_P)
        return capybara(C / (6 / 16 * D * P), D, *float_layout(P, **LAYOUT), 128, **SUN)

    at = jnp.log(best.D), jnp.log(best.P)
    np.testing.assert_allclose(jax.grad(loss, (0, 1))(*at), 0.0, atol=1e-10)
    rng = np.random.default_rng(0)
    away = rng.normal(size=(2, 2000)) * [[0.5], [0.2]]
    assert loss(at[0] + away[0], at[1] + away[1]).min() > loss(*at)


def test_bits_grow_as_a_power_of_the_budget():
    """The bits grow with the power of C / k in eq. 54, unlike in Kumar et al. 2024."""
    slope = jax.grad(lambda log_C: jnp.log(float_optimum(jnp.exp(log_C), 128, **SUN).P))(
        jnp.log(1e22)
    )
    exponents = SUN["delta"] + SUN["nu"]
    expected = SUN["alpha"] / (
        exponents * (SUN["alpha"] + SUN["beta"]) / SUN["beta"] + SUN["alpha"]
    )
    assert float(slope) == pytest.approx(expected, rel=1e-10)


def test_blocks():
    assert np.log2(CHANNEL_BLOCK) == pytest.approx(13.1567, rel=1e-12)
    assert float(tensor_block(1e9, 1e11, omega=0.1, xi=0.5, eta=0.02)) == pytest.approx(
        2 ** (1e9**0.1 / (0.5 * 1e11**0.02)), rel=1e-12
    )


def test_recovered():
    size, ratio, layout, block = np.meshgrid(
        [4e7, 1.5e8, 6e8], [60.0, 250.0, 1000.0], range(5), [32.0, 512.0]
    )
    formats = np.array([(1, 1), (1, 2), (2, 1), (2, 3), (4, 3)], float)[layout.ravel()]
    columns = {"N": size.ravel(), "D": (ratio * size).ravel(), "block": block.ravel()}
    columns |= {"exp_bits": formats[:, 0], "man_bits": formats[:, 1]}
    table = runs.simulate(capybara, SUN, columns, noise=0.001, key=jax.random.key(4))
    point = fit.point(capybara, table, objective="log-squares", starts=8)
    assert point.certificate.converged
    for name, value in SUN.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name
