"""Compute multipliers of recipes: a known one is found again."""

import jax
import numpy as np
import pytest

from jscale import assess, fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.assess.comparison._multipliers import multipliers

KEY = jax.random.key(0)
FACTOR = 1.5
TRUTH = laws.params(laws.chinchilla, "hoffmann2022")
SAVING = {
    **TRUTH,
    "A": TRUTH["A"] * FACTOR ** (-TRUTH["alpha"] / 2),
    "B": TRUTH["B"] * FACTOR ** (-TRUTH["beta"] / 2),
}
"""The same law of size and data that are the square root of 1.5 larger: 1.5 times the compute."""
LAW = laws.fix(laws.chinchilla, alpha=TRUTH["alpha"], beta=TRUTH["beta"])
SETTINGS = {"key": KEY, "errors": "student", "chains": 4, "draws": 250}


def columns_of(params):
    return {name: np.full(3, value) for name, value in params.items()}


@pytest.fixture(scope="module")
def table():
    N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 4), [5e9, 3e10, 2e11]))
    rng, parts = np.random.default_rng(0), {"N": [], "D": [], "loss": [], "recipe": []}
    for label, params in (("plain", TRUTH), ("saving", SAVING)):
        loss = np.asarray(laws.chinchilla(N=N, D=D, **params), float)
        parts["N"] += N.tolist()
        parts["D"] += D.tolist()
        parts["loss"] += (loss * np.exp(0.002 * rng.normal(size=len(loss)))).tolist()
        parts["recipe"] += [label] * len(loss)
    return runs.read(parts)


@pytest.mark.parametrize("ratio", [None, 20.0])
def test_scaled_size_and_data_multiply_compute_by_their_product(ratio):
    with jax.enable_x64(True):
        result = multipliers(
            laws.chinchilla,
            columns_of(TRUTH),
            columns_of(SAVING),
            np.array([1e20, 1e23]),
            ratio=ratio,
        )
    assert result.shape == (2, 3)
    assert result == pytest.approx(np.full((2, 3), FACTOR), rel=1e-6)


def test_a_loss_below_the_floor_of_the_reference_needs_unlimited_compute():
    better = {**SAVING, "E": TRUTH["E"] - 0.3}
    for ratio in (None, 20.0):
        with jax.enable_x64(True):
            arguments = (columns_of(TRUTH), columns_of(better), np.array([1e20, 1e26]))
            result = multipliers(laws.chinchilla, *arguments, ratio=ratio)
        assert result[0, 0] > FACTOR
        assert np.isinf(result[1]).all()


def test_a_known_multiplier_is_found_again(table):
    result = assess.effective_compute(LAW, table, along="ratio", reference="plain", **SETTINGS)
    assert result.recipes == ("saving",)
    assert result.draws.shape == (1, 5, 1000)
    low, middle, high = result.overall_quantile([0.05, 0.5, 0.95])
    assert low[0] < FACTOR < high[0]
    assert middle[0] == pytest.approx(FACTOR, rel=0.1)
    assert (result.quantile(0.5) > 1.2).all()
    spans = 6 * table["N"] * table["D"]
    assert result.budgets[[0, -1]].tolist() == pytest.approx([spans.min(), spans.max()])
    assert "saving 1." in repr(result)


def test_the_reference_is_the_inverse(table):
    settings = {**SETTINGS, "along": "ratio", "budgets": 1e21, "floor": TRUTH["E"]}
    ahead = assess.effective_compute(LAW, table, **settings)
    behind = assess.effective_compute(LAW, table, reference="saving", **settings)
    assert ahead.floor == "pinned"
    product = ahead.quantile(0.5)[0, 0] * behind.quantile(0.5)[0, 0]
    assert product == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"floor": "low"}, "floor must be pinned, shared, free or a number"),
        ({"along": "line"}, "along must be frontier or ratio"),
        ({"reference": "plane", "floor": "shared"}, "no recipe 'plane' in column 'recipe'"),
        ({"budgets": [1e20, -1.0]}, "budgets must be finite numbers of FLOP above 0"),
        ({"reference": "plane"}, "no recipe 'plane' in column 'recipe'"),
        ({"by": "corpus"}, "has no column 'corpus'"),
        ({"pool": {"E": "partial"}}, "has the floor E, which the argument floor decides"),
    ],
)
def test_bad_input_is_said_in_one_sentence(monkeypatch, table, changes, message):

    def no_sampler(*_, **__):
        raise AssertionError("nothing is sampled before the arguments are checked")

    monkeypatch.setattr(fit, "pooled_posterior", no_sampler)
    arguments = {"floor": "pinned", **SETTINGS, **changes}
    if "pool" in changes:
        arguments["floor"] = "shared"
    with pytest.raises(JscaleError, match=message):
        assess.effective_compute(LAW, table, **arguments)


def test_a_law_without_compute_has_no_multiplier(table):
    with pytest.raises(JscaleError, match="has no compute"):
        assess.effective_compute(laws.power_size, table, **SETTINGS)


def test_a_law_of_other_inputs_has_no_multiplier_of_compute(table):
    with pytest.raises(JscaleError, match="'joint_moe' also needs E_experts"):
        assess.effective_compute(laws.joint_moe, table, **SETTINGS)


def test_a_failed_solve_is_left_out_of_the_mean_over_budgets():
    draws = np.array([[[2.0, 2.0, np.nan], [8.0, np.nan, np.nan], [4.0, 2.0, np.nan]]])
    parts = dict.fromkeys(("floor", "along", "ratio", "posterior", "reference"))
    result = assess.EffectiveCompute(
        recipes=("saving",), budgets=np.ones(3), draws=draws, notes=(), **parts
    )
    np.testing.assert_allclose(result.overall, [[4.0, 2.0, np.nan]])
