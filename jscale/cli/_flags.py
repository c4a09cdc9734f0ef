"""The library's messages in the words of the command line: an argument becomes the flag that stands
for it.

The library names an argument at the head of a message (``draws must be …``, ``kinds: …``) or before
an equals sign (``by='N' belongs to …``, ``expected by= with …``); nothing else in a message is
taken for one.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand

from jscale._core.errors import JscaleError

_OTHERWISE = {
    "columns": "column",
    "draws": "bootstrap",
    "kind": "bootstrap_kind",
    "share": "holdout",
    "targets": "target",
}
"""Arguments of the library that a verb has under another name."""


class Verb(TyperCommand):
    """A verb whose mistakes are told in its own flags."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        flags = {p.name: p.opts[0] for p in self.params if p.name and p.param_type_name == "option"}
        given = {
            name: flag
            for name, flag in flags.items()
            if ctx.get_parameter_source(name).name == "COMMANDLINE"
        }
        with speaking(_of_library(given), _of_library({**flags, **given})):
            return super().invoke(ctx)


def _of_library(flags: Mapping[str, str]) -> dict[str, str]:
    """Argument of the library → flag, from the verb's own names."""
    renamed = {argument: flags[name] for argument, name in _OTHERWISE.items() if name in flags}
    return {**renamed, **flags}


@contextmanager
def speaking(given: Mapping[str, str], known: Mapping[str, str] | None = None) -> Iterator[None]:
    """Tell mistakes that the library finds inside in flags; see :func:`translated`."""
    try:
        yield
    except JscaleError as error:
        raise JscaleError(translated(str(error), given, known or given)) from None


def translated(message: str, given: Mapping[str, str], known: Mapping[str, str]) -> str:
    """A message with flags for the library's arguments.

    Args:
        message: of the library.
        given: argument → flag, of those that the user gave: a message begins with one that has a
            wrong value.
        known: argument → flag, of all that the verb has: a message recommends any of them.
    """
    head = re.match(r"(\w+)(?= must |: | is empty)", message)
    if head and head[1] in given:
        message = given[head[1]] + message[head.end() :]

    def flagged(found: re.Match[str]) -> str:
        return f"{known[found[1]]} " if found[1] in known else found[0]

    # An argument stands for itself: what follows a quote, a comma or an @ is something that the
    # user typed.
    return re.sub(r"(?<![\w'\"@,=.-])(\w+)=(?: |$|(?=['\"\d.+-]))", flagged, message).rstrip()
