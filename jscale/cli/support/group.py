"""The group of verbs: a command line becomes an exit code."""

import shlex
import sys
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jscale._core.errors import JscaleError
from jscale.cli.process.failures import OK, exit_code
from jscale.cli.support.flags import plain_switches

_words: ContextVar[tuple[str, ...]] = ContextVar("words", default=())
"""The words of the command line after ``jscale``."""

# Typer carries its own copy of Click without exporting it; the base class of all usage errors is
# found from one that it exports.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]


class Verbs(TyperGroup):
    """The group of verbs; ``main`` ends the process with an exit code, without a traceback."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, switches without a type in the help text."""
        return plain_switches(super().get_params(ctx))

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> NoReturn:
        """Run the command."""
        del prog_name, extra
        if args is None:
            # A shell that completes a command line asks by an environment variable, which Click's
            # own ``main`` would answer.
            self._main_shell_completion({}, "jscale")
        words = sys.argv[1:] if args is None else list(args)
        _words.set(tuple(words))
        sys.exit(exit_code(partial(self._run, words)))

    def _check_laws(self, words: list[str]) -> None:
        """Check that a verb of one law is not given several, of which the last would count.

        Raises:
            JscaleError: it is.
        """
        verb = self.commands.get(words[0]) if words else None
        given = [word for word in words if word.partition("=")[0] == _LAW]
        if verb is None or len(given) < 2:
            return
        (option,) = [each for each in verb.params if _LAW in each.opts] or [None]
        if option is not None and not getattr(option, "multiple", True):
            raise JscaleError(
                f"--law: 'jscale {words[0]}' takes one law, not {len(given)}; 'jscale compare' and "
                "'jscale backtest' compare several, 'jscale predict' weighs them"
            )

    def _run(self, words: list[str]) -> int:
        """The exit code of the command with these arguments.

        Click's own ``main`` would turn some failures into exit code 1.
        """
        try:
            with self.make_context("jscale", words) as context:
                self._check_laws(words)
                self.invoke(context)
        except typer.Exit as end:
            return end.exit_code
        except typer.Abort:
            raise KeyboardInterrupt from None
        except SystemExit:  # how rich ends when the reader of a pipe has gone
            raise BrokenPipeError from None
        except _UsageError as error:
            raise JscaleError(_sentence(error)) from None
        return OK


_LAW = "--law"


def command_line(*without: str) -> str:
    """The command line as typed, without some options and their values.

    Args:
        without: options such as ``--out``.
    """
    kept: list[str] = []
    words = iter(_words.get())
    for word in words:
        if word in without:
            next(words, None)
        elif word.partition("=")[0] not in without:
            kept.append(word)
    return shlex.join(["jscale", *kept])


def _sentence(error: Exception) -> str:
    """What is wrong with a command line, without the usage text that comes with the error."""
    text: str = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]
    text = text.rstrip(".")
    verb = getattr(getattr(error, "ctx", None), "command_path", "jscale")
    return f"{text[:1].lower()}{text[1:]} (see '{verb} --help')"
