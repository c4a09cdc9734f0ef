"""``jscale audit``."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.tables import write_table


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs at 20 tokens a parameter."""
    n = np.geomspace(1e8, 1e10, 12)
    columns = {"N": n, "D": 20 * n, "loss": 1.8 + 400 * n**-0.35}
    return write_table(tmp_path_factory.mktemp("audit") / "ladder.csv", columns)


def test_findings_have_codes_numbers_and_remedies(answer, ladder: Path):
    payload = answer("audit", ladder, "--law", "none", "--at", "N=1e12,D=2e13")
    codes = {note["code"]: note for note in payload["notes"]}
    assert payload["notes"][0]["severity"] == "error"
    assert codes["ridge"]["evidence"]["tokens_per_parameter"] == pytest.approx(20)
    assert "the same N with 4 times" in codes["ridge"]["advice"]
    assert codes["far-forecast"]["evidence"]["N"] == pytest.approx([2.0])
    assert "one-ratio" not in codes
    assert payload["law"] is None


def test_strict_exits_1_on_errors(jscale, answer, ladder: Path, table: Path):
    assert answer("audit", ladder, "--law", "none", "--strict", code=1)["n_runs"] == 12
    assert jscale("audit", table, "--law", "none", "--strict").exit_code == 0


def test_the_text_fits_80_columns(jscale, ladder: Path):
    result = jscale("audit", ladder, "--law", "none", "--remarks")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "error ridge" in lines
    assert any(line.startswith("  → add runs off the line") for line in lines)


def test_a_law_that_does_not_fit_the_columns_is_a_finding(answer, ladder: Path):
    payload = answer("audit", ladder, "--law", "vocabulary")
    assert payload["notes"][0]["code"] == "not-fitted"
    assert "needs column" in payload["notes"][0]["message"]


def test_the_checklist_says_what_is_missing(answer, jscale, ladder: Path):
    (ladder.parent / "setup.toml").write_text('tokenizer = "GPT-2"\n')
    payload = answer("audit", ladder, "--law", "none", "--checklist")
    answers = {each["key"]: each["answer"] for each in payload["checklist"]}
    assert answers["tokenizer"] == "GPT-2"
    assert answers["optimizer"] == "MISSING"
    text = jscale("audit", ladder, "--law", "none", "--checklist").stdout
    assert "== checklist: training ==" in text
    assert max(map(len, text.splitlines())) <= 80
    assert jscale("audit", ladder, "--setup", "x.toml").exit_code == 2
    two = ("--at", "N=1e12,D=2e13", "--at", "N=2e12,D=2e13")
    result = jscale("audit", ladder, "--law", "none", "--checklist", *two)
    assert result.exit_code == 2
    assert "--at: --checklist has a card of one forecast, not of 2" in result.stderr
