"""The group of verbs: how every failure becomes one line on stderr and an exit code.

0: fine. 1: a check that the user asked to gate on failed. 2: a mistake in what the user gave. 130:
    interrupted.
"""

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jscale._core.errors import JscaleError
from jscale.cli import _interrupt

OK, CHECK_FAILED, BAD_INPUT = 0, 1, 2

# Typer carries its own copy of Click without exporting it; the base of all usage errors is found
# from one that it does.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]


class Verbs(TyperGroup):
    """The group of verbs; its ``main`` leaves the process with its exit code, and never a traceback
    for a mistake.
    """

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> NoReturn:
        """Run the command."""
        extra["standalone_mode"] = False
        try:
            outcome = super().main(args, prog_name="jscale", **extra)
            sys.stdout.flush()  # what is still in the buffer may not fit on the disk
        except (JscaleError, _UsageError) as error:
            outcome = _refuse(_sentence(error))
        except (KeyboardInterrupt, typer.Abort):
            outcome = _interrupt.CODE
        except OSError as error:  # such as a full disk under stdout
            _drop_output()
            outcome = _refuse(
                f"{error.strerror or error}" + (f": {error.filename!r}" if error.filename else "")
            )
        if outcome == _interrupt.CODE:  # Typer may have caught it on its way, without a word
            _interrupt.report_interrupt()
        sys.exit(outcome if isinstance(outcome, int) else OK)


def _drop_output() -> None:
    """Send what stdout cannot write nowhere: at exit Python would try again, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _refuse(message: str) -> int:
    """One line on stderr, whatever the message holds."""
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
