"""The checklist of a scaling study: what is known, what the user answers, what is missing."""

import numpy as np
import pytest

from jscale import JscaleError, assess, runs
from tests.assess.auditing.simulated_tables import N, at_truth, table_with


@pytest.fixture(scope="module")
def table() -> runs.Runs:
    return table_with(0.004 * np.random.default_rng(0).standard_normal(len(N)))


def answers(checklist: assess.Checklist) -> dict[str, str]:
    return {each.key: each.answer for each in checklist.answers}


def test_without_a_fit_the_table_is_known_and_the_rest_is_missing(table):
    found = assess.checklist(table)
    known = answers(found)
    assert known["runs"].startswith("32 runs: N 50M to 10B (8 values); D 1B to 200B (4 values)")
    assert known["loss"] == "nats per token"
    assert table.digest[:16] in known["content"]
    assert {"form", "tokenizer", "objective"} <= set(found.missing)
    assert {each.topic for each in found.answers} == {"hypothesis", "training", "data", "fit"}


def test_a_fit_answers_for_itself_and_a_forecast_has_ten_questions(table):
    found = assess.checklist(table, at_truth(table), at={"N": 1e11, "D": 1e12})
    known = answers(found)
    assert known["form"].startswith("chinchilla: E + A / N**alpha")
    assert known["convergence"].startswith("converged")
    assert sum(each.topic == "forecast" for each in found.answers) == 10
    assert len(known) == len(found.answers), "every key is unique"
    assert "1 decades above" in known["distance"]
    assert known["identified"] == "yes"
    assert "held-out" in found.missing


def test_the_setup_beside_a_table_answers_what_only_the_user_knows(tmp_path):
    (tmp_path / "runs.csv").write_text("N,D,loss\n1e8,2e9,3.5\n1e9,2e10,2.75\n")
    (tmp_path / "setup.toml").write_text(
        '[setup]\ntokenizer = "GPT-2"\nbatch = 512\noptimizer=""\n'
    )
    found = assess.checklist(tmp_path / "runs.csv")
    assert answers(found)["tokenizer"] == "GPT-2"
    assert answers(found)["batch"] == "512"
    assert "optimizer" in found.missing
    other = assess.checklist(tmp_path / "runs.csv", setup={"release": "no"})
    assert answers(other)["release"] == "no"
    assert "tokenizer" in other.missing
    (tmp_path / "all.toml").write_text(found.template)
    assert len(assess.checklist(tmp_path / "runs.csv", setup=tmp_path / "all.toml").missing) > 15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('optimiser = "AdamW"\n', "unknown key 'optimiser'; did you mean 'optimizer'?"),
        ("optimizer = \n", "setup.toml"),
    ],
)
def test_a_setup_that_is_wrong_is_an_error(text, message, tmp_path):
    (tmp_path / "runs.csv").write_text("N,D,loss\n1e8,2e9,3.5\n1e9,2e10,2.75\n")
    (tmp_path / "setup.toml").write_text(text)
    with pytest.raises(JscaleError, match=r"setup\.toml") as caught:
        assess.checklist(tmp_path / "runs.csv")
    assert message in str(caught.value)


def test_excluded_rows_are_told_with_their_reasons():
    table = runs.read(
        {"N": [1e8, 2e8], "loss": [3.0, 9.0], "exclude": [0, 1], "reason": ["", "diverged"]}
    )
    assert answers(assess.checklist(table))["exclusions"] == "1 row: diverged"
