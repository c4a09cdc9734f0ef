"""The vocabulary: the authors' numbers by all three approaches, and brute-force optima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale.laws.data._vocabulary import (
    best_vocabulary_parameters,
    rest_budget,
    tokens_per_character,
    vocabulary,
    vocabulary_budget,
    vocabulary_size,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

THETA = laws.params(vocabulary)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def budget(N_nv: float) -> float:
    """FLOP at which ``N_nv`` is best by approach 1."""
    result = laws.params(rest_budget)
    return (N_nv / result["k"]) ** (1 / result["gamma"])


@jax.jit
def all_approaches(N_nv, C):
    """The vocabulary's parameters by each approach."""
    return (
        vocabulary_budget(C, **laws.params(vocabulary_budget)),
        vocabulary_size(N_nv, **laws.params(vocabulary_size)),
        best_vocabulary_parameters(N_nv, C, THETA),
    )


def test_values():
    """Tao et al. 2024, authors' code."""
    np.testing.assert_allclose(
        vocabulary(33222784, 4096, 512, 1e9, **THETA), -2.9064131, rtol=REFERENCE
    )
    np.testing.assert_allclose(
        vocabulary_size(7e9, **laws.params(vocabulary_size)), 276276206.6, rtol=REFERENCE
    )


@pytest.mark.parametrize(
    ("N_nv", "width", "thousands"),
    [
        (3e9, 3200, (39, 43, 37)),
        (7e9, 4096, (62, 67, 60)),
        (70e9, 8192, (212, 231, 218)),
        (300e9, 16384, (356, 389, 384)),
    ],
)
def test_three_approaches(N_nv, width, thousands):
    """Thousands of entries by the authors' script for models of 3B to 300B, all approaches."""
    result = all_approaches(N_nv, budget(N_nv))
    np.testing.assert_allclose(np.array(result) / width / 1e3, thousands, atol=0.5)


@jax.jit
def around_the_best(N_nv, C):
    """Where on a path of 2,001 points about the best vocabulary the loss is lowest; its slope."""

    def loss(log_v):
        N_v = jnp.exp(log_v)
        return vocabulary(N_nv, N_v / 1024, 1024.0, C / (6 * (N_nv + N_v)), **THETA)

    best = jnp.log(best_vocabulary_parameters(N_nv, C, THETA))
    return jnp.argmin(loss(best + jnp.linspace(-3, 3, 2001))), jax.grad(loss)(best)


@pytest.mark.parametrize("C", [1e18, 1e21, 1e25])
@pytest.mark.parametrize("N_nv", [1e8, 7e9])
def test_best_vocabulary_is_brute_force(N_nv, C):
    lowest, slope = around_the_best(N_nv, C)
    assert lowest == 1000
    assert abs(slope) < 1e-13


def test_derivatives_of_the_best_vocabulary():
    @jax.jit
    def log_best(log_N, log_C, alpha2):
        return jnp.log(
            best_vocabulary_parameters(jnp.exp(log_N), jnp.exp(log_C), {**THETA, "alpha2": alpha2})
        )

    at, step = (jnp.log(7e9), jnp.log(1e22), THETA["alpha2"]), 1e-6
    for i, slope in enumerate(jax.grad(log_best, (0, 1, 2))(*at)):
        up, down = ([x + (i == j) * s for j, x in enumerate(at)] for s in (step, -step))
        np.testing.assert_allclose(slope, (log_best(*up) - log_best(*down)) / (2 * step), rtol=1e-7)


def test_shapes():
    draws = {k: jnp.full((3, 1), v) for k, v in THETA.items()}
    sizes = np.array([1e9, 7e9])
    result = jax.jit(lambda theta: best_vocabulary_parameters(sizes, 10**22, theta))(draws)
    assert result.shape == (3, 2)
    one = jax.jit(lambda theta: best_vocabulary_parameters(7 * 10**9, 1e22, theta))(THETA)
    np.testing.assert_allclose(result[1, 1], one, rtol=1e-13)


def test_tokens_per_character():
    """Larger vocabularies give fewer tokens, up to 200,000 entries; 16,384: 3.7 characters each."""
    ratio = tokens_per_character(np.array([4096, 16384, 96256, 200_000, 10**6]))
    assert (np.diff(ratio[:4]) < 0).all()
    assert ratio[3] == ratio[4]
    np.testing.assert_allclose(
        60e6 / 180820540.85207617, ratio[0], rtol=1e-9
    )  # a run of the authors' table
