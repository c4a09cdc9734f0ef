"""The flags of a verb: in messages of the library, and those without effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from typer.core import TyperCommand

from jscale._core.errors import JscaleError

RENAMED = {
    "columns": "column",
    "draws": "bootstrap",
    "kind": "bootstrap_kind",
    "share": "holdout",
    "targets": "target",
}
"""Argument of the library → option of a verb that has another name for it."""


SAMPLING = ("chains", "warmup", "draws", "seed")
"""Options of the sampler."""

_given: ContextVar[dict[str, str]] = ContextVar("given")
"""Option on the command line → its flag, for the verb that is running."""


class Verb(TyperCommand):
    """A verb whose error messages name its own flags."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        options = [p for p in self.params if p.name and p.param_type_name == "option"]
        given = {p.name: p.opts[0] for p in options if _is_given(ctx, p.name)}
        _given.set(given)
        try:
            return super().invoke(ctx)
        except JscaleError as error:
            raise JscaleError(error.render(self._flags(ctx, error.argument))) from None

    def _flags(self, ctx: Any, invalid: str | None) -> dict[str, str]:
        """Argument of the library → flag of this verb.

        Args:
            ctx: context of the call.
            invalid: the argument that the error is about. Where its option was not given, the value
                came from elsewhere (``delta`` from ``--objective huber:0``), and it has no flag.
        """
        flags = {p.name: p.opts[0] for p in self.params if p.name and p.param_type_name == "option"}
        options = {argument: name for argument, name in RENAMED.items() if name in flags}
        options |= {name: name for name in flags}

        if invalid in options and not _is_given(ctx, options[invalid]):
            del options[invalid]
        return {argument: flags[name] for argument, name in options.items()}


def _is_given(ctx: Any, option: str) -> bool:
    return ctx.get_parameter_source(option).name == "COMMANDLINE"


def refuse(*options: str, reason: str) -> None:
    """Refuse options that have no effect together with the others.

    Args:
        options: names of options of the verb that is running; those not given are passed over.
        reason: why they have none, such as "without --bootstrap".

    Raises:
        JscaleError: one of them is on the command line.
    """
    given = _given.get({})
    if useless := [given[name] for name in options if name in given]:
        pronoun = "it" if len(useless) == 1 else "them"
        raise JscaleError(f"{', '.join(useless)}: no effect {reason}; leave {pronoun} out")


@contextmanager
def renamed(**options: str) -> Iterator[None]:
    """Give arguments of the library other names in the errors raised inside.

    Args:
        options: argument → option of the verb, where one verb calls two functions that share the
            name of an argument.
    """
    try:
        yield
    except JscaleError as error:
        raise error.renamed(options) from None
