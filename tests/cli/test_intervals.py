"""``jscale fit --intervals`` and ``jscale calibrate``."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from jscale import assess, runs
from jscale.cli.calibrate import summary
from jscale.cli.support import interval_tables, output
from jscale.fit import INTERVAL_KINDS, Interval, Intervals
from tests.assess.tables import simulated
from tests.cli.tables import without_times, write_table

POWER_LAW = ("--law", "power_size", "--objective", "log-squares", "--starts", 8)
FIT = (*POWER_LAW, "--intervals", "--draws", 40)
CALIBRATE = (*POWER_LAW, "--simulations", 10, "--draws", 20)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = {name: values.tolist() for name, values in simulated().columns.items()}
    columns["group"] = [str(i % 5) for i in range(40)]
    return write_table(tmp_path_factory.mktemp("tables") / "sizes.csv", columns)


def test_intervals_side_by_side(answer, jscale, sizes: Path, tmp_path: Path):
    targets = ("--target", "alpha", "--target", "loss@N=7e10")
    kinds = ("--kinds", "fisher,bootstrap-rows,bootstrap-cluster,cluster-profile")
    options = (*POWER_LAW, "--draws", 40, *targets, *kinds, "--seed", 3)  # without --intervals
    printed = answer("fit", sizes, *options, "--out", tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text()) == without_times(printed)
    assert {"params", "stderr", "certificate", "intervals"} <= set(printed)

    intervals = printed["intervals"]
    assert (intervals["level"], intervals["by"], intervals["draws"]) == (0.9, "group", 40)
    assert {row["target"] for row in intervals["rows"]} == {"alpha", "loss@N=7e10"}
    assert len(intervals["rows"]) == 8
    for row in intervals["rows"]:
        assert row["low"] < row["estimate"] < row["high"]
        assert row["width"] == pytest.approx(row["high"] - row["low"])

    assert {"few-clusters", "rows-resampled"} <= {note["code"] for note in printed["notes"]}
    assert len({note["message"] for note in printed["notes"]}) == len(printed["notes"])


def test_intervals_for_people(jscale, sizes: Path):
    options = ("--target", "alpha", "--target", "loss@N=7e10", "--kinds", "fisher,profile")
    result = jscale("fit", sizes, *POWER_LAW, "--intervals", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "intervals at level 0.9\n" in result.stdout  # no bootstrap, so no refits
    assert result.stdout.count("  profile ") == 2


def test_coverage(answer, jscale, sizes: Path, tmp_path: Path):
    out, figure = tmp_path / "coverage.json", tmp_path / "coverage.svg"
    kinds = ("--kinds", "fisher,bootstrap-cluster", "--target", "alpha")
    files = ("--out", out, "--figure", figure)
    printed = answer("calibrate", sizes, *CALIBRATE, *kinds, "--noise", "cluster", *files)
    assert json.loads(out.read_text()) == without_times(printed)
    assert figure.read_text().startswith("<?xml")
    assert [(row["target"], row["kind"]) for row in printed["rows"]] == [
        ("alpha", "fisher"),
        ("alpha", "bootstrap-cluster"),
    ]
    assert {"coverage", "stderr", "width", "truth", "simulations"} <= set(printed["rows"][0])
    assert (printed["noise"], printed["shared"]) == ("cluster", 0.5)
    assert (printed["by"], printed["seed"], printed["draws"]) == ("group", 0, 20)


def test_coverage_for_people(jscale, sizes: Path, monkeypatch):
    results = []

    def calibrate(*arguments, **settings):
        results.append(assess_calibrate(*arguments, **settings))
        return results[0]

    assess_calibrate = assess.calibrate
    monkeypatch.setattr(assess, "calibrate", calibrate)
    options = ("--kinds", "fisher", "--target", "alpha", "--weights", "D")
    printed = jscale("calibrate", sizes, *POWER_LAW, "--simulations", 10, *options)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith(
        "coverage of 90% intervals over 10 simulated tables of power_size by log-squares, "
        "normal noise"
    )
    assert "fisher" in printed.stdout
    # Without a bootstrap there are no refits to count.
    assert summary(results[0], runs.read(sizes), 0)["draws"] is None


def test_tables_fit_eighty_columns(monkeypatch):
    rows = [
        Interval(target, kind, 1.23456789e10, 1.1e-10, 1.4e10)
        for target in ("loss@N=123456789,D=1.2345e12", "N_opt@1e24,P_w=4,P_a=4,P_kv=4")
        for kind in INTERVAL_KINDS
    ]
    intervals = SimpleNamespace(rows=rows, level=0.9, draws=1000, by="group")
    screen = io.StringIO()
    monkeypatch.setattr(
        output, "show", lambda *blocks: Console(file=screen, width=80).print(*blocks)
    )
    interval_tables.show(cast(Intervals, intervals))
    lines = [line for line in screen.getvalue().splitlines() if line.startswith("  ")]
    cells_by_row = [line.split() for line in lines if line.strip()]
    assert [cells[0] for cells in cells_by_row] == list(INTERVAL_KINDS) * 2
    assert {tuple(cells[1:]) for cells in cells_by_row} == {
        ("1.100×10⁻¹⁰", "1.400×10¹⁰", "1.4×10¹⁰")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", *FIT, "--target", "alpha,A"), "give --target several times"),
        (("fit", *FIT, "--target", "loss@N=1,alpha"), "give --target several times"),
        (("fit", *FIT, "--target", "loss@N=1,loss@N=2"), "give --target several times"),
        (
            ("calibrate", *CALIBRATE, "--draws", 0),
            "error: --draws must be a whole number of at least 2",
        ),
        (("calibrate", *CALIBRATE, "--weights", "colour"), "'colour'"),
        (
            ("calibrate", *CALIBRATE, "--shared", 0.5),
            "error: --shared 0.5 belongs to --noise 'cluster', not to",
        ),
        (
            ("calibrate", *CALIBRATE, "--noise", "cluster", "--shared", 2),
            "error: --shared must lie between 0 and 1",
        ),
        (
            ("fit", *POWER_LAW, "--intervals", "--kinds", "fisher", "--by", "N"),
            "error: --by 'N' applies only to the kinds cluster-sandwich",
        ),
        (("fit", *FIT, "--target", "A", "--target", "A"), "error: --target: two are named 'A'"),
        (
            ("fit", *POWER_LAW, "--intervals", "--kinds", "fisher", "--bootstrap", 1),
            "error: --bootstrap must be a whole number of at least 2, not 1",
        ),
        (("fit", *FIT, "--target", "N_opt@1e24"), "has no input D"),
        (("fit", *FIT, "--target", "gamma"), "has no target 'gamma'"),
        (("fit", *FIT, "--kinds", "wald"), "error: --kinds: unknown kind 'wald'; expected one of"),
        (("fit", *FIT, "--level", 1.5), "error: --level must lie between 0 and 1, not 1.5"),
        (("fit", *FIT, "--by", "colour"), "error: --by: "),
        (("fit", *FIT, "--seed", -1), "--seed: expected a whole number"),
        (("fit", "--seed", -1), "--seed: expected a whole number"),
        (("calibrate", *CALIBRATE, "--noise", "pink"), "error: --noise must be one of normal"),
        (
            ("calibrate", *CALIBRATE, "--simulations", 0),
            "error: --simulations must be a whole number of at least 2",
        ),
        (
            ("calibrate", *CALIBRATE, "--figure", "c.gif"),
            "expected a file that ends in .png, .pdf or .svg",
        ),
        (("calibrate", *CALIBRATE, "--out", "/no/such/folder/x.json"), "there is no folder"),
    ],
)
def test_bad_input(jscale, sizes: Path, arguments, message):
    name, *options = arguments
    result = jscale(
        name, sizes, *options, *(("--law", "power_size") if "--law" not in options else ())
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
