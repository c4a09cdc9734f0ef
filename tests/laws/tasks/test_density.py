"""Density: doubling times, and the reference chain read forwards and backwards."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws
from jscale.laws.tasks import _density, _downstream
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

CHAIN = {
    "a": 40.0,
    "alpha": 0.2,
    "b": 30.0,
    "beta": 0.2,
    "c": 0.6,
    "gamma": 2.5,
    "l": 0.9,
    "d": 0.25,
}


def test_doubling_time():
    """Xiao et al. 2024: 99.02 days or 3.25 months at 0.007 a day.

    The journal's 3.5 months are 0.006507 a day.
    """
    np.testing.assert_allclose(_density.doubling_time(0.007), 99.02102579, rtol=REFERENCE)
    np.testing.assert_allclose(_density.doubling_time(0.007) / 30.4375, 3.253257521, rtol=REFERENCE)
    journal = laws.params(_density.density_growth, "xiao2025")
    np.testing.assert_allclose(journal["A"], 0.006506515042, rtol=REFERENCE)
    for source in ("xiao2024", "xiao2025"):
        theta = laws.params(_density.density_growth, source)
        with in_dtype("float64"):
            doubled = _density.density_growth(_density.doubling_time(theta["A"]), **theta)
            np.testing.assert_allclose(doubled, 2.0, rtol=1e-14)


def test_growth_is_the_ratio_of_two_days():
    with in_dtype("float64"):
        later, sooner = (_density.density_trend(t, A=0.007, B=-1.3) for t in (500.0, 380.0))
        np.testing.assert_allclose(
            later / sooner, _density.density_growth(120.0, A=0.007), rtol=1e-14
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_size_inverts_the_score(dtype):
    with in_dtype(dtype):
        sizes = jnp.geomspace(jnp.asarray(1e7, dtype), 1e12, 40)
        scores = _density.reference_score(sizes, **CHAIN)
        back = _density.reference_size(scores, **CHAIN)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, sizes, rtol=1e-10 if dtype == "float64" else 1e-3)
        np.testing.assert_allclose(
            _density.capability_density(scores, sizes / 3, **CHAIN), 3.0, rtol=1e-3
        )


def test_scores_without_an_effective_size():
    """0 at chance, infinite above the chain's ceiling; no derivative is NaN."""
    with in_dtype("float64"):
        ceiling = _density.reference_score(jnp.inf, **CHAIN)
        size = jax.value_and_grad(lambda s, theta: _density.reference_size(s, **theta), (0, 1))
        for score, expected in (
            (0.2, 0.0),
            (0.25, 0.0),
            (float(ceiling) + 1e-9, np.inf),
            (0.85, np.inf),
            (0.99, np.inf),
        ):
            value, gradients = size(jnp.asarray(score), CHAIN)
            assert value == expected
            assert all(g == 0 for g in jax.tree.leaves(gradients))
        assert np.isfinite(_density.reference_size(float(ceiling) - 1e-6, **CHAIN))
        assert np.isnan(_density.reference_size(math.nan, **CHAIN))


def test_the_inverse_has_the_right_derivative():
    with in_dtype("float64"):
        N = jnp.asarray(1e9)
        up = jax.grad(lambda N: _density.reference_score(N, **CHAIN))(N)
        down = jax.grad(lambda s: _density.reference_size(s, **CHAIN))(
            _density.reference_score(N, **CHAIN)
        )
        np.testing.assert_allclose(up * down, 1.0, rtol=1e-9)


def test_the_chain_is_two_laws():
    """A loss without a floor, then the sigmoid of the downstream chapter."""
    with in_dtype("float64"):
        dense = {
            "E": 0.0,
            "A": CHAIN["a"],
            "B": CHAIN["b"],
            "alpha": CHAIN["alpha"],
            "beta": CHAIN["beta"],
        }
        sigmoid = {"a": CHAIN["c"], "k": CHAIN["gamma"], "L_0": CHAIN["l"], "b": CHAIN["d"]}
        loss = laws.chinchilla(1e9, 1e12, **dense)
        expected = _downstream.score_from_loss(loss, **sigmoid)
        np.testing.assert_allclose(_density.reference_score(1e9, **CHAIN), expected, rtol=1e-14)


def test_scores_do_not_identify_the_unit_of_the_loss():
    with in_dtype("float64"):
        moved = {**CHAIN, **{k: 2 * CHAIN[k] for k in "abl"}, "gamma": CHAIN["gamma"] / 2}
        sizes = jnp.geomspace(1e7, 1e11, 9)
        same = _density.reference_score(sizes, **moved)
        np.testing.assert_allclose(same, _density.reference_score(sizes, **CHAIN), rtol=1e-13)
