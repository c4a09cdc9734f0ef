"""Columns, numbers and text files as ``runs.read`` understands them."""

import numpy as np
import pytest

from jscale import runs
from tests.runs.tables import COLUMNS, CSV, failure, write

ALIASES = {
    "N": ("N", "n", "params", "n_params", "N-Params", "parameters", "Model Size", "num_parameters"),
    "D": ("D", "tokens", "Training Tokens", "n_tokens", "train_tokens", "tokens_seen"),
    "C": ("C", "flops", "FLOPs", "compute", "budget", "Training FLOP", "training-flops"),
    "loss": ("loss", "Loss", "val_loss", "validation loss", "Final_Loss", "eval/loss"),
    "loss_se": ("loss_se", "stderr", "loss stderr"),
    "P_w": ("P_w", "Pw", "w_bits", "Weight Bits"),
    "P_a": ("P_a", "Pa", "a_bits", "activation_bits"),
    "P_kv": ("P_kv", "Pkv", "kv_bits"),
    "P_post": ("P_post", "Ppost", "post_bits", "ptq_bits"),
    "seed": ("seed", "random_seed"),
    "group": ("group", "Group"),
    "run_id": ("run_id", "id", "name", "Run Name"),
}


@pytest.mark.parametrize(
    ("column", "alias"), [(c, a) for c, names in ALIASES.items() for a in names]
)
def test_aliases(column, alias):
    base = {"N": [1e8, 2e8], "D": [1e9, 3e9], "C": [6e17, 3.6e18], "loss": [3.0, 2.5]}
    table = runs.read(
        {**{k: v for k, v in base.items() if k != column}, alias: base.get(column, [4.0, 8.0])}
    )
    assert column in table
    assert table.extras == ()


@pytest.mark.parametrize(
    ("columns", "derived"),
    [(("N", "D"), "C"), (("N", "C"), "D"), (("D", "C"), "N"), (("N", "D", "C"), None)],
)
def test_two_of_three_give_the_third(columns, derived):
    full = {"N": np.array([1e8, 2e8]), "D": np.array([2e9, 9e9]), "C": np.array([1.2e18, 1.08e19])}
    table = runs.read({**{k: full[k] for k in columns}, "loss": [3.0, 2.5]})
    for name, values in full.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-15)
    assert {n.code for n in table.notes if n.code.startswith("derived")} == (
        {f"derived-{derived}"} if derived else set()
    )


def test_the_third_is_computed_row_by_row(tmp_path):
    table = runs.read(
        write(tmp_path, "r.csv", "N,D,C,loss\n1e8,2e9,,3\n1e8,,1.2e18,3.1\n,3e9,1.8e18,3.2\n")
    )
    np.testing.assert_allclose(table["C"], [1.2e18, 1.2e18, 1.8e18], rtol=1e-15)
    np.testing.assert_allclose(table["D"], [2e9, 2e9, 3e9], rtol=1e-15)
    np.testing.assert_allclose(table["N"], [1e8, 1e8, 1e8], rtol=1e-15)
    assert "in 1 row (2)" in next(n.message for n in table.notes if n.code == "derived-D")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70M", 7e7),
        ("1.4T", 1.4e12),
        ("1.1b", 1.1e9),
        ("6k", 6e3),
        ("1.4 B", 1.4e9),
        ("1e9", 1e9),
        ("1E+9", 1e9),
        ('"1,000,000"', 1e6),
        ('"1,234.5"', 1234.5),
        (" 70000000 ", 7e7),
        ("+7e7", 7e7),
        ("2.", 2.0),
    ],
)
def test_counts_with_suffixes_and_separators(text, value, tmp_path):
    assert runs.read(write(tmp_path, "r.csv", f"N,loss\n{text},3\n5e8,2.5\n"))["N"][0] == value


@pytest.mark.parametrize(
    "text", ["70G", "70MB", "1_000", '"1,00"', '"1.000,5"', "0x10", "1e", "M", "7e7 params", "١٢"]
)
def test_ambiguous_numbers_are_errors(text, tmp_path):
    message = failure(write(tmp_path, "r.csv", f"N,loss\n5e8,2.5\n{text},3\n"))
    assert "column 'N', row 2 (line 3)" in message
    assert "is not a number" in message
    assert "expected a number of parameters" in message


@pytest.mark.parametrize("text", ["3M", '"3,215"', "3.2 nats"])
def test_losses_are_plain_numbers(text, tmp_path):
    assert "column 'val loss', row 1 (line 2)" in failure(
        write(tmp_path, "r.csv", f"N,val loss\n7e7,{text}\n")
    )


def test_latin1_text_is_read_with_a_note(tmp_path):
    table = runs.read(
        write(
            tmp_path,
            "r.csv",
            "N,D,loss,host\n1e8,2e9,3,Zürich\n2e8,9e9,2.8,Genève\n".encode("latin-1"),
        )
    )
    assert table["host"].tolist() == ["Zürich", "Genève"]
    assert "encoding" in {n.code for n in table.notes}


def test_another_separator_is_noted(tmp_path):
    table = runs.read(write(tmp_path, "r.csv", "N;D;loss\n1e8;2e9;3\n2e8;9e9;2.8\n"))
    assert "separated by semicolons, not commas" in next(
        n.message for n in table.notes if n.code == "separator"
    )
    assert "is not a number" in failure(
        write(tmp_path, "r.csv", "N;D;loss\n1e8;2e9;3,1\n2e8;9e9;2.8\n")
    )


def test_lines_are_counted_through_cells_of_several_lines(tmp_path):
    text = (
        'note,N,D,loss\n"two\nlines",1e8,2e9,3\n\n"three\r\nlines\rhere",1e8,2e9,3.1\n'
        "plain,1e8,2e9,bad\n"
    )
    assert "row 3 (line 8): 'bad' is not a number" in failure(write(tmp_path, "r.csv", text))


def test_a_column_that_turns_to_text_late_is_text_throughout(tmp_path):
    rows = "".join(f"{i:04d},{1e8 + i},2e9,{3 + i / 1e4},{i}\n" for i in range(2000))
    text = "code,N,D,loss,run\n" + rows + "A7,1e8,2e9,2.5,last\n"
    table = runs.read(write(tmp_path, "r.csv", text))
    assert table["code"][[0, 7, -1]].tolist() == ["0000", "0007", "A7"]
    assert table["run_id"][[0, -1]].tolist() == ["0", "last"]
    assert table["N"][1999] == 1e8 + 1999


def test_texts_too_long_to_keep_are_left_out_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("jscale.runs.reading._known._MAX_TEXT_BYTES", 1000)
    table = runs.read(
        {"N": [1e8, 2e8], "loss": [3.0, 2.9], "prompt": ["x" * 400, "y"], "host": ["a", "b"]}
    )
    assert table.extras == ("host",)
    assert next(n for n in table.notes if n.code == "column-too-long").severity == "warning"


def test_dates_stay_text(tmp_path):
    table = runs.read(
        write(tmp_path, "r.csv", "N,D,loss,day\n1e8,2e9,3,2024-03-01\n2e8,9e9,2.8,01/02/03\n")
    )
    assert table["day"].tolist() == ["2024-03-01", "01/02/03"]


def test_reading_a_table_returns_it():
    table = runs.read(COLUMNS)
    assert runs.read(table) is table
    assert runs.read(table.to_pandas()).digest == table.digest


def test_name_and_source(tmp_path):
    path = write(tmp_path, "sweep.csv", CSV)
    assert (runs.read(path).name, runs.read(path).source) == ("sweep.csv", path)
    assert runs.read(path, name="seven").name == "seven"
    assert failure({"N": [1e8], "loss": [0.0]}, name="seven").startswith(
        "seven: column 'loss', row 1"
    )


def test_a_header_that_is_not_recognised_is_named_where_its_column_was_computed():
    columns = {"N": [1e8, 1e9], "D": [1e10, 4e10], "loss": [3.0, 2.5]}
    table = runs.read(columns | {"FLOPs used": [7e18, 3e20], "flop counter": ["torch", "manual"]})
    (note,) = [note for note in table.notes if note.code == "unread-column"]
    assert note.severity == "warning"
    assert note.message == (
        "column 'FLOPs used' is not read as C, which was computed from N and D; to read one as C, "
        "rename it to C (flop, flops, compute, budget, training flop …)"
    )
    assert note.evidence == {"column": "C", "headers": ("FLOPs used",)}

    # Where the column was read, others of such a name are just other columns.
    given = runs.read(columns | {"C": [7e18, 3e20], "FLOPs used": [7e18, 3e20]})
    assert "unread-column" not in {note.code for note in given.notes}
