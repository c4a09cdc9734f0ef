"""``--group-by`` and ``--each``: a verb on every part of a table, or on each of its losses."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from jscale._core.errors import JscaleError
from jscale.cli.support import parsing, table_options, tables
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
        "note": [""] * 8,
    }
    return write_table(tmp_path_factory.mktemp("arms") / "arms.csv", columns)


def test_every_value_of_a_column_has_its_result(answer, jscale, arms: Path, tmp_path: Path):
    out = tmp_path / "parts.json"
    payload = answer("audit", arms, "--law", "none", "--group-by", "variant", "--out", out)
    assert payload["group_by"] == "variant"
    assert list(payload["groups"]) == ["2x", "base"]
    assert [part["n_runs"] for part in payload["groups"].values()] == [4, 4]
    assert payload["groups"]["2x"]["table"]["name"] == "arms.csv, 2x"
    assert payload["notes"] == []
    assert json.loads(out.read_text()) == payload
    text = jscale("audit", arms, "--law", "none", "--group-by", "variant").stdout
    assert text.index("== 2x ==") < text.index("== base ==")


def test_every_loss_has_its_result(answer, arms: Path):
    payload = answer("data", arms, "--each")
    assert list(payload["groups"]) == ["loss", "c4_ppl"]
    largest = [part["columns"]["loss"]["max"] for part in payload["groups"].values()]
    assert largest == [3.2, pytest.approx(3.401197)]
    both = answer("data", arms, "--each", "--group-by", "params", "--where", "variant=2x")
    assert len(both["groups"]) == 8
    assert both["groups"]["c4_ppl, 100M"]["rows"] == 1


def test_each_part_writes_its_own_file(jscale, arms: Path, tmp_path: Path):
    assert jscale("data", arms, "--group-by", "variant", "--out", tmp_path / "a.csv").exit_code == 0
    with (tmp_path / "a-base.csv").open() as file:
        assert {row["variant"] for row in csv.DictReader(file)} == {"base"}
    assert (tmp_path / "a-2x.csv").exists()


def test_notes_of_the_parts_stay_in_them(answer, arms: Path):
    where = ("--where", "params <= 2e8")
    payload = answer("isoflop", arms, "--law", "none", *where, "--group-by", "variant")
    assert all("no-power-law" in str(part["notes"]) for part in payload["groups"].values())
    strict = ("audit", arms, "--law", "none", "--at", "N=1e9,D=1e10", "--strict")
    assert answer(*strict, "--group-by", "variant")["notes"] == []


def test_numbers_that_look_alike_are_parts_of_their_own(answer, tmp_path: Path):
    columns = {"g": [0.2496, 0.2504] * 4, "N": SIZES * 2, "loss": [3.0] * 8}
    close = write_table(tmp_path / "close.csv", columns)
    payload = answer("data", close, "--group-by", "g", "--out", tmp_path / "part.csv")
    assert list(payload["groups"]) == ["0.2496", "0.2504"]
    for name in ("part-0.2496.csv", "part-0.2504.csv"):
        assert len((tmp_path / name).read_text().splitlines()) == 5


def test_labels_of_one_file_name_are_numbered(answer, tmp_path: Path):
    columns = {"g": ["a/b", "a b", "A-B"], "N": SIZES[:3], "loss": [3.0, 2.9, 2.8]}
    alike = write_table(tmp_path / "alike.csv", columns)
    answer("data", alike, "--group-by", "g", "--out", tmp_path / "part.csv")
    written = {path.name: path.read_text() for path in tmp_path.glob("part-*.csv")}
    assert sorted(written) == ["part-A-B.csv", "part-a-b-2.csv", "part-a-b-3.csv"]
    assert sum("a/b" in text for text in written.values()) == 1


def test_rows_without_a_value_are_counted(answer, jscale, tmp_path: Path):
    columns = {"g": ["C4", "", "Pile", "", "C4"], "N": [*SIZES, 1e9], "loss": [3.0] * 5}
    gaps = write_table(tmp_path / "gaps.csv", columns)
    payload = answer("data", gaps, "--group-by", "g")
    (note,) = payload["notes"]
    assert (note["code"], note["rows"], note["count"]) == ("rows-without-group", [2, 4], 2)
    text = jscale("data", gaps, "--group-by", "g").stdout
    assert "warning: 2 rows without a value in column 'g' are in no part (2, 4)" in text


def test_a_failed_part_is_bad_input_and_the_others_go_on(arms: Path, capsys):
    seen = []

    def verb(source: str, as_json: bool) -> None:
        part = tables.request().part
        assert part is not None
        label = part[2]
        seen.append(label)
        if label == "2x":
            raise JscaleError("too few runs")
        raise typer.Exit(1)

    values: dict[str, Any] = {"source": str(arms), "as_json": True}
    with pytest.raises(typer.Exit) as end:
        table_options.run_each(verb, values, group_by="variant", each=False)
    assert (end.value.exit_code, seen) == (2, ["2x", "base"])
    written = json.loads(capsys.readouterr().out)
    assert written["groups"]["2x"] == {"error": "too few runs"}
    assert [note["code"] for note in written["notes"]] == ["group-failed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--group-by", "varian"), "--group-by: arms.csv has no column 'varian'"),
        (("--group-by", "note"), "--group-by: column 'note' is empty"),
        (("--each", "--loss", "loss"), "--each: every loss is used, and --loss names one"),
    ],
)
def test_parts_that_cannot_be_are_errors(jscale, arms: Path, options, message):
    rejected(jscale("data", arms, *options), message)


def test_parts_need_a_file(jscale):
    rejected(jscale("data", "precision-runs", "--each"), "expected a file")
    lone = jscale("plan", "--params", "hoffmann2022", "--budget", "1e21", "--each")
    rejected(lone, "--each: no effect without a table of runs")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("80B", 8e10), ("80GB", 8e10), ("80 g", 8e10), ("1.1TB", 1.1e12), ("80GiB", 80 * 2.0**30)],
)
def test_bytes_are_decimal_or_binary(text: str, expected: float):
    assert parsing.byte_count(text, "--memory", "80GB") == expected


@pytest.mark.parametrize("text", ["GB", "0GB", "-1GiB", "80PB", "1e999GiB", "infGB"])
def test_other_bytes_are_one_line(text: str):
    with pytest.raises(JscaleError, match="--memory: expected a number of bytes above 0"):
        parsing.byte_count(text, "--memory", "80GB")
