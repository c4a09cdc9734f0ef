"""Bands: quantiles of a plan over draws, some of which may fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status, is_optimum
from jscale.plan.costs import precision_scaled_flops
from tests.plan.cases import BESIROGLU, KUMAR, draws


@pytest.fixture
def float64_mode():
    with float64():
        yield


@pytest.mark.smoke
def test_bands_of_a_plan_are_the_quantiles_of_its_draws(float64_mode):
    theta = draws(BESIROGLU, 40)
    result = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.05, 0.5, 0.95))
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    assert isinstance(result.values, plan.Plan)
    assert result.quantiles == (0.05, 0.5, 0.95)
    for name in ("N_opt", "D_opt", "loss"):
        expected = np.quantile(getattr(best, name), [0.05, 0.5, 0.95])
        np.testing.assert_allclose(getattr(result.values, name), expected, rtol=1e-11)
    assert result.values.P_opt is None
    assert int(result.values.status) == Status.converged
    assert float(result.converged) == 1.0


def test_budgets_add_their_axes_after_the_quantiles(float64_mode):
    theta = draws(laws.params(laws.qat), 40)
    budgets = np.array([1e20, 1e22, 1e24])
    result = plan.bands(
        plan.optimal,
        laws.qat,
        theta,
        budgets,
        free=("N", "D", "P"),
        cost=precision_scaled_flops,
        quantiles=[0.1, 0.9],
    )
    assert result.values.P_opt.shape == result.values.budget.shape == (2, 3)
    assert result.converged.shape == result.values.status.shape == (3,)
    np.testing.assert_array_equal(result.values.budget, np.broadcast_to(budgets, (2, 3)))
    assert np.all(result.values.N_opt[0] < result.values.N_opt[1])


def test_the_share_of_all_draws_is_exactly_one(float64_mode):
    """49 * (1 / 49) and 501 * (1 / 501) are not 1 in floating point; the share of all draws is."""
    for count in (49, 501):
        result = plan.bands(lambda law, theta: theta["A"], laws.chinchilla, draws(BESIROGLU, count))
        assert float(result.converged) == 1.0


def test_scalars_are_a_single_draw(float64_mode):
    result = plan.bands(plan.optimal, laws.chinchilla, BESIROGLU, 1e24)
    best = plan.optimal(laws.chinchilla, BESIROGLU, 1e24)
    np.testing.assert_allclose(result.values.N_opt, np.full(3, best.N_opt), rtol=1e-12)
    one = plan.bands(
        plan.optimal, laws.chinchilla, {k: np.array([v]) for k, v in BESIROGLU.items()}, 1e24
    )
    np.testing.assert_array_equal(one.values.N_opt, result.values.N_opt)


def test_scalars_among_draws_are_shared(float64_mode):
    theta = draws(BESIROGLU, 40) | {"E": 1.8}
    result = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.5,))
    full = plan.bands(
        plan.optimal, laws.chinchilla, theta | {"E": np.full(40, 1.8)}, 1e24, quantiles=(0.5,)
    )
    np.testing.assert_array_equal(result.values.loss, full.values.loss)


def test_failed_draws_are_counted_and_left_out(float64_mode):
    theta = draws(BESIROGLU, 40)
    theta["A"][::4] *= -1.0  # a quarter of the laws has no optimum
    result = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.25, 0.75))
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    assert float(result.converged) == 0.75
    assert int(result.values.status) == Status.no_interior_optimum
    np.testing.assert_allclose(
        result.values.N_opt, np.quantile(best.N_opt[theta["A"] > 0], [0.25, 0.75]), rtol=1e-11
    )


def test_the_band_is_nan_without_a_converged_draw(float64_mode):
    result = plan.bands(plan.optimal, laws.chinchilla, BESIROGLU | {"A": np.full(40, -1.0)}, 1e24)
    assert float(result.converged) == 0.0
    assert np.isnan(result.values.N_opt).all()


def test_infinite_values_stay_in_the_quantiles(float64_mode):
    """In two of five draws quantisation has no effect, so that more data never hurts."""
    theta = KUMAR | {"C_T": np.array([0.05, 0.06, 0.07, 0.0, 0.0])}
    result = plan.bands(
        plan.critical_tokens,
        laws.precision,
        theta,
        N=8e9,
        P_post=4,
        quantiles=(0, 0.25, 0.5, 0.6, 1),
    )
    exact = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4).D_crit
    np.testing.assert_allclose(result.values.D_crit[:3], sorted(exact)[:3], rtol=1e-12)
    np.testing.assert_array_equal(result.values.D_crit[3:], [np.inf, np.inf])
    np.testing.assert_allclose(result.converged, 0.6)


def test_plan_function_may_be_any_function_of_a_law_and_parameters(float64_mode):
    """The band of a ratio is not the ratio of the bands."""

    def ratio(law, params, budget):
        best = plan.optimal(law, params, budget)
        return {"ratio": best.D_opt / best.N_opt}

    theta = draws(BESIROGLU, 40)
    result = plan.bands(ratio, laws.chinchilla, theta, 1e24)
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    np.testing.assert_allclose(
        result.values["ratio"], np.quantile(best.D_opt / best.N_opt, [0.05, 0.5, 0.95]), rtol=1e-11
    )
    assert float(result.converged) == 1.0
    counts = plan.bands(lambda law, params: jnp.asarray(3), laws.chinchilla, theta)
    np.testing.assert_array_equal(counts.values, [3.0, 3.0, 3.0])


def test_bands_work_inside_jit_and_have_derivatives(float64_mode):
    theta = draws(BESIROGLU, 40)

    def median(log_C):
        return jnp.log(
            plan.bands(
                plan.optimal, laws.chinchilla, theta, jnp.exp(log_C), quantiles=(0.5,)
            ).values.N_opt[0]
        )

    log_C = jnp.log(1e24)
    slope = jax.jit(jax.grad(median))(log_C)
    shares = theta["beta"] / (theta["alpha"] + theta["beta"])
    assert shares.min() < slope < shares.max()
    np.testing.assert_allclose(
        slope, (median(log_C + 1e-4) - median(log_C - 1e-4)) / 2e-4, rtol=1e-6
    )


def test_bands_of_the_optimal_precision(float64_mode):
    theta = draws(laws.params(laws.qat), 40)
    result = plan.bands(plan.optimal_precision, laws.qat, theta, cost=precision_scaled_flops)
    assert result.values.P_opt.shape == (3,)
    assert result.values.budget is None
    assert float(result.converged) == 1.0


def test_float32():
    result = plan.bands(plan.optimal, laws.chinchilla, draws(BESIROGLU, 20), 1e24)
    assert {leaf.dtype for leaf in jax.tree.leaves(result)} == {
        np.dtype("float32"),
        np.dtype("int32"),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantiles": (0.5, 95)}, "quantiles must be probabilities between 0 and 1"),
        ({"quantiles": ()}, "quantiles must be probabilities"),
        (
            {"draws": BESIROGLU | {"A": np.ones(3), "B": np.ones(4)}},
            "draws differ in length: A has 3, B has 4",
        ),
        (
            {"draws": BESIROGLU | {"A": np.ones((2, 3))}},
            r"draws of A must have one axis, not shape \(2, 3\)",
        ),
        ({"draws": BESIROGLU | {"A": np.ones(0)}}, "there are no draws"),
        (
            {"draws": BESIROGLU | {"A": np.array([400.0, np.nan])}},
            r"parameter A\[1\] must be a finite number",
        ),
        ({"draws": {}}, "params miss E, A, B, alpha, beta"),
        ({"throw": True}, "outside of jit and vmap"),
        ({"free": ("N",)}, "D is neither free nor given"),
    ],
)
def test_invalid_arguments_raise_one_line(change, message):
    arguments = {"draws": BESIROGLU} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.bands(plan.optimal, laws.chinchilla, arguments.pop("draws"), 1e24, **arguments)
    assert "\n" not in str(error.value)


def test_draws_without_an_optimum_are_counted(float64_mode):
    """A kink and a plateau are optima; a negative coefficient has none."""

    def outcome(law, params):
        codes = jnp.asarray([Status.kink, Status.flat, Status.no_interior_optimum, 0])
        status = codes[params["E"].astype(int)]
        return {"N": jnp.where(is_optimum(status), params["E"], jnp.nan), "status": status}

    theta = {**BESIROGLU, "E": np.array([0.0, 1.0, 2.0, 3.0])}
    bands = plan.bands(outcome, laws.chinchilla, theta, quantiles=[0.5])
    assert (int(bands.lost), float(bands.converged)) == (1, 0.75)
    assert int(bands.values["status"]) == Status.no_interior_optimum
    np.testing.assert_allclose(bands.values["N"], 1.0)
    some = plan.bands(outcome, laws.chinchilla, theta | {"E": np.array([0.0, 3.0])})
    assert (int(some.lost), int(some.values["status"])) == (0, Status.kink)
