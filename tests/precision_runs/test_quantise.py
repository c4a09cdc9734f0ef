"""Integer quantisation against values worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.precision_runs.quantise import fake_quantise, gptq, round_to_nearest


def bits(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def test_three_bits_by_hand():
    # Largest magnitude 3, levels -3 … 3: the step is 1. 0.5 and 2.5 go to the even neighbour.
    x = jnp.asarray([3.0, -0.4, 0.6, 2.5, -1.2, 0.5], jnp.float32)
    np.testing.assert_array_equal(fake_quantise(x, bits(3)), [3, 0, 1, 2, -1, 0])


@pytest.mark.parametrize("P", [2, 3, 4, 5, 6, 8])
def test_number_of_levels(P: int):
    x = jnp.linspace(-1.0, 1.0, 20_001, dtype=jnp.float32)
    assert len(np.unique(np.asarray(fake_quantise(x, bits(P))).round(6))) == 2**P - 1


def test_gradient_is_straight_through():
    x = jnp.asarray([1.0, -0.3, 0.2], jnp.float32)
    gradient = jax.grad(
        lambda y: jnp.sum(fake_quantise(y, bits(3)) * jnp.asarray([1.0, 2.0, 3.0]))
    )(x)
    np.testing.assert_allclose(gradient, [1, 2, 3], rtol=1e-6)


def test_sixteen_bits_and_zeros_are_unchanged():
    x = jnp.asarray([0.1234567, -9.87654], jnp.float32)
    np.testing.assert_array_equal(fake_quantise(x, bits(16)), x)
    np.testing.assert_array_equal(
        fake_quantise(jnp.zeros((2, 2)), bits(4), axis=0), np.zeros((2, 2))
    )
    np.testing.assert_array_equal(round_to_nearest(np.zeros((2, 2)), 4), np.zeros((2, 2)))


def test_output_channels_have_separate_steps():
    weights = np.array([[7.0, 0.07], [3.3, 0.033], [-0.6, -0.006]])
    expected = [[7, 0.07], [3, 0.03], [-1, -0.01]]
    np.testing.assert_allclose(round_to_nearest(weights, 4), expected)
    training = fake_quantise(jnp.asarray(weights, jnp.float32), bits(4), axis=0)
    np.testing.assert_allclose(training, expected, rtol=1e-6)


def test_gptq_compensates_the_error_of_the_first_input():
    # One output, gram [[1, r], [r, 1]], steps of 1: the first weight 1.4 is rounded to 1 and its
    # error 0.4 moves the second by 0.4 * r, the least-squares answer. With r = 0.9: 2.2 + 0.36 =
    # 2.56, which is rounded to 3, not 2.
    weights, gram = np.array([[1.4], [2.2], [7.0]]), np.eye(3)
    gram[0, 1] = gram[1, 0] = 0.9
    np.testing.assert_allclose(round_to_nearest(weights, 4), [[1], [2], [7]])
    np.testing.assert_allclose(gptq(weights, gram, 4, damping=0.0), [[1], [3], [7]])


def test_gptq_of_inputs_without_correlation_rounds_to_nearest():
    weights = np.random.default_rng(0).normal(size=(12, 5))
    gram = np.diag(np.linspace(0.5, 3, 12))
    for P in (2, 3, 4, 8):
        np.testing.assert_allclose(gptq(weights, gram, P), round_to_nearest(weights, P), atol=1e-12)


def test_gptq_stays_on_the_grid_and_has_a_smaller_output_error():
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(400, 16)) @ rng.normal(size=(16, 16))
    weights, gram = rng.normal(size=(16, 8)), inputs.T @ inputs
    for P in (3, 4):
        nearest, compensated = round_to_nearest(weights, P), gptq(weights, gram, P)
        step = np.abs(weights).max(axis=0) / (2 ** (P - 1) - 1)
        np.testing.assert_allclose(compensated / step, np.round(compensated / step), atol=1e-9)
        assert np.all(np.abs(compensated / step) <= 2 ** (P - 1) - 1 + 1e-9)
        assert np.sum((inputs @ (compensated - weights)) ** 2) < 0.7 * np.sum(
            (inputs @ (nearest - weights)) ** 2
        )
