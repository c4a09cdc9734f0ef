"""A damaged table is an error of one clear line, or a valid table."""

import gzip
import json
import warnings

import hypothesis
import numpy as np
from hypothesis import strategies as st

from jscale import runs
from jscale._core.errors import JscaleError
from tests.runs.tables import FULL_CSV, workbook, write

SPLICES = (
    "",
    "3.25",
    "16",
    "1e9",
    "0.5",
    "yes",
    "abc",
    "nan",
    "inf",
    "-inf",
    "NaN",
    "-1",
    "0",
    "1e400",
    "1e-400",
    "1e308",
    "4e-320",
    "9" * 400,
    "70M",
    "1,000",
    "\x00",
    "\x1a",
    '"',
    '""',
    "'",
    ",",
    ",,",
    ";",
    "\t",
    "|",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " ",
    "\ufeff",
    "é",
    "١٢",
    "𝟙",
    "\u2028",
    "_",
    "1_000",
    "0x1F",
    "True",
    "null",
    "=1+1",
    "<script>",
    "65",
    "64.0001",
    "N",
    "params",
    "loss",
    "P",
    "e",
    "\ud800",
    "1j",
    "%s",
    "{}",
    "params,",
    "N,N,",
    "#",
)
WORKBOOK = workbook(*[line.split(",") for line in FULL_CSV.splitlines()])
CHECKED = ("N", "D", "C", "loss", "loss_se", "P_w", "P_a", "P_kv", "P_post")
SPLICE = st.sampled_from(SPLICES)
CELL_EDITS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 11),
        st.sampled_from(["put", "put", "drop", "insert", "swap"]),
        SPLICE,
    ),
    max_size=3,
)
BYTE_EDITS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 9]), SPLICE), max_size=1)
FORMS = st.tuples(
    st.sampled_from(
        [
            *[(".csv", ",")] * 3,
            (".tsv", "\t"),
            (".csv", ";"),
            (".tsv", ","),
            (".csv.gz", ","),
            (".jsonl", ""),
            (".json", ""),
        ]
    ),
    st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    st.none() | st.none() | st.floats(0, 1),
)


def damaged(cells, suffix: str, separator: str, end: str) -> str:
    """The text of a valid table after some edits of its cells and lines."""
    lines = [line.split(",") for line in FULL_CSV.splitlines()]
    for row, column, action, text in cells:
        line = lines[row]
        if action == "swap":
            lines[row], lines[column % 4] = lines[column % 4], lines[row]
        elif action == "insert":
            line.insert(column, text)
        elif column < len(line):
            line[column : column + 1] = [text] if action == "put" else []
    if separator:
        return end.join([*(separator.join(line) for line in lines), ""])
    records = [json.dumps(dict(zip(lines[0], line, strict=False))) for line in lines[1:]]
    return f"[{f',{end}'.join(records)}]" if suffix == ".json" else end.join(records)


def overwritten(content: bytes, edits, share: float | None) -> bytes:
    """Content with some bytes overwritten, cut to a share of its length."""
    for place, length, splice in edits:
        at = round(place * len(content))
        content = content[:at] + splice.encode("utf-8", "surrogatepass") + content[at + length :]
    return content if share is None else content[: round(share * len(content))]


def valid_table(source) -> runs.Runs | None:
    """The table, whose cells are in range; or None where it is an error of one clear line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = runs.read(source)
    except JscaleError as error:
        line = str(error)
    else:
        assert len(table) > 0
        for name in CHECKED:
            if name in table:
                largest = 64 if name.startswith("P_") else np.finfo(float).max
                values = table[name][table.kept]
                assert ((values > 0) & (values <= largest)).all()
        assert all(note.message.isprintable() for note in table.notes)
        assert len(table.digest) == 64
        return table
    assert line.isprintable()
    assert len(line) < 2000
    return None


def test_a_thousand_damaged_tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    valid = []

    @hypothesis.settings(max_examples=1500)
    @hypothesis.given(CELL_EDITS, BYTE_EDITS, FORMS)
    def check(cells, edits, form):
        (suffix, separator), encoding, end, share = form
        content = damaged(cells, suffix, separator, end).encode(encoding, "surrogatepass")
        if suffix.endswith(".gz"):
            content = gzip.compress(content)
        path = write(folder, f"runs{suffix}", overwritten(content, edits, share))
        valid.append(valid_table(path) is not None)

    check()
    assert len(valid) >= 1000
    assert 200 <= sum(valid) <= len(valid) - 200, "both outcomes are common"


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), SPLICE), max_size=3))
def test_damaged_workbooks(tmp_path_factory, edits):
    path = tmp_path_factory.getbasetemp() / "runs.xlsx"
    path.write_bytes(overwritten(WORKBOOK, edits, None))
    valid_table(path)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(SPLICES),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=3,
)


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["N", "D", "C", "loss", "w_bits", "group", "seed", "exclude", "host", ""])
        | st.text(max_size=3),
        st.lists(JSON_VALUES | st.floats(1e-3, 1e15), min_size=2, max_size=2),
        max_size=5,
    )
)
def test_any_cells_in_memory(columns):
    valid_table({"N": [1e8, 2e8], "loss": [3.0, 2.5], **columns})
