"""Every kind of source gives the same table, and shares no memory with it."""

import gzip
import os
import subprocess
import sys

import jax.numpy as jnp
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jscale import runs
from tests.runs.tables import COLUMNS, CSV, failure, write


def make_parquet(folder):
    pd.DataFrame(COLUMNS).to_parquet(folder / "runs.parquet")
    return folder / "runs.parquet"


def make_excel(folder):
    """The table on the first of two sheets, below two blank rows and beside a blank column."""
    with pd.ExcelWriter(folder / "runs.xlsx") as book:
        pd.DataFrame(COLUMNS).to_excel(book, sheet_name="runs", index=False, startrow=2, startcol=1)
        pd.DataFrame({"N": [1.0]}).to_excel(book, sheet_name="other")
    return folder / "runs.xlsx"


SOURCES = {
    "csv": lambda folder: write(folder, "runs.csv", CSV),
    "csv-path": lambda folder: folder / os.path.basename(write(folder, "runs.csv", CSV)),
    "csv-bom-crlf": lambda folder: write(
        folder, "runs.csv", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()
    ),
    "csv-old-mac": lambda folder: write(folder, "runs.CSV", CSV.replace("\n", "\r")),
    "csv-semicolons": lambda folder: write(folder, "runs.csv", CSV.replace(",", ";")),
    "csv-tabs": lambda folder: write(folder, "runs.csv", CSV.replace(",", "\t")),
    "csv-blank-lines": lambda folder: write(
        folder, "runs.csv", "\n" + CSV.replace("\nb", "\n\n,,,,,\nb") + "\n,,,,,\n"
    ),
    "csv-trailing-comma": lambda folder: write(folder, "runs.csv", CSV.replace("\n", ",\n")),
    "csv-quoted": lambda folder: write(
        folder, "runs.csv", CSV.replace("x1", '"x1"').replace("run_id", '"run_id"')
    ),
    "csv-human": lambda folder: write(
        folder, "r.csv", CSV.replace("7e7", "70M").replace("2e10", '"20,000,000,000"')
    ),
    "tsv": lambda folder: write(folder, "runs.tsv", CSV.replace(",", "\t")),
    "jsonl": lambda folder: write(
        folder, "runs.jsonl", pd.DataFrame(COLUMNS).to_json(orient="records", lines=True)
    ),
    "ndjson": lambda folder: write(
        folder, "runs.ndjson", pd.DataFrame(COLUMNS).to_json(orient="records", lines=True)
    ),
    "json": lambda folder: write(
        folder, "runs.json", pd.DataFrame(COLUMNS).to_json(orient="records", indent=1)
    ),
    "csv-gzip": lambda folder: write(folder, "runs.csv.gz", gzip.compress(CSV.encode())),
    "tsv-gzip": lambda folder: write(
        folder, "RUNS.TSV.GZ", gzip.compress(CSV.replace(",", "\t").encode("utf-8-sig"))
    ),
    "json-gzip": lambda folder: write(
        folder,
        "runs.json.gz",
        gzip.compress(pd.DataFrame(COLUMNS).to_json(orient="records").encode()),
    ),
    "excel": make_excel,
    "parquet": make_parquet,
    "dict-of-lists": lambda _: COLUMNS,
    "dict-of-arrays": lambda _: {k: np.array(v) for k, v in COLUMNS.items()},
    "dict-of-jax": lambda _: {
        k: jnp.array(v, dtype=jnp.float32) if k == "val_loss" else v for k, v in COLUMNS.items()
    },
    "list-of-dicts": lambda _: [
        dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)
    ],
    "pandas": lambda _: pd.DataFrame(COLUMNS),
    "pandas-nullable": lambda _: pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas-index": lambda _: pd.DataFrame(COLUMNS).set_index("run_id"),
    "polars": lambda _: pl.DataFrame(COLUMNS),
    "polars-lazy": lambda _: pl.LazyFrame(COLUMNS),
    "pyarrow": lambda _: pa.table(COLUMNS),
    "narwhals": lambda _: nw.from_native(pl.DataFrame(COLUMNS)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_table(kind, tmp_path):
    table = runs.read(SOURCES[kind](tmp_path))
    assert list(table) == ["N", "D", "C", "loss", "P_w", "P_a", "P_kv", "P_post", "run_id", "host"]
    assert table["N"].tolist() == [7e7, 2e8, 1e9]
    assert table["D"].tolist() == [1.4e9, 4e9, 2e10]
    np.testing.assert_allclose(table["C"], 6 * table["N"] * table["D"], rtol=1e-15)
    assert table["loss"].tolist() == [3.5, 3.125, 2.75]
    assert table["P_w"].tolist() == [4, 8, 16]
    assert table["P_post"].tolist() == [16, 16, 16]
    assert table["run_id"].tolist() == ["a", "b", "c"]
    assert table["host"].tolist() == ["x1", "x2", "x1"]
    assert table.extras == ("host",)
    assert table.digest == runs.read(COLUMNS).digest
    assert all(v.dtype in (np.float64, bool) or v.dtype.kind == "U" for v in table.columns.values())


INVALID = [
    ({}, "an empty dict"),
    ([], "an empty list"),
    ([1, 2], "row 1 is 'int'"),
    (3, "cannot read runs from 'int'"),
    (None, "cannot read runs from 'NoneType'"),
    (np.zeros((2, 2)), "cannot read runs from 'numpy.ndarray'"),
    ({"N": 1e8, "loss": 3.0}, "column 'N' is 'float'"),
    ({"N": "1e8", "loss": "3"}, "column 'N' is 'str'"),
    ({"N": np.ones((2, 2)), "loss": [1, 2]}, "shape (2, 2)"),
    ({"N": [1e8, 2e8], "loss": [3.0]}, "the columns differ in length: 'N' 2, 'loss' 1"),
    ({"N": [], "loss": []}, "no data rows"),
    ({"N": [1e8, 10**5000], "loss": [3.0, 2.9]}, "row 2"),
    ({"N": [1e8, 2j], "loss": [3.0, 2.9]}, "of type complex"),
    ({"N": [1e8, object], "loss": [3.0, 2.9]}, "row 2"),
    (pd.DataFrame(), "no data rows"),
    (pd.DataFrame([[1e8, 3.0, 2.0]], columns=["N", "loss", "loss"]), "'loss' more than once"),
    (pd.DataFrame({"N": [1e8, None], "loss": [3.0, 2.0]}), "column 'N', row 2: the cell is empty"),
    (pl.DataFrame({"N": [1e8, None], "loss": [3.0, 2.0]}), "column 'N', row 2: the cell is empty"),
]


@pytest.mark.parametrize(("source", "expected"), INVALID)
def test_invalid_tables_in_memory(source, expected):
    assert expected in failure(source)


def test_the_table_does_not_share_memory_with_its_source():
    n = np.array([1e8, 2e8])
    frame = pd.DataFrame({"N": n, "loss": [3.0, 2.9]})
    for source in ({"N": n, "loss": [3.0, 2.9]}, frame):
        table = runs.read(source)
        assert not np.shares_memory(table["N"], n)
        with pytest.raises(ValueError, match="read-only"):
            table["N"][0] = 1.0
    n[0] = 5.0
    assert table["N"][0] == 1e8
    assert n.flags.writeable


def test_masked_arrays_series_and_mixed_cells():
    masked = np.ma.MaskedArray([4.0, 8.0], mask=[False, True])
    table = runs.read(
        {
            "N": pd.Series([1e8, 2e8]),
            "loss": (3.0, 2.9),
            "w_bits": masked,
            "group": [0.0, 1.5],
            "x": [None, 1],
        }
    )
    assert table["P_w"].tolist() == [4.0, 16.0]
    assert table["group"].tolist() == ["0", "1.5"]
    np.testing.assert_array_equal(table["x"], [np.nan, 1.0])


def test_the_import_loads_no_heavy_library():
    code = (
        "import sys, jscale.runs;"
        "heavy = {'pandas', 'narwhals', 'openpyxl', 'pooch', 'requests', 'pyarrow', 'numpyro'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    path = make_parquet(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "install jscale[parquet]" in failure(path)


def test_excel_without_openpyxl(tmp_path, monkeypatch):
    path = make_excel(tmp_path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "install jscale[excel]" in failure(path)


def test_excel_cells_of_other_kinds(tmp_path):
    """Texts with suffixes, dates, truth values and empty cells are read as in any other source."""
    frame = pd.DataFrame(
        {
            "N": ["70M", "1,000,000,000"],
            "loss": [3.5, 2.75],
            "w_bits": [4, None],
            "exclude": [True, False],
            "day": pd.to_datetime(["2024-03-01", "2024-03-02"]),
            "code": ["007", "N/A"],
        }
    )
    frame.to_excel(tmp_path / "runs.xlsx", index=False)
    table = runs.read(tmp_path / "runs.xlsx")
    assert table["N"].tolist() == [7e7, 1e9]
    assert table["P_w"].tolist() == [4, 16]
    assert table.kept.tolist() == [False, True]
    assert table["day"].tolist() == ["2024-03-01 00:00:00", "2024-03-02 00:00:00"]
    np.testing.assert_array_equal(table["code"], [7.0, np.nan])


def test_large_and_precise_numbers_in_json(tmp_path):
    text = '[{"N": 7e7, "loss": 2.7500000000000004, "seed": 12345678901234567890, "x": {"y": 1}}]'
    table = runs.read(write(tmp_path, "r.json", text))
    assert table["loss"][0] == 2.7500000000000004
    assert table["seed"][0] == 12345678901234567890.0
    assert table["x"].tolist() == ['{"y": 1}']
