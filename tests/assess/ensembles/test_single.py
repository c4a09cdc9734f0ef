"""Bands of one law corrected by its forecasts of held-out runs."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jscale import assess, fit, laws, runs
from jscale._core.errors import JscaleError
from jscale.assess.ensembles._correction import (
    DRIFT,
    LAW_ALONE,
    LAW_WITH_DISCREPANCY,
    without_evidence,
)
from jscale.assess.ensembles._single import prior_of
from tests.assess.tables import simulated

KEY = jax.random.key(0)
LAW = laws.power_size
NEW = {"N": [1e9, 1e12]}
FAST = {"sampler": "importance", "chains": 1, "draws": 200, "errors": "student"}


def bent() -> runs.Runs:
    """Runs that the law does not follow: the loss falls faster beyond a size."""
    table = simulated()
    N = table["N"]
    loss = table["loss"] * np.exp(-0.01 * np.maximum(0.0, np.log10(N) - 8.0) ** 2)
    return runs.read({"N": N, "D": table["D"], "loss": loss})


def sampled(table: runs.Runs) -> fit.Posterior:
    return fit.posterior(LAW, table, key=KEY, **FAST)


@pytest.fixture(scope="module")
def straight() -> assess.CorrectedPosterior:
    table = simulated()
    return assess.correct_bands(sampled(table), table, key=KEY, draws=200)


def test_bands_widen_where_forecasts_of_held_out_runs_fail(straight):
    table = bent()
    posterior = sampled(table)
    result = assess.correct_bands(posterior, table, key=KEY, draws=200)
    assert result.correction.factor(1.0) > 1.3 * straight.correction.factor(1.0)
    # Three cuts forecast the upper half, 20 runs, some of them several times.
    assert result.correction.count == result.correction.clusters == 20
    assert result.notes[0].code == "corrected-bands"
    assert "by forecasts of" in result.notes[0].message

    plain = posterior.predict(NEW, key=KEY)
    wide = result.predict(NEW, key=KEY)
    widths = [np.diff(np.log(p.quantile((0.1, 0.9))), axis=0)[0] for p in (plain, wide)]
    inside, far = widths[1] / widths[0]
    assert inside == pytest.approx(float(result.correction.factor(0.0)), rel=1e-6)
    assert far > float(result.correction.factor(2.0)) > inside
    np.testing.assert_allclose(wide.quantile(0.5), plain.quantile(0.5), rtol=0.02)
    assert wide.shares["law"][1] > 0
    assert [note.code for note in wide.notes].count("corrected-bands") == 1
    assert result.ranges == posterior.ranges


def test_a_posterior_holds_the_runs_by_which_it_is_corrected(straight):
    again = assess.correct_bands(straight.posterior, key=KEY, draws=200)
    assert again.correction == straight.correction


def test_small_tables_have_the_correction_of_public_tables():
    table = simulated().where(np.arange(40) < 5)
    result = assess.correct_bands(sampled(table), table, key=KEY)
    assert result.correction == without_evidence(LAW_ALONE)
    assert result.correction.drift == DRIFT
    assert "no runs are held out" in result.notes[0].message


def test_the_prior_depends_on_the_error_model():
    assert prior_of(fit.ErrorModel("student")) == LAW_ALONE
    assert prior_of(fit.ErrorModel("normal", discrepancy=("N",))) == LAW_WITH_DISCREPANCY


def test_a_backtest_judges_corrected_bands():
    """Of the same fits; and a backtest of the plain law shows the correction that it needs."""
    table = bent()
    settings = {"errors": "student", "draws": 200}
    forecaster = assess.corrected_forecaster(LAW, table, **settings)
    corrected = assess.backtest(forecaster, table, key=KEY, cuts=[0.7])
    plain = assess.backtest(LAW, table, key=KEY, cuts=[0.7], **settings)
    assert corrected.summary.bands[1].width > 1.2 * plain.summary.bands[1].width
    assert corrected.summary.coverage95 > plain.summary.coverage95
    (note,) = [note for note in corrected.notes if note.code == "corrected-bands"]
    assert note.message.startswith("power_size, corrected, 1 of 1 fits: bands are multiplied by ")
    assert assess.band_correction(plain).factor(0.5) > 1.2
    needed = assess.band_correction(plain)
    assert assess.band_correction(plain, "power_size") == needed
    # The prior is that of the backtest's error model.
    smooth = replace(plain, errors="normal + discrepancy(N)")
    assert assess.band_correction(smooth) == assess.band_correction(
        plain, errors=fit.ErrorModel("normal", discrepancy=("N",))
    )
    assert assess.band_correction(smooth) != needed
    # Runs below those that were fitted do not count.
    below = tuple(replace(row, C=row.C / 1e6, pit=0.5) for row in plain.rows)
    assert assess.band_correction(replace(plain, rows=plain.rows + below)) == needed


def test_priors_reach_the_fits_of_held_out_runs():
    table = simulated()
    given = {"alpha": ("lognormal", 0.3, 0.5)}
    posterior = fit.posterior(LAW, table, key=KEY, priors=given, **FAST)
    assert assess.correct_bands(posterior, table, key=KEY, draws=200).correction.count > 0
    settings = {"key": KEY, "cuts": [0.7], "draws": 200, "errors": "student"}
    result = assess.backtest(LAW, table, priors=given, **settings)
    free = assess.backtest(LAW, table, **settings)
    assert [row.predicted for row in result.rows] != [row.predicted for row in free.rows]


def test_bad_input(straight):
    posterior = straight.posterior
    with pytest.raises(JscaleError, match=r"posterior must be one that fit\.posterior returns"):
        assess.correct_bands(3, key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(JscaleError, match="sampled given other runs"):
        assess.correct_bands(posterior, bent(), key=KEY)
    with pytest.raises(JscaleError, match="holds no runs"):
        assess.correct_bands(replace(posterior, rows=None), key=KEY)
    named = replace(posterior, priors={"alpha": "TransformedDistribution"})
    with pytest.raises(JscaleError, match="priors that its record names only"):
        assess.correct_bands(named, key=KEY)
    with pytest.raises(JscaleError, match="has no parameter gamma"):
        assess.backtest(LAW, simulated(), key=KEY, priors={"gamma": ("lognormal", 1.0, 1.0)})
