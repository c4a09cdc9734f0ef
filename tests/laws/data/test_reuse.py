"""Repeated data: printed values, limits, and the compute-optimal size for unique tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.data import _reuse
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE, VALUE

THETA = laws.params(_reuse.data_constrained)
DENSE = {k: THETA[k] for k in ("A", "B", "alpha", "beta")}
R_D, R_N = {"R_D_star": THETA["R_D_star"]}, {"R_N_star": THETA["R_N_star"]}

PRINTED = [
    # N, D, U; D', N', loss: Muennighoff et al. 2023, Appendix A at the notebook's constants, in 40
    # digits.
    (1e9, 4e10, 1e10, 37256731230.0, 958192373.4, 2.501663375),
    (4.2e9, 8.4e10, 1.2e10, 71622488370.0, 2783987323.0, 2.333325153),
]


@pytest.mark.parametrize(("N", "D", "U", "D_eff", "N_eff", "loss"), PRINTED)
def test_reference_values(N, D, U, D_eff, N_eff, loss):
    with in_dtype("float64"):
        np.testing.assert_allclose(_reuse.effective_tokens(D, U, **R_D), D_eff, rtol=REFERENCE)
        np.testing.assert_allclose(
            _reuse.effective_size(N, D, U, **DENSE, **R_N), N_eff, rtol=REFERENCE
        )
        np.testing.assert_allclose(_reuse.data_constrained(N, D, U, **THETA), loss, rtol=REFERENCE)
    np.testing.assert_allclose(
        _reuse.data_constrained(N, D, U, **THETA), loss, rtol=VALUE["float32"]
    )


def test_size_that_suits_the_unique_tokens():
    """0.051 parameters per token with the tied constants; 509865176.5 at 1e10."""
    with in_dtype("float64"):
        np.testing.assert_allclose(
            _reuse.size_for_tokens(1e10, **DENSE), 509865176.5, rtol=REFERENCE
        )


@pytest.mark.parametrize("source", ["muennighoff2023", "muennighoff2023_untied"])
def test_size_for_tokens_is_compute_optimal(source):
    """No other split of the same compute has a lower loss than N_opt(U) on U tokens."""
    theta = laws.params(_reuse.data_constrained, source)
    dense = {k: theta[k] for k in ("A", "B", "alpha", "beta")}
    with in_dtype("float64"):
        U = 3e10
        N = _reuse.size_for_tokens(U, **dense)
        factors = jnp.geomspace(0.1, 10, 20_001)
        losses = laws.chinchilla(N * factors, U / factors, E=theta["E"], **dense)
        np.testing.assert_allclose(factors[jnp.argmin(losses)], 1.0, rtol=1e-3)


def test_value_of_four_epochs():
    """D' / D is 0.931 at 4 epochs, and D' never exceeds 16.39 times the unique tokens."""
    with in_dtype("float64"):
        four = _reuse.effective_tokens(4e10, 1e10, **R_D) / 4e10
        np.testing.assert_allclose(four, 0.931, atol=5e-4)
        limit = _reuse.effective_tokens(jnp.inf, 1e10, **R_D) / 1e10
        np.testing.assert_allclose(limit, 16.387756, rtol=1e-12)


def test_fresh_data_is_chinchilla():
    """Up to N_opt(D) parameters: nothing is repeated, neither tokens nor parameters."""
    with in_dtype("float64"):
        D = 1e11
        largest = float(_reuse.size_for_tokens(D, **DENSE))
        for N, same in ((0.999 * largest, True), (1.5 * largest, False)):
            constrained = _reuse.data_constrained(N, D, **THETA)
            dense = laws.chinchilla(N, D, E=THETA["E"], **DENSE)
            assert (constrained == dense) == same
            assert constrained >= dense


def test_value_of_the_next_token():
    """exp(-R_D / R_D_star); smooth where the second epoch begins, at 1."""
    slope = jax.grad(lambda D, U: _reuse.effective_tokens(D, U, **R_D), argnums=(0, 1))
    with in_dtype("float64"):
        for epochs in (0.5, 1.0, 1 + 1e-9, 3.0, 40.0):
            of_D, of_U = slope(jnp.asarray(epochs * 1e10), jnp.asarray(1e10))
            repetitions = max(epochs - 1, 0.0)
            np.testing.assert_allclose(of_D, np.exp(-repetitions / THETA["R_D_star"]), rtol=1e-7)
            if repetitions < 1e-6:
                np.testing.assert_allclose(of_U, 0.0, atol=1e-7)
            else:
                assert of_U > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges_have_finite_gradients(dtype):
    gradient = jax.jit(jax.grad(lambda x, theta: _reuse.data_constrained(*x, **theta), (0, 1)))
    with in_dtype(dtype):
        for D, U in ((1e10, 1e10), (1e10, jnp.inf), (1e30, 1e9)):
            point = [jnp.asarray(v, dtype) for v in (1e9, D, U)]
            gradients = gradient(point, THETA)
            assert all(np.isfinite(g) for g in jax.tree.leaves(gradients))


def test_chinchilla_with_effective_tokens():
    composed = laws.substitute(laws.chinchilla, D=_reuse.effective_tokens)
    with in_dtype("float64"):
        N, D, U = 1e8, 4e10, 1e10
        theta = {**DENSE, **R_D, "E": THETA["E"]}
        np.testing.assert_allclose(
            composed(N=N, D=D, U=U, **theta), _reuse.data_constrained(N, D, U, **THETA), rtol=1e-14
        )


def test_recovery():
    """A fit to runs of up to 60 epochs recovers the constants, with the dense law fixed."""
    law = laws.fix(_reuse.data_constrained, E=THETA["E"], **DENSE)
    U = np.repeat([1e9, 4e9], 40)
    design = {
        "N": np.tile([1e8, 4e8, 1.6e9, 6.4e9], 20),
        "U": U,
        "D": U * np.tile(np.repeat([1, 4, 12, 25, 60.0], 8), 2),
    }
    table = runs.simulate(law, {**R_D, **R_N}, design, noise=1e-3, key=jax.random.key(0))
    fitted = fit.point(law, table, objective="log-squares", starts=4).params
    assert fitted["R_D_star"] == pytest.approx(THETA["R_D_star"], rel=0.1)
    assert fitted["R_N_star"] == pytest.approx(THETA["R_N_star"], rel=0.1)
