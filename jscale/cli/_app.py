"""The command as a whole: its group of verbs, and how every failure becomes one line and an exit code.

0: fine. 1: a check that the user asked to gate on failed. 2: a mistake in what the user gave. 130: interrupted.
"""

import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jscale._core.errors import JscaleError

OK, CHECK_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

# Typer carries its own copy of Click without exporting it; the base of all usage errors is found from one that it does.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]


class Verbs(TyperGroup):
    """The group of verbs; its ``main`` prints mistakes as one line on stderr."""

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> NoReturn:
        """Run the command and leave the process with its exit code."""
        extra["standalone_mode"] = False
        try:
            outcome = super().main(args, prog_name="jscale", **extra)
        except (JscaleError, _UsageError) as error:
            outcome = fail(_sentence(error))
        except (KeyboardInterrupt, typer.Abort):
            outcome = interrupted()
        except OSError as error:  # such as a full disk under stdout
            outcome = fail(f"{error.strerror or error}" + (f": {error.filename!r}" if error.filename else ""))
        sys.exit(outcome if isinstance(outcome, int) else OK)

    def invoke(self, ctx: Any) -> Any:
        """Run one verb; Typer would turn an interrupt into an exit code without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(interrupted()) from None


def _sentence(error: Exception) -> str:
    """What went wrong, without the usage text that comes with a usage error."""
    if isinstance(error, JscaleError):
        return str(error)
    text: str = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]
    text = text.rstrip(".")
    verb = getattr(getattr(error, "ctx", None), "command_path", "jscale")
    return f"{text[:1].lower()}{text[1:]} (see '{verb} --help')"


def fail(message: str, code: int = BAD_INPUT) -> int:
    """Print one line on stderr, whatever the message holds, and return the exit code."""
    sys.stderr.write(f"jscale: error: {' '.join(message.split())}\n")
    return code


def interrupted() -> int:
    """Say so in one line, and return the exit code that shells expect."""
    sys.stderr.write("jscale: interrupted\n")
    return INTERRUPTED
