"""Validation of cells and columns, and the notes on a table."""

import numpy as np
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from tests.runs.tables import failure, write

N, D, LOSS = [7e7, 2e8, 1e9], [1.4e9, 8e9, 1e10], [3.5, 3.1, 2.75]


def notes(**columns) -> dict:
    table = runs.read({"N": N, "D": D, "loss": LOSS, **columns})
    return {note.code: note for note in table.notes}


BAD_CELLS = [
    (
        "N",
        [7e7, 0, 1e9],
        "column 'N', row 2: 0 is out of range; expected a number of parameters, above 0",
    ),
    ("N", [7e7, -3, 1e9], "column 'N', row 2: -3 is out of range"),
    (
        "D",
        [7e7, 1e9, np.inf],
        "column 'D', row 3: inf is out of range; expected a number of training tokens",
    ),
    ("D", ["1e9", "many", "1e9"], "column 'D', row 2: 'many' is not a number"),
    ("D", [1e9, np.nan, 1e9], "column 'D', row 2: the cell is empty or not a number"),
    ("D", [1e9, None, 1e9], "column 'D', row 2: the cell is empty or not a number"),
    (
        "loss",
        [3.0, 0.0, 2.0],
        "column 'loss', row 2: 0 is out of range; expected a loss in nats per token, above 0",
    ),
    ("loss", [3.0, 2.0, -np.inf], "column 'loss', row 3: -inf is out of range"),
    (
        "loss_se",
        [0.1, 0.0, 0.1],
        "column 'loss_se', row 2: 0 is out of range; expected a standard error",
    ),
    ("loss_se", [0.1, None, 0.1], "column 'loss_se', row 2: the cell is empty"),
    (
        "P_w",
        [4, 0, 8],
        "column 'P_w', row 2: 0 is out of range; expected bits, above 0 and at most 64",
    ),
    ("w_bits", [4, 65, 8], "column 'w_bits', row 2: 65 is out of range"),
    ("w_bits", ["4", "int9x", "8"], "column 'w_bits', row 2: 'int9x' is not a number"),
    ("exclude", [0, 2, 1], "column 'exclude', row 2: '2' is neither yes nor no"),
    ("exclude", ["no", "maybe", ""], "column 'exclude', row 2: 'maybe' is neither yes nor no"),
]


@pytest.mark.parametrize(("column", "cells", "expected"), BAD_CELLS)
def test_bad_cells_name_column_row_and_expectation(column, cells, expected):
    assert f"table: {expected}" in failure({"N": N, "D": D, "loss": LOSS, column: cells})


def test_the_first_problem_is_reported_in_full_and_the_others_are_counted(tmp_path):
    text = "N,D,loss,P_w\n1e8,2e9,3,4\n1e8,2e9,3,99\nabc,-1,,4\n1e8,2e9,0,4\n"
    message = failure(write(tmp_path, "r.csv", text))
    assert message.startswith("r.csv: column 'P_w', row 2 (line 3): 99 is out of range")
    assert message.endswith("(and 3 more problems)")


def test_messages_stay_on_one_line_whatever_the_names_hold():
    message = failure({"N": N, "D": D, "loss\n\x1b[31m" + "x" * 100: LOSS})
    assert len(message) < 400
    message = failure(
        {"N": ["7e7", "a\n\u2028b" + "x" * 100, "1"], "loss": LOSS}, name="two\nlines"
    )
    assert message.startswith("two\\nlines: column 'N', row 2: 'a\\n\\u2028b")


def test_a_missing_column_lists_the_columns_and_the_accepted_names():
    message = failure({"N": N, "D": D, "surprise": LOSS})
    assert "no column for 'loss'" in message
    assert "val loss, validation loss" in message
    assert "the columns are 'N', 'D', 'surprise'" in message
    assert "say which is the loss with --loss NAME or --column loss=NAME" in message
    message = failure({"size": ["a", "b", "c"], "loss": LOSS})
    assert "expected N (params, n params" in message
    assert "D (tokens, n tokens" in message


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"params": N}, "'N', 'params'"),
        ({"tokens": D}, "'D', 'tokens'"),
        ({"val_loss": LOSS}, "'loss', 'val_loss'"),
        ({"flops": N, "compute": N}, "'flops', 'compute'"),
        ({"Pw": [4, 4, 4], "w_bits": [4, 4, 4]}, "'Pw', 'w_bits'"),
    ],
)
def test_two_columns_for_one_number_are_an_error(columns, names):
    assert f"columns {names} all mean" in failure({"N": N, "D": D, "loss": LOSS, **columns})


def test_the_second_column_for_a_label_is_an_extra():
    table = runs.read({"N": N, "loss": LOSS, "Name": ["a", "b", "c"], "ID": ["1", "2", "3"]})
    assert table["run_id"].tolist() == ["1", "2", "3"]
    assert table.extras == ("Name",)


def test_one_resource_or_another_number_is_enough():
    assert list(runs.read({"C": [1e18, 1e19], "loss": [3, 2]})) == ["C", "loss"]
    assert list(runs.read({"steps": [1e3, 1e4], "loss": [3, 2]})) == ["loss", "steps"]
    assert runs.read({"N": N, "D": [None] * 3, "C": [np.nan] * 3, "loss": LOSS}).extras == ()
    codes = [note.code for note in runs.read({"N": N, "D": [None] * 3, "loss": LOSS}).notes]
    assert codes == ["column-empty"]


def test_a_third_that_overflows_is_an_error():
    assert "C by C = 6ND is not a number above 0" in failure(
        {"N": [1e200], "D": [1e200], "loss": [3]}
    )
    assert "D by C = 6ND is not a number above 0" in failure(
        {"N": [1e200], "C": [1e-200], "loss": [3]}
    )


def test_missing_bits_are_sixteen_with_notes():
    assert not any(name.startswith("P") for name in runs.read({"N": N, "D": D, "loss": LOSS}))
    table = runs.read({"N": N, "D": D, "loss": LOSS, "w_bits": [4, None, 8], "Ppost": ["", "", ""]})
    assert [table[p].tolist() for p in ("P_w", "P_a", "P_kv", "P_post")] == [
        [4, 16, 8],
        *[[16] * 3] * 3,
    ]
    messages = [note.message for note in table.notes if note.code.startswith("bits")]
    assert messages == [
        "column 'w_bits' is empty in 1 row (2): counted as 16 bits (off)",
        "column 'Ppost' is empty: counted as 16 bits (off)",
        "no column for P_a, P_kv: counted as 16 bits (off)",
    ]


def test_one_column_of_bits_covers_weights_activations_and_cache():
    table = runs.read({"N": N, "D": D, "loss": LOSS, "precision": [4, 8, 16]})
    assert [table[p].tolist() for p in ("P_w", "P_a", "P_kv")] == [[4, 8, 16]] * 3
    assert table["P_post"].tolist() == [16, 16, 16]
    assert "P" not in table
    message = failure({"N": N, "D": D, "loss": LOSS, "bits": [4, 8, 16], "w_bits": [4, 8, 16]})
    assert (
        "column 'bits' means weights, activations and KV cache alike: remove it or 'w_bits'"
        in message
    )


def test_exclude_accepts_the_usual_words():
    for cells in (
        ["1", "0", ""],
        ["Yes", "no", None],
        [True, False, False],
        [1.0, 0.0, np.nan],
        ["t", "F", "-"],
    ):
        assert runs.read({"N": N, "loss": LOSS, "exclude": cells}).kept.tolist() == [
            False,
            True,
            True,
        ]
    table = runs.read(
        {"N": N, "loss": LOSS, "exclude": [1, 0, 1], "reason": ["nan", "", "spike\n"]}
    )
    assert table["reason"].tolist() == ["nan", "", "spike"]
    assert [n.message for n in table.notes] == ["2 rows excluded (1, 3): nan; spike"]


def test_a_valid_table_has_no_note():
    assert notes(C=[6 * n * d for n, d in zip(N, D, strict=True)]) == {}


def test_duplicate_runs_are_listed_by_row():
    table = runs.read(
        {"N": [1e8] * 5, "D": [2e9] * 4 + [3e9], "loss": [3, 2.9, 3, 3, 3], "seed": [0, 0, 0, 1, 0]}
    )
    note = next(n for n in table.notes if n.code == "duplicate-runs")
    assert note.evidence["rows"] == (1, 3)
    assert "rows 1, 3 repeat" in note.message
    labels = runs.read({"N": [1e8] * 2, "loss": [3, 3], "seed": ["a", None], "group": ["g", "g"]})
    assert "duplicate-runs" not in {n.code for n in labels.notes}
    same = runs.read(
        {"N": [1e8] * 2, "loss": [3, 3], "seed": [None, None], "run": ["a", "b"], "node": [1, 2]}
    )
    assert "duplicate-runs" in {n.code for n in same.notes}
    settings = runs.read({"loss": [3, 3], "lr": [1e-4] * 2, "w_code": [0.1, 0.3]})
    assert "duplicate-runs" not in {n.code for n in settings.notes}


@pytest.mark.parametrize(
    ("columns", "flagged"),
    [
        ({"N": N, "D": D}, set()),
        ({"N": [6e3, 2e4], "D": [1.2e5, 4e6]}, set()),  # micro-models are models
        ({"N": [6e3, 2e4], "D": [1e9, 1e9]}, set()),
        ({"N": [70, 410], "D": [1.4e9, 8e9]}, {"N"}),  # millions
        ({"N": [0.07, 0.41], "D": [1.4e9, 8e9]}, {"N"}),  # billions
        ({"N": [70, 16_000], "D": [1.4, 300]}, {"N", "D"}),
        ({"N": [0.07, 16], "D": [1.4, 300]}, {"N", "D"}),
        ({"N": [7e7, 4e8], "D": [1.4, 300]}, {"D"}),
        ({"N": [7e7, 4e8], "D": [1_400, 300_000]}, {"D"}),
        ({"N": [1000, 16_000], "C": [1e18, 1e21]}, {"N"}),
        ({"D": [1400, 300_000], "C": [1e18, 1e21]}, {"D"}),
        ({"N": [1000, 16_000], "D": [1e10, 3e11], "C": [1e20, 1e22]}, {"N"}),
        ({"N": [12.0, 70.0]}, {"N"}),
        ({"params_m": [1_000, 16_000], "tokens_b": [1e4, 3e5]}, set()),  # the factor is applied
        ({"params_m": [7e7, 4e8], "D": [1e9, 9e9]}, set()),
    ],
)
def test_sizes_in_millions(columns, flagged):
    count = len(next(iter(columns.values())))
    table = runs.read({**columns, "loss": np.linspace(3, 2, count)})
    scales = [n for n in table.notes if n.code == "suspicious-scale"]
    assert {n.evidence["column"] for n in scales} == flagged
    assert all(n.severity == "warning" and "multiply" in n.message for n in scales)


def test_a_plain_name_has_precedence_over_one_with_a_scale():
    table = runs.read({"N": N, "model_size_M": [70, 200, 1000], "loss": LOSS})
    assert table["N"].tolist() == N
    assert table.extras == ("model_size_M",)
    assert table.notes[0].code == "unknown-columns"
    assert runs.read({"D": D, "loss": LOSS, "N_b": [1, 2, 3], "D_t": [1, 2, 3]}).extras == (
        "N_b",
        "D_t",
    )


def test_compute_that_disagrees_lists_rows_and_the_largest_ratio():
    exact = 6 * np.array(N) * np.array(D)
    assert "compute-disagrees" not in notes(C=exact * [1.9, 1, 0.51])
    note = notes(C=exact * [1, 2.1, 0.25])["compute-disagrees"]
    assert note.evidence["rows"] == (2, 3)
    assert note.evidence["worst_row"] == 3
    assert note.evidence["worst_ratio"] == pytest.approx(0.25)
    assert "in rows 2, 3; worst in row 3, where C is 0.25 times 6ND" in note.message


def test_shape_of_the_design():
    assert runs.read({"N": [1e8], "D": [2e9], "loss": [3]}).notes[-1].code == "one-row"
    line = notes(D=[20 * n for n in N])["one-ratio"]
    assert line.evidence["tokens_per_parameter"] == pytest.approx(20)
    assert "one-ratio" not in notes(D=[20.5 * n if n > 1e8 else 20 * n for n in N])
    assert "one-ratio" in notes(D=[20 * N[0], 3e9, 20 * N[2]], exclude=[0, 1, 0])


def test_a_resource_at_one_level_is_noted():
    note = notes(N=[7e7] * 3)["one-level"]
    assert note.evidence == {"levels": {"N": 7e7}}
    assert note.message == "N is 70M in all runs: its effect on the loss is not identified"
    assert "one-level" not in notes()
    both = notes(N=[7e7] * 3, D=[2e9] * 3)
    assert (
        both["one-level"].message
        == "N is 70M and D is 2B in all runs: their effects on the loss are not identified"
    )
    assert "one-ratio" not in both
    assert notes(D=[2e9, 3e9, 2e9], exclude=[0, 1, 0])["one-level"].evidence == {
        "levels": {"D": 2e9}
    }


def test_kinds_of_size():
    assert notes(n_kind=["total", "total", "non-embedding"])["mixed-n-kind"].evidence["kinds"] == (
        "non-embedding",
        "total",
    )
    assert "mixed-n-kind" not in notes(n_kind=["total", "", "total"])


def test_unknown_columns_are_kept_and_listed():
    table = runs.read(
        {"N": N, "loss": LOSS, "lr": ["1e-3", "", "3e-4"], "Host name": ["a", "b", ""]}
    )
    assert table.extras == ("lr", "Host name")
    np.testing.assert_array_equal(table["lr"], [1e-3, np.nan, 3e-4])
    assert table["Host name"].tolist() == ["a", "b", ""]
    assert table.notes[0].evidence["columns"] == ("lr", "Host name")


def test_too_many_columns():
    with pytest.raises(JscaleError, match=r"10,002 columns; at most 10,000"):
        runs.read({"N": N, "loss": LOSS, **{f"x{i}": N for i in range(10_000)}})
