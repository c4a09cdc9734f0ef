"""Rows of published numbers, and data sets that are not at hand."""

import math
from dataclasses import replace

import jax
import pytest

from jscale import assess
from jscale._core.errors import JscaleError
from jscale.assess.published._row import Protocol

SHEET = Protocol("toy", "ten runs, squares")


@pytest.mark.parametrize(
    ("row", "difference", "agrees"),
    [
        (SHEET.relative("x", -2.0, -2.1, within=0.06, why="w", remark="r"), -0.05, True),
        (SHEET.relative("x", 2.0, 2.1, within=0.04, why="w", remark="r"), 0.05, False),
        (SHEET.absolute("x", 2.0, 1.5, within=0.4, why="w", remark="r"), -0.5, False),
        (SHEET.in_errors("x", 2.0, 2.5, error=0.25, within=2.0, why="w", remark="r"), 2.0, True),
        (
            SHEET.in_our_errors("x", 2.0, 2.5, error=0.1, within=2.0, why="w", remark="r"),
            5.0,
            False,
        ),
        (
            SHEET.interval("x", (1.0, 2.0, 3.0), (1.0, 2.1, 2.6), within=0.3, why="w", remark="r"),
            -0.4,
            False,
        ),
        (
            SHEET.interval(
                "x", (1.0, 2.0, 3.0), (1.0, 2.1, 2.6), within=0.3, error=2.0, why="w", remark="r"
            ),
            -0.2,
            True,
        ),
    ],
)
def test_difference_verdict_and_what_is_said(row, difference, agrees):
    assert row.difference == pytest.approx(difference)
    assert row.agrees == agrees
    assert row.verdict == ("agrees" if agrees else "differs")
    assert row.why == ("r" if agrees else "w")


def test_no_number_never_agrees():
    assert not SHEET.relative("x", 1.0, math.nan, within=1e9).agrees
    assert not SHEET.interval("x", (1.0, 2.0, 3.0), (-math.inf, 2.0, math.inf), within=1e9).agrees


def test_what_the_runs_leave_open_does_not_agree():
    row = SHEET.absolute("E", 0.001, 0.0, within=0.01, why="w", remark="r", identified=False)
    assert (row.agrees, row.verdict, row.why) == (False, "not identified", "r")


def test_a_row_per_constant():
    made = SHEET.constants(
        {"A": 1.0, "B": 2.0},
        {"A": 1.0, "B": 3.0},
        within=0.1,
        why=lambda name: f"because of {name}",
    )
    assert [(row.quantity, row.agrees, row.why) for row in made] == [
        ("A", True, ""),
        ("B", False, "because of B"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gadree", "no data set 'gadree'; did you mean 'gadre'?"),
        ("pile", "no data set 'pile'; expected chinchilla, quest"),
        (
            "precision-runs",
            "nothing published about 'precision-runs' is known to compare with",
        ),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(JscaleError) as caught:
        assess.reproduce(name, key=jax.random.key(0))
    assert message in str(caught.value)


@pytest.fixture
def nothing_at_hand(tmp_path, monkeypatch):
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path))


def test_what_is_not_at_hand_is_listed_and_stops_nothing(nothing_at_hand):
    result = assess.reproduce(key=jax.random.key(0))
    assert result.rows == ()
    assert [missing.dataset for missing in result.not_run] == list(assess.reproducible())
    assert not result.complete
    for missing in result.not_run:
        assert "set JSCALE_DATA to a folder that holds" in missing.why
        assert missing.why.isprintable()


def test_complete_means_that_all_was_run_and_agrees():
    row = SHEET.absolute("x", 1.0, 1.0, within=0.1)
    whole = assess.Reproduction((row,), (), {"toy": "nobody"}, {"toy": 0.1})
    assert whole.complete
    assert whole.of("toy") == (row,)
    assert whole.of("other") == ()
    off = replace(row, difference=0.2)
    assert replace(whole, rows=(row, off)).differing == (off,)
    assert not replace(whole, rows=(row, off)).complete
    assert repr(replace(whole, rows=(row, off))) == "<Reproduction toy: 1 of 2 numbers agree>"
