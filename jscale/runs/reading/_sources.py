"""Every source that :func:`jscale.runs.read` takes, turned into unchecked columns."""

import importlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import inline, listing, quote
from jscale.runs.reading._delimited import encoding_of, read_delimited, text_lines
from jscale.runs.reading._raw import Cells, Raw, named


def load(source: Any, name: str | None) -> tuple[Raw, str, str]:
    """An unchecked table with its name, by default that of the file, and where it came from.

    Raises:
        JscaleError: the source cannot be read as a table.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        shown = inline(str(path))
        try:
            return _from_file(path), inline(name or path.name), shown
        except JscaleError as error:
            raise JscaleError(f"{shown}: {error}") from None
        except OSError as error:
            raise JscaleError(f"{shown}: cannot be read: {error.strerror or error}") from None
    kind = f"{type(source).__module__.split('.')[0]}.{type(source).__name__}".removeprefix(
        "builtins."
    )
    name = inline(name or "table")
    try:
        return _from_memory(source, kind), name, kind
    except JscaleError as error:
        raise JscaleError(f"{name}: {error}") from None


def _from_file(path: Path) -> Raw:
    if not path.exists():
        raise JscaleError("no such file")
    if path.is_dir():
        raise JscaleError("this is a folder; expected a file of runs")
    if not path.is_file():
        raise JscaleError("not a regular file")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise JscaleError(
            f"unknown kind of file {quote(path.suffix)}: expected one of {', '.join(_READERS)}"
        )
    return reader(path)


def _read_json_lines(path: Path) -> Raw:
    encoding, notes = encoding_of(path)
    records: list[dict[str, Any]] = []
    lines = array("q")
    with text_lines(path, encoding) as file:
        for line, text in enumerate(file, 1):
            if text.strip():
                try:
                    records.append(_record(text))
                except JscaleError as error:
                    raise JscaleError(f"line {line}: {error}") from None
                lines.append(line)
    if not records:
        raise JscaleError("the file has no data rows")
    return _from_records(records, lines, notes)


def _record(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        named([key for key, _ in pairs])
        return dict(pairs)

    try:
        record = json.loads(text, object_pairs_hook=unique)
        if isinstance(record, dict):
            return {
                k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in record.items()
            }
    except JscaleError:
        raise
    except (ValueError, RecursionError) as error:
        reason = (
            error.msg
            if isinstance(error, json.JSONDecodeError)
            else "nested too deep, or a number too long"
        )
        raise JscaleError(f"not JSON: {reason}") from None
    raise JscaleError(
        f'a JSON {type(record).__name__} where an object such as {{"N": 7e7, ...}} was expected'
    )


def _from_records(
    records: Sequence[Mapping], lines: Sequence[int] | None = None, notes: Iterable = ()
) -> Raw:
    keys = dict.fromkeys(key for record in records for key in record)
    names, unnamed = named([str(key) for key in keys])
    columns: dict[str, Cells] = {
        name: [record.get(key) for record in records] for name, key in zip(names, keys, strict=True)
    }
    return Raw(columns, len(records), lines, unnamed, list(notes))


def _read_parquet(path: Path) -> Raw:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        broken: Any = importlib.import_module("pyarrow").ArrowException
    except ImportError:
        raise JscaleError("reading Parquet needs pyarrow: install jscale[parquet]") from None
    try:
        table = parquet.ParquetFile(path).read()
    except (broken, ValueError, OSError) as error:
        raise JscaleError(f"not a Parquet file that can be read: {inline(str(error))}") from None
    named(table.column_names)
    return _from_frame(table)


def _from_memory(source: Any, kind: str) -> Raw:
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, list | tuple):
        if not source:
            raise JscaleError("an empty list; expected one mapping a run")
        for row, record in enumerate(source, 1):
            if not isinstance(record, Mapping):
                raise JscaleError(
                    f"row {row} is {quote(type(record).__name__)}; expected a mapping such as {{'N': 7e7, ...}}"
                )
        return _from_records(source)
    frame = _from_frame(source)
    if frame is None:
        raise JscaleError(
            f"cannot read runs from {quote(kind)}: expected a path, a data frame, a dict of arrays or a list of dicts"
        )
    return frame


def _from_mapping(source: Mapping) -> Raw:
    if not source:
        raise JscaleError("an empty dict; expected at least the columns 'N' and 'loss'")
    names, unnamed = named([str(key) for key in source])
    columns = {
        name: _cells(name, values) for name, values in zip(names, source.values(), strict=True)
    }
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{quote(name)} {length}" for name, length in list(lengths.items())[:8])
        raise JscaleError(f"the columns differ in length: {sizes}")
    rows = next(iter(lengths.values()))
    if not rows:
        raise JscaleError(f"no data rows; the columns are {listing(names)}")
    return Raw(columns, rows, unnamed=unnamed)


def _cells(name: str, values: Any) -> Cells:
    """One column that came as an array, a series or a list."""
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        return values.tolist()  # None where masked
    if hasattr(values, "dtype") or hasattr(values, "__array__"):
        array_ = np.asarray(values)
        if array_.ndim != 1:
            raise JscaleError(
                f"column {quote(name)} has shape {array_.shape}; expected one value a row"
            )
        # "V" is the kind of the small floats of machine learning, such as bfloat16.
        return array_.astype(np.float64) if array_.dtype.kind in "fiuV" else array_.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence | range):
        raise JscaleError(
            f"column {quote(name)} is {quote(type(values).__name__)}; expected an array or a list"
        )
    return list(values)


def _from_frame(source: Any) -> Any:
    """A data frame of any library that narwhals knows as unchecked columns; None for any other
    object.
    """
    import narwhals as nw

    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        source = _plain_pandas(source)
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None
    names, unnamed = named(frame.columns)
    if not len(frame):
        raise JscaleError(f"no data rows; the columns are {listing(names)}")
    columns = {
        name: _series(frame[header]) for name, header in zip(names, frame.columns, strict=True)
    }
    return Raw(columns, len(frame), unnamed=unnamed)


def _plain_pandas(source: Any) -> Any:
    """A pandas frame with text for column names, and the levels of a named index among them."""
    plain = source.copy(deep=False)
    if any(level is not None for level in plain.index.names):
        levels = plain.index.to_frame(index=False)
        plain = plain.reset_index(drop=True)
        for place, level in enumerate(levels.columns):
            plain.insert(place, level, levels[level], allow_duplicates=True)
    plain.columns = named([str(column) for column in plain.columns])[0]
    return plain


def _series(series: Any) -> Cells:
    import narwhals as nw

    if series.dtype.is_numeric() and not isinstance(series.dtype, nw.Decimal):
        values = series.cast(nw.Float64).to_numpy()
        if values.dtype == np.float64:
            return np.array(values)  # not a window on the caller's own frame
    return series.to_list()


_READERS: dict[str, Callable[[Path], Raw]] = {
    ".csv": lambda path: read_delimited(path, ","),
    ".tsv": lambda path: read_delimited(path, "\t"),
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
}
