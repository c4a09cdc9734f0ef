"""Effective parameters and the other forms of precision: nesting, published values, recovery."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.laws.bits._effective import averaged_parameters, layered_parameters, powered_parameters
from jscale.laws.bits._precision_forms import (
    additive_precision,
    data_precision,
    generalised_precision,
    multiplicative_precision,
    tied_precision,
    untied_precision,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE, VALUE

N, D = 1e9, 2e10
DENSE = {"E": 2.0, "A": 400.0, "B": 1e3, "alpha": 0.3, "beta": 0.32}
GAMMAS = {"gamma_w": 2.6745, "gamma_a": 2.2102, "gamma_kv": 0.9578}
TAUS = {"tau_w": 1.5, "tau_a": 1.2, "tau_kv": 0.7}
ONES = {"k_w": 1.0, "k_a": 1.0, "k_kv": 1.0}
NO_BIAS = {"n_w": 0.0, "n_a": 0.0, "n_kv": 0.0}
POWERS = {"a_w": 2.0, "a_a": 3.0, "a_kv": 1.5}


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def factor(scales, P):
    return float(np.prod([1 - np.exp(-P / gamma) for gamma in scales.values()]))


# --- effective parameters
@pytest.mark.parametrize("P", [0.5, 3.0, 8.0, 16.0, np.inf])
def test_exponents_of_one_are_the_printed_equation(P):
    expected = laws.effective_parameters(N, P, P, P, **GAMMAS, **NO_BIAS)
    np.testing.assert_allclose(
        powered_parameters(N, P, P, P, **GAMMAS, **ONES), expected, rtol=VALUE["float64"]
    )


def test_exponent_and_bias_agree_at_many_bits():
    """``k = exp(n)``: the difference is of second order in the fraction of parameters removed."""
    for P, n in ((20.0, 0.3), (30.0, 1.2)):
        removed = np.exp(n - P / 2.6745)
        powered = powered_parameters(1.0, P, **GAMMAS, **ONES | {"k_w": np.exp(n)})
        biased = laws.effective_parameters(1.0, P, **GAMMAS, **NO_BIAS | {"n_w": n})
        assert 0 < abs(powered - biased) < removed**2
        assert abs(powered - biased) < 0.01 * (1 - biased)


def test_effective_parameters_are_positive_at_any_bits():
    theta = GAMMAS | {"k_w": 2.5, "k_a": 0.4, "k_kv": 1.0}
    value_and_slope = jax.value_and_grad(lambda P: powered_parameters(N, P, P, P, **theta))
    bits = jnp.array([1e-3, 0.0, np.inf])
    values, slopes = jax.jit(jax.vmap(value_and_slope))(bits)
    assert 0 < values[0] < 1e-3 * N
    assert slopes[0] > 0

    assert values[1] == 0
    assert np.isfinite(slopes[1])

    assert values[2] == N
    assert slopes[2] == 0


@pytest.mark.parametrize(
    ("P", "fraction"), [(3, 0.4850549024), (4, 0.6625260891), (8, 0.9514764841), (16, 0.9991890622)]
)
def test_averaged_cube(P, fraction):
    """Kumar et al. 2024, Finding 2, at the average of the three scales of Table 2."""
    theta = laws.params(averaged_parameters)
    assert theta["gamma_bar"] == pytest.approx(1.9475, rel=1e-12)
    np.testing.assert_allclose(averaged_parameters(1.0, P, P, P, **theta), fraction, rtol=REFERENCE)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_layers_with_equal_bits_act_like_one(layers):
    law, theta = layered_parameters(layers), laws.params(laws.effective_parameters_weights)
    for P in (0.5, 2.0, 4.0, 16.0, np.inf):
        expected = laws.effective_parameters_weights(N, P, **theta)
        np.testing.assert_allclose(law(N, *[P] * layers, **theta), expected, rtol=VALUE["float64"])


def test_one_layer_without_parameters_is_enough():
    theta = laws.params(layered_parameters(3))
    assert layered_parameters(3)(N, 4.0, 0.5, 8.0, **theta) == 0
    gradient = jax.grad(lambda P: layered_parameters(3)(N, 4.0, P, 8.0, **theta))(jnp.asarray(0.5))
    assert np.isfinite(gradient)
    # At the same total number of bits an even split is best: the logarithm of a factor is concave.
    assert layered_parameters(2)(N, 4, 4, **theta) > layered_parameters(2)(N, 3, 5, **theta)


@pytest.mark.parametrize("layers", [0, -1, 2.5, "two"])
def test_number_of_layers_is_checked(layers):
    with pytest.raises(JscaleError, match="whole number of at least 1"):
        layered_parameters(layers)


def test_float_weights():
    """Kumar et al. 2024, Appendix N: the shift is 0.35 bits, and f / P is largest at 1.64 bits."""
    theta = laws.params(laws.effective_parameters_weights, "kumar2024_float")
    assert theta == {"gamma_w": 2.8111, "n_w": 0.1240}

    def per_bit(log_P):
        return jnp.log(laws.effective_parameters_weights(1.0, jnp.exp(log_P), **theta)) - log_P

    assert abs(jax.grad(per_bit)(jnp.log(1.64133))) < 1e-5
    assert laws.params(laws.qat, "kumar2024_float") == laws.params(laws.qat) | theta


# --- forms of the loss
@pytest.mark.parametrize("P", [3.0, 8.0, np.inf])
def test_forms_of_effective_counts(P):
    """All forms are Chinchilla's law at effective parameters, effective tokens or both."""
    size_factor, data_factor = factor(GAMMAS, P), factor(TAUS, P)
    for law, theta, size, data in (
        (generalised_precision, GAMMAS | ONES, size_factor, 1.0),
        (data_precision, TAUS, 1.0, data_factor),
        (tied_precision, GAMMAS, size_factor, size_factor),
        (untied_precision, GAMMAS | TAUS, size_factor, data_factor),
    ):
        expected = laws.chinchilla(N * size, D * data, **DENSE)
        np.testing.assert_allclose(
            law(N, D, P, P, P, **DENSE, **theta), expected, rtol=VALUE["float64"]
        )


def test_generalised_law_is_a_composition():
    theta = DENSE | GAMMAS | {"k_w": 1.4, "k_a": 4.0, "k_kv": 0.6}
    composed = laws.substitute(laws.chinchilla, N=powered_parameters)
    np.testing.assert_allclose(
        generalised_precision(N, D, 4, 6, 8, **theta),
        composed(N=N, D=D, P_w=4, P_a=6, P_kv=8, **theta),
        rtol=1e-14,
    )


def test_power_laws_in_bits():
    additive = DENSE | POWERS | {"c_w": 1.0, "c_a": 2.0, "c_kv": 3.0}
    dense, bits = laws.chinchilla(N, D, **DENSE), {"P_w": 4.0, "P_a": 5.0, "P_kv": 6.0}
    costs = [1 / 4**2, 2 / 5**3, 3 / 6**1.5]
    np.testing.assert_allclose(
        additive_precision(N, D, **bits, **additive), dense + sum(costs), rtol=1e-14
    )
    expected = dense + DENSE["A"] * N ** -DENSE["alpha"] * (np.prod([1 + c for c in costs]) - 1)
    np.testing.assert_allclose(
        multiplicative_precision(N, D, **bits, **additive), expected, rtol=1e-14
    )
    # The additive cost is the same for any size; the multiplicative one falls with the size.
    for law, same in ((additive_precision, True), (multiplicative_precision, False)):
        added = [law(size, D, 4.0, **additive) - law(size, D, **additive) for size in (1e8, 1e10)]
        assert np.isclose(*added, rtol=1e-12) == same


def design():
    sizes, ratios = [3e7, 1e8, 4e8], [20.0, 150.0]
    weight_bits, activation_bits = [2.0, 3.0, 4.0, 8.0, 16.0], [2.0, 4.0, 16.0]
    grid = np.meshgrid(sizes, ratios, weight_bits, activation_bits)
    N, ratio, P_w, P_a = (axis.ravel() for axis in grid)
    return {"N": N, "D": ratio * N, "P_w": P_w, "P_a": P_a}


def test_generalised_law_is_recovered():
    law = laws.fix(generalised_precision, gamma_kv=1.0, k_kv=1.0)
    truth = {"E": 1.8, "A": 400.0, "B": 900.0, "alpha": 0.34, "beta": 0.3}
    truth |= {"gamma_w": 1.8, "k_w": 2.3, "gamma_a": 1.6, "k_a": 1.4}
    table = runs.simulate(
        law, truth, {**design(), "P_kv": np.full(90, 16.0)}, noise=0.002, key=jax.random.key(3)
    )
    point = fit.point(law, table, objective="log-squares", starts=8)
    assert point.certificate.converged
    for name, value in truth.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name


@pytest.mark.data
def test_quest_prefers_exponents_to_biases():
    """R2 of the loss on 70 runs in integers (weights and activations, or only weights) and BF16."""
    table = runs.dataset("quest")
    table = table.where(np.isin(table["group"], ["bf16", "quest_ht", "quest_weight_only"]))
    assert len(table) == 70
    total = np.sum((table["loss"] - np.mean(table["loss"])) ** 2)
    R2 = {}

    # E goes to 0 on these runs (ridge of E and alpha), and the cache is always in BF16.
    for law, exponent in (
        (laws.low_precision, {"n_kv": 0.0}),
        (generalised_precision, {"k_kv": 1.0}),
    ):
        point = fit.point(
            laws.fix(law, E=0.0, gamma_kv=1.0, **exponent), table, objective="raw-squares", starts=4
        )
        assert point.certificate.converged
        R2[law.__name__] = 1 - np.sum((table["loss"] - point.predicted) ** 2) / total

    assert R2["generalised_precision"] == pytest.approx(0.99751, abs=1e-5)
    assert R2["low_precision"] == pytest.approx(0.99460, abs=1e-5)
