"""Numbers as people write them."""

import math
import re
from pathlib import Path

import pytest

import jscale
from jscale._core.text import number_with_suffix, plain_number

WRITTEN = {
    "70B": 7e10,
    "1.4T": 1.4e12,
    "1.1b": 1.1e9,
    "6k": 6e3,
    "1.4 M": 1.4e6,
    "-2K": -2e3,
    ".5k": 500.0,
}
PLAIN = {"7e10": 7e10, "1E+9": 1e9, "2.": 2.0, "+3": 3.0, "inf": math.inf, "-Infinity": -math.inf}


@pytest.mark.parametrize("text", PLAIN)
def test_plain_numbers(text: str):
    assert plain_number(text) == number_with_suffix(text) == PLAIN[text]


@pytest.mark.parametrize("text", WRITTEN)
def test_suffixes_are_exact_and_not_plain_numbers(text: str):
    assert number_with_suffix(text) == WRITTEN[text]
    assert plain_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "B", "70G", "70MB", "1_000", "1,000", "0x10", "1e", "7e3k", "nan", "--1", "\u0661"),
        # Letters that count as i and k where letter case is ignored.
        *("\u0131nf", "inf\u0131nity", "7\u212a"),
        *("9" * 10**6, "9" * 300 + "x", "9." * 300, "1e" + "9" * 10**6, " " * 10**6, "inf" * 999),
    ],
    ids=lambda text: text[:9],
)
def test_other_texts_are_not_numbers(text: str):
    assert number_with_suffix(text) is None
    assert plain_number(text) is None


def test_no_group_of_a_pattern_is_possessive():
    """Python 3.11.2, which Debian 12 has, takes such a group as matched when it fails half-way."""
    folder = Path(jscale.__file__).parent
    modules = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    assert len(modules) > 100
    assert not [text for text in modules if re.search(r"\)[?*+]\+", text)]
