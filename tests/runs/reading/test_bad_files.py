"""A file that is not a table is an error of one clear line."""

import gzip
import os

import pytest

from tests.runs.tables import FULL_CSV, failure, workbook, write

FILES = {
    "empty.csv": (b"", "the file is empty"),
    "blank.csv": (b"\n \n\r\n", "only blank lines"),
    "separators.csv": (b",,\n,,\n", "no column names"),
    "header.csv": (b"N,D,loss\n", "a header and no data rows"),
    "header-blank.csv": (b"N,D,loss\n\n,,\n", "a header and no data rows"),
    "numbers.csv": (b"1e8,2e9,3.1\n2e8,4e9,2.9\n", "the first line holds numbers"),
    "nul.csv": (b"N,D,loss\n1e8,2e9,3\n\x00\x01\x02", "not a text file: byte 19 is 0x00"),
    "binary.csv": (bytes(range(256)) * 9, "not a text file"),
    "parquet.csv": (b"PAR1\x15\x04", "it starts like a Parquet file"),
    "gzip.csv": (b"\x1f\x8b\x08\x00", "it starts like a gzip archive"),
    "excel.csv": (b"PK\x03\x04\x14", "a workbook"),
    "utf16.csv": ("N,D,loss\n1e8,2e9,3\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    "short.csv": (
        b"N,D,loss\n1e8,2e9,3\n\n1e8,2e9\n",
        "row 2 (line 4) has 2 cells where the header has 3 columns",
    ),
    "long.csv": (b"N,D,loss\n1e8,2e9,3\n1e8,2e9,3,4\n", "row 2 (line 3) has 4 cells"),
    "first-long.csv": (b"N,D,loss\n1e8,2e9,3,4\n1e8,2e9,3,4\n", "row 1 (line 2) has 4 cells"),
    "quote.csv": (b'N,D,loss\n1e8,2e9,"3\n1e8,2e9,3\n', "unexpected end of data"),
    "quote.tsv": (b'""x\tD\tloss\n1e8\t2e9\t3\n', "line 1: '\\t' expected after"),
    "twice.csv": (b"N,D,loss,D\n1e8,2e9,3,4\n", "the header has 'D' more than once"),
    "two-names.csv": (b"N,params,D,loss\n1e8,1e8,2e9,3\n", "columns 'N', 'params' all mean 'N'"),
    "no-loss.csv": (
        b"N,D,c4_ce\n1e8,2e9,3\n",
        "no column for 'loss': expected loss (val loss,",
    ),
    "no-size.csv": (b"host,loss\nx1,3\n", "no column for N, D or C"),
    "one-column.csv": (b"loss\n3\n", "no column for N, D or C"),
    "field.csv": (b"N,D,loss\n1e8,2e9," + b"3" * 200_000, "field larger than field limit"),
    "runs.xls": (b"PK\x03\x04", "unknown kind of file '.xls': expected one of .csv, .tsv, .json"),
    "runs.gz": (gzip.compress(b"N,D,loss\n"), "unknown kind of file '.gz'"),
    "runs.xlsx.gz": (gzip.compress(b"PK"), "unknown kind of file '.xlsx.gz'"),
    "plain.csv.gz": (b"N,D,loss\n1e8,2e9,3\n", "not a gzip file that can be read: Not a gzipped"),
    "cut.csv.gz": (gzip.compress(FULL_CSV.encode())[:-20], "that can be read: it is cut short"),
    "changed.csv.gz": (
        gzip.compress(FULL_CSV.encode(), mtime=0)[:-8] + bytes(8),
        "not a gzip file that can be read: CRC check failed",
    ),
    "stream.tsv.gz": (
        gzip.compress(FULL_CSV.encode(), mtime=0)[:10] + b"\xff" * 40,
        "not a gzip file that can be read: Error -3",
    ),
    "empty.csv.gz": (b"", "the file is empty"),
    "nothing.csv.gz": (gzip.compress(b""), "the file is empty"),
    "short.csv.gz": (
        gzip.compress(b"N,D,loss\n1e8,2e9,3\n\n1e8,2e9\n"),
        "row 2 (line 4) has 2 cells where the header has 3 columns",
    ),
    "cell.jsonl.gz": (
        gzip.compress(b'{"N": 1e8, "loss": 3}\n\n{"N": "many", "loss": 3}\n'),
        "column 'N', row 2 (line 3): 'many' is not a number",
    ),
    "object.json": (b'{"N": [1e8], "loss": [3]}', "a JSON dict where an array such as [{"),
    "number.json": (b"3", "a JSON int where an array such as"),
    "nothing.json": (b"[]", "an empty JSON array"),
    "empty.json": (b"", "the file is empty"),
    "blank.json": (b" \n", "not JSON: Expecting value"),
    "values.json": (b'[{"N": 1e8, "loss": 3}, 3]', "row 2: a JSON int where an object such as"),
    "lists.json": (b"[[1e8, 3]]", "row 1: a JSON list where an object such as"),
    "cut.json": (b'[{"N": 1e8,\n"loss": 3}', "line 2: not JSON: Expecting ',' delimiter"),
    "lines.json": (
        b'{"N": 1e8, "loss": 3}\n{"N": 2e8, "loss": 3}\n',
        "line 2: not JSON: Extra data; a file with one object a line is named .jsonl",
    ),
    "deep.json": (b"[" * 100_000, "not JSON: nested too deep"),
    "twice.json": (b'[{"N": 1, "N": 2, "loss": 3}]', "the header has 'N' more than once"),
    "cell.json": (
        b'[{"N": 1e8, "loss": 3}, {"N": null, "loss": 3}]',
        "column 'N', row 2: the cell is empty",
    ),
    "damaged.xlsx": (b"PK\x03\x04 and no more", "not an Excel workbook that can be read: File is"),
    "text.xlsx": (b"N,D,loss\n1e8,2e9,3\n", "not an Excel workbook that can be read"),
    "empty.xlsx": (b"", "not an Excel workbook that can be read"),
    "cut.xlsx": (workbook(["N", "loss"], [1e8, 3])[:-300], "not an Excel workbook that can be"),
    "blank.xlsx": (workbook(), "the first sheet is empty"),
    "header.xlsx": (workbook(["N", "loss"]), "a header and no data rows; the columns are 'N', 'l"),
    "cell.xlsx": (
        workbook(["N", "loss"], [1e8, 3], [None, None], ["many", 2.5]),
        "column 'N', row 2 (line 4): 'many' is not a number",
    ),
    "twice.xlsx": (workbook(["N", "N", "loss"], [1, 2, 3]), "the header has 'N' more than once"),
    "runs": (b"N,D,loss\n", "unknown kind of file ''"),
    "list.jsonl": (b'{"N": 1e8, "D": 2e9, "loss": 3}\n\n[1, 2]\n', "line 3: a JSON list"),
    "broken.jsonl": (b'{"N": 1e8, "D": 2e9, "loss": 3}\n{"N": 1e8,\n', "line 2: not JSON"),
    "deep.jsonl": (b"[" * 100_000, "line 1: not JSON: nested too deep"),
    "long.jsonl": (b'{"N": ' + b"9" * 9_999 + b"}", "line 1: not JSON"),
    "twice.jsonl": (
        b'{"N": 1e8, "N": 2e8, "loss": 3}\n',
        "line 1: the header has 'N' more than once",
    ),
    "empty.jsonl": (b"", "the file is empty"),
    "blank.jsonl": (b"\n\n", "no data rows"),
    "nul.jsonl": (b'{"N": 1}\x00', "not a text file"),
    "cell.jsonl": (
        b'{"N": 1e8, "D": 2e9, "loss": 3}\n\n{"N": true, "D": 2e9, "loss": 3}',
        "row 2 (line 3): 'True' is a t",
    ),
    "nested.jsonl": (b'{"N": {"total": 1e8}, "D": 2e9, "loss": 3}', "column 'N', row 1 (line 1)"),
    "broken.parquet": (b"PAR1 and no more", "not a Parquet file that can be read"),
    "empty.parquet": (b"", "not a Parquet file that can be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_one_clear_line(name, tmp_path):
    content, expected = FILES[name]
    path = write(tmp_path, name, content)
    message = failure(path)
    assert expected in message
    assert name in message


def test_paths_that_are_not_files(tmp_path):
    assert failure(tmp_path / "no.csv").endswith("no.csv: no such file")
    assert "this is a folder" in failure(tmp_path)
    assert "a\\x00b.csv: no such file" in failure("a\0b.csv")
    assert "x" * 20 in failure("x" * 5000 + ".csv")
    assert "no such file" in failure("N,D,loss\n1e8,2e9,3.0\n")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in failure(tmp_path / "pipe.csv")
