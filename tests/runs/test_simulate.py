"""Runs drawn from a law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jscale import laws, runs
from jscale._core.errors import JscaleError

THETA = laws.params(laws.chinchilla)
DESIGN = {"N": np.geomspace(1e7, 1e10, 2000), "D": np.geomspace(1e9, 1e11, 2000)[::-1]}


def log_noise(table: runs.Runs) -> np.ndarray:
    return np.log(table["loss"]) - np.log(
        THETA["E"]
        + THETA["A"] * table["N"] ** -THETA["alpha"]
        + THETA["B"] * table["D"] ** -THETA["beta"]
    )


def test_without_noise_the_losses_equal_the_law(key):
    table = runs.simulate(laws.chinchilla, THETA, DESIGN, noise=0.0, key=key)
    np.testing.assert_allclose(log_noise(table), 0.0, atol=1e-14)
    assert table["loss"].dtype == np.float64
    assert (table.name, table.source) == ("simulated chinchilla", "simulated chinchilla")
    assert table.notes[0].code == "simulated"


def test_the_same_key_gives_the_same_bytes_in_both_precisions(key):
    def draw(k):
        return runs.simulate(laws.chinchilla, THETA, DESIGN, noise=0.02, key=k)["loss"].tobytes()

    plain = draw(key)
    assert plain == draw(key)
    with jax.enable_x64(True):
        assert plain == draw(key)
    assert plain == draw(jax.random.PRNGKey(0))
    assert plain != draw(jax.random.key(1))
    assert not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("df", "shape"), [(None, stats.norm()), (3.0, stats.t(3.0))])
def test_the_log_loss_has_the_stated_noise(df, shape, key):
    table = runs.simulate(laws.chinchilla, THETA, DESIGN, noise=0.02, key=key, df=df)
    assert stats.kstest(log_noise(table) / 0.02, shape.cdf).pvalue > 1e-3
    assert stats.kstest(log_noise(table) / 0.03, shape.cdf).pvalue < 1e-3


def test_bits_of_the_design_are_used_and_missing_ones_are_sixteen(key):
    theta = laws.params(laws.precision)
    design = {"params": ["70M", "1B"], "tokens": [2e9, 2e11], "w_bits": [4, 8]}
    table = runs.simulate(laws.precision, theta, design, noise=0.0, key=key)
    with jax.enable_x64(True):
        n, d = jnp.array([7e7, 1e9]), jnp.array([2e9, 2e11])
        expected = laws.precision(n, d, jnp.array([4.0, 8.0]), 16.0, 16.0, 16.0, **theta)
    np.testing.assert_allclose(table["loss"], expected, rtol=1e-14)


def test_a_table_as_design(key):
    real = runs.read(
        {
            **DESIGN,
            "loss": np.full(2000, 3.0),
            "group": ["a", "b"] * 1000,
            "exclude": [1] + [0] * 1999,
        }
    )
    table = runs.simulate(laws.chinchilla, THETA, real, noise=0.01, key=key)
    assert np.array_equal(table["N"], real["N"])
    assert np.array_equal(table["group"], real["group"])
    assert table.kept.sum() == 1999
    assert log_noise(table).std() == pytest.approx(0.01, rel=0.1)


def test_two_of_three_resources_are_enough(key):
    table = runs.simulate(
        laws.chinchilla, THETA, {"N": [1e8, 1e9], "C": [1e18, 6e20]}, noise=0.0, key=key
    )
    np.testing.assert_allclose(table["D"], [1e18 / 6e8, 1e11], rtol=1e-15)


INVALID = [
    ({"params": {"E": 1.0}}, "needs the parameters 'E', 'A', 'B', 'alpha', 'beta', got 'E'"),
    ({"params": {**THETA, "gamma": 1.0}}, "got 'E', 'A', 'B', 'alpha', 'beta', 'gamma'"),
    ({"params": {**THETA, "E": -100.0}}, "gives the loss -"),
    ({"params": {**THETA, "E": np.inf}}, "gives the loss inf in row 1 of the design"),
    ({"noise": -0.1}, "noise is '-0.1'"),
    ({"noise": np.nan}, "noise is 'nan'"),
    ({"noise": "much"}, "noise is 'much'"),
    ({"df": 0}, "df is '0'"),
    ({"key": 3}, "key must be a JAX random key such as jax.random.key(0), not 3"),
    ({"key": None}, "key must be a JAX random key"),
    ({"key": jax.random.split(jax.random.key(0), 3)}, "key must be one JAX random key"),
    ({"design": {**DESIGN, "loss": DESIGN["N"]}}, "the design has a column 'loss'"),
    ({"design": {"N": [1e8, -1.0], "D": [1e9, 1e9]}}, "column 'N', row 2"),
    ({"design": {"N": [1e8, 2e8]}}, "law 'chinchilla' needs column 'D'"),
    ({"design": {}}, "the design is empty"),
    (
        {"design": {"N": 1e8, "D": 1e9}},
        "simulated chinchilla: column 'N' is 'float'; expected an array",
    ),
]


@pytest.mark.parametrize(("changed", "expected"), INVALID)
def test_invalid_arguments(changed, expected, key):
    arguments = {"params": THETA, "design": DESIGN, "noise": 0.01, "key": key, **changed}
    with pytest.raises(JscaleError) as caught:
        runs.simulate(
            laws.chinchilla, arguments.pop("params"), arguments.pop("design"), **arguments
        )
    assert expected in str(caught.value)


def test_a_law_of_another_outcome_fills_its_column():
    law = laws.error_from_loss
    truth = laws.params(law, "gadre2024_c4_17")
    key = jax.random.key(0)
    table = runs.simulate(law, truth, {"loss": np.linspace(2.0, 4.0, 40)}, noise=0.0, key=key)
    np.testing.assert_allclose(table["error"], law(table["loss"], **truth), rtol=1e-6)
    trend = runs.simulate(
        laws.density_growth, {"A": 0.007}, {"t_days": np.linspace(0, 900, 10)}, noise=0.0, key=key
    )
    assert "loss" not in trend
    with pytest.raises(JscaleError, match="the design has a column 'error'"):
        runs.simulate(law, truth, {"loss": [2.0], "error": [0.5]}, noise=0.0, key=key)
    with pytest.raises(
        JscaleError, match="is fitted to share of wrong answers: it needs column 'error'"
    ):
        runs.select(runs.read({"N": [1e9], "loss": [2.0]}), law)
