"""Files that are huge once unpacked, never end, change, or hold what Python cannot represent."""

import datetime
import decimal
import gzip
import io
import itertools
import json
import os
import warnings
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from jscale.runs.reading import _sources, _text_files
from tests.runs.tables import CSV, failure, workbook, write

SIZES = {"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.5]}
LIMIT = "5,000,000"


def parquet(folder, **columns):
    pq.write_table(pa.table({**SIZES, **columns}), folder / "runs.parquet")
    return folder / "runs.parquet"


def read(source):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return runs.read(source)


COLUMNS = {
    "rounded": pa.array([2**62 + 1, 2**53 + 1], pa.int64()),
    "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
    "half": pa.array(np.array([0.5, 2], np.float16)),
    "decimal": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(20, 2)),
    "wide": pa.array([decimal.Decimal("9" * 70), None], pa.decimal256(76, 2)),
    "codes": pa.array(["a", "b"]).dictionary_encode(),
    "sizes": pa.array([7, 7]).dictionary_encode(),
    "bytes": pa.array([b"\xff\x00", b""]),
    "fixed": pa.array([b"abcd", b"efgh"], pa.binary(4)),
    "list": pa.array([[1, 2], None]),
    "lists": pa.array([[[1.5]], []]),
    "record": pa.array([{"x": 1, "y": "z"}, None]),
    "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.nulls(2),
    "truth": pa.array([True, None]),
    "day": pa.array([datetime.date(2024, 5, 1), None]),
    "hour": pa.array([datetime.time(1, 2), None]),
    "moment": pa.array([1, None], pa.timestamp("ns", "UTC")),
    "span": pa.array([datetime.timedelta(days=1), None]),
    "text": pa.array(["x" * 10**5, ""]),
}


NUMBERS = ("rounded", "half", "sizes", "nothing")
"""Columns that may stand for N; of a column without any value the other sizes take the place."""


@pytest.mark.parametrize("name", COLUMNS)
def test_parquet_columns_of_any_type(name, tmp_path):
    table = read(parquet(tmp_path, **{name: COLUMNS[name]}))
    assert table["N"].tolist() == SIZES["N"]
    if name in ("rounded", "unsigned", "half", "decimal", "wide", "sizes"):
        expected = [np.nan if x is None else float(x) for x in COLUMNS[name].to_pylist()]
        np.testing.assert_array_equal(table[name], expected)
    elif name in table:
        assert table[name].dtype.kind in "Uf"


@pytest.mark.parametrize("column", ["N", "loss"])
@pytest.mark.parametrize("name", [n for n in COLUMNS if n not in NUMBERS])
def test_parquet_columns_where_numbers_are_expected(column, name, tmp_path):
    if column == "loss" and name in ("unsigned", "decimal", "wide"):
        table = read(parquet(tmp_path, **{column: COLUMNS[name]}))
        assert table.kept.tolist() == [x is not None for x in COLUMNS[name].to_pylist()]
        return
    message = failure(parquet(tmp_path, **{column: COLUMNS[name]}))
    assert "runs.parquet: column" in message or "no column for" in message
    assert len(message) < 500


def test_what_python_cannot_represent_is_left_out(tmp_path):
    """The year 300,000, and text that is not UTF-8."""
    late = pa.array([2**63 - 1, 0], pa.timestamp("us"))
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"a"]).buffers())
    table = read(parquet(tmp_path, late=late, broken=broken))
    notes = [note for note in table.notes if note.code == "column-unreadable"]
    for name, note in zip(("late", "broken"), notes, strict=True):
        assert name not in table
        assert f"column '{name}' was left out: " in note.message
        assert note.message.isprintable()


def test_a_small_parquet_file_of_many_rows(tmp_path):
    """The size is in the metadata: nothing is read."""
    many = pa.array(np.zeros(30_000_000, np.int8))
    pq.write_table(pa.table({"N": many, "loss": many}), tmp_path / "runs.parquet")
    assert os.path.getsize(tmp_path / "runs.parquet") < 10**6
    message = failure(tmp_path / "runs.parquet")
    assert f"too large a table: 30,000,000 rows; at most {LIMIT} are read" in message


def test_a_parquet_file_of_many_values_or_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("jscale.runs.tables._raw.MAX_CELLS", 1000)
    one = pa.table({"N": [1e8], "loss": [3.0], "x": [[0.0] * 2000]})
    pq.write_table(one, tmp_path / "a.parquet")
    assert "2,002 cells; at most 1,000" in failure(tmp_path / "a.parquet")
    wide = pa.table({f"c{i}": [1.0] for i in range(10_001)})
    pq.write_table(wide, tmp_path / "b.parquet")
    assert "10,001 columns; at most 10,000" in failure(tmp_path / "b.parquet")


def test_a_parquet_file_that_repeats_a_long_text(tmp_path):
    """A megabyte of text, once in the file and a thousand times in the table."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * 10**6])
    path = parquet(tmp_path, N=[1e8] * 1000, D=[1e9] * 1000, loss=[3.0] * 1000, text=text)
    assert os.path.getsize(path) < 10**6
    assert "1,000,000,000 bytes of text; at most 268,435,456" in failure(path)


def bomb(size: int, start: bytes = CSV.encode()) -> bytes:
    """A gzip archive of a table with ``size`` bytes."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as archive:
        archive.write(start)
        block = b"a,7e7,1.4e9,4,3.5,x1\n" * 2**16
        for _ in range(size // len(block)):
            archive.write(block)
    return content.getvalue()


def test_archives_that_unpack_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(_text_files.detect_encoding, "__defaults__", (2**22,))
    for name in ("runs.csv.gz", "runs.tsv.gz", "runs.jsonl.gz"):
        path = write(tmp_path, name, bomb(2**23))
        message = failure(path)
        assert "too large a file: more than 4,194,304 bytes of text" in message
    write(tmp_path, "plain.csv", gzip.decompress(bomb(2**23)))
    assert "too large a file" in failure(tmp_path / "plain.csv")


def test_the_limit_of_a_text_file(tmp_path):
    """The limit is reached in a second, and memory does not grow to it."""
    with gzip.open(tmp_path / "runs.csv.gz", "wb", compresslevel=1) as archive:
        archive.write(CSV.encode())
        for _ in range(260):
            archive.write(b" " * 2**20)
    assert "more than 268,435,456 bytes" in failure(tmp_path / "runs.csv.gz")


def test_json_arrays_have_a_limit_of_their_own(tmp_path):
    with gzip.open(tmp_path / "runs.json.gz", "wb", compresslevel=1) as archive:
        for _ in range(65):
            archive.write(b" " * 2**20)
    assert "more than 67,108,864 bytes" in failure(tmp_path / "runs.json.gz")


def test_too_many_rows_of_text(tmp_path, monkeypatch):
    monkeypatch.setattr("jscale.runs.tables._raw.MAX_ROWS", 1000)
    write(tmp_path, "runs.csv", "N,loss\n" + "1e8,3\n" * 2000)
    assert "rows; at most 1,000 are read" in failure(tmp_path / "runs.csv")
    write(tmp_path, "runs.jsonl", '{"N": 1e8, "loss": 3}\n' * 2000)
    assert "1,001 rows; at most 1,000" in failure(tmp_path / "runs.jsonl")
    write(tmp_path, "runs.json", json.dumps([{"N": 1e8, "loss": 3}] * 2000))
    assert "2,000 rows; at most 1,000" in failure(tmp_path / "runs.json")
    write(tmp_path, "runs.xlsx", workbook(["N", "loss"], *[[1e8, 3.0]] * 2000))
    assert "1,001 rows; at most 1,000" in failure(tmp_path / "runs.xlsx")


def test_very_wide_tables(tmp_path):
    names = [f"c{i}" for i in range(20_000)]
    limit = "20,000 columns; at most 10,000 are read"
    write(tmp_path, "runs.csv", ",".join(names) + "\n" + ",".join("1" * 20_000) + "\n")
    assert limit in failure(tmp_path / "runs.csv")
    write(tmp_path, "runs.jsonl", json.dumps(dict.fromkeys(names, 1)))
    assert limit in failure(tmp_path / "runs.jsonl")
    # Each record has other keys.
    write(tmp_path, "wide.jsonl", "\n".join(json.dumps({name: 1}) for name in names))
    assert limit in failure(tmp_path / "wide.jsonl")
    assert limit in failure({name: [1.0] for name in names})
    write(tmp_path, "line.csv", "," * 2**24)
    assert "a line of 16,777,216 characters; at most 8,388,608" in failure(tmp_path / "line.csv")
    write(tmp_path, "line.csv", "N,loss\n1e8,3\n" + "," * 2**24)
    assert "a line of 16,777,216 characters" in failure(tmp_path / "line.csv")


def rezipped(content: bytes, **parts: bytes) -> bytes:
    """A workbook with other bytes for some parts (by the end of their names)."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            key = name.rsplit("/", 1)[-1].removesuffix(".xml")
            new.writestr(name, parts.get(key, old.read(name)))
    return target.getvalue()


BOOK = workbook(["N", "loss"], [1e8, 3.0], [2e8, 2.5])


def test_a_workbook_that_unpacks_to_too_much(tmp_path):
    write(tmp_path, "runs.xlsx", rezipped(BOOK, styles=b" " * 2**27))
    assert "at most 134,217,728 are read, so save it as CSV" in failure(tmp_path / "runs.xlsx")


def test_a_workbook_with_one_cell_far_away(tmp_path):
    """Empty rows and columns up to it would be 17 billion cells."""
    with zipfile.ZipFile(io.BytesIO(BOOK)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    write(tmp_path, "runs.xlsx", rezipped(BOOK, sheet1=sheet.replace(b"</sheetData>", far)))
    assert "16,384 columns; at most 10,000" in failure(tmp_path / "runs.xlsx")
    far = far.replace(b"XFD", b"C").replace(b"1048576", b"9999")
    write(tmp_path, "runs.xlsx", rezipped(BOOK, sheet1=sheet.replace(b"</sheetData>", far)))
    table = read(tmp_path / "runs.xlsx")
    assert table.kept.tolist() == [True, True, False], "the row of the far cell has no loss"


def test_a_workbook_of_growing_entities(tmp_path):
    """Ten entities of ten of the one before: a billion laughs."""
    entities = b'<!ENTITY a0 "lol">' + b"".join(
        b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)
    )
    with zipfile.ZipFile(io.BytesIO(BOOK)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    start = sheet.index(b"<worksheet")
    head = b"<!DOCTYPE worksheet [" + entities + b"]>"
    cell = b'<c r="A2" t="inlineStr"><is><t>&a9;</t></is></c>'
    text = head + sheet[start:].replace(b"</row>", cell + b"</row>", 1)
    write(tmp_path, "runs.xlsx", rezipped(BOOK, sheet1=text))
    assert "runs.xlsx: " in failure(tmp_path / "runs.xlsx")


def test_what_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "runs.csv")
    assert "not a regular file: save its content to a file" in failure(tmp_path / "runs.csv")
    for device in ("/dev/zero", "/dev/null", "/dev/urandom"):
        assert "not a regular file" in failure(device)
        link = tmp_path / f"{os.path.basename(device)}.csv"
        link.symlink_to(device)
        assert "not a regular file" in failure(link)
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert "loop.csv: cannot be read: Too many levels" in failure(tmp_path / "loop.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "this is a folder" in failure(tmp_path / "folder.csv")
    assert "name too long" in failure("x" * 10**6)
    assert "no such file" in failure(f"{tmp_path}/\ud800.csv")


CHANGES = {
    "grown": CSV + "d,1e9,2e10,16,2.75,x1\n",
    "cut": CSV[:60],
    "gone": None,
    "other": "a,b,c\n1,2,3\n",
    "binary": "\0" * 99,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_files_that_change_while_they_are_read(suffix, change, tmp_path, monkeypatch):
    """Between the first pass over a file and the second."""
    content = CSV if suffix == ".csv" else '{"N": 1e8, "loss": 3}\n' * 3
    path = tmp_path / f"runs{suffix}"
    path.write_text(content)
    module = _sources.__name__.rpartition(".")[0] + (
        "._delimited" if suffix == ".csv" else "._records"
    )

    def detect(path):
        encoding = _text_files.detect_encoding(path)
        path.unlink()
        if CHANGES[change] is not None:
            path.write_text(CHANGES[change])
        return encoding

    monkeypatch.setattr(f"{module}.detect_encoding", detect)
    message = failure(path)
    assert "the file changed while it was read" in message or "No such file" in message


HARD_NUMBERS = ("1e999", "-1e999", "1e400", "9" * 309, "9" * 399)


@pytest.mark.parametrize("number", HARD_NUMBERS)
def test_numbers_beyond_the_range_are_refused(number, tmp_path):
    """With row and column, in a column that jscale knows and in any other."""
    for name in ("N", "loss", "width"):
        cells = {**{key: ["1", "2"] for key in ("N", "D", "loss", "width")}, name: ["1", number]}
        rows = "\n".join(",".join(row) for row in zip(*cells.values(), strict=True))
        write(tmp_path, "runs.csv", ",".join(cells) + "\n" + rows + "\n")
        records = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
        text = "\n".join(
            "{" + ", ".join(f'"{key}": {cell}' for key, cell in record.items()) + "}"
            for record in records
        )
        write(tmp_path, "runs.jsonl", text)
        write(tmp_path, "runs.json", f"[{text.replace(chr(10), ',')}]")
        for source in ("runs.csv", "runs.jsonl", "runs.json"):
            message = failure(tmp_path / source)
            assert f"column '{name}', row 2" in message
            assert "too large a number" in message
        decimals = {key: [decimal.Decimal(cell) for cell in cells[key]] for key in cells}
        whole = {
            key: [int(float(c)) if len(c) < 3 else 10**400 for c in cells[key]] for key in cells
        }
        for source in (decimals, whole, pd.DataFrame(whole, dtype=object)):
            assert f"column '{name}', row 2" in failure(source)


def test_a_hash_that_looks_like_a_number_is_a_text():
    table = read({**SIZES, "commit": ["12e4567", "ab12cd3"]})
    assert table["commit"].tolist() == ["12e4567", "ab12cd3"]


def test_a_float_of_more_than_64_bits():
    assert read({**SIZES, "x": np.array([1.5, 2], np.longdouble)})["x"].tolist() == [1.5, 2]
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        large = np.array(["1.5", "1e400"], np.longdouble)
        assert "column 'x', row 2" in failure({**SIZES, "x": large})


def test_infinity_and_nan_by_name():
    table = read({**SIZES, "x": ["inf", "-Infinity"], "y": ["nan", 2.0]})
    assert table["x"].tolist() == [np.inf, -np.inf]
    assert np.isnan(table["y"][0])


def test_records_of_numpy_are_not_numbers():
    table = read({**SIZES, "x": np.zeros(2, [("a", "i4"), ("b", "i4")])})
    assert table["x"].dtype.kind == "U"


@pytest.mark.parametrize("small", [5e-324, 1e-300, 1e-10])
@pytest.mark.parametrize("large", [1e10, 1e300, 1.7976931348623157e308])
def test_numbers_near_the_limits_give_no_warning(small, large):
    """They are read exactly, or refused with their row."""
    pairs = ([small, large], [large, small], [small, small], [large, large])
    names = [("N",), ("N", "D"), ("N", "C"), ("D", "C"), ("N", "D", "C")]
    for columns, values in itertools.product(names, itertools.product(pairs, repeat=2)):
        source = {name: list(values[i % 2]) for i, name in enumerate(columns)}
        source |= {"loss": [small, large], "x": [large, small]}
        try:
            table = read(source)
        except JscaleError as error:
            assert "C = 6ND is not a number above 0" in str(error)  # noqa: PT017
            assert "row 1" in str(error) or "row 2" in str(error)  # noqa: PT017
        else:
            assert {name: table[name].tolist() for name in source} == source
            assert all(np.isfinite(table[name]).all() for name in table)
            assert repr(table).isprintable()
