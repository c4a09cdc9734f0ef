"""Damaged tables: each is read as it is written, or refused in one line; never a warning."""

import csv
import gzip
import io
import json
import math
import os
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from tests.fuzz.scale import cases

HEADERS = {
    "N": ("N", "params", "Model Size", "n_params"),
    "D": ("D", "tokens", "training-tokens"),
    "C": ("C", "flops", "compute"),
    "loss": ("loss", "val_loss", "Final Loss"),
    "loss_se": ("stderr",),
    "P_w": ("w_bits", "weight bits"),
    "P_post": ("ptq_bits",),
    "group": ("group", "cohort"),
    "width": ("width",),
    "note": ("note", "é"),
}
"""Known columns and two others, with the names that they may have in a file."""
LARGE = (1e-300, 5e-324, 1e300, 1.7976931348623157e308, 1e5, 4e-320)
CELLS = (
    *("", " ", "nan", "NA", "null", "-", "inf", "-inf", "0", "-1", "1e400", "-1e400", "1e-400"),
    *("5e-324", "1e300", "1.7e308", "2e308", "9" * 309, "9" * 99, "70M", "1.4T", "1,000", "1_0"),
    *("0x10", "1e", "yes", "no", "True", "1;2", "a\tb", '"', '""', "'", "\n", "\r", "\\", "\x00"),
    *("\ufeff", "\u2028", "\u0661\u0662", "é", "\ud800", "\U0001f600", "=1+1", "#", "x" * 500),
    *("[1]", "{}", "12e4567", "2**62", "1e5", "64", "65", "3.5"),
)
BYTES = (
    b"\x00",
    b"\xff",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"9",
    b"e",
    b"[",
    b"{",
    b"}",
    b"PAR1",
    b"\x1f\x8b",
)


def table_of(source: random.Random) -> tuple[dict[str, str], dict[str, list]]:
    """The headers of a valid table, and its values by column."""
    rows = source.randint(1, 6)
    columns = ["N", "loss", *source.sample([name for name in HEADERS if name != "N"], 4)]
    headers = {name: source.choice(HEADERS[name]) for name in dict.fromkeys(columns)}
    values: dict[str, list] = {}
    for name in headers:
        if name in ("group", "note"):
            values[name] = [source.choice(("a", "b, c", 'd "e"', "f\ng", "é")) for _ in range(rows)]
        elif name.startswith("P_"):
            values[name] = [source.choice((2.0, 4.0, 16.0)) for _ in range(rows)]
        else:
            values[name] = [source.uniform(1, 10) ** source.randint(1, 9) for _ in range(rows)]
    if "C" in values and "D" in values:
        values["C"] = [6 * n * d for n, d in zip(values["N"], values["D"], strict=True)]
    if source.random() < 0.2:
        name = source.choice(("N", "loss", "width"))
        if name in values:
            values[name][source.randrange(rows)] = source.choice(LARGE)
    return headers, values


def text_of(headers: dict[str, str], values: dict[str, list], suffix: str) -> str:
    """The table as a file of text."""
    rows = list(zip(*values.values(), strict=True))
    if suffix in (".csv", ".tsv"):
        file = io.StringIO()
        writer = csv.writer(file, delimiter="," if suffix == ".csv" else "\t")
        writer.writerow(headers.values())
        writer.writerows([repr(x) if isinstance(x, float) else x for x in row] for row in rows)
        return file.getvalue()
    records = [json.dumps(dict(zip(headers.values(), row, strict=True))) for row in rows]
    return f"[{', '.join(records)}]" if suffix == ".json" else "\n".join(records)


def binary_of(headers: dict[str, str], values: dict[str, list], suffix: str) -> bytes:
    """The table as a Parquet file or a workbook."""
    frame = pd.DataFrame({headers[name]: column for name, column in values.items()})
    file = io.BytesIO()
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), file)
    else:
        frame.to_excel(file, index=False)
    return file.getvalue()


def outcome(source) -> runs.Runs | str:
    """The table, or the one line of its refusal; a warning is an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = runs.read(source)
            assert repr(table).isprintable()
            assert len(table.digest) == 64
    except JscaleError as error:
        line = str(error)
    else:
        return table
    assert line.isprintable()
    assert len(line) <= 1000
    return line


def agrees(table: runs.Runs, values: dict[str, list], rtol: float = 0) -> None:
    """Check that every cell is the value that was written."""
    for name, column in values.items():
        if isinstance(column[0], float):
            np.testing.assert_allclose(table[name], column, rtol=rtol)
        elif name in table:
            assert table[name].tolist() == [text.strip() for text in column]


def damaged(source: random.Random, content: bytes) -> bytes:
    """Some bytes replaced, removed, doubled or added."""
    for _ in range(source.randint(1, 3)):
        at, length = source.randrange(len(content) + 1), source.choice((0, 1, 1, 4, 40))
        piece = source.choice((*BYTES, b"", content[at : at + length] * 2))
        content = content[:at] + piece + content[at + length :]
    return content[: source.randrange(len(content) + 1)] if source.random() < 0.1 else content


TEXTS = (".csv", ".tsv", ".json", ".jsonl")


@pytest.mark.parametrize("suffix", TEXTS)
def test_valid_tables_are_read_as_they_are_written(suffix: str, tmp_path: Path):
    source = random.Random(suffix)
    path = tmp_path / f"runs{suffix}"
    for _ in range(cases(60)):
        headers, values = table_of(source)
        path.write_text(text_of(headers, values, suffix), encoding="utf-8", newline="")
        table = outcome(path)
        if isinstance(table, str):  # derived from numbers near the limits
            assert "C = 6ND is not a number above 0" in table
        else:
            agrees(table, values)


@pytest.mark.parametrize("suffix", TEXTS)
def test_damaged_cells(suffix: str, tmp_path: Path):
    """One cell is replaced: the others are read as they are, or the message names a row."""
    source = random.Random(f"{suffix} cells")
    path = tmp_path / f"runs{suffix}"
    read = 0
    for _ in range(cases(250)):
        headers, values = table_of(source)
        name = source.choice(list(values))
        row = source.randrange(len(values[name]))
        changed = {**values, name: list(values[name])}
        changed[name][row] = source.choice(CELLS)
        path.write_bytes(text_of(headers, changed, suffix).encode("utf-8", "surrogatepass"))
        table = outcome(path)
        if isinstance(table, str) or len(table) != len(values[name]):
            continue
        read += 1
        for other in set(values) - {name}:
            if isinstance(values[other][0], float):
                assert table[other].tolist() == values[other]
        text = changed[name][row].strip()
        if name in table and table[name].dtype.kind == "f" and text not in ("", "-"):
            expected = exact(text)
            assert expected is None or table[name][row] == expected or math.isnan(expected)
    assert read > cases(50)


def exact(text: str) -> float | None:
    """The value of a plain number that float64 holds; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    assert not math.isinf(value) or "inf" in text, "an overflow was read as infinite"
    return value


@pytest.mark.parametrize("suffix", [*TEXTS, ".csv.gz"])
def test_damaged_bytes_of_text(suffix: str, tmp_path: Path):
    source = random.Random(f"{suffix} bytes")
    path = tmp_path / f"runs{suffix}"
    for _ in range(cases(200)):
        content = text_of(*table_of(source), suffix.removesuffix(".gz")).encode()
        if suffix.endswith(".gz"):
            content = gzip.compress(content, mtime=0)
        path.write_bytes(damaged(source, content))
        outcome(path)


@pytest.mark.parametrize(("suffix", "count"), [(".parquet", 150), (".xlsx", 40)])
def test_damaged_bytes_of_binary_files(suffix: str, count: int, tmp_path: Path):
    source = random.Random(f"{suffix} bytes")
    path = tmp_path / f"runs{suffix}"
    headers, values = table_of(source)
    content = binary_of(headers, values, suffix)
    path.write_bytes(content)
    table = outcome(path)
    assert not isinstance(table, str)
    agrees(table, values, 0 if suffix == ".parquet" else 1e-15)  # Excel keeps 16 digits
    for _ in range(cases(count)):
        path.write_bytes(damaged(source, content))
        outcome(path)


def test_damaged_parts_of_a_workbook(tmp_path: Path):
    """The archive is whole, and one of the XML files in it is not."""
    source = random.Random("parts")
    path = tmp_path / "runs.xlsx"
    with zipfile.ZipFile(io.BytesIO(binary_of(*table_of(source), ".xlsx"))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(cases(40)):
        name = source.choice(list(parts))
        with zipfile.ZipFile(path, "w") as archive:
            for part, content in parts.items():
                archive.writestr(part, damaged(source, content) if part == name else content)
        outcome(path)


OBJECTS = (
    *(None, True, False, 0, 1, -1, 10**30, 10**400, 2**62 + 1, 1.5, math.inf, math.nan, 5e-324),
    *("", "1e9", "x", b"1", (), [1], {"a": 1}, {1}, object(), int, 1j, np.int8(3), np.float16(2)),
    *(np.bool_(True), np.str_("7"), np.datetime64("2020"), np.nan, pd.NA, pd.NaT, np.array(3.0)),
    *(np.array([1.0]), np.longdouble(2), np.timedelta64(1, "s"), ..., NotImplemented, range(3)),
)


def test_any_objects_in_memory():
    source = random.Random("objects")
    for _ in range(cases(250)):
        rows = source.randint(1, 3)
        columns = {"N": [1e8] * rows, "D": [2e9] * rows, "loss": [3.0] * rows}
        for name in source.sample([*columns, "P_w", "group", "exclude", "x", ""], 2):
            columns[name] = source.choices(OBJECTS, k=rows)
        outcome(columns)
        outcome(
            [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        )
        outcome(pd.DataFrame(columns, dtype=object))


@pytest.mark.parametrize("whole", OBJECTS, ids=lambda value: type(value).__name__)
def test_any_object_for_a_table_or_a_column(whole):
    outcome(whole)
    outcome([whole])
    for name in ("N", "loss", "x"):
        outcome({"N": [1e8], "D": [2e9], "loss": [3.0], name: whole})


def test_arrays_of_any_kind():
    sizes = {"N": [1e8, 2e8], "loss": [3.0, 2.5]}
    arrays = [
        np.zeros(2, dtype) for dtype in ("?", "i1", "u8", "f2", "g", "F", "S3", "U3", "O", "M8[s]")
    ]
    arrays += [
        np.zeros(2, "m8[ns]"),
        np.zeros(2, "V4"),
        np.zeros((2, 1)),
        np.zeros(()),
        np.zeros(0),
    ]
    arrays += [
        np.ma.masked_array([1.0, 2.0], [True, False]),
        np.zeros(2, [("a", "f4"), ("b", "i2")]),
    ]
    for array in arrays:
        for name in ("N", "D", "loss", "w_bits", "group", "exclude", "x"):
            outcome({**sizes, name: array})


def test_what_is_left_behind(tmp_path: Path):
    """Reading writes nothing and leaves no file open."""
    source = random.Random("files")
    path = tmp_path / "runs.csv"
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(20):
        path.write_bytes(damaged(source, text_of(*table_of(source), ".csv").encode()))
        outcome(path)
    assert [each.name for each in tmp_path.iterdir()] == ["runs.csv"]
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before
