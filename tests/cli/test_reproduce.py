"""``jscale reproduce``."""

import json

import pytest

from jscale import assess
from jscale.assess import Reproduction
from jscale.assess.published import NotRun
from jscale.assess.published._row import Protocol
from tests.cli.tables import without_times

PROTOCOL = Protocol("chinchilla", "240 runs, [bold]squares")


def fake_reproduce(name: str | None, *, key, resume=None) -> Reproduction:
    """Numbers that are reproduced, differ and are not identified; and a data set without a file."""
    assert name is not None
    if name == "quest":
        return Reproduction(
            (), (NotRun("quest", "data set quest: no such file"),), {"quest": "Panferov"}, {}
        )
    rows = (
        PROTOCOL.in_errors("E", 1.81686, 1.816864, error=0.02566, within=0.01),
        PROTOCOL.interval(
            "a", (0.49, 0.5, 0.51), (0.48, 0.6, 0.62), within=0.01, reason="the runs differ"
        ),
        PROTOCOL.absolute(
            "floor", 0.001, 0.0, within=0.01, comment="no floor shows", identified=False
        ),
    )
    return Reproduction(rows if name == "chinchilla" else (), (), {name: "Besiroglu"}, {name: 0.5})


@pytest.fixture
def papers(monkeypatch):
    monkeypatch.setattr(assess, "reproduce", fake_reproduce)


def test_everything_as_json(answer, papers, tmp_path):
    printed = answer("reproduce", "--out", tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text()) == without_times(printed)
    assert (printed["numbers"], printed["agreeing"], printed["not_identified"]) == (3, 1, 1)
    assert not printed["complete"]
    assert printed["not_run"] == [{"dataset": "quest", "why": "data set quest: no such file"}]
    assert set(printed["sources"]) == set(assess.reproducible())
    first, second, third = printed["rows"]
    assert {
        "dataset",
        "fit",
        "quantity",
        "published",
        "ours",
        "difference",
        "unit",
        "within",
        "why",
    } <= set(first)
    assert (first["agrees"], second["agrees"], third["agrees"]) == (True, False, False)
    assert third["verdict"] == "not identified"
    assert second["published_interval"] == [0.49, 0.51]


def test_for_people(jscale, papers):
    result = jscale("reproduce")
    assert (result.exit_code, result.stderr) == (0, "")
    for text in (
        "chinchilla: Besiroglu",
        "a  240 runs, [bold]squares",
        "1.81686 ± 0.0257",
        "<0.01 s.e.",
        "agrees",
        "0.49 to 0.51",
        "+0.11",
        "differs [1]",
        "[1] the runs differ",
        "quest: not run",
        "data set quest: no such file",
        "not identified [2]",
        "[2] no floor shows",
        "1 of 3 published numbers come out; 1 is not identified by the runs; where one differs, "
        "the reason is given",
        "given; not run: quest",
    ):
        assert text in result.stdout, text


@pytest.mark.parametrize(("name", "code"), [("chinchilla", 1), ("quest", 1), ("gadre", 0)])
def test_require_agreement(jscale, papers, name, code):
    assert jscale("reproduce", name, "--require-agreement").exit_code == code
    assert jscale("reproduce", name).exit_code == 0


def test_an_unknown_name(jscale):
    result = jscale("reproduce", "gadree")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "jscale: error: no data set 'gadree'; did you mean 'gadre'?\n"


@pytest.mark.parametrize("seed", ["99999999999999999999", "-1"])
def test_a_seed_out_of_range(jscale, papers, seed):
    result = jscale("reproduce", "chinchilla", "--seed", seed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        result.stderr
        == f"jscale: error: --seed: expected a whole number from 0 to 2**63 - 1, not {seed}\n"
    )


@pytest.mark.data
def test_a_paper_of_its_own(answer):
    printed = answer("reproduce", "llama3-isoflop", "--seed", 3)
    assert printed["numbers"] == 4
    assert printed["agreeing"] == 2
    assert printed["seconds"]["llama3-isoflop"] > 0
