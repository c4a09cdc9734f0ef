"""The group of verbs: every failure becomes one line on stderr and an exit code.

0: success. 1: a check requested with a ``--require-`` flag failed. 2: bad input. 130: interrupted.
"""

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jscale._core.errors import JscaleError
from jscale.cli.support import interrupt

OK, CHECK_FAILED, BAD_INPUT = 0, 1, 2

# Typer carries its own copy of Click without exporting it; the base class of all usage errors is
# found from one that it exports.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]


class Verbs(TyperGroup):
    """The group of verbs; ``main`` ends the process with an exit code, without a traceback."""

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> NoReturn:
        """Run the command."""
        extra["standalone_mode"] = False
        try:
            outcome = super().main(args, prog_name="jscale", **extra)
            sys.stdout.flush()  # the disk may be full
        except (JscaleError, _UsageError) as error:
            outcome = _report(_sentence(error))
        except (KeyboardInterrupt, typer.Abort):
            outcome = interrupt.CODE
        except OSError as error:  # such as a full disk under stdout
            _discard_stdout()
            file = f": {error.filename!r}" if error.filename else ""
            outcome = _report(f"{error.strerror or error}{file}")

        # Typer may have caught the interrupt and returned its code without a message.
        if outcome == interrupt.CODE:
            interrupt.report_interrupt()
        sys.exit(outcome if isinstance(outcome, int) else OK)


def _discard_stdout() -> None:
    """Redirect stdout to the null device if it cannot be written: Python flushes it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _report(message: str) -> int:
    """Write the message to stderr as one line; return the exit code."""
    sys.stderr.write(f"jscale: error: {' '.join(message.split())}\n")
    return BAD_INPUT


def _sentence(error: Exception) -> str:
    """What went wrong, without the usage text that comes with a usage error."""
    if isinstance(error, JscaleError):
        return str(error)

    text: str = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]
    text = text.rstrip(".")
    verb = getattr(getattr(error, "ctx", None), "command_path", "jscale")
    return f"{text[:1].lower()}{text[1:]} (see '{verb} --help')"
