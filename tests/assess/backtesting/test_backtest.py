"""``backtest`` with forecasters that cost nothing, and its result."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jscale import JscaleError, assess, laws, runs
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess import backtesting
from jscale.assess.backtesting import _forecasters
from jscale.assess.backtesting._clusters import clusters

KEY = jax.random.key(5)
NOISE = 0.01
TRUTH = {"L_inf": 1.8, "A": 150.0, "alpha": 0.3}


def simulated(rows: int = 60, seed: int = 0, **columns) -> runs.Runs:
    N = np.geomspace(1e7, 1e10, rows)
    design = {"N": N, "D": 20 * N, **columns}
    key = jax.random.key(seed)
    return runs.simulate(laws.power_size, TRUTH, design, noise=NOISE, key=key)


def forecaster(name: str = "known", spread: float = NOISE, shift: float = 0.0, draws: int = 400):
    """The law that losses were simulated from, with errors of a given size."""

    def forecast(training, new, key):
        assert "loss" not in new
        assert "loss_se" not in new
        loss = laws.power_size(new["N"], **TRUTH)
        normal = np.asarray(jax.random.normal(key, (draws, len(new))))
        return np.asarray(loss) * np.exp(shift + spread * normal)

    return assess.Forecaster(name, forecast)


def test_a_right_forecast_has_its_nominal_coverage_and_closed_form_scores():
    result = assess.backtest(forecaster(draws=2000), simulated(400), key=KEY, cuts=[0.2])
    scores = result.summary
    assert (scores.count, scores.runs) == (320, 320)
    assert len(result.rows) == 320
    assert scores.rmsle == pytest.approx(NOISE, rel=0.1)
    assert scores.crps == pytest.approx(NOISE / np.sqrt(np.pi), rel=0.1)
    assert scores.log_score == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * NOISE**2), abs=0.1)
    assert abs(scores.bias) < 0.003
    assert scores.relative_error == pytest.approx(NOISE * np.sqrt(2 / np.pi), rel=0.1)
    assert scores.bands[1].width == pytest.approx(2 * 1.2816 * NOISE, rel=0.03)
    for band in scores.bands:
        assert band.low < band.level < band.high
    pit = np.array([row.pit for row in result.rows])
    assert pit.mean() == pytest.approx(0.5, abs=0.05)
    assert pit.var() == pytest.approx(1 / 12, rel=0.15)
    assert [note.code for note in result.notes] == []
    assert ": as they should (" in result.laws[0].verdict


@pytest.mark.parametrize(
    ("spread", "shift", "code"),
    [(0.2, 0, "backtest-failed"), (1, 5, "backtest-failed"), (4, 0, "backtest-wide")],
)
def test_bands_that_are_wrong(spread: float, shift: float, code: str):
    wrong = forecaster(spread=spread * NOISE, shift=shift * NOISE)
    result = assess.backtest(wrong, simulated(100), key=KEY, cuts=1)
    assert [note.code for note in result.notes] == [code]
    assert result.laws[0].failed == (code == "backtest-failed")
    assert ("too narrow" if code == "backtest-failed" else "too wide") in result.laws[0].verdict
    assert result.laws[0].verdict in repr(result)
    assert result.summary.bias == pytest.approx(-shift * NOISE, abs=0.004)


def test_few_runs_cannot_be_judged():
    result = assess.backtest(forecaster(), simulated(10), key=KEY, cuts=1)
    assert [note.code for note in result.notes] == ["backtest-few-runs"]
    assert "too few runs to judge" in result.laws[0].verdict


def test_rows_have_what_was_known_and_how_far_it_was():
    table = simulated(10)
    result = assess.backtest(forecaster(), table, key=KEY, cuts=[0.5])
    assert [row.row for row in result.rows] == [6, 7, 8, 9, 10]
    for row in result.rows:
        at = row.row - 1
        assert (row.law, row.cut) == ("known", result.cuts[0].label)
        assert (row.C, row.loss) == (table["C"][at], table["loss"][at])
        assert row.decades == pytest.approx(np.log10(table["C"][at] / table["C"][4]))
        assert row.decades_N == pytest.approx(row.decades / 2)
        assert row.decades_D == pytest.approx(row.decades / 2)
        assert row.q025 < row.q10 < row.q25 < row.predicted < row.q75 < row.q90 < row.q975
    assert result.cuts[0].fitted == result.cuts[0].held_out == 5
    assert result.cuts[0].compute == table["C"][4]
    assert result.n_runs == 10


def test_scores_by_cut_and_by_distance_count_every_forecast():
    result = assess.backtest(forecaster(), simulated(), key=KEY)
    scores = result.of("known")
    assert len(result.cuts) == len(scores.cuts) == 5
    assert [each.count for each in scores.cuts] == [cut.held_out for cut in result.cuts]
    assert sum(each.count for each in scores.distances) == result.summary.count == len(result.rows)
    assert [each.label for each in scores.distances[:3]] == ["0 to 0.25", "0.25 to 0.5", "0.5 to 1"]
    # A run that several cuts hold out is one cluster: no more runs than there are.
    assert result.summary.runs == scores.cuts[0].count
    assert result.summary.bands[1].effective < result.summary.count
    inside = assess.backtest(forecaster(), simulated(), key=KEY, folds=4).laws[0].distances
    assert inside[0].label == "inside"


def test_several_forecasters_share_the_splits_and_the_random_numbers():
    table = simulated()
    both = assess.backtest([forecaster(), forecaster("wide", 0.05)], table, key=KEY)
    assert [each.law for each in both.laws] == ["known", "wide"]
    alone = assess.backtest(forecaster("wide", 0.05), table, key=KEY)
    assert both.of("wide").summary == alone.summary
    assert [row for row in both.rows if row.law == "wide"] == list(alone.rows)
    assert both.summary.crps < alone.summary.crps
    with pytest.raises(JscaleError, match=r"no law 'wode' .*did you mean 'wide'"):
        both.of("wode")


def test_the_same_key_gives_the_same_rows():
    first, second = (assess.backtest(forecaster(), simulated(), key=KEY) for _ in range(2))
    assert first.rows == second.rows
    other = assess.backtest(forecaster(), simulated(), key=jax.random.key(6))
    assert first.rows != other.rows


def test_excluded_rows_are_neither_fitted_nor_forecast():
    exclude = np.arange(60) % 10 == 0
    columns = dict(simulated().columns)
    table = replace(simulated(), columns={**columns, "exclude": exclude})
    result = assess.backtest(forecaster(), table, key=KEY, cuts=2)
    assert result.n_runs == 54
    assert [row.row for row in result.rows if exclude[row.row - 1]] == []
    plain = replace(table, columns={k: v[~exclude] for k, v in columns.items()})
    assert [row.loss for row in assess.backtest(forecaster(), plain, key=KEY, cuts=2).rows] == [
        row.loss for row in result.rows
    ]


def test_clusters():
    table = simulated(60, family=np.repeat(np.arange(15.0), 4))
    split = {"key": KEY, "cuts": 1}
    by_family = assess.backtest(forecaster(), table, cluster="family", **split)
    assert by_family.cluster == "family"
    alone = assess.backtest(forecaster(), table, **split)
    assert alone.cluster is None
    assert alone.summary.bands[1].effective == 24
    assert by_family.summary.bands[1].effective < 24
    assert by_family.summary.crps == alone.summary.crps


def test_default_clusters():
    assert clusters(simulated(40), None)[0] is None
    few = simulated(40, group=np.resize(["a", "b"], 40))
    assert clusters(few, None)[0] is None
    several = simulated(40, group=np.resize(list("abcdefghij"), 40))
    column, labels = clusters(several, None)
    assert (column, len(set(labels))) == ("group", 10)
    trunk = np.resize([f"run {i}" for i in range(12)], 40).astype(object)
    trunk[:5] = ""
    column, labels = clusters(simulated(40, trunk=trunk.astype(str), group=several["group"]), None)
    assert (column, len(set(labels))) == ("trunk", 17)
    unique = simulated(40, run_id=np.array([f"run {i}" for i in range(40)]))
    assert clusters(unique, None)[0] is None


def test_a_job_that_was_killed_goes_on(tmp_path):
    table, file = simulated(), tmp_path / "progress"
    calls = []

    def counted(stop_at: int):
        inner = forecaster()

        def forecast(training, new, key):
            if len(calls) == stop_at:
                raise KeyboardInterrupt
            calls.append(len(new))
            note = Note("odd", "info", "something odd", {})
            return backtesting.Forecast(inner.forecast(training, new, key), (note,))

        return replace(inner, forecast=forecast)

    with pytest.raises(KeyboardInterrupt):
        assess.backtest(counted(3), table, key=KEY, resume=file)
    assert len(calls) == 3
    resumed = assess.backtest(counted(9), table, key=KEY, resume=file)
    assert len(calls) == 5
    assert resumed.rows == assess.backtest(forecaster(), table, key=KEY).rows
    assert [note.message for note in resumed.notes] == ["known, 5 of 5 fits: something odd"]
    with pytest.raises(JscaleError, match="another job, whose seed"):
        assess.backtest(counted(9), table, key=jax.random.key(0), resume=file)
    with pytest.raises(JscaleError, match="another job, whose splits"):
        assess.backtest(counted(9), table, key=KEY, cuts=3, resume=file)


def test_draws_that_are_not_finite_are_noted():
    inner = forecaster()

    def forecast(training, new, key):
        draws = inner.forecast(training, new, key)
        draws[:7, 0] = np.nan
        return draws

    result = assess.backtest(replace(inner, forecast=forecast), simulated(), key=KEY, cuts=1)
    (note,) = result.notes
    assert (note.code, note.evidence["count"]) == ("draws-not-finite", 7)


def test_the_in_sample_band():
    table = simulated(40)
    band = assess.in_sample_band(laws.power_size, draws=500)
    (split,) = backtesting.expanding_windows(table, "compute", 1, backtesting.Needs(5, "")).splits
    result = assess.backtest(band, table, key=KEY, cuts=1)
    assert result.rows[0].cut == split.label
    from jscale import fit

    training = table.where(split.training)
    point = fit.point(laws.power_size, training, starts=16)
    rms = np.sqrt(np.mean(np.log(training["loss"] / point.predicted) ** 2))
    width = result.summary.bands[1].width
    assert width == pytest.approx(2 * 1.2816 * rms, rel=0.03)
    predicted = laws.power_size(jnp.asarray(table["N"][split.held_out]), **point.params)
    assert [row.predicted for row in result.rows] == pytest.approx(np.asarray(predicted), rel=3e-3)


def test_a_law_is_forecast_by_its_posterior(monkeypatch):
    """The posterior of the training runs alone, at the inputs of the others."""
    table, seen = simulated(20), []

    class Posterior:
        status = Status.not_converged
        notes = (Note("rough", "warning", "rough", {}), Note("remark", "info", "remark", {}))

    def posterior(law, training, **settings):
        seen.append((law, len(training), settings))
        return Posterior()

    def predict(posterior, inputs, *, key, columns):
        seen.append(inputs["N"].tolist())
        assert set(inputs) == {"N"}
        assert columns["D"].tolist() == (20 * inputs["N"]).tolist()
        assert "loss" not in columns
        return np.exp(0.01 * np.arange(100.0))[:, None] * np.ones(len(inputs["N"]))

    monkeypatch.setattr(_forecasters.fit, "posterior", posterior)
    monkeypatch.setattr(_forecasters.fit, "predict", predict)
    result = assess.backtest(laws.power_size, table, key=KEY, errors="normal", cuts=1, draws=500)
    (law, count, settings), inputs = seen
    assert (law, count) == (laws.power_size, 12)
    assert settings["errors"] == "normal"
    assert settings["chains"] * settings["draws"] == 500
    assert settings["sampler"] == "importance"
    # Padded to one length, by the first rows once more.
    assert inputs == (4 * table["N"][12:].tolist())
    assert (result.laws[0].law, result.errors) == ("power_size", "normal")
    messages = [note.message for note in result.notes if note.code != "backtest-failed"]
    assert messages[:2] == [
        "power_size, 1 of 1 fits: rough",
        "power_size, 1 of 1 fits: the posterior ended with not_converged",
    ]
    assert "remark" not in str(result.notes)


TABLE = simulated(12)
BAD = (
    ({"laws": []}, "laws: expected at least one law"),
    ({"laws": "chinchila"}, "no law named 'chinchila'; did you mean 'chinchilla'"),
    ({"laws": [3]}, "3 is not a declared law"),
    ({"laws": [forecaster(), forecaster()]}, "laws: 'known' is given twice"),
    ({"laws": [forecaster(), laws.deepseek_batch]}, "expected laws of one quantity"),
    ({"laws": laws.kaplan_steps}, "needs column 'S' or 'steps'"),
    ({"laws": laws.chinchilla, "train_below": {"N": 3e7}}, "chinchilla with its 5 parameters need"),
    ({"key": 0}, "key must be a JAX random key"),
    ({"sampler": "hmc"}, "sampler must be one of importance, nuts, not 'hmc'"),
    ({"draws": 3}, "draws must be a whole number of at least 100"),
    ({"cluster": "famly"}, "cluster: .* no column 'famly'"),
    ({"folds": 3, "leave_out": "N"}, "leave_out='N' and folds=3 are two ways to split the runs"),
    ({"folds": 3, "by": "N"}, "by='N' and folds=3 are two ways"),
    ({"folds": 3, "cuts": 2}, "cuts=2 and folds=3 are two ways"),
    ({"laws": assess.Forecaster("flat", lambda *_: np.ones(4))}, "flat.* returned draws of shape"),
    (
        {"laws": assess.Forecaster("few", forecaster().forecast, least_runs=99)},
        "few needs at least",
    ),
)


@pytest.mark.parametrize(("change", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_input(change, words: str):
    arguments = {"laws": forecaster(), "key": KEY, **change}
    with pytest.raises(JscaleError, match=words):
        assess.backtest(arguments.pop("laws"), TABLE, **arguments)
