"""How the table of a verb is read, and which of its rows are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.cli.support import flags

if TYPE_CHECKING:
    from jscale.runs import Runs

STDIN = "-"
"""A source that stands for the standard input."""


@dataclass(frozen=True)
class Request:
    """What the options of a verb say about its table.

    Attributes:
        columns: column → its name in the source.
        where: conditions on the rows.
        strict: whether runs that failed or go on are an error.
        bytes_per_token: converts losses per byte; None leaves them.
        long: whether a wide table is turned into rows.
        part: column and value of the rows that are used, and the value as text; None for all.
        cache: tables that were read, for the parts of one.
    """

    columns: dict[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    strict: bool = False
    bytes_per_token: float | None = None
    long: bool = False
    part: tuple[str, Any, str] | None = None
    cache: "dict[Any, Runs]" = field(default_factory=dict)


_request: ContextVar[Request | None] = ContextVar("request", default=None)


def as_request(
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


@contextmanager
def requested(request: Request) -> Iterator[None]:
    """Read tables as a request says inside of the block."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def request() -> Request:
    """What the options of the running verb say about its table."""
    return _request.get() or Request()


def refuse(*, reason: str, rows: bool = True) -> None:
    """Refuse options on the reading of a table where none is read.

    Args:
        reason: why they have no effect.
        rows: whether ``--where`` has none either.

    Raises:
        JscaleError: one of them is on the command line.
    """
    request = _request.get() or Request()
    options = {
        "column": request.columns,
        "loss": "loss" in request.columns,
        "strict": request.strict,
        "bytes_per_token": request.bytes_per_token is not None,
        "long": request.long,
        "where": rows and request.where,
    }
    flags.refuse(*(name for name, is_given in options.items() if is_given), reason=reason)


def read(path: Path) -> "Runs":
    """The table in a file, or of the standard input, as the options say."""
    from jscale import runs

    reading = request()
    key = (path, tuple(sorted(reading.columns.items())))
    if key not in reading.cache:
        reading.cache[key] = runs.read(
            path,
            columns=reading.columns,
            strict=reading.strict,
            bytes_per_token=reading.bytes_per_token,
            long=reading.long,
        )
    return reading.cache[key]


def rows_of(table: "Runs") -> "Runs":
    """The rows that meet the conditions of ``--where``, of one part of ``--group-by``."""
    for condition in request().where:
        table = table.where(condition)
    if (part := request().part) is not None:
        column, value, label = part
        table = replace(table.where(table[column] == value), name=f"{table.name}, {label}")
    return table
