"""Ensembles: weights of laws, forecasts, keys, resuming, and tables that are too small."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from jscale import assess, laws
from jscale._core.errors import JscaleError
from jscale.assess.backtesting import law_digest
from jscale.assess.ensembles import BandCorrection
from jscale.laws.roles import Count, Exponent, Loss
from tests.fit.tables import HOFFMANN, isoflop

pytestmark = pytest.mark.usefixtures("few_points")

TABLE = isoflop(sizes=6, noise=0.005)  # 30 runs
LAWS = [laws.power_data, laws.chinchilla]
"""The data alone do not tell the loss."""
KEY, NEW_KEY = jax.random.key(0), jax.random.key(1)
NEW = {"N": np.array([3e9, 2e10, 6e10]), "D": np.array([6e10, 4e11, 1.2e12])}
SETTINGS = {"errors": "student", "key": KEY, "draws": 200}


@pytest.fixture(scope="module")
def job_file(tmp_path_factory) -> Path:
    """Where the ensemble keeps its forecasts of held-out runs."""
    return tmp_path_factory.mktemp("jobs") / "ensemble.job"


@pytest.fixture(scope="module")
def ensemble(job_file) -> assess.Ensemble:
    return assess.ensemble(LAWS, TABLE, **SETTINGS, resume=job_file)


def test_the_law_that_forecasts_better_has_the_weight(ensemble):
    # Shrinkage leaves the other a tenth, divided equally.
    assert ensemble.weights == pytest.approx(
        {"chinchilla, student": 0.95, "power_data, student": 0.05}, abs=0.02
    )
    assert list(ensemble.law_weights) == ["chinchilla", "power_data"]
    assert ensemble.members[0].score > ensemble.members[1].score
    assert ensemble.windows == 3
    # The correction is judged by the last window alone.
    assert ensemble.held_out > 2 * ensemble.correction.count > 0
    assert ensemble.table_digest == TABLE.digest
    assert "corrected-bands" in {note.code for note in ensemble.notes}
    assert repr(ensemble).startswith("<Ensemble: chinchilla, student 0.9")


def test_forecasts_hold_the_truth(ensemble):
    low, high = ensemble.predict(NEW, key=NEW_KEY).interval(0.95)
    truth = np.asarray(laws.chinchilla(NEW["N"], NEW["D"], **HOFFMANN))
    assert ((low < truth) & (truth < high)).all()


@pytest.mark.parametrize("draws", [100, 777, 2000])
def test_draws_and_shares(ensemble, draws):
    forecast = ensemble.predict(NEW, key=NEW_KEY, draws=draws)
    assert forecast.draws.shape == forecast.parameter_draws.shape == (draws, 3)
    np.testing.assert_allclose(sum(forecast.shares.values()), 1.0, rtol=1e-9)
    assert (forecast.shares["law"] >= 0).all()


def test_laws_take_their_own_inputs_of_the_points(ensemble):
    forecast = ensemble.predict(NEW, key=NEW_KEY)
    assert set(forecast.at) == {"N", "D"}
    largest = np.log10((TABLE["N"] * TABLE["D"]).max())
    expected = np.maximum(np.log10(NEW["N"] * NEW["D"]) - largest, 0)
    np.testing.assert_allclose(forecast.decades["C"], expected, atol=1e-9)
    # One number for all points.
    sizes = ensemble.predict({"N": NEW["N"], "D": 6e10}, key=NEW_KEY)
    assert sizes.draws.shape == (2000, 3)


def test_the_correction_widens_bands_about_the_median(ensemble):
    def width_and_median(correction):
        forecast = replace(ensemble, correction=correction).predict(NEW, key=NEW_KEY)
        low, high = np.log(forecast.interval(0.8))
        return high - low, np.log(forecast.quantile(0.5))

    width, median = width_and_median(BandCorrection())
    wide, same = width_and_median(BandCorrection(log_factor=float(np.log(2)), count=1))
    np.testing.assert_allclose(wide / width, 2.0, rtol=1e-3)
    np.testing.assert_allclose(same, median, atol=1e-3 * width.min())
    further, _ = width_and_median(BandCorrection(slope=0.5, drift=0.02, count=1))
    assert (np.diff(further / width) > 0.1).all()


def test_the_key_decides(ensemble):
    again = assess.ensemble(LAWS, TABLE, **SETTINGS)
    assert again.weights == ensemble.weights
    assert again.correction == ensemble.correction
    first, second = (each.predict(NEW, key=NEW_KEY).draws for each in (ensemble, again))
    assert first.tobytes() == second.tobytes()
    assert not np.array_equal(ensemble.predict(NEW, key=KEY).draws, first)


def test_a_resumed_ensemble_is_the_same(ensemble, job_file):
    size = job_file.stat().st_size
    again = assess.ensemble(LAWS, TABLE, **SETTINGS, resume=job_file)
    assert again.weights == ensemble.weights
    assert job_file.stat().st_size == size
    with pytest.raises(JscaleError, match="another job, whose draws"):
        assess.ensemble(LAWS, TABLE, **{**SETTINGS, "draws": 300}, resume=job_file)


def test_a_law_of_the_same_name_is_another_job():
    """A file with the forecasts of one is refused for the other."""

    def declared(power: float, formula: str):
        def chinchilla(N: Count, *, alpha: Exponent) -> Loss:
            """A law."""
            return N ** (-power * alpha)

        return laws.law(formula=formula, source="test")(chinchilla)

    one, same = declared(1.0, "N**(-alpha)"), declared(1.0, "N**(-alpha)")
    other = declared(2.0, "N**(-2*alpha)")
    held = [laws.fix(laws.power_size, L_inf=value) for value in (1.8, 1.9)]
    digests = [law_digest(each) for each in (one, same, other, *held)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_the_correction_is_off_by_request(ensemble, job_file):
    plain = assess.ensemble(LAWS, TABLE, **SETTINGS, correct=False, resume=job_file)
    assert plain.weights == ensemble.weights
    assert plain.correction == BandCorrection()
    assert "corrected-bands" not in {note.code for note in plain.notes}


def test_too_few_runs_have_equal_weights_and_a_note():
    few = assess.ensemble(LAWS, TABLE.where(np.arange(30) % 4 == 0), **SETTINGS)
    assert set(few.weights.values()) == {0.5}
    assert (few.windows, few.held_out) == (0, 0)
    note, correction = few.notes
    assert correction.code == "corrected-bands"
    assert (note.code, note.severity) == ("no-held-out-runs", "warning")
    assert all(np.isnan(each.score) for each in few.members)
    forecast = few.predict(NEW, key=NEW_KEY)
    np.testing.assert_allclose(sum(forecast.shares.values()), 1.0, rtol=1e-9)
    assert note in forecast.notes


# Each: arguments in place of the right ones, words of the sentence.
BAD = {
    "too few draws": ({"draws": 99}, "draws must be a whole number of at least 100, not 99"),
    "draws with a part": ({"draws": 200.5}, "draws must be a whole number"),
    "no key": ({"key": 0}, "key must be a JAX random key"),
    "too few runs": ({"table": TABLE.where(np.arange(30) < 4)}, "4 runs cannot determine the 5"),
    "no table": ({"table": 3}, "table: expected a table of runs, .*not a int"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    changed, words = BAD[name]
    arguments = {"laws": laws.chinchilla, "table": TABLE, **SETTINGS, **changed}
    with pytest.raises(JscaleError, match=words):
        assess.ensemble(arguments.pop("laws"), arguments.pop("table"), **arguments)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"N": 1e9, "D": 1e10, "q": 1.0}, "'q'"),
        ({"N": 1e9}, r"D \(tokens\) is missing"),
        ({"N": -1e9, "D": 1e10}, "N"),
        ([1e9, 1e10], "inputs: expected a dict"),
        ({"N": [1e9, 2e9], "D": [1e10] * 3}, "numbers of values differ"),
    ],
)
def test_a_point_outside_a_law_is_one_sentence(ensemble, inputs, words):
    with pytest.raises(JscaleError, match=words):
        ensemble.predict(inputs, key=NEW_KEY)


@pytest.mark.parametrize("draws", [0, 50, 2.5, None])
def test_draws_of_a_forecast_are_a_whole_number(ensemble, draws):
    with pytest.raises(JscaleError, match="draws must be a whole number of at least 100"):
        ensemble.predict(NEW, key=NEW_KEY, draws=draws)


def test_a_forecast_needs_a_key(ensemble):
    with pytest.raises(JscaleError, match="key must be a JAX random key"):
        ensemble.predict(NEW, key=1)
