"""Mixtures: relations between the laws, and the best mixture against brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.status import Status
from jscale.laws.data import _mixture, _mixture_scaling
from tests.laws.catalogue_points import in_dtype

DENSE = {"E": 1.6, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}
SOURCES = {"C_1": 3.0, "C_2": 8.0, "C_3": 1.5, "gamma_1": 0.3, "gamma_2": 0.6, "gamma_3": 0.45}
SCALES, POWERS = [3.0, 8.0, 1.5], [0.3, 0.6, 0.45]
MIX = {"mix_1": 0.5, "mix_2": 0.2, "mix_3": 0.3}
TOTAL = {
    "c": 1.8,
    "k_1": 0.5,
    "k_2": 0.4,
    "k_3": 0.6,
    "t_1_1": -2.0,
    "t_1_2": -0.3,
    "t_2_1": 0.2,
    "t_2_2": -3.0,
    "t_3_1": 0.9,
    "t_3_2": 1.1,
}


best_additive = jax.jit(_mixture_scaling.best_additive_mixture)
"""One program for all tests with three sources in float64."""


def simplex(steps: int) -> np.ndarray:
    """All mixtures (points, 3) in steps of 1 / ``steps``."""
    points = [
        (i, j, steps - i - j)
        for i, j in itertools.product(range(steps + 1), repeat=2)
        if i + j <= steps
    ]
    return np.array(points) / steps


def test_equal_quality_scales_the_data_coefficient():
    """B becomes B * q**-beta and nothing else changes."""
    q = {f"q_{i}": 0.7 for i in (1, 2, 3)}
    with in_dtype("float64"):
        tokens = _mixture.mixture_tokens(3)(2e10, **MIX, **q)
        np.testing.assert_allclose(tokens, 0.7 * 2e10, rtol=1e-14)
        value = laws.chinchilla(1e9, tokens, **DENSE)
        scaled = {**DENSE, "B": DENSE["B"] * 0.7 ** -DENSE["beta"]}
        np.testing.assert_allclose(value, laws.chinchilla(1e9, 2e10, **scaled), rtol=1e-14)


def test_the_last_source_is_the_remainder():
    """Constants with a t for every source convert exactly if the shares sum to 1."""
    t, c, k = np.array([-1.2, 0.7, 0.4]), 1.9, 0.6
    reduced = {"c": c, "k": k * np.exp(t[2]), "t_1": t[0] - t[2], "t_2": t[1] - t[2]}
    with in_dtype("float64"):
        for shares in simplex(4):
            expected = c + k * np.exp(t @ shares)
            np.testing.assert_allclose(
                _mixture.data_mixing(3)(*shares[:2], **reduced), expected, rtol=1e-14
            )


def test_the_total_is_the_weighted_sum():
    weights, floors = (0.2, 0.5, 0.3), (1.5, 2.0, 1.7)
    with in_dtype("float64"):
        parts = [
            {"c": c, "k": TOTAL[f"k_{i}"] / s, "t_1": TOTAL[f"t_{i}_1"], "t_2": TOTAL[f"t_{i}_2"]}
            for i, (s, c) in enumerate(zip(weights, floors, strict=True), 1)
        ]
        expected = sum(
            s * _mixture.data_mixing(3)(0.3, 0.6, **p) for s, p in zip(weights, parts, strict=True)
        )
        total = {**TOTAL, "c": sum(s * c for s, c in zip(weights, floors, strict=True))}
        np.testing.assert_allclose(
            _mixture.data_mixing_total(3)(0.3, 0.6, **total), expected, rtol=1e-14
        )


def test_the_joint_law_contains_the_additive_law():
    """With all A_i and all B_i equal, the mixture no longer affects size and data."""
    with in_dtype("float64"):
        equal = {f"A_{i}": DENSE["A"] ** (1 / 0.8) for i in (1, 2, 3)} | {
            f"B_{i}": DENSE["B"] ** 0.5 for i in (1, 2, 3)
        }
        dense = {k: DENSE[k] for k in ("E", "alpha", "beta")}
        joint = _mixture_scaling.mixture_joint(3)(
            1e9, 2e10, **MIX, **dense, **equal, **SOURCES, gamma_A=0.8, gamma_B=2.0
        )
        additive = _mixture_scaling.mixture_additive(3)(1e9, 2e10, **MIX, **DENSE, **SOURCES)
        np.testing.assert_allclose(joint, additive, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_source_left_out(dtype):
    """A source with share 0 does not enter the loss, and no derivative is NaN."""
    with in_dtype(dtype):
        at = {k: jnp.asarray(v, dtype) for k, v in {**MIX, "mix_2": 0.0, "mix_3": 0.5}.items()}
        theta = {**DENSE, **SOURCES}
        law = _mixture_scaling.mixture_additive(3)
        value, gradients = jax.value_and_grad(lambda x, t: law(1e9, 2e10, **x, **t), (0, 1))(
            at, theta
        )
        covered = SOURCES["C_1"] * 0.5**0.3 + SOURCES["C_3"] * 0.5**0.45
        np.testing.assert_allclose(
            value, laws.chinchilla(1e9, 2e10, **DENSE) + 1 / covered, rtol=1e-6
        )
        assert all(np.isfinite(g) for g in jax.tree.leaves(gradients))
        assert gradients[0]["mix_2"] == gradients[1]["gamma_2"] == 0


def test_best_additive_mixture():
    """Closed form against brute force at two sizes and against the general search."""
    with in_dtype("float64"):
        best = best_additive(jnp.array(SCALES), jnp.array(POWERS))
        assert best.status == Status.converged
        np.testing.assert_allclose(best.shares.sum(), 1.0, rtol=1e-12)
        theta = {**DENSE, **SOURCES}
        grid = simplex(400)
        law = _mixture_scaling.mixture_additive(3)
        for N, D in ((1e8, 2e9), (1e11, 5e12)):
            losses = law(N, D, *grid.T, **theta)
            np.testing.assert_allclose(grid[np.argmin(losses)], best.shares, atol=1 / 400)
            assert law(N, D, *best.shares, **theta) <= losses.min()
        search = jax.jit(lambda: _mixture.best_mixture(lambda w: law(1e9, 2e10, *w, **theta), 3))
        searched = search()
        assert searched.status == Status.converged
        np.testing.assert_allclose(searched.shares, best.shares, rtol=1e-6)


def test_best_additive_mixture_is_differentiable():
    with in_dtype("float64"):
        C, gamma, step = jnp.array(SCALES), jnp.array(POWERS), 1e-6
        jacobian = jax.jit(jax.jacobian(lambda C: best_additive(C, gamma).shares))(C)
        for i in range(3):
            offset = step * jnp.eye(3)[i]
            above, below = (best_additive(C + s * offset, gamma).shares for s in (1, -1))
            difference = (above - below) / (2 * step)
            np.testing.assert_allclose(jacobian[:, i], difference, rtol=1e-6, atol=1e-9)


def test_a_power_of_one_has_no_interior_optimum():
    with in_dtype("float64"):
        best = best_additive(jnp.array(SCALES), jnp.array([0.3, 1.0, 0.45]))
        assert best.status == Status.no_interior_optimum
        assert np.isnan(best.shares).all()


def test_best_mixture_over_several_domains():
    """Ye's total is convex in the shares: the search agrees with brute force.

    The share of a useless source goes to the lower bound.
    """
    law, grid = _mixture.data_mixing_total(3), simplex(200)

    @jax.jit
    def search(theta):
        return _mixture.best_mixture(lambda w: law(w[0], w[1], **theta), 3)

    with in_dtype("float64"):
        optimum = search(TOTAL)
        losses = law(*grid.T[:2], **TOTAL)
        best = grid[np.argmin(losses)]
        assert (best > 0).all()
        assert optimum.status == Status.converged
        np.testing.assert_allclose(optimum.shares, best, atol=1 / 200)

        useless = {**TOTAL, "t_1_1": 2.0, "t_2_1": 2.0, "t_3_1": 2.0}
        corner = search(useless)
        assert corner.status == Status.no_interior_optimum
        assert corner.shares[0] < 1e-3


def test_invalid_numbers_of_sources():
    for family in (
        _mixture.data_mixing,
        _mixture.data_mixing_total,
        _mixture_scaling.mixture_joint,
    ):
        with pytest.raises(
            JscaleError, match="sources is 1; expected a whole number of at least 2"
        ):
            family(1)
    with pytest.raises(JscaleError, match="sources is 5; expected 2, 3 or 4"):
        _mixture.best_mixture(jnp.sum, 5)


def test_half_life():
    with in_dtype("float64"):
        fresh, later = (_mixture.data_utility(k, b=0.2, tau=3.0) for k in (0.0, 3.0))
        np.testing.assert_allclose([fresh, later], [0.2, 0.1], rtol=1e-14)


def test_recovery():
    """A fit to sixty mixtures recovers the constants of Ye's law."""
    law, theta = _mixture.data_mixing(3), {"c": 1.5, "k": 1.2, "t_1": -2.0, "t_2": 0.8}
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    design = {"mix_1": shares[:, 0], "mix_2": shares[:, 1]}
    table = runs.simulate(law, theta, design, noise=1e-4, key=jax.random.key(0))
    point = fit.point(law, table, objective="log-squares", starts=4)
    assert point.params == pytest.approx(theta, rel=0.02)


@pytest.mark.parametrize("sources", [2, 3, 5])
def test_members_are_their_formula(sources):
    families = {**_mixture.FAMILIES, **_mixture_scaling.FAMILIES}
    for name, family in families.items():
        law = family(sources)
        record, rng = laws.describe(law), np.random.default_rng(sources)
        assert record.name == f"{name}({sources})"
        assert family(sources) is law
        at = {
            n: rng.uniform(0.1, 1.0, size=4) for n in (*record.input_names, *record.parameter_names)
        }
        with in_dtype("float64"):
            np.testing.assert_allclose(law(**at), record.evaluate(at), rtol=1e-13)
