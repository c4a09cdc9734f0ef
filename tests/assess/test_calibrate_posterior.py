"""Simulation-based calibration: known ranks, tables without losses, interruptions."""

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

from jscale import assess, laws, runs
from jscale._core.errors import JscaleError
from jscale._core.jobs import Checkpoint
from jscale.assess.coverage._ranks import rank_check
from tests.fit.bayes.test_importance import VARIANCE, line, power

PRIORS = {"p": dist.Normal(0.05, 0.02), "sigma": VARIANCE}
SETTINGS: dict[str, Any] = {"key": jax.random.key(0), "errors": "normal", "draws": 800}
TABLES = 240
"""Few tables reject by chance: of 60 with keys 0 to 3, one set did at 1%, for one parameter."""


@pytest.fixture(scope="module")
def calibration() -> assess.PosteriorCalibration:
    return assess.calibrate_posterior(power, line(), simulations=TABLES, priors=PRIORS, **SETTINGS)


def test_ranks_are_uniform_where_the_model_is_right(calibration):
    assert [row.target for row in calibration.rows] == ["p", "sigma"]
    assert calibration.is_uniform
    assert calibration.samplers == {"importance": TABLES}
    assert (calibration.unusable, calibration.not_converged) == (0, 0)
    for row in calibration.rows:
        assert row.counts.sum() == TABLES
        for level, share in row.coverage.items():
            low, high = row.limits(level)
            assert low <= share <= high


def test_an_interrupted_call_goes_on(tmp_path, monkeypatch):
    arguments: dict[str, Any] = {"simulations": 30, "priors": PRIORS, **SETTINGS}
    add, units = Checkpoint.add, []

    def killed(self, name, result):
        add(self, name, result)
        units.append(name)
        if len(units) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            assess.calibrate_posterior(power, line(), resume=tmp_path / "state", **arguments)
    resumed = assess.calibrate_posterior(power, line(), resume=tmp_path / "state", **arguments)
    whole = assess.calibrate_posterior(power, line(), **arguments)
    for row, other in zip(resumed.rows, whole.rows, strict=True):
        np.testing.assert_array_equal(row.ranks, other.ranks)


def test_groups_have_ranks_of_their_own():
    table = line()
    corpus = np.array(["C4", "Pile"])[np.arange(len(table)) % 2]
    table = runs.read({**{name: table[name] for name in table}, "corpus": corpus})
    groups: dict[str, Any] = {"by": "corpus", "pool": {"p": "separate"}}
    result = assess.calibrate_posterior(
        power, table, simulations=60, priors=PRIORS, **groups, **SETTINGS
    )
    assert [row.target for row in result.rows] == ["sigma", "p[C4]", "p[Pile]"]
    assert result.is_uniform
    with pytest.raises(JscaleError, match="pool is missing: by is given; expected both"):
        assess.calibrate_posterior(power, table, by="corpus", **SETTINGS)


def test_tables_without_losses_are_counted():
    """Losses of D**p overflow for p above 34, and are 0 for p below -36: 4 in 10 tables."""
    priors = {"p": dist.Normal(0.0, 40.0), "sigma": VARIANCE}
    result = assess.calibrate_posterior(power, line(), simulations=8, priors=priors, **SETTINGS)
    assert 0 < result.unusable < 8
    assert len(result.rows[0].ranks) == 8 - result.unusable
    codes = {note.code: note.severity for note in result.notes}
    assert codes["simulations-unusable"] == "warning"
    assert codes["few-simulations"] == "warning"


def test_a_table_without_a_posterior_is_named(monkeypatch):
    def none(*_, **__):
        raise JscaleError("the density is not finite at any of 4 starts")

    monkeypatch.setattr("jscale.fit.bayes.export.rank_truth", none)
    expected = "table 1 of 8 from the priors: the density is not finite"
    with pytest.raises(JscaleError, match=expected):
        assess.calibrate_posterior(power, line(), simulations=8, priors=PRIORS, **SETTINGS)


def test_an_improper_prior_has_no_draws():
    priors = {"p": dist.ImproperUniform(dist.constraints.real, (), ()), "sigma": VARIANCE}
    with pytest.raises(JscaleError, match="priors: that of p is improper"):
        assess.calibrate_posterior(power, line(), simulations=8, priors=priors, **SETTINGS)


def test_names_of_laws_and_columns_are_enough(monkeypatch):
    """As for ``fit.posterior``; the priors are drawn from once both are known."""

    class DrawnError(Exception):
        """Holds the arguments."""

    def drawn(*arguments, **_):
        raise DrawnError(*arguments)

    monkeypatch.setattr("jscale.fit.bayes.export.replicates", drawn)
    columns = {"N": [1e8, 1e9] * 4, "D": [1e10, 1e11] * 4, "loss": [3.0, 2.5] * 4}
    with pytest.raises(DrawnError) as caught:
        assess.calibrate_posterior("chinchilla", columns, **SETTINGS)
    law, table, *_ = caught.value.args
    assert law is laws.chinchilla
    assert table["loss"].tolist() == columns["loss"]
    with pytest.raises(JscaleError, match="did you mean 'chinchilla'"):
        assess.calibrate_posterior("chinchila", columns, **SETTINGS)


def test_bad_numbers():
    for bad in ({"simulations": 1}, {"draws": 10}, {"sampler": "gibbs"}):
        with pytest.raises(JscaleError, match=next(iter(bad))):
            assess.calibrate_posterior(power, line(), **{**SETTINGS, **bad})


def test_ranks_of_known_distributions():
    rng = np.random.default_rng(0)
    tails = rng.uniform(size=2000)
    uniform = rank_check("x", np.floor(100 * tails).astype(int), tails)
    assert len(uniform.counts) == 20
    assert uniform.p_value > 0.01
    assert uniform.coverage[0.8] == pytest.approx(0.8, abs=0.03)

    # Posteriors that are half as wide as they should be: ranks pile up at the ends.
    narrow = np.clip(0.5 + 2 * (tails - 0.5), 0.0, 0.999)
    check = rank_check("x", np.floor(100 * narrow).astype(int), narrow)
    assert check.p_value < 1e-6
    low, _ = check.limits(0.8)
    assert check.coverage[0.8] < low

    few = rank_check("x", np.array([3, 50]), np.array([0.03, 0.5]))
    assert np.isnan(few.p_value)
