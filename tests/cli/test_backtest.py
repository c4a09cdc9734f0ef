"""``jscale backtest``."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jscale import JscaleError, assess, laws
from jscale.cli.backtest import _cuts, _in_detail
from tests.assess.tables import simulated
from tests.cli.tables import without_times, write_table
from tests.cli.test_bad_input import rejected

pytestmark = pytest.mark.usefixtures("few_points")

LAW = ("--law", "power_size")
ROW = {"C", "loss", "predicted", "q10", "q90", "q025", "q975", "decades"}
SUMMARY = {"rmse", "rmsle", "relative_error", "crps", "coverage80", "coverage95"}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = simulated()
    columns = {name: values.tolist() for name, values in table.columns.items()}
    columns["corpus"] = [f"corpus {i % 3}" for i in range(40)]
    columns["one"] = ["same"] * 40
    columns["exclude"] = [i == 7 for i in range(40)]
    return write_table(tmp_path_factory.mktemp("tables") / "sizes.csv", columns)


@pytest.fixture
def cheap(monkeypatch):
    """The band of the residuals in place of the posterior."""
    backtest = assess.backtest

    def with_bands(given, table, **settings):
        bands = [assess.in_sample_band(laws.power_size) for _ in given[:1]]
        return backtest(bands, table, **settings)

    monkeypatch.setattr(assess, "backtest", with_bands)


def test_backtest_by_the_posterior(answer, jscale, sizes: Path, tmp_path: Path):
    options = ("--baseline", "--cuts", 2, "--draws", 200, "--errors", "student")
    command = ("backtest", sizes, *LAW, *options)
    printed = answer(*command, "--out", tmp_path / "backtest.json")
    assert [note["code"] for note in printed["notes"]].count("corrected-bands") == 1
    assert sum(model["weight"] for model in printed["stacking"]) == pytest.approx(1.0)
    assert json.loads((tmp_path / "backtest.json").read_text()) == without_times(printed)

    names = ["power_size, corrected", "power_size, in-sample RMS"]
    assert [each["law"] for each in printed["laws"]] == names
    assert printed["law"] == names[0]
    assert (printed["n_runs"], printed["how"]) == (39, "by compute")
    assert set(printed["rows"][0]) >= ROW
    assert set(printed["summary"]) >= SUMMARY
    assert {row["row"] for row in printed["rows"]} <= set(range(1, 41)) - {8}
    assert [cut["fitted"] for cut in printed["cuts"]] == [16, 31]
    assert [cut["held_out"] for cut in printed["cuts"]] == [23, 8]

    rows = [row for row in printed["rows"] if row["law"] == names[0]]
    held = [row["q10"] <= row["loss"] <= row["q90"] for row in rows]
    summary = printed["summary"]
    assert summary["held80"] == sum(held)
    assert summary["coverage80"] == pytest.approx(sum(held) / len(held))
    low, high = summary["coverage80_limits"]
    assert low < summary["coverage80"] < high or summary["coverage80"] == high == 1
    assert summary["rmsle"] < 0.02
    assert printed["notes"][0]["code"]


def test_without_correction(answer, sizes: Path):
    options = ("--cuts", 1, "--draws", 200, "--no-correction", "--errors", "student")
    command = ("backtest", sizes, *LAW, *options)
    printed = answer(*command)
    assert "corrected-bands" not in {note["code"] for note in printed["notes"]}
    assert printed["stacking"] is None
    narrow = answer(*command, "--prior", "sigma=lognormal(0.0001,0.01)")
    assert narrow["summary"]["width80"] < 0.5 * printed["summary"]["width80"]


def test_text(jscale, cheap, sizes: Path):
    result = jscale("backtest", sizes, *LAW)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, *lines = result.stdout.splitlines()
    assert first.startswith("80% bands held ")
    assert " forecasts of 23 held-out runs (" in first
    assert second == "sizes.csv: 39 runs, 5 cuts by compute"
    assert max(len(line) for line in lines if "─" in line) <= 80
    assert "decades beyond" in result.stdout
    assert result.stdout.count("C ≤ ") == 5


@pytest.mark.parametrize(
    ("options", "how", "count"),
    [
        (("--by", "N", "--cuts", "0.6,0.8"), "by N", 2),
        (("--train-below", "N=2.1e8,D=1e12"), "fitted where N < 210M and D < 1T", 1),
        (("--leave-out", "corpus"), "by leaving out each corpus", 3),
        (("--folds", 4), "in 4 random folds", 4),
        (("--cuts", 1, "--cluster", "corpus"), "by compute", 1),
    ],
)
def test_ways_to_split(answer, cheap, sizes: Path, options, how: str, count: int):
    printed = answer("backtest", sizes, *LAW, *options)
    assert (printed["how"], len(printed["cuts"])) == (how, count)
    assert 8 not in {row["row"] for row in printed["rows"]}


def test_progress_is_kept_and_removed(answer, cheap, sizes: Path, tmp_path: Path):
    file = tmp_path / "progress"
    printed = answer("backtest", sizes, *LAW, "--cuts", 1, "--resume", file)
    assert not file.exists()
    again = answer("backtest", sizes, *LAW, "--cuts", 1)
    assert without_times(printed) == without_times(again)
    other = answer("backtest", sizes, *LAW, "--cuts", 1, "--seed", 1)
    assert printed["rows"][0]["q10"] != other["rows"][0]["q10"]


def test_a_failed_check(jscale, monkeypatch, sizes: Path):
    backtest = assess.backtest
    wrong = assess.Forecaster("wrong", lambda _, new, key: np.full((2, len(new)), 9.0))

    def all_wrong(given, table, **settings):
        return backtest(wrong, table, **settings)

    monkeypatch.setattr(assess, "backtest", all_wrong)
    assert jscale("backtest", sizes, *LAW).exit_code == 0
    result = jscale("backtest", sizes, *LAW, "--require-coverage")
    assert result.exit_code == 1
    assert "80% bands held 0 of " in result.stdout
    assert "too narrow" in result.stdout
    assert "warning: wrong: its 80% bands held 0% of the held-out runs" in result.stdout


BAD = (
    (("--law", "chinchila"), "did you mean 'chinchilla'"),
    (("--law", "power_size", "--law", "power_size"), "'power_size, corrected' is given twice"),
    (("--train-below", "N"), "--train-below: expected NAME=VALUE such as N=2.1e8"),
    (("--train-below", "corpus=3"), "--train-below: sizes.csv: column 'corpus' holds no numbers"),
    (("--train-below", "size=3"), "--train-below: sizes.csv has no column 'size'"),
    (("--train-below", "N=1e99"), "holds out no run: all 39 would be fitted"),
    (
        ("--train-below", "N=1.1e7"),
        "leaves 1 run to fit; power_size, corrected with its 3 parameters needs",
    ),
    (("--by", "corpus"), "holds no numbers to order the runs by; expected a column of numbers, or"),
    (("--by", "depth"), "--by: sizes.csv has no column 'depth'"),
    (("--leave-out", "one"), "--leave-out: sizes.csv: column 'one' has one value in all runs"),
    (("--leave-out", "grup"), "--leave-out: sizes.csv has no column 'grup'"),
    (("--cuts", "60"), "--cuts: sizes.csv has fewer runs than 60 cuts need"),
    (("--cuts", "many"), "--cuts: expected a number of cuts, or shares such as 0.6,0.8"),
    (("--cuts", "0.01"), "the cut at 0.01 of the runs by C leaves 1 run to fit"),
    (("--cuts", "1.5"), "shares of the runs between 0 and 1"),
    (("--folds", "99"), "--folds: sizes.csv has fewer runs than 99 folds"),
    (("--folds", "3", "--cuts", "2"), "--cuts 2 and --folds 3 are two ways to split the runs"),
    (("--folds", "3", "--leave-out", "N"), "--leave-out 'N' and --folds 3 are two ways"),
    (("--cluster", "famly"), "--cluster: sizes.csv has no column 'famly'"),
    (("--cluster", "one"), "--cluster: sizes.csv: column 'one' has one value in all runs"),
    (("--cluster", "N"), "--cluster: sizes.csv: no two runs share a value of 'N'"),
    (("--prior", "gamma=lognormal(1,1)"), "has no parameter gamma"),
    (("--prior", "alpha=3"), "--prior: alpha: expected a distribution such as lognormal(0.2, 1)"),
    (("--draws", "3"), "--draws must be a whole number of at least 100"),
)


@pytest.mark.parametrize(("options", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_input(jscale, sizes: Path, options, words: str):
    law = () if "--law" in options else LAW
    rejected(jscale("backtest", sizes, *law, *options), words)


def test_numbers_of_cuts():
    assert _cuts(None) is None
    assert _cuts("5") == 5
    assert _cuts("0.6") == [0.6]
    assert _cuts("0.6, 0.8") == [0.6, 0.8]
    with pytest.raises(JscaleError, match="--cuts: expected"):
        _cuts("0.6;0.8")


@pytest.fixture
def cheap_ensemble(monkeypatch):
    """Bands of residuals in place of posteriors, and a wide one in place of the ensemble."""
    backtest = assess.backtest

    def together(given, table, **settings):
        wide = assess.in_sample_band(given[0])
        return dataclasses.replace(wide, name="ensemble of power_size")

    def with_bands(given, table, **settings):
        bands = [
            each
            if isinstance(each, assess.Forecaster)
            else dataclasses.replace(assess.in_sample_band(each), name="power_size")
            for each in given
        ]
        return backtest(bands, table, **settings)

    monkeypatch.setattr(assess, "ensemble_forecaster", together)
    monkeypatch.setattr(assess, "backtest", with_bands)


@pytest.fixture
def only_sizes(tmp_path: Path) -> Path:
    table = simulated()
    columns = {name: table[name].tolist() for name in ("N", "loss")}
    return write_table(tmp_path / "only-sizes.csv", columns)


def test_without_a_law_the_ensemble_comes_first(answer, jscale, cheap_ensemble, only_sizes: Path):
    command = ("backtest", only_sizes, "--by", "N", "--cuts", 1, "--baseline")
    printed = answer(*command)
    names = ["ensemble of power_size", "power_size", "power_size, in-sample RMS"]
    assert [each["law"] for each in printed["laws"]] == names
    assert printed["law"] == names[0]
    assert printed["summary"] == printed["laws"][0]["summary"]
    # The ensemble is not stacked with its own members.
    assert {model["name"] for model in printed["stacking"]} == set(names[1:])
    lines = jscale(*command).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == names
    assert lines[3].startswith("only-sizes.csv: 40 runs, 1 cut by N")


def test_the_best_law_is_shown_beside_the_ensemble():
    """The law with the smallest CRPS, and its band of residuals."""

    def scored(name: str, crps: float) -> SimpleNamespace:
        return SimpleNamespace(law=name, summary=SimpleNamespace(crps=crps))

    laws_given = [laws.chinchilla, laws.coupled]
    scores = [("both", 1.0), ("chinchilla", 3.0), ("coupled", 2.0)]
    bands = [("chinchilla, band", 0.1), ("coupled, band", 5.0)]
    result: Any = SimpleNamespace(laws=tuple(scored(*each) for each in (*scores, *bands)))
    detail = _in_detail(result, laws_given, named=False)
    assert [each.law for each in detail] == ["both", "coupled", "coupled, band"]
    result.laws = result.laws[:3]
    assert [each.law for each in _in_detail(result, laws_given, named=False)] == ["both", "coupled"]
    assert _in_detail(result, laws_given, named=True) == result.laws


def test_only_the_ensemble_must_cover(jscale, cheap_ensemble, only_sizes: Path, monkeypatch):
    failures = {"ensemble of power_size": False, "power_size": True}
    monkeypatch.setattr(assess.BacktestedLaw, "failed", property(lambda each: failures[each.law]))
    command = ("backtest", only_sizes, "--by", "N", "--cuts", 1, "--require-coverage")
    assert jscale(*command).exit_code == 0
    failures["ensemble of power_size"] = True
    assert jscale(*command).exit_code == 1


def test_the_ensemble_for_real(answer, only_sizes: Path):
    options = ("--by", "N", "--cuts", 1, "--draws", 200, "--errors", "student")
    printed = answer("backtest", only_sizes, *options)
    assert [each["law"] for each in printed["laws"]] == ["ensemble of power_size", "power_size"]
    both = [each["summary"] for each in printed["laws"]]
    assert both[0]["count"] == both[1]["count"] == 16
    assert both[0]["rmsle"] < 0.02
