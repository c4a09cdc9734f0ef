"""Options on how a table is read and which rows are used, on every verb that takes one."""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli.support import flags, options

if TYPE_CHECKING:
    from jscale.runs import Runs

STDIN = "-"
"""A source that stands for the standard input."""

_COLUMN = Annotated[
    list[str] | None,
    options.option(
        "--column",
        help="The name of a column in the table: loss=macro_loss; can be repeated.",
        metavar="COLUMN=NAME",
    ),
]
_LOSS = Annotated[
    str | None,
    options.option("--loss", help="Which column is the loss, of several.", metavar="NAME"),
]
_WHERE = Annotated[
    list[str] | None,
    options.option(
        "--where",
        help="Use some of the rows: variant=2x, or 'N >= 1e8 and D < 1T'; can be repeated.",
        metavar="CONDITION",
    ),
]
_STRICT = Annotated[
    bool, typer.Option("--strict", help="Refuse runs that failed, go on or have no loss.")
]
_BYTES_PER_TOKEN = Annotated[
    float | None,
    options.option(
        "--bytes-per-token",
        help="Convert losses per byte to nats per token with this many bytes a token.",
        metavar="NUMBER",
    ),
]
_LONG = Annotated[
    bool,
    typer.Option("--long", help="Turn a wide chart or a matrix of size by budget into rows."),
]
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "column": (_COLUMN, None),
    "loss": (_LOSS, None),
    "where": (_WHERE, None),
    "strict": (_STRICT, False),
    "bytes_per_token": (_BYTES_PER_TOKEN, None),
    "long": (_LONG, False),
}


@dataclass(frozen=True)
class Request:
    """What the options of a verb say about its table.

    Attributes:
        columns: column → its name in the source.
        where: conditions on the rows.
        strict: whether runs that failed or go on are an error.
        bytes_per_token: converts losses per byte; None leaves them.
        long: whether a wide table is turned into rows.
    """

    columns: dict[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    strict: bool = False
    bytes_per_token: float | None = None
    long: bool = False


_request: ContextVar[Request | None] = ContextVar("request", default=None)


def with_table_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of tables, if it reads one; those that it has itself are kept.

    Args:
        verb: a function of the command line.
    """
    signature = inspect.signature(verb)
    if "source" not in signature.parameters:
        return verb
    added = {name: entry for name, entry in _OPTIONS.items() if name not in signature.parameters}

    @functools.wraps(verb)
    def run(*args: Any, **values: Any) -> None:
        given = {name: values.pop(name, default) for name, (_, default) in added.items()}
        token = _request.set(_requested(**given))
        try:
            if values.get("source") is None:
                refuse(reason="without a table of runs")
            verb(*args, **values)
        finally:
            _request.reset(token)

    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in added.items()
    ]
    changed: Any = run  # Typer reads both from the function object.
    changed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])
    changed.__annotations__ = {
        **verb.__annotations__,
        **{name: kind for name, (kind, _) in added.items()},
    }
    return run


def _requested(
    column: list[str] | None = None,
    loss: str | None = None,
    where: list[str] | None = None,
    strict: bool = False,
    bytes_per_token: float | None = None,
    *,
    long: bool = False,
) -> Request:
    """What the options say.

    Raises:
        JscaleError: a text of ``--column`` is not ``column=name``, or ``--loss`` repeats it.
    """
    columns = {}
    for text in column or ():
        known, equals, name = text.partition("=")
        if not (known.strip() and equals and name.strip()):
            raise JscaleError(f"--column: expected text like loss=macro_loss, not {shown(text)}")
        columns[known.strip()] = name.strip()
    if loss is not None:
        if "loss" in columns:
            raise JscaleError("--loss: --column names the loss already; leave one of them out")
        columns["loss"] = loss
    return Request(columns, tuple(where or ()), strict, bytes_per_token, long)


def refuse(*, reason: str, rows: bool = True) -> None:
    """Refuse options on the reading of a table where none is read.

    Args:
        reason: why they have no effect.
        rows: whether ``--where`` has none either.

    Raises:
        JscaleError: one of them is on the command line.
    """
    request = _request.get() or Request()
    given = {
        "column": request.columns,
        "loss": "loss" in request.columns,
        "strict": request.strict,
        "bytes_per_token": request.bytes_per_token is not None,
        "long": request.long,
        "where": rows and request.where,
    }
    flags.refuse(*(name for name, is_given in given.items() if is_given), reason=reason)


def read(path: Path) -> "Runs":
    """The table in a file, or of the standard input, as the options say."""
    from jscale import runs

    request = _request.get() or Request()
    return runs.read(
        path,
        columns=request.columns,
        strict=request.strict,
        bytes_per_token=request.bytes_per_token,
        long=request.long,
    )


def rows_of(table: "Runs") -> "Runs":
    """The rows of a table that meet the conditions of ``--where``."""
    for condition in (_request.get() or Request()).where:
        table = table.where(condition)
    return table
