"""Rows of published numbers, and data sets that are not available."""

import math
from dataclasses import replace

import jax
import pytest

from jscale import assess
from jscale._core.errors import JscaleError
from jscale.assess.published._row import Protocol

PROTOCOL = Protocol("toy", "ten runs, squares")


@pytest.mark.parametrize(
    ("row", "difference", "agrees"),
    [
        (PROTOCOL.relative("x", -2.0, -2.1, within=0.06, reason="w", comment="r"), -0.05, True),
        (PROTOCOL.relative("x", 2.0, 2.1, within=0.04, reason="w", comment="r"), 0.05, False),
        (PROTOCOL.absolute("x", 2.0, 1.5, within=0.4, reason="w", comment="r"), -0.5, False),
        (
            PROTOCOL.in_errors("x", 2.0, 2.5, error=0.25, within=2.0, reason="w", comment="r"),
            2.0,
            True,
        ),
        (
            PROTOCOL.in_our_errors("x", 2.0, 2.5, error=0.1, within=2.0, reason="w", comment="r"),
            5.0,
            False,
        ),
        (
            PROTOCOL.interval(
                "x", (1.0, 2.0, 3.0), (1.0, 2.1, 2.6), within=0.3, reason="w", comment="r"
            ),
            -0.4,
            False,
        ),
        (
            PROTOCOL.interval(
                "x",
                (1.0, 2.0, 3.0),
                (1.0, 2.1, 2.6),
                within=0.3,
                error=2.0,
                reason="w",
                comment="r",
            ),
            -0.2,
            True,
        ),
    ],
)
def test_difference_verdict_and_text(row, difference, agrees):
    assert row.difference == pytest.approx(difference)
    assert row.agrees == agrees
    assert row.verdict == ("agrees" if agrees else "differs")
    assert row.why == ("r" if agrees else "w")


def test_a_non_finite_number_never_agrees():
    assert not PROTOCOL.relative("x", 1.0, math.nan, within=1e9).agrees
    assert not PROTOCOL.interval(
        "x", (1.0, 2.0, 3.0), (-math.inf, 2.0, math.inf), within=1e9
    ).agrees


def test_an_unidentified_number_does_not_agree():
    row = PROTOCOL.absolute("E", 0.001, 0.0, within=0.01, reason="w", comment="r", identified=False)
    assert (row.agrees, row.verdict, row.why) == (False, "not identified", "r")


def test_a_row_per_constant():
    rows = PROTOCOL.constants(
        {"A": 1.0, "B": 2.0},
        {"A": 1.0, "B": 3.0},
        within=0.1,
        reason=lambda name: f"because of {name}",
    )
    assert [(row.quantity, row.agrees, row.why) for row in rows] == [
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
            "there are no published results for 'precision-runs'; expected chinchilla, quest",
        ),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(JscaleError) as caught:
        assess.reproduce(name, key=jax.random.key(0))
    assert message in str(caught.value)


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path))


def test_missing_data_sets_are_listed_and_raise_no_error(no_data):
    result = assess.reproduce(key=jax.random.key(0))
    assert result.rows == ()
    assert [missing.dataset for missing in result.not_run] == list(assess.reproducible())
    assert not result.complete
    for missing in result.not_run:
        assert "set JSCALE_DATA to a folder that holds" in missing.why
        assert missing.why.isprintable()


def test_complete_means_that_every_number_was_computed_and_agrees():
    row = PROTOCOL.absolute("x", 1.0, 1.0, within=0.1)
    result = assess.Reproduction((row,), (), {"toy": "nobody"}, {"toy": 0.1})
    assert result.complete
    assert result.of("toy") == (row,)
    assert result.of("other") == ()
    off = replace(row, difference=0.2)
    assert replace(result, rows=(row, off)).differing == (off,)
    assert not replace(result, rows=(row, off)).complete
    assert repr(replace(result, rows=(row, off))) == "<Reproduction toy: 1 of 2 numbers agree>"
