"""Numbers of known columns: units of headers, standard errors in cells, formats by name."""

import string

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import general, human, named_rows, quote
from jscale.laws.formats import NamedBits, bits_of
from jscale.runs.reading._rows import UNFINISHED
from jscale.runs.reading._validate import PLACEHOLDER, CheckedTable, Problems
from jscale.runs.tables import (
    NATS_PER_TOKEN,
    OFF_BITS,
    PERPLEXITY,
    TIED_BITS,
    TRAINING_BITS,
    BadCell,
    Cells,
    Column,
    Kind,
    in_unit,
    is_empty,
    number,
    scaled,
    undecorated,
    with_error,
)

_LARGEST_SCALED = {"N": 2e13, "D": 5e14, "C": 1e31}
"""Above these a number in the header's unit is none of a model: the cell is in plain numbers."""
_NOUNS = {"N": "parameters", "D": "tokens", "C": "FLOP"}
_UNIT_CHARACTERS = f"{string.ascii_letters}/ -"
_MAX_FORMATS = 4


def numbers(table: CheckedTable, cells: Cells, column: Column, problems: Problems) -> np.ndarray:
    """The numbers of a column, NaN where a cell is empty, shape (rows,).

    Args:
        table: gets the notes, the formats and the standard errors that cells state.
        cells: of the column.
        column: a known column of numbers.
        problems: cells that cannot be read.
    """
    header = table.match.headers[column.name]
    if isinstance(cells, np.ndarray):
        values = cells
    else:
        if column.name == "loss":
            cells = _without_words(table, _without_errors(table, cells))
        values = _read_cells(table, cells, column, problems)
    return (
        _in_unit_of_header(table, values, cells, column, problems)
        if (column.name in table.match.units)
        else _checked_measure(table, values, header, column, problems)
    )


def _without_words(table: CheckedTable, cells: Cells) -> Cells:
    """Losses without words for a run that failed: ``diverged`` is an empty cell with a reason."""
    kept = list(cells)
    for row, cell in enumerate(kept):
        if isinstance(cell, str) and cell[:1].isalpha() and cell.strip().casefold() in UNFINISHED:
            table.lost[row] = f"the loss is {quote(cell.strip())}"
            kept[row] = None
    return kept


def _read_cells(
    table: CheckedTable, cells: Cells, column: Column, problems: Problems
) -> np.ndarray:
    header = table.match.headers[column.name]
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if is_empty(cell):
            continue
        if column.kind is Kind.BITS and isinstance(cell, str) and (format := bits_of(cell)):
            table.formats.setdefault(column.name, {})[row] = cell.strip(), format
            values[row] = format.bits
            continue
        try:
            values[row] = number(cell, column.kind)
        except BadCell as error:
            problems.add([row], header, f"{quote(cell)} is {error}", column.expected)
            values[row] = PLACEHOLDER
    return values


# --- units of headers ---


def _in_unit_of_header(
    table: CheckedTable,
    values: np.ndarray,
    cells: Cells,
    column: Column,
    problems: Problems,
) -> np.ndarray:
    """The numbers times the factor that the header names; a cell with a suffix has its own."""
    header, unit = table.match.headers[column.name], table.match.units[column.name]
    factor, noun = unit.factor or 1, _NOUNS[column.name]
    own = np.array([_has_own_unit(cell) for cell in cells], dtype=bool) & np.isfinite(values)
    in_unit = np.where(own, values, scaled(values, factor))
    too_large = ~own & (in_unit > _LARGEST_SCALED[column.name])

    if too_large.any() and (too_large | own | np.isnan(values)).all():
        message = (
            f"column {quote(header)} names the unit {quote(unit.text)}, but its cells are too "
            f"large for it: they are read as {noun} ({human(float(np.nanmax(values)))} at most)"
        )
        table.notes.append(Note("unit-disagrees", "warning", message, {"column": column.name}))
        return values
    rows = np.flatnonzero(too_large)
    if len(rows):
        value = values[rows[0]]
        problem = f"{value:g} in units of {quote(unit.text)}, as the header says, is {value:g}"
        problems.add(
            rows,
            header,
            f"{problem} times {general(factor, 6)}",
            f"one unit in all cells of {noun}",
        )

    if (plain := ~own & np.isfinite(values)).any():
        row = int(np.argmax(plain))
        message = (
            f"column {quote(header)} is in units of {general(factor, 6)} ({unit.text}): "
            f"{values[row]:g} is read as {human(float(in_unit[row]))} {noun}"
        )
        evidence = {"column": column.name, "factor": float(factor)}
        table.notes.append(Note("unit-applied", "info", message, evidence))
    _note_other_units(table, column, values, cells, own)
    return in_unit


def _has_own_unit(cell: object) -> bool:
    """Whether a cell ends in a suffix or a unit, as ``70M``."""
    return isinstance(cell, str) and cell.rstrip(" *`_")[-1:].isalpha() and not is_empty(cell)


def _note_other_units(
    table: CheckedTable, column: Column, values: np.ndarray, cells: Cells, own: np.ndarray
) -> None:
    """A warning where cells have another unit than the header."""
    header, unit = table.match.headers[column.name], table.match.units[column.name]
    ratios = _factors(cells, values, own) / (unit.factor or 1)
    rows = np.flatnonzero(own & (np.abs(ratios - 1.0) > 1e-6))
    if len(rows):
        message = (
            f"column {quote(header)} names the unit {quote(unit.text)}, but cells have another one "
            f"({named_rows(rows + 1)}): {quote(cells[rows[0]])} is read as "
            f"{human(float(values[rows[0]]))} {_NOUNS[column.name]}"
        )
        table.notes.append(Note("unit-disagrees", "warning", message, {"column": column.name}))


def _factors(cells: Cells, values: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The factors of the suffixes of cells; 1 for others."""
    factors = np.ones(len(own))
    for row in np.flatnonzero(own):
        digits = undecorated(str(cells[row])).rstrip(_UNIT_CHARACTERS)
        try:
            factors[row] = values[row] / number(digits, Kind.COUNT)
        except (BadCell, ZeroDivisionError):
            continue
    return factors


# --- losses ---


def _without_errors(table: CheckedTable, cells: list) -> list:
    """Losses without ``± 0.04``, which becomes the column of standard errors."""
    split = [with_error(cell) for cell in cells]
    stated = [error for _, error in split if error is not None]
    if not stated:
        return cells
    header = quote(table.match.headers["loss"])
    if "loss_se" in table.match.headers:
        other = quote(table.match.headers["loss_se"])
        message = f"the standard errors in column {header} are not read: column {other} has them"
        table.notes.append(Note("error-twice", "warning", message))
    elif len(stated) == len([cell for cell in cells if not is_empty(cell)]):
        table.stated_errors = [error for _, error in split]
        message = f"column {header} states losses with standard errors, as {quote(cells[0])}"
        table.notes.append(Note("error-in-cells", "info", message))
    else:
        message = f"only some cells of column {header} state a standard error: none is used"
        table.notes.append(Note("error-in-cells", "warning", message))
    return [value for value, _ in split]


def _checked_measure(
    table: CheckedTable, values: np.ndarray, header: str, column: Column, problems: Problems
) -> np.ndarray:
    """The values; a perplexity must be above 1."""
    if column.name == "loss" and table.match.measure == PERPLEXITY:
        rows = np.flatnonzero(values <= 1.0)
        if len(rows):
            problem = f"{values[rows[0]]:g} is out of range"
            problems.add(rows, header, problem, "a perplexity, above 1")
            values = np.where(values <= 1.0, np.e, values)
    return values


def losses_in_unit(table: CheckedTable, bytes_per_token: float | None) -> None:
    """Convert the losses and their standard errors to the unit in which the table keeps them.

    Raises:
        JscaleError: ``bytes_per_token`` is not a number above 0.
    """
    if bytes_per_token is not None and not 0 < bytes_per_token < np.inf:
        raise JscaleError(
            f": expected a number above 0, not {bytes_per_token!r}", argument="bytes_per_token"
        )
    if "loss" not in table.columns:
        return
    before = table.match.measure
    losses, errors, unit = in_unit(
        table.columns["loss"], table.columns.get("loss_se"), before, bytes_per_token
    )
    table.loss_unit = unit
    if before == NATS_PER_TOKEN:
        return
    header = quote(table.match.headers["loss"])
    if losses is table.columns["loss"]:
        message = f"the losses are in {unit} (column {header}) and stay so"
        table.notes.append(Note("loss-unit", "info", message, {"unit": unit}))
        return
    row = int(np.flatnonzero(np.isfinite(losses))[0]) if np.isfinite(losses).any() else 0
    message = (
        f"column {header} is read as {before} and converted to {unit}: "
        f"{table.columns['loss'][row]:g} is {losses[row]:.4g}"
    )
    table.notes.append(Note("loss-unit", "info", message, {"unit": unit, "before": before}))
    table.columns["loss"] = losses
    if errors is not None:
        table.columns["loss_se"] = errors


# --- formats ---


def bits_by_name(table: CheckedTable, problems: Problems) -> None:
    """Spread formats that name several parts, such as W4A16, over the columns of their parts."""
    for name, formats in table.formats.items():
        if name == TIED_BITS and any(f.activations is not None for _, f in formats.values()):
            _expand(table, formats)
        elif name == "P_w":
            _add_parts(table, formats, problems)
        elif name in ("P_a", "P_kv"):
            values = table.columns[name].copy()
            for row, (_, format) in formats.items():
                part = format.activations if name == "P_a" else format.cache
                values[row] = format.bits if part is None else part
            table.columns[name] = values
        texts = dict(formats.values())
        shown = ", ".join(
            f"{text} {format.bits:g}{' (a mean)' if format.mixed else ''}"
            for text, format in list(texts.items())[:_MAX_FORMATS]
        )
        more = " …" if len(texts) > _MAX_FORMATS else ""
        message = f"formats of column {quote(table.match.headers[name])} in bits: {shown}{more}"
        table.notes.append(Note("formats", "info", message, {"column": name}))


def _expand(table: CheckedTable, formats: dict[int, tuple[str, NamedBits]]) -> None:
    """``P`` with names such as W4A16 → the columns of weights, activations and KV cache."""
    tied = table.columns.pop(TIED_BITS)
    tied = np.where(np.isnan(tied), OFF_BITS, tied)
    parts = {part: tied.copy() for part in TRAINING_BITS}
    for row, (_, format) in formats.items():
        if format.activations is not None and format.cache is not None:
            parts["P_a"][row], parts["P_kv"][row] = format.activations, format.cache
    header = table.match.headers[TIED_BITS]
    for part, values in parts.items():
        if part in table.columns:
            raise JscaleError(
                f"column {quote(header)} names the bits of weights and activations: "
                f"remove it or {quote(table.match.headers[part])}"
            )
        table.columns[part] = values
        table.match.headers[part] = header


def _add_parts(
    table: CheckedTable, formats: dict[int, tuple[str, NamedBits]], problems: Problems
) -> None:
    """Activations and KV cache from names in the column of weights."""
    header = table.match.headers["P_w"]
    for part, position in (("P_a", 1), ("P_kv", 2)):
        stated = {row: f[position] for row, (_, f) in formats.items() if f[position] is not None}
        if not stated:
            continue
        known = table.columns.get(part)
        values = np.full(table.raw.rows, np.nan) if known is None else known.copy()
        for row, bits in stated.items():
            if np.isnan(values[row]):
                values[row] = bits
            elif values[row] != bits:
                problem = f"{quote(formats[row][0])} disagrees with {values[row]:g} in column "
                other = quote(table.match.headers.get(part, part))
                problems.add([row], header, problem + other, "the same bits in both")
        table.columns[part] = values
        table.match.headers.setdefault(part, header)
