"""Inverse Cholesky factors against NumPy, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jscale._core.scope import float64
from jscale._core.solve import inverse_cholesky

compiled = jax.jit(inverse_cholesky)


@pytest.mark.parametrize("size", [1, 4, 5, 6, 23, 40])
def test_agrees_with_numpy(size):
    root = np.random.default_rng(size).normal(size=(size, size))
    matrix = root @ root.T + 0.1 * np.eye(size)
    with float64():
        inverse = np.asarray(compiled(jnp.asarray(matrix)))
    expected = np.linalg.inv(np.linalg.cholesky(matrix))
    np.testing.assert_allclose(inverse, expected, rtol=1e-9, atol=1e-12)
    assert np.array_equal(inverse, np.tril(inverse))


def test_an_empty_matrix_has_an_empty_inverse():
    assert inverse_cholesky(jnp.zeros((0, 0))).shape == (0, 0)


def test_derivatives_of_first_and_second_order():
    root = np.random.default_rng(0).normal(size=(6, 6))
    with float64():
        matrix = jnp.asarray(root @ root.T + np.eye(6))
        check_grads(jax.jit(lambda x: inverse_cholesky(x + x.T)), (matrix,), order=2)


def test_a_matrix_that_is_not_positive_definite_gives_nan():
    with float64():
        assert np.isnan(compiled(-np.eye(3))).any()
