"""Error messages of the library with the flags of the command line."""

import re

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from jscale._core.errors import Argument, JscaleError
from jscale.cli._app import app
from jscale.cli.support.flags import RENAMED, Verb, renamed
from jscale.cli.support.group import Verbs

MUST = "must be at least 2, not 1"


def message_of(error: JscaleError, *arguments: str) -> str:
    """What a verb with some options prints for an error of the library."""
    group = typer.Typer(cls=Verbs)

    @group.command(cls=Verb)
    def verb(
        draws: int = 1000,
        turns_at: float = 0.5,
        kinds: str = "",
        by: str = "",
        delta: float = 0.1,
        target: str = "",
    ) -> None:
        raise error

    group.callback()(lambda: None)
    result = CliRunner().invoke(group, ["verb", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.removeprefix("jscale: error: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (JscaleError(MUST, argument="draws"), f"--draws {MUST}"),
        (JscaleError("must be a number", argument="turns_at"), "--turns-at must be a number"),
        (JscaleError(": 'x' is none of a, b", argument="kinds"), "--kinds: 'x' is none of a, b"),
        (JscaleError("is empty; give one", argument="kinds"), "--kinds is empty; give one"),
        (JscaleError(": two are named 'A'", argument="targets"), "--target: two are named 'A'"),
        (JscaleError(Argument("by", -0.5), " belongs to a"), "--by -0.5 belongs to a"),
        (JscaleError(Argument("by", "N"), " belongs to a"), "--by 'N' belongs to a"),
        (JscaleError("t.csv: give ", Argument("by"), " a name"), "t.csv: give --by a name"),
        (JscaleError("give ", Argument("budget"), " too"), "give budget= too"),
        (
            JscaleError(": ", Argument("draws"), " is no kind", argument="kinds"),
            "--kinds: --draws is no kind",
        ),
        # Text that only looks like an argument.
        (JscaleError("the draws must be many"), "the draws must be many"),
        (JscaleError("draws.csv: no data rows"), "draws.csv: no data rows"),
        (JscaleError("draws must be by=3"), "draws must be by=3"),
        (JscaleError("target 'loss@by=3,draws=2': no"), "target 'loss@by=3,draws=2': no"),
    ],
)
def test_an_argument_becomes_its_flag(error: JscaleError, message: str):
    options = ["--draws", "1", "--turns-at", "1", "--kinds", "x", "--by", "N", "--target", "A"]
    assert message_of(error, *options) == message


def test_an_invalid_value_without_its_option_has_no_flag():
    error = JscaleError("must be at least 1e-09", argument="delta")
    assert message_of(error) == "delta must be at least 1e-09"
    assert message_of(error, "--delta", "1") == "--delta must be at least 1e-09"
    recommended = JscaleError("give ", Argument("delta"), " a value")
    assert message_of(recommended) == "give --delta a value"


def test_one_verb_has_two_names_for_an_argument():
    error = JscaleError("must be less than ", Argument("by"), argument="draws")
    with (
        pytest.raises(JscaleError, match=r"^bootstrap must be less than by=") as raised,
        renamed(draws="other"),
        renamed(draws="bootstrap"),
    ):
        raise error
    assert raised.value.argument == "bootstrap"
    assert raised.value.render({"bootstrap": "--bootstrap", "by": "--by"}) == (
        "--bootstrap must be less than --by"
    )


def test_every_verb_prints_flags():
    group = typer.main.get_command(app)
    verbs = group.commands  # pyright: ignore[reportAttributeAccessIssue]
    options = {p.name for verb in verbs.values() for p in verb.params}
    assert all(isinstance(verb, Verb) for verb in verbs.values())
    assert set(RENAMED.values()) <= options


def test_help_names_no_python_argument(jscale):
    """No help text shows an argument of the library."""
    group = typer.main.get_command(app)
    for name in group.commands:  # pyright: ignore[reportAttributeAccessIssue]
        assert not re.search(r"\b(draws|by|objective|key)=", jscale(name, "--help").stdout), name
