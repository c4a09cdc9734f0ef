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
    study = assess.checklist(table)
    known = answers(study)
    assert known["runs"].startswith("32 runs: N 50M to 10B (8 values); D 1B to 200B (4 values)")
    assert known["loss"] == "nats per token"
    assert table.digest[:16] in known["content"]
    assert {"form", "tokenizer", "objective"} <= set(study.missing)
    assert {each.topic for each in study.answers} == {"hypothesis", "training", "data", "fit"}


def test_a_fit_answers_for_itself_and_a_forecast_has_ten_questions(table):
    study = assess.checklist(table, at_truth(table), at={"N": 1e11, "D": 1e12})
    known = answers(study)
    assert known["form"].startswith("chinchilla: E + A / N**alpha")
    assert known["convergence"].startswith("converged")
    assert sum(each.topic == "forecast" for each in study.answers) == 10
    assert len(known) == len(study.answers), "every key is unique"
    assert "1 decades above" in known["distance"]
    assert known["identified"] == "yes"
    assert "held-out" in study.missing


def test_the_card_has_the_unit_of_the_table_and_a_run_that_is_no_larger_than_the_forecast(table):
    bytes_ = runs.read({"N": table["N"], "D": table["D"], "val_bpb": table["loss"] / 3})
    near = answers(assess.checklist(bytes_, at_truth(bytes_), at={"N": 1e10, "D": 4e11}))
    assert near["target"] == "cross-entropy (bits per byte) at N = 10B, D = 400B"
    # The largest run has 6 * 1e10 * 2e11 = 1.2e22 FLOP, the forecast twice as much.
    assert near["falsified"].startswith("a run half of the way there, 1.7e22 FLOP")
    far = answers(assess.checklist(table, at_truth(table), at={"N": 1e12, "D": 2e13}))
    assert far["falsified"].startswith("a run of ten times the largest compute, 1.2e23 FLOP")
    within = answers(assess.checklist(table, at_truth(table), at={"N": 1e9, "D": 2e10}))
    assert within["distance"] == "inside the range of the runs"
    assert within["falsified"].startswith("the run itself, 1.2e20 FLOP")


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ({"N": 7e10}, "at: law 'chinchilla' takes N, D; D"),
        ({"M": 7e10}, "not 'M'"),
        ({"N": np.nan, "D": 1e12}, "at: N = nan"),
    ],
)
def test_a_forecast_that_cannot_be_is_an_error(table, at, message):
    for call in (
        lambda: assess.audit(table, at=at),
        lambda: assess.audit(table, at_truth(table), at=at),
        lambda: assess.checklist(table, at_truth(table), at=at),
    ):
        with pytest.raises(JscaleError, match=message):
            call()


def test_a_card_is_of_one_forecast(table):
    with pytest.raises(JscaleError, match="at: 2 forecasts; expected one"):
        assess.checklist(table, at_truth(table), at={"N": [1e11, 2e11], "D": 1e12})


def test_the_setup_beside_a_table_answers_what_only_the_user_knows(tmp_path):
    (tmp_path / "runs.csv").write_text("N,D,loss\n1e8,2e9,3.5\n1e9,2e10,2.75\n")
    (tmp_path / "setup.toml").write_text(
        '[setup]\ntokenizer = "GPT-2"\nbatch = 512\noptimizer=""\n'
    )
    study = assess.checklist(tmp_path / "runs.csv")
    assert answers(study)["tokenizer"] == "GPT-2"
    assert answers(study)["batch"] == "512"
    assert "optimizer" in study.missing
    other = assess.checklist(tmp_path / "runs.csv", setup={"release": "no"})
    assert answers(other)["release"] == "no"
    assert "tokenizer" in other.missing
    (tmp_path / "all.toml").write_text(study.template)
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
