"""Sparsity: printed numbers, and the closed forms against brute force on the law itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.bits._sparse import dense_equivalent, optimal_sparsity, sparse
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE

SETS = tuple(laws.describe(sparse).published)
each_set = pytest.mark.parametrize("source", SETS)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


def cost_constants(source):
    return {name: laws.params(sparse, source)[name] for name in ("a_S", "b_S", "b_N", "a_D", "b_D")}


def test_printed_numbers():
    """Frantar et al. 2023, T5: a model with 1e8 weights at 75% sparsity on 1e11 tokens."""
    np.testing.assert_allclose(
        sparse(1e8, 0.75, 1e11, **laws.params(sparse)), 1.576275453, rtol=REFERENCE
    )
    ratios = [
        float(dense_equivalent(1.0, 0.75, **laws.params(dense_equivalent, source)))
        for source in SETS
    ]
    assert ratios[0] == pytest.approx(2.159822662, rel=REFERENCE)  # the paper quotes 2.16
    assert ratios[1] == pytest.approx(2.1722, rel=5e-5)


@each_set
def test_dense_equivalent_has_the_same_loss(source):
    theta, own = laws.params(sparse, source), laws.params(dense_equivalent, source)
    for N, S, D in (
        (1e7, 0.5, 1e10),
        (1e10, 0.75, 1e11),
        (1e9, 1 - 1 / 16, 1e13),
        (1e9, 1e-9, 1e13),
    ):
        dense = dense_equivalent(N, S, **own)
        assert dense > N
        np.testing.assert_allclose(
            sparse(dense, 0.0, D, **theta), sparse(N, S, D, **theta), rtol=1e-13
        )


def test_a_dense_model_follows_chinchilla():
    theta = laws.params(sparse)
    names = {"E": theta["c"], "A": theta["a_S"] + theta["c_S"], "alpha": theta["b_N"]}
    names |= {"B": theta["a_D"] ** theta["b_D"], "beta": theta["b_D"]}
    np.testing.assert_allclose(
        sparse(1e9, 0.0, 1e11, **theta), laws.chinchilla(1e9, 1e11, **names), rtol=1e-14
    )


@each_set
@pytest.mark.parametrize(("N", "C"), [(1e8, 1e20), (1e8, 1e22), (1e9, 1e22), (1e9, 1e24)])
def test_optimal_sparsity(source, N, C):
    """Brute force over what the same weights and the same budget allow: D = C (1 - S) / (6 N)."""
    theta = laws.params(sparse, source)
    best = float(optimal_sparsity(N, C, **cost_constants(source)))

    def loss(S):
        return sparse(N, S, C * (1 - S) / (6 * N), **theta)

    grid = np.append(1 - np.geomspace(1e-4, 1, 20_001), best)
    assert np.all(loss(best) <= loss(grid) + 1e-15)
    assert 0 <= best < 1
    if best > 0:
        assert abs(jax.grad(loss)(best)) < 1e-12


def test_the_formula_in_circulation_is_not_the_minimum():
    N, C, k = 1e8, 1e22, cost_constants("frantar2023_t5")
    power = k["b_D"] + k["b_S"]

    def density(factor):
        return (factor * N ** k["b_N"] / (k["a_S"] * k["b_S"])) ** (1 / power) * (C / (6 * N)) ** (
            -k["b_D"] / power
        )

    best = float(optimal_sparsity(N, C, **k))
    assert best == pytest.approx(1 - density(k["b_D"] * k["a_D"] ** k["b_D"]), rel=1e-12)
    assert 0.3 < best < 1
    # With b_N * a_D * b_D the density is far above 1, so no model would ever be pruned.
    assert density(k["b_N"] * k["a_D"] * k["b_D"]) > 1e3


def test_small_budgets_favour_dense_models():
    k = cost_constants("frantar2023_t5")
    assert optimal_sparsity(1e9, 1e18, **k) == 0
    budgets = np.geomspace(1e18, 1e26, 50)
    assert (np.diff(optimal_sparsity(1e9, budgets, **k)) >= 0).all()


def test_no_weight_left_but_finite():
    theta = laws.params(sparse)
    value, slope = jax.value_and_grad(lambda S: sparse(1e9, S, 1e11, **theta))(jnp.asarray(1.0))
    assert np.isfinite(value)
    assert np.isfinite(slope)


def test_recovered():
    size, S, ratio = (
        m.ravel()
        for m in np.meshgrid([3e6, 3e7, 3e8], [0.0, 0.5, 0.75, 0.875], [20.0, 100.0, 500.0])
    )
    truth = laws.params(sparse)
    columns = {"N_nonzero": size, "sparsity": S, "D": ratio * size}
    table = runs.simulate(sparse, truth, columns, noise=0.001, key=jax.random.key(6))
    point = fit.point(sparse, table, objective="log-squares", starts=8)
    assert point.certificate.converged
    for name, value in truth.items():
        assert abs(point.params[name] - value) < 4 * point.stderr[name], name
