"""Plans averaged over laws."""

import numpy as np
import pytest

from jscale import laws, plan
from jscale._core.errors import JscaleError
from jscale._core.scope import float64
from jscale._core.status import Status
from tests.plan.cases import BESIROGLU, KUMAR, draws

BUDGET, DRAWS = 1e24, 24
SIZES = np.geomspace(1e10, 3e11, 4001)
TOKENS = BUDGET / (6 * SIZES)


@pytest.fixture(scope="module")
def members():
    """Two laws with draws of different numbers."""
    first = draws(BESIROGLU, DRAWS, spread=0.04, seed=5)
    hoffmann = laws.params(laws.chinchilla, "hoffmann2022")
    return [(laws.chinchilla, first), (laws.chinchilla, draws(hoffmann, 16, spread=0.02, seed=6))]


@pytest.fixture
def float64_mode():
    with float64():
        yield


def test_no_size_beats_the_averaged_plan(members, float64_mode):
    best = plan.averaged(members, BUDGET, weights=[1, 3], throw=True)
    losses, optima = [], []
    for law, theta in members:
        losses.append(law(SIZES[:, None], TOKENS[:, None], **theta).mean(axis=1))
        optima.append(float(np.mean(plan.optimal(law, theta, BUDGET).loss)))
    brute = 0.25 * losses[0] + 0.75 * losses[1]
    assert float(best.loss) <= brute.min() * (1 + 1e-12)
    np.testing.assert_allclose(best.loss, brute.min(), rtol=1e-6)
    np.testing.assert_allclose(best.N, SIZES[brute.argmin()], rtol=2e-2)
    np.testing.assert_allclose(6 * best.N * best.D, BUDGET, rtol=1e-12)
    expected = float(best.loss) - 0.25 * optima[0] - 0.75 * optima[1]
    np.testing.assert_allclose(best.regret, expected, rtol=1e-9)
    np.testing.assert_allclose(best.weights, [0.25, 0.75])


def test_a_law_of_all_the_weight_is_planned_for_alone(members, float64_mode):
    best = plan.averaged(members, BUDGET, weights=[2, 0])
    law, theta = members[0]
    alone = plan.robust(law, theta, BUDGET)
    np.testing.assert_allclose((best.N, best.loss), (alone.N, alone.loss), rtol=1e-9)
    band = plan.bands(plan.optimal, law, theta, BUDGET)
    for name in ("N_opt", "D_opt", "loss"):
        np.testing.assert_allclose(best.bands[name], getattr(band.values, name), rtol=1e-12)
        np.testing.assert_allclose(best.by_law[name][0], best.bands[name][1], rtol=1e-12)
    other = plan.bands(plan.optimal, *members[1], BUDGET)
    np.testing.assert_allclose(best.by_law["N_opt"][1], other.values.N_opt[1], rtol=1e-12)


def test_bands_hold_the_difference_between_laws(members, float64_mode):
    """With equal weights a law of many draws counts as much as one of few."""
    best = plan.averaged(members, BUDGET)
    own = [np.asarray(plan.optimal(law, theta, BUDGET).N_opt) for law, theta in members]
    repeated = np.concatenate([np.repeat(own[0], 2), np.repeat(own[1], 3)])
    low, middle, high = best.bands["N_opt"]
    # Repeated draws stand for weights; interpolation differs by a step between draws at most.
    steps = np.sort(repeated)
    for value, q in ((low, 0.05), (middle, 0.5), (high, 0.95)):
        place = int(q * (len(steps) - 1))
        assert steps[max(place - 3, 0)] <= value <= steps[min(place + 4, len(steps) - 1)]
    assert high / low > max(np.quantile(each, 0.95) / np.quantile(each, 0.05) for each in own)


def test_draws_without_an_optimum_leave_their_weight_to_the_others(members, float64_mode):
    law, theta = members[0]
    broken = {name: values.copy() for name, values in theta.items()}
    broken["A"][:4] = 0.0  # more tokens always help: no optimum
    best = plan.averaged([(law, broken), members[1]], BUDGET)
    kept = {name: values[4:] for name, values in theta.items()}
    expected = plan.averaged([(law, kept), members[1]], BUDGET)
    np.testing.assert_array_equal(best.lost, [4, 0])
    np.testing.assert_allclose(best.N, expected.N, rtol=1e-9)
    np.testing.assert_allclose(best.bands["N_opt"], expected.bands["N_opt"], rtol=1e-9)


def test_a_law_without_any_optimum_has_no_weight(members, float64_mode):
    law, theta = members[0]
    broken = {**theta, "A": np.zeros(DRAWS)}
    best = plan.averaged([(law, broken), members[1]], BUDGET, free=iter(("N", "D")))
    expected = plan.averaged(members, BUDGET, weights=[0, 1])
    np.testing.assert_array_equal(best.weights, [0, 1])
    np.testing.assert_array_equal(best.lost, [DRAWS, 0])
    np.testing.assert_allclose(best.N, expected.N, rtol=1e-9)
    assert np.isnan(best.by_law["N_opt"][0])


def test_laws_of_different_inputs(float64_mode):
    """Bits are those of the law that has them; all laws pay for them alike."""
    members = [(laws.chinchilla, BESIROGLU), (laws.precision, KUMAR)]
    cost = plan.costs.precision_scaled_flops
    best = plan.averaged(members, 1e21, weights=[0, 1], cost=plan.costs.training_flops, P=8.0)
    alone = plan.optimal(laws.precision, KUMAR, 1e21, cost=plan.costs.training_flops, P=8.0)
    np.testing.assert_allclose(best.N, alone.N_opt, rtol=1e-6)
    assert int(best.status) == int(Status.converged)
    with pytest.raises(JscaleError, match="chinchilla, precision are charged for their bits in"):
        plan.averaged(members, 1e21, P=8.0)
    with pytest.raises(JscaleError, match="depends on the training precision"):
        plan.averaged(members, 1e21, P=8.0, cost=cost)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": []}, "members must be pairs (law, draws)"),
        ({"members": [laws.chinchilla]}, "members must be pairs (law, draws)"),
        ({"weights": [1]}, "weights must be 2 numbers of 0 or more, not all 0, one a law"),
        ({"weights": [1, -1]}, "weights must be 2 numbers of 0 or more"),
        ({"weights": [0, 0]}, "not all 0"),
        ({"weights": [1, np.nan]}, "weights"),
        ({"quantiles": (2,)}, "quantiles must be probabilities"),
        ({"quantiles": 0.5}, "quantiles must be probabilities"),
        ({"quantiles": None}, "quantiles must be a number, not None"),
        ({"quantiles": "ab"}, "quantiles must be a number, not 'ab'"),
        ({"budget": -1}, "budget"),
        ({"budget": [1e23, 1e24]}, "budget must be one number, not [1e+23, 1e+24]"),
        ({"N": [1e9, 1e10], "free": ["D"]}, "N must be one number, not [1000000000.0, 1"),
        ({"U": 1e12}, "no law has the input U"),
        ({"free": ("N", "D", "P")}, "has no training precision"),
    ],
)
def test_bad_input(members, change, words):
    arguments = {"members": members, "budget": BUDGET, **change}
    with pytest.raises(JscaleError) as error:
        plan.averaged(arguments.pop("members"), arguments.pop("budget"), **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
