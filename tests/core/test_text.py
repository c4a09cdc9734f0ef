"""Pieces of messages: one line each, short, with counts and hints."""

import doctest

import numpy as np
import pytest

from jscale._core import lazy, text


def test_values_are_quoted_short_and_on_one_line():
    assert text.quote("a\n\x1b") == r"'a\n\x1b'"
    assert text.quote("x" * 100) == repr("x" * 39 + "…")
    assert text.quote(10**5000) == "'a very long int'"


def test_long_paths_are_cut_at_the_start():
    assert text.inline("a\nb.csv") == r"a\nb.csv"
    assert text.inline("x" * 200 + "runs.csv", 10) == "…xxruns.csv"


def test_values_as_python_writes_them():
    assert [text.shown(value) for value in (0, "a", None, 1.5)] == ["0", "'a'", "None", "1.5"]
    assert text.shown("x" * 10**6) == repr("x" * 59 + "…")
    assert text.shown([1] * 10**5) == "[" + "1, " * 19 + "1…"
    assert text.shown(np.arange(9).reshape(3, 3)) == "array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])"
    assert text.shown(10**5000) == "a very long int"

    class Unprintable:
        def __repr__(self):
            raise RuntimeError

    assert text.shown(Unprintable()) == "a very long Unprintable"


def test_messages_have_one_line_and_a_limit():
    assert text.one_line("short, of  two parts") == "short, of  two parts"
    assert text.one_line("a\n  b\x1b") == r"a b\x1b"
    assert text.one_line("y" * 5000) == "y" * 99 + " … " + "y" * 98
    long = text.one_line("word " * 1000)
    assert len(long) == 1000
    assert long.startswith("word word")
    assert long.endswith("word ")


def test_lists_of_names():
    assert text.enumerated(["N", "D"]) == "N, D"
    assert text.enumerated(range(20)).endswith("10, 11 and 8 more")
    assert text.enumerated([]) == "none"
    assert len(text.enumerated(["x" * 5000] * 20)) < 800
    assert text.quoted_path("folder/" * 100 + "a\n") == "'…" + ("folder/" * 100)[-157:] + r"a\n'"
    assert text.did_you_mean("chinchilla" * 10**5, ["chinchilla"], "; none") == "; none"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", "none"),
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcd", "a, b and 2 more"),
    ],
)
def test_listings(names, expected):
    assert text.listing(list(names), limit=2 if len(names) > 3 else None) == expected


def test_quoted_names_and_row_numbers():
    assert text.quoted_names(["N", "D"]) == "'N', 'D'"
    assert text.quoted_names(range(14)).endswith("'10', '11' and 2 more")
    assert text.row_numbers([3, 4, 9]) == "3, 4, 9"
    assert text.row_numbers(range(1, 10)) == "1, 2, 3, 4, 5 and 4 more"
    assert text.row_numbers([]) == "none"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (70, "70"),
        (999, "999"),
        (999.6, "1k"),
        (7e7, "70M"),
        (999_999, "1M"),
        (1.4e12, "1.4T"),
        (9.99e14, "999T"),
        (5.88e20, "5.88e20"),
        (2.5e-7, "2.5e-7"),
        (-7e10, "-70B"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_counts(value, expected):
    assert text.human(value) == expected


def test_hints_ignore_letter_case():
    known = ["chinchilla", "E", "N_opt"]
    assert text.near_match("Chinchila", known) == "chinchilla"
    assert text.near_match("n_opt", known) == "N_opt"
    assert text.near_match("precision", known) is None
    assert text.did_you_mean("chinchila", known, ": none") == "; did you mean 'chinchilla'?"
    assert text.did_you_mean("precision", known, ": none") == ": none"


@pytest.mark.parametrize("module", [text, lazy])
def test_examples(module):
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
