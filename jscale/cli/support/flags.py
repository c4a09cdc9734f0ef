"""Error messages of the library with the flags of a verb in place of Python arguments."""

from collections.abc import Iterator
from contextlib import contextmanager
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


class Verb(TyperCommand):
    """A verb whose error messages name its own flags."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
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

        if invalid in options and ctx.get_parameter_source(options[invalid]).name != "COMMANDLINE":
            del options[invalid]
        return {argument: flags[name] for argument, name in options.items()}


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
