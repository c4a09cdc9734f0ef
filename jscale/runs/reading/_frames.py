"""Data frames of any library, the files that libraries read for us, and dicts of arrays."""

import contextlib
import importlib
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import inline, plural, quote, quoted_names
from jscale.runs.reading._text_files import MAX_BYTES
from jscale.runs.tables import (
    LINES_OF_TITLES,
    Cells,
    RawTable,
    check_size,
    column_names,
    header_row,
    is_empty,
    label,
)

_MAX_WORKBOOK_BYTES = 2**27
"""Bytes of a workbook after unpacking: openpyxl reads some 5 MB of XML a second."""


def from_frame(source: Any) -> RawTable | None:
    """The table of a data frame of any library that narwhals knows; None for any other object.

    Raises:
        JscaleError: the frame has no rows, or two columns of one name.
    """
    import narwhals as nw

    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        source = _flat_pandas(source)
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return None

    names, unnamed = column_names(frame.columns)
    if not len(frame):
        raise JscaleError(f"no data rows; the columns are {quoted_names(names)}")
    columns: dict[str, Cells] = {}
    notes: list[Note] = []
    for name, header in zip(names, frame.columns, strict=True):
        try:
            columns[name] = _series_cells(frame[header])
        # A library reports what Python cannot represent, such as the year 300,000, by any error.
        except Exception as error:  # noqa: BLE001
            reason = f"column {quote(name)} was left out: {inline(str(error))}"
            notes.append(Note("column-unreadable", "warning", reason))
    if not columns:
        raise JscaleError(
            f"no column can be read; {notes[0].message if notes else 'there is none'}"
        )
    return RawTable(columns, len(frame), unnamed=unnamed, notes=notes)


def _flat_pandas(source: Any) -> Any:
    """A pandas frame with text for column names, and the levels of a named index as columns."""
    frame = source.copy(deep=False)
    if any(level is not None for level in frame.index.names):
        levels = frame.index.to_frame(index=False)
        frame = frame.reset_index(drop=True)
        for position, level in enumerate(levels.columns):
            frame.insert(position, level, levels[level], allow_duplicates=True)
    frame.columns = column_names([str(column) for column in frame.columns])[0]
    return frame


def _series_cells(series: Any) -> Cells:
    import narwhals as nw

    if series.dtype.is_numeric() and not isinstance(series.dtype, nw.Decimal):
        try:
            values = series.cast(nw.Float64).to_numpy()
        # Arrow refuses integers that float64 would round; cell by cell they are read.
        except (ValueError, ArithmeticError):
            return series.to_list()
        if values.dtype == np.float64:
            return np.array(values)  # a copy: the frame's own memory belongs to the caller
    return series.to_list()


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file with pyarrow.

    Raises:
        JscaleError: pyarrow is not installed, or the file is damaged or too large.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise JscaleError("reading Parquet needs pyarrow: install jscale[parquet]") from None
    try:
        frame = _arrow_table(parquet, path)
    except JscaleError:
        raise
    # A damaged file surfaces as any error of Arrow and of Python.
    except Exception as error:  # noqa: BLE001
        reason = inline(str(error)) or type(error).__name__
        raise JscaleError(f"not a Parquet file that can be read: {reason}") from None

    column_names(frame.column_names)
    table = from_frame(frame)
    assert table is not None  # a pyarrow table is a frame
    return table


def _arrow_table(parquet: Any, path: Path) -> Any:
    """The table in a Parquet file, whose size is known before it is read.

    Raises:
        JscaleError: it is too large.
    """
    with parquet.ParquetFile(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
        column_names(schema.names)
        # A row of a nested column may hold any number of values.
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        values = sum(g.column(i).num_values for g in groups for i in range(g.num_columns))
        check_size(metadata.num_rows, metadata.num_columns, values)
        texts = [field.name for field in schema if _is_text(field.type)]

    # Each distinct text is read once: a page of a few kilobytes may repeat one a million times.
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        frame = file.read()
    characters = sum(_expanded_bytes(frame.column(name)) for name in texts)
    if characters > MAX_BYTES:
        raise JscaleError(
            f"too large a file: {characters:,} bytes of text; at most {MAX_BYTES:,} are read"
        )
    return frame


def _is_text(kind: Any) -> bool:
    """Whether an Arrow type is text or bytes of any length, also by a dictionary."""
    if str(kind).startswith("dictionary"):
        kind = kind.value_type
    return str(kind) in ("string", "large_string", "binary", "large_binary")


def _expanded_bytes(column: Any) -> int:
    """Bytes of the texts of an Arrow column, with repetitions."""
    compute: Any = importlib.import_module("pyarrow.compute")
    total = 0
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):
            lengths = compute.binary_length(chunk.dictionary).to_numpy(zero_copy_only=False)
            at = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
            total += int(lengths.astype(np.int64)[at].sum())
        else:
            total += chunk.nbytes
    return total


def read_excel(path: Path, named: Collection[str] = ()) -> RawTable:
    """Read the first sheet of an Excel workbook with openpyxl.

    The first row that is not blank holds the column names, or one below a title. Formulas give
    the values that were stored with the workbook.

    Args:
        path: of the file.
        named: headers that the caller gave a meaning.

    Raises:
        JscaleError: openpyxl is not installed, the file is damaged or too large, or the sheet has
            no data rows.
    """
    rows = _first_sheet(path)
    filled = [at for at, row in enumerate(rows) if not all(map(is_empty, row))]
    if not filled:
        raise JscaleError("the first sheet is empty")
    width = max(len(rows[at]) for at in filled)
    check_size(len(filled), width)

    first = [[label(cell) for cell in rows[at]] for at in filled[:LINES_OF_TITLES]]
    titles = header_row(first, named)
    header, *data = filled[titles:]
    names, unnamed = column_names([label(cell) for cell in _padded(rows[header], width)])
    if not data:
        raise JscaleError(f"a header and no data rows; the columns are {quoted_names(names)}")
    cells = zip(*(_padded(rows[at], width) for at in data), strict=True)
    columns: dict[str, Cells] = {
        name: list(column) for name, column in zip(names, cells, strict=True)
    }
    table = RawTable(columns, len(data), [at + 1 for at in data], unnamed)
    if titles:
        message = f"{plural(titles, 'row')} above the column names left out"
        table.notes.append(Note("title-rows", "info", message))
    return table


def _padded(row: list[Any], width: int) -> list[Any]:
    return row + [None] * (width - len(row))


def _first_sheet(path: Path) -> list[list[Any]]:
    """The cells of the first sheet, row by row, without the empty ones at the end of a row."""
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError:
        raise JscaleError("reading Excel needs openpyxl: install jscale[excel]") from None
    try:
        _check_unpacked_size(path)
        # openpyxl warns about styles and validation rules, which do not touch the cells.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                return _sheet_rows(book.worksheets[0])
            finally:
                book.close()
    except JscaleError:
        raise
    # A damaged workbook surfaces as any error of the zip, XML and style readers below openpyxl.
    except Exception as error:  # noqa: BLE001
        reason = inline(str(error)) or type(error).__name__
        raise JscaleError(f"not an Excel workbook that can be read: {reason}") from None


def _check_unpacked_size(path: Path) -> None:
    """Check the sizes that a workbook's archive declares, which its reader enforces.

    Raises:
        JscaleError: it is too large.
        BadZipFile: it is not an archive.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > _MAX_WORKBOOK_BYTES:
        raise JscaleError(
            f"too large a workbook: {unpacked:,} bytes after unpacking; "
            f"at most {_MAX_WORKBOOK_BYTES:,} are read, so save it as CSV"
        )


def _sheet_rows(sheet: Any) -> list[list[Any]]:
    sheet.reset_dimensions()  # some programs store a wrong size
    rows, cells = [], 0
    for row in sheet.rows:
        values = [None if cell.data_type == "e" else cell.value for cell in row]
        while values and values[-1] is None:
            values.pop()
        rows.append(values)
        cells += len(values)
        check_size(len(rows), len(values), cells)
    return rows


def from_mapping(source: Mapping) -> RawTable:
    """The table of a dict of arrays.

    Raises:
        JscaleError: the dict is empty, or its columns are not arrays of one length.
    """
    if not source:
        raise JscaleError("an empty dict; expected at least the columns 'N' and 'loss'")
    names, unnamed = column_names([str(key) for key in source])
    columns = {
        name: _array_cells(name, values)
        for name, values in zip(names, source.values(), strict=True)
    }
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{quote(name)} {length}" for name, length in list(lengths.items())[:8])
        raise JscaleError(f"the columns differ in length: {sizes}")
    rows = lengths[names[0]]
    if not rows:
        raise JscaleError(f"no data rows; the columns are {quoted_names(names)}")
    return RawTable(columns, rows, unnamed=unnamed)


def _array_cells(name: str, values: Any) -> Cells:
    """The cells of an array, a series or a list."""
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        return values.tolist()  # None where masked
    if hasattr(values, "dtype") or hasattr(values, "__array__"):
        array = np.asarray(values)
        if array.ndim != 1:
            raise JscaleError(
                f"column {quote(name)} has shape {array.shape}; expected one value a row"
            )
        # "V" is the kind of the small floats of machine learning, such as bfloat16.
        # "V" is also the kind of records, and a float of more than 64 bits may be beyond the range:
        # they are read cell by cell.
        is_number = array.dtype.kind in "fiuV" and array.dtype.itemsize <= 8
        with contextlib.suppress(TypeError, ValueError):
            if is_number and array.dtype.names is None:
                return array.astype(np.float64)
        return array.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence | range):
        raise JscaleError(
            f"column {quote(name)} is {quote(type(values).__name__)}; expected an array or a list"
        )
    return list(values)
