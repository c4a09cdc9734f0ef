"""Data frames of any library, the files that libraries read for us, and dicts of arrays."""

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import inline, quote, quoted_names
from jscale.runs.reading._cells import is_empty, label
from jscale.runs.reading._raw import Cells, RawTable, column_names


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
    columns = {
        name: _series_cells(frame[header])
        for name, header in zip(names, frame.columns, strict=True)
    }
    return RawTable(columns, len(frame), unnamed=unnamed)


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
        values = series.cast(nw.Float64).to_numpy()
        if values.dtype == np.float64:
            return np.array(values)  # a copy: the frame's own memory belongs to the caller
    return series.to_list()


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file with pyarrow.

    Raises:
        JscaleError: pyarrow is not installed, or the file is damaged.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        arrow_error: Any = importlib.import_module("pyarrow").ArrowException
    except ImportError:
        raise JscaleError("reading Parquet needs pyarrow: install jscale[parquet]") from None
    try:
        frame = parquet.ParquetFile(path).read()
    except (arrow_error, ValueError, OSError) as error:
        raise JscaleError(f"not a Parquet file that can be read: {inline(str(error))}") from None

    column_names(frame.column_names)
    table = from_frame(frame)
    assert table is not None  # a pyarrow table is a frame
    return table


def read_excel(path: Path) -> RawTable:
    """Read the first sheet of an Excel workbook with pandas and openpyxl.

    The first row that is not blank holds the column names. Formulas give the values that were
    stored with the workbook.

    Raises:
        JscaleError: openpyxl is not installed, the file is damaged, or the sheet has no data rows.
    """
    rows = _first_sheet(path)
    filled = [at for at, row in enumerate(rows) if not all(map(is_empty, row))]
    if not filled:
        raise JscaleError("the first sheet is empty")
    header, *data = filled
    names, unnamed = column_names([label(cell) for cell in rows[header]])
    if not data:
        raise JscaleError(f"a header and no data rows; the columns are {quoted_names(names)}")

    columns: dict[str, Cells] = {name: [rows[at][i] for at in data] for i, name in enumerate(names)}
    return RawTable(columns, len(data), [at + 1 for at in data], unnamed)


def _first_sheet(path: Path) -> list[list[Any]]:
    """The cells of the first sheet, row by row."""
    try:
        importlib.import_module("openpyxl")
    except ImportError:
        raise JscaleError("reading Excel needs openpyxl: install jscale[excel]") from None
    import pandas as pd

    try:
        # openpyxl warns about styles and validation rules, which do not touch the cells.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cells = pd.read_excel(path, header=None, dtype=object, engine="openpyxl")
    # A damaged workbook surfaces as any error of the zip, XML and style readers below openpyxl.
    except Exception as error:  # noqa: BLE001
        reason = inline(str(error)) or type(error).__name__
        raise JscaleError(f"not an Excel workbook that can be read: {reason}") from None
    return cells.to_numpy(dtype=object).tolist()


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
        return array.astype(np.float64) if array.dtype.kind in "fiuV" else array.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence | range):
        raise JscaleError(
            f"column {quote(name)} is {quote(type(values).__name__)}; expected an array or a list"
        )
    return list(values)
