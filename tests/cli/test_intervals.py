"""``jscale fit --intervals`` and ``jscale calibrate``."""

import json
from pathlib import Path

import pytest

from tests.assess.tables import simulated
from tests.cli.tables import write_table

FIT = ("--law", "power_size", "--objective", "log-squares", "--starts", 8, "--intervals", "--draws", 40)
CALIBRATE = ("--law", "power_size", "--objective", "log-squares", "--starts", 8, "--simulations", 10, "--draws", 20)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = {name: values.tolist() for name, values in simulated().columns.items()}
    columns["group"] = [str(i % 5) for i in range(40)]
    return write_table(tmp_path_factory.mktemp("tables") / "sizes.csv", columns)


def test_intervals_side_by_side(answer, jscale, sizes: Path, tmp_path: Path):
    targets = ("--target", "alpha", "--target", "loss@N=7e10")
    kinds = ("--kinds", "fisher,bootstrap-rows,bootstrap-cluster,cluster-profile")
    found = answer("fit", sizes, *FIT, *targets, *kinds, "--seed", 3, "--out", tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text()) == found
    assert {"params", "stderr", "certificate", "intervals"} <= set(found)
    made = found["intervals"]
    assert (made["level"], made["by"], made["draws"]) == (0.9, "group", 40)
    assert {row["target"] for row in made["rows"]} == {"alpha", "loss@N=7e10"}
    assert len(made["rows"]) == 8
    for row in made["rows"]:
        assert row["low"] < row["estimate"] < row["high"]
        assert row["width"] == pytest.approx(row["high"] - row["low"])
    assert {"few-clusters", "rows-resampled"} <= {note["code"] for note in found["notes"]}
    assert len({note["message"] for note in found["notes"]}) == len(found["notes"])
    shown = jscale("fit", sizes, *FIT, *targets, "--seed", 3, "--kinds", "fisher,profile")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "intervals at level 0.9: 40 refits a bootstrap" in shown.stdout
    assert shown.stdout.count("profile") == 2


def test_coverage(answer, jscale, sizes: Path, tmp_path: Path):
    out, figure = tmp_path / "coverage.json", tmp_path / "coverage.svg"
    kinds = ("--kinds", "fisher,bootstrap-cluster", "--target", "alpha")
    found = answer("calibrate", sizes, *CALIBRATE, *kinds, "--noise", "cluster", "--out", out, "--figure", figure)
    assert json.loads(out.read_text()) == found
    assert figure.read_text().startswith("<?xml")
    assert [(row["target"], row["kind"]) for row in found["rows"]] == [
        ("alpha", "fisher"), ("alpha", "bootstrap-cluster"),
    ]  # fmt: skip
    assert {"coverage", "stderr", "width", "truth", "simulations"} <= set(found["rows"][0])
    assert (found["noise"], found["shared"], found["by"], found["seed"]) == ("cluster", 0.5, "group", 0)
    shown = jscale("calibrate", sizes, *CALIBRATE, *kinds)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("coverage of 90% intervals over 10 simulated tables of power_size, normal noise")
    assert "bootstrap-cluster" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "--target", "alpha"), "--target, --kinds and --by belong to --intervals"),
        (("fit", *FIT, "--target", "N_opt@1e24"), "has no input D"),
        (("fit", *FIT, "--target", "gamma"), "has no target 'gamma'"),
        (("fit", *FIT, "--kinds", "wald"), "kinds: 'wald' is none of"),
        (("fit", *FIT, "--level", 1.5), "level must lie between 0 and 1, not 1.5"),
        (("fit", *FIT, "--by", "colour"), "has no column 'colour'"),
        (("fit", *FIT, "--seed", -1), "--seed: expected a whole number"),
        (("calibrate", *CALIBRATE, "--noise", "pink"), "noise must be one of normal"),
        (("calibrate", *CALIBRATE, "--simulations", 0), "simulations must be a whole number of at least 2"),
        (("calibrate", *CALIBRATE, "--figure", "c.gif"), "expected a file that ends in .png, .pdf or .svg"),
        (("calibrate", *CALIBRATE, "--out", "/no/such/folder/x.json"), "there is no folder"),
    ],
)
def test_bad_input(jscale, sizes: Path, arguments, message):
    name, *options = arguments
    result = jscale(name, sizes, *options, *(("--law", "power_size") if "--law" not in options else ()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
