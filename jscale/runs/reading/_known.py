"""The columns of a table, read cell by cell."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import quote
from jscale.laws.formats import bits_of
from jscale.runs.reading._quantities import bits_by_name, losses_in_unit, numbers
from jscale.runs.reading._rows import exclude_unfinished
from jscale.runs.reading._validate import (
    LARGEST,
    NUMBERS,
    CheckedTable,
    Problems,
    all_empty,
    check_empty,
    check_range,
    check_required,
)
from jscale.runs.tables import (
    BIT_COLUMNS,
    COLUMNS,
    KNOWN,
    BadCell,
    Cells,
    Column,
    Kind,
    Match,
    RawTable,
    TooLarge,
    flag,
    fold,
    is_empty,
    label,
    match,
    number,
    with_decimal_points,
    with_error,
)

_MAX_TEXT_BYTES = 2**28
"""A numpy text array is padded to its longest entry; a column that would take more is left out."""


_KINDS_OF_SIZE = {"active": "active", "nonemb": "non-embedding", "total": "total"}
"""Part of a folded header → what N counts."""


def check(
    raw: RawTable,
    *,
    losses: bool = True,
    named: Mapping[str, str] | None = None,
    bytes_per_token: float | None = None,
    strict: bool = False,
) -> CheckedTable:
    """Read and validate every cell.

    Args:
        raw: the unvalidated table.
        losses: whether a loss, or another outcome, is required.
        named: known column → header, where the caller says which it is.
        bytes_per_token: to convert losses per byte to losses per token, or None.
        strict: whether a run that failed or goes on is an error; it is left out otherwise.

    Raises:
        JscaleError: a required column is missing, or a cell does not hold what its column should.
    """
    table = CheckedTable(raw, match(list(raw.columns), named), notes=list(raw.notes))
    _convert_decimal_commas(table)
    matched = table.match = _with_numbers(table.match, raw)
    problems = Problems(raw)

    for column in COLUMNS:
        if column.name in matched.headers:
            _read_known(table, column, problems)
    known_headers = set(matched.headers.values())
    for header in list(raw.columns):
        if header not in known_headers:
            name = _extra_name(table, header)
            _store(table, name, _inferred(raw.take(header), header, problems))

    _add_stated_errors(table, problems)
    _note_kind_of_size(table)
    check_required(table, losses)
    bits_by_name(table, problems)
    for name, values in table.columns.items():
        check_range(matched.headers.get(name, name), KNOWN[name], values, table.kept, problems)
    losses_in_unit(table, bytes_per_token)
    if losses and not strict:
        exclude_unfinished(table)
    check_empty(table, problems, losses)
    problems.raise_first()
    return table


def _with_numbers(matched: Match, raw: RawTable) -> Match:
    """The match without columns of a soft name that hold texts: ``quant`` may be a method."""
    dropped = set()
    for known in matched.soft:
        cells = raw.columns[matched.headers[known]]
        if isinstance(cells, np.ndarray) or KNOWN[known].kind not in NUMBERS:
            continue
        filled = [cell for cell in cells if not is_empty(cell)]
        readable = sum(_is_readable(cell, KNOWN[known].kind) for cell in filled)
        all_of_them = KNOWN[known].kind is Kind.BITS
        if readable == 0 or (all_of_them and readable < len(filled)):
            dropped.add(known)
    if not dropped:
        return matched
    kept = {known: header for known, header in matched.headers.items() if known not in dropped}
    return replace(matched, headers=kept)


def _is_readable(cell: object, kind: Kind) -> bool:
    if kind is Kind.BITS and isinstance(cell, str) and bits_of(cell):
        return True
    try:
        number(with_error(cell)[0], kind)
    except BadCell:
        return False
    return True


def _convert_decimal_commas(table: CheckedTable) -> None:
    """Read ``3,352`` as a decimal number in a file whose columns semicolons or tabs separate."""
    if not table.raw.commas_are_free:
        return
    columns = table.raw.columns
    headers = {
        known: header
        for known, header in table.match.headers.items()
        if KNOWN[known].kind in NUMBERS and not isinstance(columns[header], np.ndarray)
    }
    counts = [h for known, h in headers.items() if known in ("N", "D", "C")]
    others = [h for known, h in headers.items() if known not in ("N", "D", "C")]
    cells = {header: [label(cell) for cell in columns[header]] for header in headers.values()}
    converted = with_decimal_points([cells[h] for h in counts], [cells[h] for h in others])
    if converted is None:
        return

    columns.update(zip(counts + others, [*converted[0], *converted[1]], strict=True))
    header, row, cell = next(
        (h, i, cell) for h in others for i, cell in enumerate(cells[h]) if "," in cell
    )
    message = (
        "numbers are read with a decimal comma, and points between groups of digits: "
        f"{quote(cell)} in column {quote(header)} is {columns[header][row]}"
    )
    table.notes.append(Note("decimal-comma", "warning", message))


def _note_kind_of_size(table: CheckedTable) -> None:
    """Say what N counts where its header does, as ``active params``."""
    header = table.match.headers.get("N", "")
    folded = fold(header)
    kind = next((kind for word, kind in _KINDS_OF_SIZE.items() if word in folded), None)
    if "N" not in table.columns or kind is None:
        return
    message = f"N counts {kind} parameters (column {quote(header)})"
    table.notes.append(Note("kind-of-size", "info", message, {"kind": kind}))


def _add_stated_errors(table: CheckedTable, problems: Problems) -> None:
    """Standard errors from the cells of the losses."""
    if table.stated_errors is not None:
        table.match.headers["loss_se"] = table.match.headers["loss"]
        table.columns["loss_se"] = numbers(table, table.stated_errors, KNOWN["loss_se"], problems)


def _extra_name(table: CheckedTable, header: str) -> str:
    """The name of an unknown column, which must not be that of a known one."""
    name = table.match.renamed.get(header, header)
    if name not in KNOWN:
        return name
    renamed = f"{name} (not read)"
    message = (
        f"column {quote(header)} is not read as {name!r}, which is column "
        f"{quote(table.match.header(name))}: it is kept as {quote(renamed)}"
    )
    table.notes.append(Note("column-renamed", "info", message, {"column": name}))
    return renamed


def _read_known(table: CheckedTable, column: Column, problems: Problems) -> None:
    """Read the cells of a known column by its kind."""
    header = table.match.headers[column.name]
    cells = table.raw.take(header)
    if column.kind is Kind.LABEL:
        values = _texts([label(cell) for cell in cells])
    elif column.kind is Kind.INFERRED:
        values = _inferred(cells, header, problems)
    elif column.kind is Kind.FLAG:
        values = _flags(cells, column, header, problems)
    else:
        values = numbers(table, cells, column, problems)
    _store(table, header, values, column)


def _store(
    table: CheckedTable, header: str, values: np.ndarray, column: Column | None = None
) -> None:
    """Add a column to the table, or leave it out with a note."""
    if values.dtype == object:
        message = f"column {quote(header)} was left out: its texts are too long to keep"
        table.notes.append(Note("column-too-long", "warning", message))
    elif column is None:
        # An empty column without a name is what a separator at the end of each line leaves.
        if not (header in table.raw.unnamed and all_empty(values)):
            table.extras[header] = values
    # An empty bit column of one part of the network still says that the table is about bits.
    elif column.name in BIT_COLUMNS or column.kind is Kind.FLAG or not all_empty(values):
        table.columns[column.name] = values
    else:
        message = f"column {quote(header)} is empty and was left out"
        table.notes.append(Note("column-empty", "info", message))


def _flags(cells: Cells, column: Column, header: str, problems: Problems) -> np.ndarray:
    values = np.zeros(len(cells), dtype=bool)
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = flag(cell)
        except BadCell as error:
            problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
    return values


def _inferred(cells: Cells, header: str, problems: Problems) -> np.ndarray:
    """Float64 when every filled cell is a number, with NaN for an empty one; else text."""
    if isinstance(cells, np.ndarray):
        return cells
    values = np.full(len(cells), np.nan)
    too_large = []
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        try:
            values[row] = number(cell, Kind.INFERRED)
        except TooLarge:
            too_large.append(row)
        except BadCell:
            return _texts([label(cell) for cell in cells])
    if too_large:
        problem = f"{quote(cells[too_large[0]])} is {TooLarge()}"
        problems.add(too_large, header, problem, f"a number of at most {LARGEST:.2g}, or texts")
    return values


def _texts(texts: list[str]) -> np.ndarray:
    """The texts as a numpy text array, or as objects where padding would take too much memory."""
    padded_bytes = 4 * len(texts) * max(map(len, texts))
    return np.array(texts, dtype=object if padded_bytes > _MAX_TEXT_BYTES else None)
