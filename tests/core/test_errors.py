"""Errors that name the arguments of the caller."""

import doctest
import pickle

import pytest

from jscale._core import errors
from jscale._core.errors import Argument, JscaleError

FLAGS = {"by": "--by", "draws": "--bootstrap", "kinds": "--kinds"}


@pytest.mark.parametrize(
    ("error", "in_python", "as_flags"),
    [
        (
            JscaleError("must be at least 2, not 1", argument="draws"),
            "draws must be at least 2, not 1",
            "--bootstrap must be at least 2, not 1",
        ),
        (JscaleError(": 'x' is unknown", argument="kinds"), "kinds: 'x'", "--kinds: 'x'"),
        (JscaleError("[2] must be above 0", argument="N"), "N[2] must", "N[2] must"),
        (
            JscaleError(Argument("by", -0.5), " belongs to ", Argument("kind", "wild")),
            "by=-0.5 belongs to kind='wild'",
            "--by -0.5 belongs to kind='wild'",
        ),
        (
            JscaleError("{by} by=.csv: no group; give ", Argument("by"), " a column"),
            "{by} by=.csv: no group; give by= a column",
            "{by} by=.csv: no group; give --by a column",
        ),
        (JscaleError("draws must be many"), "draws must be many", "draws must be many"),
    ],
)
def test_arguments_become_flags_and_text_stays(error: JscaleError, in_python: str, as_flags: str):
    assert str(error).startswith(in_python)
    assert error.render(FLAGS).startswith(as_flags)


def test_an_error_names_its_argument():
    assert JscaleError("must be positive", argument="delta").argument == "delta"
    assert JscaleError(Argument("by", "N"), " is unused").argument == "by"
    assert JscaleError("give ", Argument("by")).argument is None
    assert JscaleError("no data rows").argument is None


def test_an_error_survives_pickling():
    error = JscaleError(Argument("by", "N"), " belongs to ", Argument("kind"))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.argument, copy.args) == (str(error), "by", error.args)
    assert copy.render(FLAGS) == "--by 'N' belongs to kind="


def test_a_caller_renames_the_arguments():
    error = JscaleError("must be less than ", Argument("kinds"), argument="draws")
    renamed = error.renamed({"draws": "bootstrap", "kinds": "sorts"})
    assert (str(renamed), renamed.argument) == ("bootstrap must be less than sorts=", "bootstrap")


def test_the_examples_run():
    assert doctest.testmod(errors).failed == 0


def test_messages_are_one_line_of_bounded_length():
    """Whatever the caller puts into them."""
    long = "x" * 10**6
    for error in (
        JscaleError(f"no law named {long}"),
        JscaleError(f": {long}", argument="law"),
        JscaleError(Argument("by", long), " belongs to ", Argument("kind", [1] * 10**5)),
        JscaleError("words " * 10**5),
    ):
        assert len(str(error)) <= 1000
        assert len(error.render({"by": "--by", "law": "--law"})) <= 1000
    assert str(JscaleError("an array:\n[[1 2]\n [3 4]]")) == "an array: [[1 2] [3 4]]"
    assert str(JscaleError("\x1b[31m")) == r"\x1b[31m"
