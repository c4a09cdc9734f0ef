"""Records, one a run: lists of mappings, JSON arrays and JSON Lines."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import quote
from jscale.runs.reading._text_files import detect_encoding, text_lines
from jscale.runs.tables import Cells, RawTable, check_size, column_names, overflows

_MAX_ARRAY_BYTES = 2**26
"""Bytes of a JSON array: parsed at once, it takes up to thirty times its size in memory."""
_LOG = "log_history"
"""Key of the log in ``trainer_state.json``."""
_LEAST_EVALUATIONS = 2
_EXAMPLE = '{"N": 7e7, ...}'


def from_records(
    records: Sequence[Mapping],
    lines: Sequence[int] | None = None,
    notes: Iterable[Note] = (),
) -> RawTable:
    """The table of some records; a key that a record does not have is an empty cell.

    Args:
        records: one mapping a run.
        lines: of the file on which each starts.
        notes: about the source.
    """
    notes = list(notes)
    if evaluations := _evaluations(records):
        kept = [record for _, record in evaluations]
        message = (
            f"the log has {len(kept)} evaluations (eval_loss) among {len(records)} entries: "
            "the others are left out"
        )
        notes.append(Note("evaluations", "info", message, {"count": len(kept)}))
        lines = None if lines is None else [lines[at] for at, _ in evaluations]
        records = kept
    keys = dict.fromkeys(key for record in records for key in record)
    check_size(len(records), len(keys))
    names, unnamed = column_names([str(key) for key in keys])
    columns: dict[str, Cells] = {
        name: [record.get(key) for record in records] for name, key in zip(names, keys, strict=True)
    }
    return RawTable(columns, len(records), lines, unnamed, notes)


def _evaluations(records: Sequence[Mapping]) -> list[tuple[int, Mapping]]:
    """The evaluations in the log of a trainer, whose other entries have losses of training.

    Empty where the records are no such log: none has both, and both kinds are there.
    """
    found = [(at, record) for at, record in enumerate(records) if "eval_loss" in record]
    training = any("loss" in record and "eval_loss" not in record for record in records)
    mixed = any("loss" in record for _, record in found)
    return found if len(found) >= _LEAST_EVALUATIONS and training and not mixed else []


def from_list(source: Sequence[Any]) -> RawTable:
    """The table of a list of mappings.

    Raises:
        JscaleError: the list is empty or holds something else.
    """
    if not source:
        raise JscaleError("an empty list; expected one mapping a run")
    for row, record in enumerate(source, 1):
        if not isinstance(record, Mapping):
            raise JscaleError(
                f"row {row} is {quote(type(record).__name__)}; "
                "expected a mapping such as {'N': 7e7, ...}"
            )
    return from_records(source)


def read_json_lines(path: Path) -> RawTable:
    """Read a file with a JSON object on each line; blank lines are skipped.

    Raises:
        JscaleError: naming the line that is not a JSON object.
        OSError: the file cannot be opened.
    """
    encoding, notes = detect_encoding(path)
    records: list[dict[str, Any]] = []
    lines = array("q")
    with text_lines(path, encoding) as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                records.append(_as_record(_parse(text)))
            except json.JSONDecodeError as error:
                raise JscaleError(f"line {line}: not JSON: {error.msg}") from None
            except JscaleError as error:
                raise JscaleError(f"line {line}: {error}") from None
            lines.append(line)
            check_size(len(lines), 1)
    if not records:
        raise JscaleError("the file has no data rows")
    return from_records(records, lines, notes)


def read_json(path: Path) -> RawTable:
    """Read a file that holds one JSON array of objects.

    Raises:
        JscaleError: it holds something else; the message names the line or the row.
        OSError: the file cannot be opened.
    """
    encoding, notes = detect_encoding(path, _MAX_ARRAY_BYTES)
    with text_lines(path, encoding) as file:
        text = file.read()
    try:
        rows = _parse(text)
    except json.JSONDecodeError as error:
        hint = "; a file with one object a line is named .jsonl" if "Extra" in error.msg else ""
        raise JscaleError(f"line {error.lineno}: not JSON: {error.msg}{hint}") from None

    if isinstance(rows, dict) and isinstance(rows.get(_LOG), list):
        rows = rows[_LOG]
        notes.append(Note("training-log", "info", f"read from {_LOG!r} of a trainer's state"))
    if not isinstance(rows, list):
        raise JscaleError(f"{_kind(rows)} where an array such as [{_EXAMPLE}] was expected")
    if not rows:
        raise JscaleError("an empty JSON array; expected one object a run")
    records = []
    for row, value in enumerate(rows, 1):
        try:
            records.append(_as_record(value))
        except JscaleError as error:
            raise JscaleError(f"row {row}: {error}") from None
    return from_records(records, notes=notes)


def _parse(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        json.JSONDecodeError: the text is not JSON.
        JscaleError: an object has a key twice, or the text is beyond what Python parses.
    """
    try:
        return _DECODER.decode(text)
    except (json.JSONDecodeError, JscaleError):
        raise
    except (ValueError, RecursionError):
        raise JscaleError("not JSON: nested too deep, or a number too long") from None


def _finite(text: str) -> float | str:
    """A number of JSON; one beyond the range of float64 as its text, which no column accepts."""
    value = float(text)
    return text if overflows(text, value) else value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    column_names([key for key, _ in pairs])
    return dict(pairs)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_float=_finite)
"""For all lines: to make a decoder takes as long as to read a line."""


def _as_record(value: Any) -> dict[str, Any]:
    """A JSON object as one run; nested values become text.

    Raises:
        JscaleError: another kind of value.
    """
    if not isinstance(value, dict):
        raise JscaleError(f"{_kind(value)} where an object such as {_EXAMPLE} was expected")
    return {
        key: json.dumps(cell) if isinstance(cell, dict | list) else cell
        for key, cell in value.items()
    }


def _kind(value: Any) -> str:
    return f"a JSON {type(value).__name__}"
