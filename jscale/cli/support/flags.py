"""The flags of a verb: in messages of the library, and those without effect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import typer
from typer.core import TyperCommand

from jscale._core.errors import JscaleError
from jscale._core.text import shown

RENAMED = {
    "columns": "column",
    "draws": "bootstrap",
    "kind": "bootstrap_kind",
    "priors": "prior",
    "share": "holdout",
    "targets": "target",
}
"""Argument of the library → option of a verb that has another name for it."""


SAMPLING = ("chains", "warmup", "draws", "sampler", "seed")
"""Options of the sampler."""

_WORDS = "jscale.words"
"""Where a context keeps the words of the command line."""
_KINDS = {"integer": "a whole number", "number": "a number", "float": "a number"}
"""What Typer calls a type in its messages → what is expected."""

_given: ContextVar[dict[str, str]] = ContextVar("given")
"""Option on the command line → its flag, for the verb that is running."""


class Verb(TyperCommand):
    """A verb whose error messages name its own flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, switches without a type in the help text."""
        return plain_switches(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line.

        Raises:
            JscaleError: a word that is not the number that its option takes.
        """
        words = ctx.meta[_WORDS] = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            flags: list[str] = getattr(error.param, "opts", [])
            text = _typed(flags, words)
            kinds = [kind for name, kind in _KINDS.items() if name in error.message]
            if text is None or not kinds:
                raise
            raise JscaleError(f"{flags[0]}: expected {kinds[0]}, not {shown(text)}") from None

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        options = [p for p in self.params if p.name and p.param_type_name == "option"]
        given = {p.name: p.opts[0] for p in options if _is_given(ctx, p.name)}
        _given.set(given)
        try:
            return super().invoke(ctx)
        except JscaleError as error:
            message = error.render(self._flags(ctx, error.argument))
            raise JscaleError(self._as_typed(ctx, error.argument, message)) from None

    def _as_typed(self, ctx: Any, argument: str | None, message: str) -> str:
        """A message that ends with an option's value, with the value as the user typed it."""
        name = RENAMED.get(argument or "", argument)
        for param in self.params:
            value = ctx.params.get(param.name)
            if param.name not in (argument, name) or not isinstance(value, float):
                continue
            text, ending = _typed(param.opts, ctx.meta.get(_WORDS, ())), f", not {value!r}"
            if text is not None and message.endswith(ending):
                return f"{message.removesuffix(ending)}, not {text}"
        return message

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


def plain_switches(params: list[Any]) -> list[Any]:
    """The parameters; those without a value have no type, ``<bool>``, in the help text."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


def _typed(flags: Sequence[str], words: Sequence[str]) -> str | None:
    """The last text given for an option; None where the words have none."""
    text = None
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in flags:
            text = value if equals else next(iter(words[i + 1 : i + 2]), None)
    return text


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
