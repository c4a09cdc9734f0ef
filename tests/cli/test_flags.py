"""Messages of the library in the words of the command line."""

import re

import pytest
import typer.main

from jscale._core.errors import JscaleError
from jscale.cli._app import app
from jscale.cli._flags import _OTHERWISE, Verb, speaking, translated

FLAGS = {
    "by": "--by",
    "draws": "--draws",
    "turns_at": "--turns-at",
    "kinds": "--kinds",
    "delta": "--delta",
}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("draws must be at least 2, not 1", "--draws must be at least 2, not 1"),
        ("turns_at must be a finite number", "--turns-at must be a finite number"),
        ("kinds: 'x' is none of a, b", "--kinds: 'x' is none of a, b"),
        ("kinds is empty; expected one", "--kinds is empty; expected one"),
        ("by=-0.5 belongs to the kinds a and b", "--by -0.5 belongs to the kinds a and b"),
        ("by='N' belongs to the kinds a and b", "--by 'N' belongs to the kinds a and b"),
        (
            "t.csv: no group; expected by= with the name",
            "t.csv: no group; expected --by with the name",
        ),
        ("give budget= too", "give budget= too"),
        ("delta must be at least 1e-09", "delta must be at least 1e-09"),
        ("the draws must be many", "the draws must be many"),
        ("draws.csv: no data rows", "draws.csv: no data rows"),
        ("--kinds: draws= is no kind", "--kinds: --draws is no kind"),
        ("target 'loss@by=3,draws=2': no", "target 'loss@by=3,draws=2': no"),
    ],
)
def test_only_arguments_are_translated(message: str, told: str):
    given = {name: flag for name, flag in FLAGS.items() if name != "delta"}
    assert translated(message, given, FLAGS) == told


def test_the_flag_that_a_part_of_a_verb_speaks_of_stays():
    with (
        pytest.raises(JscaleError, match=r"^--bootstrap must be at least 2"),
        speaking({"draws": "--draws"}),
        speaking({"draws": "--bootstrap"}),
    ):
        raise JscaleError("draws must be at least 2")


def test_every_verb_speaks_in_flags():
    group = typer.main.get_command(app)
    verbs = group.commands  # pyright: ignore[reportAttributeAccessIssue]
    options = {p.name for verb in verbs.values() for p in verb.params}
    assert all(isinstance(verb, Verb) for verb in verbs.values())
    assert set(_OTHERWISE.values()) <= options


def test_help_names_flags_alone(jscale):
    """No help text shows an argument of the library."""
    group = typer.main.get_command(app)
    for name in group.commands:  # pyright: ignore[reportAttributeAccessIssue]
        assert not re.search(r"\b(draws|by|objective|key)=", jscale(name, "--help").stdout), name
