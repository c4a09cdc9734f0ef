"""``jscale isoflop``."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.tables import write_table


@pytest.fixture(scope="module")
def valleys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four budgets of seven sizes, parabolas about N = sqrt(C / 120); the last is one-sided."""
    C = np.repeat([1e18, 1e19, 1e20, 1e21], 7)
    x = np.tile(np.linspace(-1.5, 1.5, 7), 4) + np.where(C == 1e21, 3.0, 0.0)
    N = np.sqrt(C / 120) * np.exp(x)
    loss = 2 + 100 * C**-0.1 + 0.05 * x**2 + 1e-4 * np.cos(9 * np.arange(28))
    return write_table(
        tmp_path_factory.mktemp("tables") / "valleys.csv",
        {"N": N, "D": C / 6 / N, "C": C, "loss": loss},
    )


def test_json(answer, valleys: Path, tmp_path: Path):
    printed = answer("isoflop", valleys, "--law", "none", "--out", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == printed
    assert (printed["curve"], printed["status"], printed["headline"], printed["n_runs"]) == (
        "parabola",
        "converged",
        "unflagged",
        28,
    )
    assert printed["loss_unit"] == "nats per token"
    assert [b["flags"] for b in printed["budgets"]] == [[], [], [], ["unbracketed"]]
    assert printed["budgets"][3]["status"] == "no_interior_optimum"
    np.testing.assert_allclose(
        [b["N_opt"] for b in printed["budgets"][:3]],
        np.sqrt(np.array([1e18, 1e19, 1e20]) / 120),
        0.01,
    )
    fitted = printed["fits"]["unflagged"]
    assert (fitted["N"]["points"], printed["fits"]["all"]["N"]["points"]) == (3, 4)
    assert fitted["N"]["exponent"] == pytest.approx(0.5, abs=0.01)
    assert fitted["N"]["exponent"] + fitted["D"]["exponent"] == pytest.approx(1)
    assert (printed["bias"], printed["corrected"], printed["shape"]) == (None, None, None)
    assert "unbracketed" in {note["code"] for note in printed["notes"]}


def test_draws_follow_the_seed(answer, valleys: Path):
    options = ("--law", "none", "--bootstrap", 20)
    first, same_seed, other_seed = (
        answer("isoflop", valleys, *options, "--seed", seed) for seed in (1, 1, 2)
    )
    assert first == same_seed
    assert first["fits"]["all"]["N"]["interval"] != other_seed["fits"]["all"]["N"]["interval"]


def test_for_people(jscale, valleys: Path):
    result = jscale("isoflop", valleys, "--law", "none")
    assert result.exit_code == 0
    for words in (
        "curve: parabola",
        "10²¹",
        "unbracketed",
        "N* unflagged",
        "95% interval",
        "warning: 1 of 4 budgets",
    ):
        assert words in result.stdout


def test_gate(jscale, valleys: Path, tmp_path: Path):
    assert jscale("isoflop", valleys, "--law", "none", "--require-converged").exit_code == 0
    lines = valleys.read_text(encoding="utf-8").splitlines()
    short = tmp_path / "short.csv"
    short.write_text("\n".join(lines[:15]) + "\n", encoding="utf-8")
    assert jscale("isoflop", short, "--law", "none", "--require-converged").exit_code == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--curve", "quartic"), "no curve 'quartic'"),
        (("--by", "sweep"), "no column 'sweep'"),
        (("--seed", "-1"), "--seed: expected a whole number"),
        (("--bootstrap", "1"), "error: --bootstrap must be 0 for none, or at least 2, not 1"),
        (("--resample", "runs", "--bootstrap", "9"), "expected one of rows, noise"),
        (("--law", "kaplan_size"), "needs a law of N and D"),
    ],
)
def test_mistakes(jscale, valleys: Path, options: tuple[str, ...], words: str):
    result = jscale("isoflop", valleys, *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_table_without_valleys_gets_a_note_on_what_was_expected(jscale, answer, table: Path):
    printed = answer("isoflop", table, "--law", "none")
    assert all(lines == {"N": None, "D": None} for lines in printed["fits"].values())
    messages = [note["message"] for note in printed["notes"] if note["severity"] == "error"]
    assert messages == [
        "no minimum and no power law: no budget has enough sizes for the curve (19 budgets "
        "of at most 2 runs); expected 3 or more sizes at equal compute, at two or more budgets"
    ]
    result = jscale("isoflop", table, "--law", "none").stdout
    assert "headline     none; no_interior_optimum" in result
    assert "warning: no minimum and no power law" in result
    assert "error: " not in result  # the exit code is 0
    assert "power law   coefficient" not in result
    assert "–" not in result


def test_a_column_keeps_its_name_in_the_source(answer, valleys: Path, tmp_path: Path):
    file = tmp_path / "renamed.csv"
    file.write_text(
        valleys.read_text(encoding="utf-8").replace("N,D,C,loss", "N,D,budget,loss"),
        encoding="utf-8",
    )
    by_name, by_old = (
        answer("isoflop", file, "--law", "none", "--by", name) for name in ("C", "budget")
    )
    assert by_old == by_name
    assert len(by_old["budgets"]) == 4
