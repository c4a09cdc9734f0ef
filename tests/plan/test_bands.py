"""Bands: quantiles of a plan over draws, and what becomes of draws that fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from tests.plan.cases import BESIROGLU, KUMAR, draws


@pytest.fixture
def wide():
    with float64():
        yield


@pytest.mark.smoke
def test_bands_of_a_plan_are_the_quantiles_of_its_draws(wide):
    theta = draws(BESIROGLU, 40)
    found = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.05, 0.5, 0.95))
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    assert isinstance(found.values, plan.Plan)
    assert found.quantiles == (0.05, 0.5, 0.95)
    for name in ("N_opt", "D_opt", "loss"):
        expected = np.quantile(getattr(best, name), [0.05, 0.5, 0.95])
        np.testing.assert_allclose(getattr(found.values, name), expected, rtol=1e-11)
    assert found.values.P_opt is None
    assert int(found.values.status) == Status.converged
    assert float(found.converged) == 1.0


def test_budgets_add_their_axes_after_the_quantiles(wide):
    theta = draws(laws.params(laws.qat), 40)
    budgets = np.array([1e20, 1e22, 1e24])
    found = plan.bands(
        plan.optimal, laws.qat, theta, budgets, free=("N", "D", "P"), quantiles=[0.1, 0.9]
    )
    assert found.values.P_opt.shape == found.values.budget.shape == (2, 3)
    assert found.converged.shape == found.values.status.shape == (3,)
    np.testing.assert_array_equal(found.values.budget, np.broadcast_to(budgets, (2, 3)))
    assert np.all(found.values.N_opt[0] < found.values.N_opt[1])


def test_one_share_of_any_number_of_draws_is_one(wide):
    """1 / 49 and 1 / 501 have no exact inverse, and a share of 0.9999999999999999 is not all of
    them.
    """
    for count in (49, 501):
        found = plan.bands(lambda law, theta: theta["A"], laws.chinchilla, draws(BESIROGLU, count))
        assert float(found.converged) == 1.0


def test_scalars_are_a_single_draw(wide):
    found = plan.bands(plan.optimal, laws.chinchilla, BESIROGLU, 1e24)
    best = plan.optimal(laws.chinchilla, BESIROGLU, 1e24)
    np.testing.assert_allclose(found.values.N_opt, np.full(3, best.N_opt), rtol=1e-12)
    one = plan.bands(
        plan.optimal, laws.chinchilla, {k: np.array([v]) for k, v in BESIROGLU.items()}, 1e24
    )
    np.testing.assert_array_equal(one.values.N_opt, found.values.N_opt)


def test_scalars_among_draws_are_shared(wide):
    theta = draws(BESIROGLU, 40) | {"E": 1.8}
    found = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.5,))
    full = plan.bands(
        plan.optimal, laws.chinchilla, theta | {"E": np.full(40, 1.8)}, 1e24, quantiles=(0.5,)
    )
    np.testing.assert_array_equal(found.values.loss, full.values.loss)


def test_failed_draws_are_counted_and_do_not_poison_the_band(wide):
    theta = draws(BESIROGLU, 40)
    theta["A"][::4] *= -1.0  # a quarter of the laws has no optimum
    found = plan.bands(plan.optimal, laws.chinchilla, theta, 1e24, quantiles=(0.25, 0.75))
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    assert float(found.converged) == 0.75
    assert int(found.values.status) == Status.no_interior_optimum
    np.testing.assert_allclose(
        found.values.N_opt, np.quantile(best.N_opt[theta["A"] > 0], [0.25, 0.75]), rtol=1e-11
    )


def test_no_good_draw_is_no_band(wide):
    found = plan.bands(plan.optimal, laws.chinchilla, BESIROGLU | {"A": np.full(40, -1.0)}, 1e24)
    assert float(found.converged) == 0.0
    assert np.isnan(found.values.N_opt).all()


def test_an_infinite_answer_is_an_answer(wide):
    """In two of five draws quantising costs nothing, so that more data never hurts."""
    theta = KUMAR | {"C_T": np.array([0.05, 0.06, 0.07, 0.0, 0.0])}
    found = plan.bands(
        plan.critical_tokens,
        laws.precision,
        theta,
        N=8e9,
        P_post=4,
        quantiles=(0, 0.25, 0.5, 0.6, 1),
    )
    exact = plan.critical_tokens(laws.precision, theta, N=8e9, P_post=4).D_crit
    np.testing.assert_allclose(found.values.D_crit[:3], sorted(exact)[:3], rtol=1e-12)
    np.testing.assert_array_equal(found.values.D_crit[3:], [np.inf, np.inf])
    np.testing.assert_allclose(found.converged, 0.6)


def test_any_function_of_a_law_and_parameters_will_do(wide):
    """The band of a ratio is not the ratio of the bands."""

    def ratio(law, params, budget):
        best = plan.optimal(law, params, budget)
        return {"ratio": best.D_opt / best.N_opt}

    theta = draws(BESIROGLU, 40)
    found = plan.bands(ratio, laws.chinchilla, theta, 1e24)
    best = plan.optimal(laws.chinchilla, theta, 1e24)
    np.testing.assert_allclose(
        found.values["ratio"], np.quantile(best.D_opt / best.N_opt, [0.05, 0.5, 0.95]), rtol=1e-11
    )
    assert float(found.converged) == 1.0
    counts = plan.bands(lambda law, params: jnp.asarray(3), laws.chinchilla, theta)
    np.testing.assert_array_equal(counts.values, [3.0, 3.0, 3.0])


def test_bands_work_inside_jit_and_have_derivatives(wide):
    theta = draws(BESIROGLU, 40)

    def median(log_C):
        return jnp.log(
            plan.bands(
                plan.optimal, laws.chinchilla, theta, jnp.exp(log_C), quantiles=(0.5,)
            ).values.N_opt[0]
        )

    here = jnp.log(1e24)
    slope = jax.jit(jax.grad(median))(here)
    shares = theta["beta"] / (theta["alpha"] + theta["beta"])
    assert shares.min() < slope < shares.max()
    np.testing.assert_allclose(slope, (median(here + 1e-4) - median(here - 1e-4)) / 2e-4, rtol=1e-6)


def test_bands_of_the_optimal_precision(wide):
    found = plan.bands(plan.optimal_precision, laws.qat, draws(laws.params(laws.qat), 40))
    assert found.values.P_opt.shape == (3,)
    assert found.values.budget is None
    assert float(found.converged) == 1.0


def test_float32():
    found = plan.bands(plan.optimal, laws.chinchilla, draws(BESIROGLU, 20), 1e24)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {
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
def test_bad_questions_are_one_clear_line(change, message):
    question = {"draws": BESIROGLU} | change
    with pytest.raises(JscaleError, match=message) as error:
        plan.bands(plan.optimal, laws.chinchilla, question.pop("draws"), 1e24, **question)
    assert "\n" not in str(error.value)
