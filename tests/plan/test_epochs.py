"""The best number of epochs, and the optimal experts of the five-factor law."""

import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status

OVERFITTING = laws.params(laws.chinchilla) | {"P": 0.02, "delta": 1.0, "kappa": 0.5}
BOUNDED = {"E": 1.7, "L0": 10.8, "a": 50.0, "alpha": 0.34, "b": 200.0, "beta": 0.37}
BOUNDED |= {"c": 0.2, "gamma": 0.5, "delta": 0.6}


@pytest.fixture
def float64_mode():
    with float64():
        yield


def test_epochs_of_a_size_where_the_penalty_grows_as_fast_as_the_loss_falls(float64_mode):
    """The first-order condition of the law, and one epoch where a second hurts at once."""
    best = plan.optimal_epochs(
        laws.overfitting_penalty, OVERFITTING, U=1e9, N=np.array([4e8, 4e11])
    )
    fall = OVERFITTING["beta"] * OVERFITTING["B"] * best.D ** -OVERFITTING["beta"]
    rise = OVERFITTING["P"] * best.epochs * np.sqrt(best.N / 1e9)
    np.testing.assert_allclose(rise[0], fall[0], rtol=1e-9)
    assert rise[1] > fall[1]
    assert float(best.epochs[1]) == 1.0
    assert list(best.status) == [Status.converged, Status.kink]


@pytest.mark.parametrize(
    ("law", "theta"),
    [(laws.overfitting_penalty, OVERFITTING), (laws.bounded_multi_epoch, BOUNDED)],
    ids=["overfitting_penalty", "bounded_multi_epoch"],
)
def test_epochs_on_a_budget_are_the_best_of_all_sizes(law, theta, float64_mode):
    budget, U = 1e21, 1e9
    best = plan.optimal_epochs(law, theta, U=U, budget=budget)
    sizes = np.geomspace(1e8, 2e11, 4001)
    losses = np.asarray(law(sizes, budget / (6 * sizes), U, **theta))
    np.testing.assert_allclose(best.N, sizes[losses.argmin()], rtol=2e-3)
    np.testing.assert_allclose(best.epochs, budget / (6 * best.N * U), rtol=1e-12)
    assert best.loss <= losses.min()


def test_epochs_without_end_where_repetition_never_hurts_a_model_of_one_size(float64_mode):
    best = plan.optimal_epochs(laws.bounded_multi_epoch, BOUNDED, U=1e9, N=1e9)
    assert np.isinf(best.epochs)
    assert best.status == Status.no_interior_optimum
    with pytest.raises(JscaleError, match="epochs of 'bounded_multi_epoch'"):
        plan.optimal_epochs(laws.bounded_multi_epoch, BOUNDED, U=1e9, N=1e9, throw=True)


def test_one_question_at_a_time():
    for N, budget in ((None, None), (1e9, 1e21)):
        with pytest.raises(JscaleError, match=r"^N or budget: expected exactly one of the two$"):
            plan.optimal_epochs(laws.overfitting_penalty, OVERFITTING, U=1e9, N=N, budget=budget)
    with pytest.raises(JscaleError, match=r"^law 'chinchilla' has no input U for unique tokens$"):
        plan.optimal_epochs(laws.chinchilla, laws.params(laws.chinchilla), U=1e9, N=1e9)
    cost = plan.costs.training_flops
    with pytest.raises(JscaleError, match=r"^cost applies to a budget, not to a model of a given"):
        plan.optimal_epochs(laws.overfitting_penalty, OVERFITTING, U=1e9, N=1e9, cost=cost)


def test_optimal_experts_of_the_five_factor_law(float64_mode):
    """6.78 active experts, a share of .315 of them shared: at any size (the abstract: 7, 0.31)."""
    best = plan.solve(
        laws.five_factor_moe,
        {
            "active_experts": plan.Free(1, 64),
            "shared_share": plan.Free(0.01, 1),
            "N": 3e10,
            "N_active": 3e9,
            "D": 1e12,
        },
        params=laws.params(laws.five_factor_moe),
    )
    np.testing.assert_allclose(best.values["active_experts"], 6.778, atol=5e-4)
    np.testing.assert_allclose(best.values["shared_share"], 0.3148, atol=5e-5)
