"""Mixtures of experts: published values, closed-form sizes and allocations, special cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import fit, laws, runs
from jscale.laws.experts._moe import granular, joint_moe, joint_moe_optimal, sparse_moe
from jscale.laws.experts._routing import (
    routed,
    routed_cutoff,
    routed_dense_size,
    saturating_experts,
)
from tests.laws.catalogue_points import in_dtype
from tests.tolerances import REFERENCE, VALUE

ROUTERS = tuple(laws.describe(routed).published)
JOINT = laws.params(joint_moe)


@pytest.fixture(autouse=True)
def _double():
    with in_dtype("float64"):
        yield


class TestRouted:
    @pytest.mark.parametrize(
        ("router", "loss", "experts"),
        [
            ("clark2022_sbase", 2.085814632, 53.76866726),
            ("clark2022_rlr", 2.149770479, 57.01573538),
        ],
    )
    def test_values(self, router, loss, experts):
        """Clark et al. 2022, Table 3, at 1e9 parameters and 64 experts."""
        theta = laws.params(routed, router)
        np.testing.assert_allclose(routed(1e9, 64, **theta), loss, rtol=REFERENCE)
        value = saturating_experts(64, E_start=theta["E_start"], E_max=theta["E_max"])
        np.testing.assert_allclose(value, experts, rtol=REFERENCE)

    @pytest.mark.parametrize("router", ROUTERS)
    def test_natural_logarithms_would_give_a_loss_below_one(self, router):
        p = laws.params(routed, router)
        log_E = jnp.log(saturating_experts(64, E_start=p["E_start"], E_max=p["E_max"]))
        log_N = jnp.log(1e9)
        assert (
            jnp.exp(p["d"] + p["a"] * log_N + (p["b"] + p["c"] * log_N) * log_E)
            < 1
            < routed(1e9, 64, **p)
        )

    @pytest.mark.parametrize("router", ROUTERS)
    def test_cutoff(self, router):
        """There the slope in the number of experts changes its sign, at any number of experts."""
        theta = laws.params(routed, router)
        cutoff = routed_cutoff(theta)
        slope = jax.grad(routed, argnums=1)
        for experts in (2.0, 64.0, 512.0):
            assert abs(slope(cutoff, experts, **theta)) < 1e-15
            assert slope(0.9 * cutoff, experts, **theta) < 0 < slope(1.1 * cutoff, experts, **theta)

    @pytest.mark.parametrize("router", ROUTERS)
    def test_dense_model_of_the_same_loss(self, router):
        theta = laws.params(routed, router)
        N, E = jnp.array([1e8, 1e9, 1e10])[:, None], jnp.array([1.0, 8.0, 512.0])
        dense = routed_dense_size(N, E, theta)
        np.testing.assert_allclose(routed(dense, 1.0, **theta), routed(N, E, **theta), rtol=1e-13)
        np.testing.assert_allclose(dense[:, 0], N[:, 0], rtol=1e-13)
        assert (dense[:, 1:] > N).all()

    def test_recovery(self):
        theta = laws.params(routed)
        N, E = (
            g.ravel() for g in np.meshgrid(np.geomspace(1.5e7, 1.3e9, 8), 2.0 ** np.arange(0, 10))
        )
        table = runs.simulate(
            routed, theta, {"N": N, "E_experts": E}, noise=1e-5, key=jax.random.key(3)
        )
        point = fit.point(routed, table, starts=4)
        for name, value in theta.items():
            # The effective number of infinitely many experts is an extrapolation beyond 512.
            np.testing.assert_allclose(
                point.params[name], value, rtol=2e-2 if name == "E_max" else 5e-3, err_msg=name
            )


class TestGranular:
    def test_value(self):
        """Krajewski et al. 2024, Table 2, 64 x 1B: 2.471 from three digits; printed as 2.491."""
        value = granular(43e9, 28.94e9, 16, **laws.params(granular))
        np.testing.assert_allclose(value, 2.47138769, rtol=REFERENCE)
        np.testing.assert_allclose(value, 2.491, atol=0.025)

    def test_infinite_granularity_is_chinchilla(self):
        p = laws.params(granular)
        dense = {"E": p["c"], "A": p["a"], "B": p["b"], "alpha": p["alpha"], "beta": p["beta"]}
        value = granular(1e9, 2e10, jnp.inf, **p)
        np.testing.assert_allclose(
            value, laws.chinchilla(1e9, 2e10, **dense), rtol=VALUE["float64"]
        )


class TestJoint:
    VALUES = (
        (1, 2.577600043, 1726907057.0, 9651165994.0),
        (2, 2.558678845, 1468507523.0, 11349391410.0),
    )

    @pytest.mark.parametrize(("experts", "loss", "N", "D"), VALUES)
    def test_values(self, experts, loss, N, D):
        """Ludziejewski et al. 2025, Table 3.

        Table 1 prints 1.7B and 9.7B at one expert and 1e20 FLOP.
        """
        np.testing.assert_allclose(joint_moe(1e9, 2e10, experts, **JOINT), loss, rtol=REFERENCE)
        best = joint_moe_optimal(1e20, experts, JOINT)
        np.testing.assert_allclose(best, (N, D), rtol=REFERENCE)

    @pytest.mark.parametrize("C", [1e18, 1e21, 1e25])
    @pytest.mark.parametrize("experts", [1.0, 8.0, 64.0])
    def test_optimum_is_brute_force(self, C, experts):
        best = joint_moe_optimal(C, experts, JOINT)
        np.testing.assert_allclose(6 * best.N * best.D, C, rtol=1e-13)
        N = best.N * jnp.exp(jnp.linspace(-2, 2, 4001))
        losses = joint_moe(N, C / (6 * N), experts, **JOINT)
        assert jnp.argmin(losses) == 2000
        slope = jax.grad(
            lambda log_N: joint_moe(jnp.exp(log_N), C / (6 * jnp.exp(log_N)), experts, **JOINT)
        )
        assert abs(slope(jnp.log(best.N))) < 1e-13

    def test_the_printed_ratio_is_inverted(self):
        """With G as printed, for negative powers, the loss at the same budget is higher."""
        C, pairs = 1e20, 1e20 / 6
        best = joint_moe_optimal(C, 1, JOINT)
        log_E = np.log(JOINT["E_start"])
        mu, nu = JOINT["alpha"] + JOINT["gamma"] * log_E, JOINT["beta"] + JOINT["zeta"] * log_E
        m, n = (
            JOINT[k] * JOINT["E_start"] ** JOINT[p] for k, p in (("a", "delta"), ("b", "omega"))
        )
        N = (mu * m / (nu * n)) ** (1 / (mu + nu)) * pairs ** (nu / (mu + nu))
        assert joint_moe(N, pairs / N, 1, **JOINT) > joint_moe(best.N, best.D, 1, **JOINT) + 0.01
        np.testing.assert_allclose(N * best.N / (pairs ** (nu / (mu + nu))) ** 2, 1, rtol=1e-12)

    def test_derivative_of_the_optimum(self):
        def log_size(log_C, alpha):
            return jnp.log(joint_moe_optimal(jnp.exp(log_C), 8.0, {**JOINT, "alpha": alpha}).N)

        at, step = (jnp.log(1e21), JOINT["alpha"]), 1e-6
        for i, slope in enumerate(jax.grad(log_size, (0, 1))(*at)):
            up, down = ([x + (i == j) * s for j, x in enumerate(at)] for s in (step, -step))
            np.testing.assert_allclose(
                slope, (log_size(*up) - log_size(*down)) / (2 * step), rtol=1e-7
            )

    def test_no_optimum(self):
        best = joint_moe_optimal(jnp.array([1e20, 1e22]), 1, {**JOINT, "alpha": 0.1})
        assert np.isnan(best).all()

    def test_without_the_experts_it_is_chinchilla(self):
        flat = laws.fix(joint_moe, gamma=0, delta=0, zeta=0, omega=0, E_start=2, E_max=300)
        value = flat(1e9, 2e10, 64, c=1.7, a=400.0, alpha=-0.34, b=410.0, beta=-0.28)
        dense = laws.chinchilla(1e9, 2e10, E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
        np.testing.assert_allclose(value, dense, rtol=1e-14)


class TestSparse:
    def test_value(self):
        """Abnar et al. 2025, worked out by hand: 1e9 parameters, 2e10 tokens, half of them idle."""
        p = laws.params(sparse_moe)
        by_hand = 0.94 + 16612.5 / 1e9**0.5962 + 5455.67 / 2e10**0.3954 + 0.4598 * 0.5**0.1666
        by_hand += 17.26 / (0.5**0.1603 * 1e9**0.1595)
        np.testing.assert_allclose(sparse_moe(1e9, 2e10, 0.5, **p), by_hand, rtol=1e-13)

    def test_without_sparsity_terms_it_is_chinchilla(self):
        flat = laws.fix(sparse_moe, c=0, d=0, lam=0, delta=1, gamma=1)
        value = flat(1e9, 2e10, 0.9, e=1.7, a=400.0, alpha=0.34, b=410.0, beta=0.28)
        np.testing.assert_allclose(
            value,
            laws.chinchilla(1e9, 2e10, E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28),
            rtol=1e-14,
        )

    def test_a_large_model_gains_from_sparsity_in_its_floor(self):
        p = laws.params(sparse_moe)
        assert sparse_moe(1e13, 1e15, 0.9, **p) < sparse_moe(1e13, 1e15, 0.0, **p)
        assert sparse_moe(1e8, 1e15, 0.9, **p) > sparse_moe(1e8, 1e15, 0.0, **p)
