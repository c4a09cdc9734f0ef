"""``--group-by`` and ``--each``: a verb on every part of a table, or on each of its losses."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.tables import write_table
from tests.cli.test_bad_input import rejected

SIZES = [1e8, 2e8, 4e8, 8e8]


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms of an experiment with two losses, and one run with neither."""
    columns = {
        "variant": ["base"] * 4 + ["2x"] * 4,
        "params": SIZES * 2,
        "tokens": [2e9] * 8,
        "loss": [3.2, 3.1, 3.0, 2.92, 3.1, 3.0, 2.9, 2.82],
        "c4_ppl": [30, 28, 26, 24, 27, 25, 23, 22],
    }
    return write_table(tmp_path_factory.mktemp("arms") / "arms.csv", columns)


def test_every_value_of_a_column_has_its_result(answer, jscale, arms: Path, tmp_path: Path):
    out = tmp_path / "found.json"
    found = answer("audit", arms, "--law", "none", "--group-by", "variant", "--out", out)
    assert found["group_by"] == "variant"
    assert list(found["groups"]) == ["2x", "base"]
    assert [part["n_runs"] for part in found["groups"].values()] == [4, 4]
    assert found["groups"]["2x"]["table"]["name"] == "arms.csv, 2x"
    assert found["notes"] == []
    assert json.loads(out.read_text()) == found
    text = jscale("audit", arms, "--law", "none", "--group-by", "variant").stdout
    assert text.index("== 2x ==") < text.index("== base ==")


def test_every_loss_has_its_result(answer, arms: Path):
    found = answer("data", arms, "--each")
    assert list(found["groups"]) == ["loss", "c4_ppl"]
    largest = [part["columns"]["loss"]["max"] for part in found["groups"].values()]
    assert largest == [3.2, pytest.approx(3.401197)]
    both = answer("data", arms, "--each", "--group-by", "params", "--where", "variant=2x")
    assert len(both["groups"]) == 8
    assert both["groups"]["c4_ppl, 100M"]["rows"] == 1


def test_each_part_writes_its_own_file(jscale, arms: Path, tmp_path: Path):
    assert jscale("data", arms, "--group-by", "variant", "--out", tmp_path / "a.csv").exit_code == 0
    with (tmp_path / "a-base.csv").open() as file:
        assert {row["variant"] for row in csv.DictReader(file)} == {"base"}
    assert (tmp_path / "a-2x.csv").exists()


def test_a_part_that_fails_is_told_and_the_others_go_on(answer, arms: Path):
    where = ("--where", "params <= 2e8")
    found = answer("isoflop", arms, "--law", "none", *where, "--group-by", "variant")
    assert all("no-power-law" in str(part["notes"]) for part in found["groups"].values())
    strict = ("audit", arms, "--law", "none", "--at", "N=1e9,D=1e10", "--strict")
    assert answer(*strict, "--group-by", "variant")["notes"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--group-by", "varian"), "--group-by: arms.csv has no column 'varian'"),
        (("--each", "--loss", "loss"), "--each: every loss is used, and --loss names one"),
    ],
)
def test_parts_that_cannot_be_are_errors(jscale, arms: Path, options, message):
    rejected(jscale("data", arms, *options), message)


def test_parts_need_a_file(jscale):
    rejected(jscale("data", "precision-runs", "--each"), "expected a file")
    lone = jscale("plan", "--params", "hoffmann2022", "--budget", "1e21", "--each")
    rejected(lone, "--each: no effect without a table of runs")
