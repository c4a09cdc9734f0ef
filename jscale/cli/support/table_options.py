"""Options of every verb that reads a table, and a verb on each part of it or each of its losses."""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale._core.text import human, plural, quote, quoted_names, row_numbers, shown
from jscale.cli.process.failures import BAD_INPUT, OK
from jscale.cli.support import flags, inputs, options, output, tables

if TYPE_CHECKING:
    from jscale.runs import Runs

_MOST_PARTS = 50
_MOST_ROWS = 100
_FILES = ("out", "figure", "resume")
"""Options with a file that each part writes for itself."""


_COLUMN = Annotated[
    list[str] | None,
    options.option(
        "--column",
        help="The name of a column in the table, loss=macro_loss; of N, D or C also a number or a "
        "product, N=70M or 'D=Step*512K'. Can be repeated.",
        metavar="COLUMN=NAME",
        rich_help_panel=options.READING,
    ),
]
_LOSS = Annotated[
    str | None,
    options.option(
        "--loss",
        help="Which column is the loss, of several.",
        metavar="NAME",
        rich_help_panel=options.READING,
    ),
]
_WHERE = Annotated[
    list[str] | None,
    options.option(
        "--where",
        help="Use some of the rows: variant=2x, or 'N >= 1e8 and D < 1T'; can be repeated.",
        metavar="CONDITION",
        rich_help_panel=options.READING,
    ),
]
_STRICT = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse runs that failed, go on or have no loss.",
        rich_help_panel=options.READING,
    ),
]
_BYTES_PER_TOKEN = Annotated[
    float | None,
    options.option(
        "--bytes-per-token",
        help="Convert losses per byte to nats per token with this many bytes a token.",
        metavar="NUMBER",
        rich_help_panel=options.READING,
    ),
]
_LONG = Annotated[
    bool,
    typer.Option(
        "--long",
        help="Turn a wide chart or a matrix of size by budget into rows.",
        rich_help_panel=options.READING,
    ),
]
_GROUP_BY = Annotated[
    str | None,
    options.option(
        "--group-by",
        help="Do this for every value of a column by itself; files get the value in their name.",
        metavar="COLUMN",
        rich_help_panel=options.READING,
    ),
]
_EACH = Annotated[
    bool,
    typer.Option(
        "--each",
        help="Do this for every column of losses by itself.",
        rich_help_panel=options.READING,
    ),
]
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "column": (_COLUMN, None),
    "loss": (_LOSS, None),
    "where": (_WHERE, None),
    "strict": (_STRICT, False),
    "bytes_per_token": (_BYTES_PER_TOKEN, None),
    "long": (_LONG, False),
    "group_by": (_GROUP_BY, None),
    "each": (_EACH, False),
}


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
        reading = {name: values.pop(name, default) for name, (_, default) in added.items()}
        group_by, each = reading.pop("group_by", None), reading.pop("each", False)
        with tables.requested(tables.as_request(**reading)):
            if values.get("source") is None:
                tables.refuse(reason="without a table of runs")
                flags.refuse("group_by", "each", reason="without a table of runs")
            if group_by is None and not each:
                verb(*args, **values)
                return

            run_each(verb, values, group_by=group_by, each=each)

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


def run_each(
    verb: Callable[..., None],
    values: dict[str, Any],
    *,
    group_by: str | None,
    each: bool,
) -> None:
    """Run a verb on every part of its table, and write one JSON object with all results.

    A part on which the verb fails has its error in the result, and the exit code is that of bad
    input; the other parts go on.

    Args:
        verb: the function of the verb.
        values: its arguments.
        group_by: column whose values make the parts, or None.
        each: whether every column of losses is a part.

    Raises:
        JscaleError: there is no such column or no loss, there are too many parts, or the verb
            fails on all of them.
    """
    as_json = values.get("as_json", False)
    # A file of JSON is shared by all parts; any other is written by each for itself.
    one_json = verb.__annotations__.get("out") is options.OUT_JSON
    parts, notes = _parts(values["source"], group_by, each)
    if not as_json:
        output.show(*(f"warning: {note['message']}" for note in notes))
    collected: dict[str, Any] = {}
    failed: list[tuple[str, JscaleError]] = []
    code = OK
    for suffix, (label, request) in zip(_suffixes(parts), parts.items(), strict=True):
        changed = _with_own_files(values, suffix, shared_out=one_json)
        if not as_json:
            output.show(*([""] if collected else []), f"== {label} ==", "")
        results: list[Any] = []
        try:
            with tables.requested(request), output.collected(results):
                verb(**changed)
        except typer.Exit as end:
            code = max(code, end.exit_code)
        except JscaleError as error:
            failed.append((label, error))
            code = max(code, BAD_INPUT)
            results = [{"error": str(error)}]
            if not as_json:
                output.show(f"warning: {error}")
        collected[label] = results[-1] if results else {}

    if failed and len(failed) == len(collected):
        label, error = failed[0]
        raise JscaleError(f"{label}: {error}", argument=error.argument)
    notes += [_note("group-failed", f"{label}: {error}") for label, error in failed]
    payload = {"group_by": group_by or "loss", "groups": collected, "notes": notes}
    output.deliver(payload, as_json, values.get("out") if one_json else None)
    if code != OK:
        raise typer.Exit(code)


def _note(code: str, message: str, **evidence: Any) -> dict[str, Any]:
    return {"code": code, "severity": "warning", "message": message, **evidence}


def _parts(
    source: str, group_by: str | None, each: bool
) -> tuple[dict[str, tables.Request], list[dict[str, Any]]]:
    """Label of each part → how its table is read, and notes on rows that are in none."""
    request = tables.request()
    losses: list[str | None] = [None]
    if each:
        losses = list(_losses(source, request))
    parts: dict[str, tables.Request] = {}
    notes: list[dict[str, Any]] = []
    for loss in losses:
        chosen = request
        if loss is not None:
            chosen = replace(request, columns={**request.columns, "loss": loss})
        if group_by is None:
            parts[str(loss)] = chosen
            continue

        with tables.requested(chosen):
            table = inputs.table_of(source)
            groups = _groups(table, group_by)
        for text, value in groups.items():
            label = text if loss is None else f"{loss}, {text}"
            parts[label] = replace(chosen, part=(group_by, value, text))
        notes += [note for note in _without_group(table, group_by) if note not in notes]
    return parts, notes


def _losses(source: str, request: tables.Request) -> list[str]:
    """The columns of losses of a file.

    Raises:
        JscaleError: the loss is named, or there is none.
    """
    from jscale import runs
    from jscale.runs.reading import loss_columns

    if "loss" in request.columns:
        raise JscaleError("--each: every loss is used, and --loss names one; leave one of them out")
    if source == tables.STDIN or source in {entry.name for entry in runs.datasets()}:
        raise JscaleError(f"--each: expected a file, not {shown(source)}")
    losses = loss_columns(Path(source))
    if not losses:
        raise JscaleError(f"--each: no column of {source} looks like a loss")
    return losses


def _groups(table: "Runs", column: str) -> dict[str, Any]:
    """The values of a column over the kept rows: text → value.

    Raises:
        JscaleError: there is no such column, or it has too many values.
    """
    import numpy as np

    from jscale.fit.objective import empty_cells

    if column not in table:
        raise JscaleError(f": {table.no_column(column)}", argument="group_by")
    cells = table[column][table.kept]
    values = np.unique(cells[~empty_cells(cells)]).tolist()
    if not values:
        raise JscaleError(f": column {quote(column)} is empty", argument="group_by")
    if len(values) > _MOST_PARTS:
        raise JscaleError(
            f": column {quote(column)} has {plural(len(values), 'value')}; expected at most "
            f"{_MOST_PARTS} ({quoted_names(values, 4)})",
            argument="group_by",
        )
    texts = [human(value) if isinstance(value, float) else str(value) for value in values]
    if len(set(texts)) < len(texts):
        texts = [repr(value) for value in values]  # all digits of numbers that are close together
    return dict(zip(texts, values, strict=True))


def _without_group(table: "Runs", column: str) -> list[dict[str, Any]]:
    """A note on the kept rows whose cell in the column is empty, if there are any."""
    import numpy as np

    from jscale.fit.objective import empty_cells

    rows = np.flatnonzero(table.kept & empty_cells(table[column])) + 1
    if not len(rows):
        return []
    verb = "is" if len(rows) == 1 else "are"
    message = (
        f"{plural(len(rows), 'row')} without a value in column {quote(column)} {verb} in no part "
        f"({row_numbers(rows)})"
    )
    return [_note("rows-without-group", message, rows=rows[:_MOST_ROWS].tolist(), count=len(rows))]


def _suffixes(labels: Iterable[str]) -> list[str]:
    """What each part adds to the names of its files, all different even where case is ignored."""
    suffixes: list[str] = []
    taken: set[str] = set()
    for label in labels:
        safe = "".join(char if char.isalnum() or char in "._+" else "-" for char in label)
        suffix, number = safe, 2
        while suffix.casefold() in taken:
            suffix, number = f"{safe}-{number}", number + 1
        taken.add(suffix.casefold())
        suffixes.append(suffix)
    return suffixes


def _with_own_files(values: dict[str, Any], suffix: str, *, shared_out: bool) -> dict[str, Any]:
    """The arguments of a verb with files of their own for one part: ``draws-2x.nc``."""
    changed = dict(values)
    for name in _FILES:
        path = values.get(name)
        if path is None:
            continue
        if name == "out" and shared_out:
            changed[name] = None
            continue
        file = Path(path)
        changed[name] = str(file.with_name(f"{file.stem}-{suffix}{file.suffix}"))
    return changed
