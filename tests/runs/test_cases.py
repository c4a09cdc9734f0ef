"""Small tables as people keep them: each is read rightly, or what is wrong with it is named."""

import io
import math
import zipfile

import numpy as np
import pytest

from jscale import laws, runs
from jscale._core.errors import JscaleError
from tests.runs.tables import failure, write


def read(folder, text: str, name: str = "runs.csv", **settings) -> runs.Runs:
    return runs.read(write(folder, name, text), **settings)


def codes(table: runs.Runs) -> dict[str, str]:
    return {note.code: note.message for note in table.notes}


def warnings_of(table: runs.Runs) -> set[str]:
    return {note.code for note in table.notes if note.severity == "warning"}


# --- units in headers ---

SIZES, TOKENS = [7e7, 1.6e8, 1e9], [1.4e9, 5e9, 8e10]


@pytest.mark.parametrize(
    ("header", "cells", "column", "values"),
    [
        ("params_b", "0.07 0.16 1.0", "N", SIZES),
        ("Params [M]", "70 160 1000", "N", SIZES),
        ("model size (M)", "70 160 1000", "N", SIZES),
        ('"Params, B"', "0.07 0.16 1.0", "N", SIZES),
        ("parameters in millions", "70 160 1000", "N", SIZES),
        ("N (1e6)", "70 160 1000", "N", SIZES),
        ("n_params (×10⁶)", "70 160 1000", "N", SIZES),
        ("active_params_m", "70 160 1000", "N", SIZES),
        ('"Tokens, B"', "1.4 5 80", "D", TOKENS),
        ("tokens_b", "1.4 5 80", "D", TOKENS),
        ("Training tokens (billions)", "1.4 5 80", "D", TOKENS),
        ("tokens (T)", "0.0014 0.005 0.08", "D", TOKENS),
        ("FLOPs (P)", "3.3 9.9 98.96", "C", [3.3e15, 9.9e15, 9.896e16]),
        ("EFLOP", "0.588 3.07 20.2", "C", [5.88e17, 3.07e18, 2.02e19]),
        ("Compute [EFLOPs]", "0.588 3.07 20.2", "C", [5.88e17, 3.07e18, 2.02e19]),
        ("total_gflops", "3e8 1e9 3e9", "C", [3e17, 1e18, 3e18]),
        ("compute_zflop", "1 2 3", "C", [1e21, 2e21, 3e21]),
        ('"model size (M, non-emb)"', "70 160 1000", "N", SIZES),
        ("Params (total) [M]", "70 160 1000", "N", SIZES),
        ("Parameter (Mio.)", "70 160 1000", "N", SIZES),
        ("Trainings-Tokens (Mrd.)", "1.4 5 80", "D", TOKENS),
        ('"Tokens (training, B)"', "1.4 5 80", "D", TOKENS),
        ("seen tokens [B]", "1.4 5 80", "D", TOKENS),
        ("tokens (B) seen", "1.4 5 80", "D", TOKENS),
        ("PF-days", "1 2 10", "C", [8.64e19, 1.728e20, 8.64e20]),
        ("Compute (petaflop/s-days)", "1 2 10", "C", [8.64e19, 1.728e20, 8.64e20]),
    ],
)
def test_the_factor_of_a_header_is_applied_to_every_digit(header, cells, column, values, tmp_path):
    rows = "".join(f"{cell},{3 - i / 10}\n" for i, cell in enumerate(cells.split()))
    table = read(tmp_path, f"{header},loss\n{rows}")
    assert table[column].tolist() == values
    assert "is read as" in codes(table)["unit-applied"]


def test_a_unit_in_the_header_and_one_in_the_cells_give_the_same_table(tmp_path):
    header = read(tmp_path, "params_b,tokens_b,loss\n0.07,1.4,3.6\n0.41,20,2.7\n")
    cells = read(tmp_path, "params,tokens,loss\n0.07B,1.4B,3.6\n0.41B,20B,2.7\n")
    assert header.digest == cells.digest


def test_headers_whose_unit_is_another_quantity_are_not_read():
    columns = {"N": [1e8, 2e8], "loss": [3.0, 2.9]}
    headers = ("TFLOPs", "flop/s", "Model size [GiB]", "budget ($)", "budget (M)", "tokens/s")
    for header in (*headers, "params (M) of embedding", "tokens (B, per epoch)"):
        table = runs.read({**columns, header: [100.0, 110.0]})
        assert header in table.extras


def test_apostrophes_part_the_digits_of_a_count(tmp_path):
    table = read(tmp_path, "Params;Tokens;Loss\n70'000'000;1’400’000’000;3.61\n")
    assert (table["N"][0], table["D"][0]) == (7e7, 1.4e9)


def test_a_training_loss_is_not_read_for_its_unit():
    with pytest.raises(JscaleError, match="'loss \\(train, nats\\)' looks like a loss: take one"):
        runs.read({"N": [1e8, 2e8], "loss (train, nats)": [3.0, 2.9]})


def test_a_missing_column_is_looked_for_under_other_names():
    table = runs.read({"weights, params": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.9]})
    with pytest.raises(
        JscaleError, match="if 'weights, params' is it, say so with --column N=NAME"
    ):
        runs.select(table, laws.chinchilla)


def test_a_header_and_its_cells_never_disagree_silently():
    losses = [3.0, 2.9]
    own = runs.read({"params_b": ["70M", "0.16"], "loss": losses})
    assert own["N"].tolist() == [7e7, 1.6e8]
    assert "70M" in codes(own)["unit-disagrees"]
    same = runs.read({"params_b": ["0.07B", "0.16"], "loss": losses})
    assert same["N"].tolist() == [7e7, 1.6e8]
    assert "unit-disagrees" not in codes(same)
    plain = runs.read({"params_m": [7e7, 1.6e8], "loss": losses})
    assert plain["N"].tolist() == [7e7, 1.6e8]
    assert "unit-disagrees" in warnings_of(plain)
    mixed = failure({"params_b": [0.07, 1.6e8], "loss": losses})
    assert "column 'params_b', row 2: 1.6e+08 in units of 'b'" in mixed


# --- cells ---


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7.16×10²⁰", 7.16e20),
        ("7.16x10^20", 7.16e20),
        ("7.16 · 10^{20}", 7.16e20),
        ("10^20", 1e20),
        ("**7.16e20**", 7.16e20),
        ("`7.16e20`", 7.16e20),
        ("716 EFLOP", 7.16e20),
        ("2 PF-days", 1.728e20),
        ("70 000 000", 7e7),
        ("1.4 trillion", 1.4e12),
    ],
)
def test_numbers_as_they_are_pasted(cell, value):
    assert runs.read({"C": [cell, "1e21"], "loss": [3.0, 2.5]})["C"][0] == value


@pytest.mark.parametrize("cell", ["7.16×1020", "2x105", "3 EFLOP/s", "1 GPU day"])
def test_numbers_that_lost_their_exponent_are_errors(cell):
    assert "is not a number" in failure({"C": [cell, "1e21"], "loss": [3.0, 2.5]})


def test_losses_with_standard_errors_in_their_cells():
    table = runs.read({"N": [1e8, 2e8], "loss": ["6.23 ± 0.04", "6.01 +/- 0.05"]})
    assert table["loss"].tolist() == [6.23, 6.01]
    assert table["loss_se"].tolist() == [0.04, 0.05]
    last_digits = runs.read({"N": [1e8, 2e8], "loss": ["6.230(42)", "**6.01(5)**"]})
    assert last_digits["loss"].tolist() == [6.23, 6.01]
    assert last_digits["loss_se"].tolist() == [0.042, 0.05]
    partly = runs.read({"N": [1e8, 2e8], "loss": ["6.23 ± 0.04", "6.01"]})
    assert "loss_se" not in partly
    assert "error-in-cells" in warnings_of(partly)
    twice = runs.read({"N": [1e8], "loss": ["6.2 ± 0.04"], "loss_se": [0.1]})
    assert twice["loss_se"].tolist() == [0.1]
    assert "error-twice" in warnings_of(twice)


def test_a_column_of_standard_errors(tmp_path):
    text = "Config,Type,Loss,±SE,PPL,FLOPs (P)\nS,a,4.12,0.06,61.8,3.3\nS,a,3.94,0.06,51.2,9.9\n"
    table = read(tmp_path, text + "S,b,4.18,0.06,65.6,2.05\nS,b,4.04,0.06,56.9,6.16\n")
    assert table["loss"].tolist() == [4.12, 3.94, 4.18, 4.04]
    assert table["loss_se"].tolist() == [0.06] * 4
    assert "'a', 'b'" in codes(table)["text-splits"]
    pm = runs.read({"N": [1e8], "loss": [3.0], "loss ±": [0.1]})
    assert pm["loss_se"].tolist() == [0.1]
    named = runs.read({"N": [1e8], "final val loss": [3.0], "final val loss ± SE": [0.1]})
    assert named["loss"].tolist() == [3.0]
    assert named["loss_se"].tolist() == [0.1]


# --- layout of files ---


def test_a_markdown_table(tmp_path):
    text = (
        "| model | active params | total params | tokens | C | loss |\n"
        "| --- | ---: | ---: | :-: | -: | ---: |\n"
        "| `d=512` | **18.9 M** | **0.61 B** | **75.3 B** | 2.00×10¹⁹ | 3.2373 |\n"
        "| `d=768` | **55.1 M** | **1.84 B** | **220.3 B** | 1.31×10²⁰ | 2.9538 |\n"
    )
    for name in ("anchors.md", "anchors.csv"):
        table = read(tmp_path, text, name)
        assert table["N"].tolist() == [1.89e7, 5.51e7]
        assert table["D"].tolist() == [7.53e10, 2.203e11]
        assert table["C"].tolist() == [2e19, 1.31e20]
        assert table["model"].tolist() == ["d=512", "d=768"]
        assert codes(table)["kind-of-size"].startswith("N counts active parameters")
        assert "total params" in table.extras


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("params,tokens,loss\n# 70M model\n7e7,1.4e9,3.352\n1.6e8,3.2e9,3.061\n", "comments"),
        ("params,tokens,loss\n7e7,1.4e9,3.352\n#1e8,2e9,9\n1.6e8,3.2e9,3.061\n", "comments"),
        ("# sweep\nparams,tokens,loss\n7e7,1.4e9,3.352\n1.6e8,3.2e9,3.061\n", "title-rows"),
        ("# params,tokens,loss\n7e7,1.4e9,3.352\n1.6e8,3.2e9,3.061\n", ""),
        ("sep=;\nparams;tokens;loss\n7e7;1.4e9;3.352\n1.6e8;3.2e9;3.061\n", "separator"),
        ("params,tokens,loss\n7e7,1.4e9,3.352\n1.6e8,3.2e9,3.061\nTotal,4.6e9,\n", "footers"),
        ("params,tokens,loss\n7e7,1.4e9,3.352\n1.6e8,3.2e9,3.061\nmean: 3.2\n", "footers"),
        (
            "Sweep, May,,\nsheet v3,,\n,,\nparams,tokens,loss\n7e7,1.4e9,3.352\n"
            "1.6e8,3.2e9,3.061\nmean,,3.067\n",
            "title-rows footers",
        ),
        ("params,tokens,loss,\n7e7,1.4e9,3.352,\n1.6e8,3.2e9,3.061,\n", ""),
        (
            "params,tokens,loss\n7e7,1.4e9,3.352\nparams,tokens,loss\n1.6e8,3.2e9,3.061\n",
            "repeated-headers",
        ),
        (
            "\ufeffparams;tokens;loss\n70.000.000;1.400.000.000;3,352\n"
            "160.000.000;3.200.000.000;3,061\n",
            "decimal-comma",
        ),
        ("Parameter;Tokens;Verlust\n7e7;1400000000;3,352\n1,6e8;3,2e9;3,061\n", "decimal-comma"),
    ],
)
def test_spreadsheets(text, code, tmp_path):
    table = read(tmp_path, text)
    assert table["N"].tolist() == [7e7, 1.6e8]
    assert table["D"].tolist() == [1.4e9, 3.2e9]
    assert table["loss"].tolist() == [3.352, 3.061]
    assert set(code.split()) <= codes(table).keys()


def test_a_suspected_line_is_quoted(tmp_path):
    text = "params,tokens,loss\n7e7,1.4e9,3.352\nrestarted here\n1.6e8,3.2e9,3.061\n"
    assert "where the header has 3 columns: 'restarted here'" in failure(
        write(tmp_path, "r.csv", text)
    )


@pytest.mark.parametrize(
    "rows",
    [
        "1e8;2e9;3,1\n2e8;9e9;2.8\n",  # two decimal signs
        "1,400;2e9;3,1\n2,800;9e9;2,8\n",  # thousands, or decimals
    ],
)
def test_commas_that_may_be_two_things_are_errors(rows, tmp_path):
    message = failure(write(tmp_path, "r.csv", f"N;D;loss\n{rows}"))
    assert "is not a number" in message or "out of range" in message


def test_rows_that_only_look_like_comments_or_footers(tmp_path):
    text = "run,params,loss\n#12,7e7,3.4\n#13,1e8,3.3\nmean,2e8,3.2\n"
    table = read(tmp_path, text)
    assert table["run_id"].tolist() == ["#12", "#13", "mean"]


# --- names of columns ---


def test_a_loss_by_another_name(tmp_path):
    text = "budget,width,tokens,macro_loss\n1e18,d512,5.77e9,3.399\n1e18,d768,2.33e9,3.364\n"
    path = write(tmp_path, "cells.csv", text)
    message = failure(path)
    assert "'macro_loss' looks like a loss" in message
    assert "columns={'loss': NAME}" in message
    table = runs.read(path, columns={"loss": "macro_loss"})
    assert table["loss"].tolist() == table["macro_loss"].tolist() == [3.399, 3.364]
    assert "the table has no column 'marco_loss'; did you mean 'macro_loss'?" in failure(
        path, columns={"loss": "marco_loss"}
    )


def test_one_of_several_losses():
    table = {"N": [1e8, 2e8], "loss": [3.3, 3.1], "eval_loss": [3.4, 3.2], "c4_ppl": [30.0, 25.0]}
    assert "columns 'loss', 'eval_loss' all mean 'loss'" in failure(table)
    chosen = runs.read(table, columns={"loss": "eval_loss"})
    assert chosen["loss"].tolist() == [3.4, 3.2]
    assert chosen["loss (not read)"].tolist() == [3.3, 3.1]
    ppl = runs.read(table, columns={"loss": "c4_ppl"})
    np.testing.assert_allclose(ppl["loss"], np.log([30, 25]))


def test_a_named_column_keeps_the_unit_of_its_header():
    table = runs.read({"big (M)": [70, 160], "loss": [3.0, 2.9]}, columns={"N": "big (M)"})
    assert table["N"].tolist() == [7e7, 1.6e8]
    renamed = runs.read(
        {"N": [1e8], "web share": [0.3], "loss": [3]}, columns={"mix_1": "web share"}
    )
    assert renamed["mix_1"].tolist() == [0.3]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("tokens_trained", "D"),
        ("consumed_tokens", "D"),
        ("num_input_tokens_seen", "D"),
        ("train.total_tokens", "D"),
        ("active_params", "N"),
        ("non_embedding_params", "N"),
        ("model.n_params", "N"),
        ("config/model/num_parameters", "N"),
        ("flops_budget", "C"),
        ("ce_loss", "loss"),
        ("summary.loss", "loss"),
        ("val/loss", "loss"),
        ("lm loss value", "loss"),
    ],
)
def test_names_that_trackers_and_people_use(header, column):
    base = {"N": [1e8, 2e8], "D": [2e9, 9e9], "C": [1.2e18, 1.08e19], "loss": [3.0, 2.5]}
    values = base.pop(column)
    table = runs.read({**base, header: values})
    assert table[column].tolist() == values
    assert header not in table.extras


def test_a_plain_name_goes_first_and_training_losses_are_not_taken():
    table = runs.read({"params": [1e8], "active params": [3e7], "loss": [3], "ppl": [20]})
    assert (table["N"][0], table["loss"][0]) == (1e8, 3)
    assert table.extras == ("active params", "ppl")
    assert "'train/loss' looks like a loss" in failure({"N": [1e8], "train/loss": [3.0]})
    unread = runs.read({"D": [2e9], "C": [1e18], "loss": [3.0], "params planned": [8e7]})
    assert "unread-column" in warnings_of(unread)


def test_a_table_without_a_loss_names_what_looks_like_one():
    table = runs.read(
        {"params": [1e8, 2e8], "tokens": [2e9, 4e9], "lr": [1e-3, 2e-3], "cd_val_loss": [1.5, 1.4]}
    )
    assert "'cd_val_loss' looks like a loss" in codes(table)["no-loss"]
    assert "no-loss" in warnings_of(table)


# --- units of losses ---


def test_perplexity_becomes_its_logarithm(tmp_path):
    text = "Quantization,Size [GiB],PPL\nf16,14.97,6.2332 ± 0.0378\nq5_K_M,5.33,6.2886 ± 0.0383\n"
    table = read(tmp_path, text)
    np.testing.assert_allclose(table["loss"], np.log([6.2332, 6.2886]))
    np.testing.assert_allclose(table["loss_se"], [0.0378 / 6.2332, 0.0383 / 6.2886])
    assert table["P_post"].tolist() == [16, 5.68]
    assert table.loss_unit == "nats per token"
    assert "expected a perplexity, above 1" in failure({"N": [1e8], "ppl": [0.9]})


def test_bits_per_byte_keep_their_unit():
    columns = {"params": [7e7, 1.6e8], "tokens": [1.4e9, 3.2e9], "val_bpb": [1.074, 1.0122]}
    table = runs.read(columns)
    assert table.loss_unit == "bits per byte"
    assert table["loss"].tolist() == [1.074, 1.0122]
    assert "bits per byte" in repr(table)
    converted = runs.read(columns, bytes_per_token=4.5)
    np.testing.assert_allclose(converted["loss"], np.array([1.074, 1.0122]) * math.log(2) * 4.5)
    assert converted.loss_unit == "nats per token"
    assert table.digest != runs.read({**columns, "loss": columns["val_bpb"]}).digest
    bits = runs.read({"N": [1e8], "Loss [bits]": [4.0]})
    assert bits["loss"][0] == pytest.approx(4 * math.log(2))
    with pytest.raises(JscaleError, match="above 0"):
        runs.read(columns, bytes_per_token=0)


def test_losses_convert_between_their_units():
    nats = np.array([2.0, 3.0])
    for unit, value in (
        ("nats per token", 2.0),
        ("bits per token", 2 / math.log(2)),
        ("nats per byte", 0.5),
        ("bpb", 0.5 / math.log(2)),
        ("ppl", math.exp(2)),
    ):
        there = runs.convert_loss(nats, "nats per token", unit, bytes_per_token=4.0)
        assert there[0] == pytest.approx(value)
        back = runs.convert_loss(there, unit, "nats per token", bytes_per_token=4.0)
        np.testing.assert_allclose(back, nats)
    with pytest.raises(JscaleError, match="bytes_per_token: needed between bits per byte"):
        runs.convert_loss(1.0, "bits per byte", "perplexity")
    with pytest.raises(JscaleError, match="no unit of a loss 'bits per word'"):
        runs.convert_loss(1.0, "bits per word", "perplexity")


def test_losses_above_a_uniform_guess_are_noted():
    table = runs.read({"N": [1e8, 2e8, 4e8], "loss": [27.65, 14.6, 9.5]})
    assert "in rows 1, 2" in codes(table)["large-loss"]
    assert "large-loss" in warnings_of(table)


# --- rows ---


def test_runs_that_failed_or_go_on_are_left_out_with_the_reason(tmp_path):
    text = (
        '"Name","State","model.n_params","train.total_tokens","train_loss","val/loss"\n'
        '"a","finished","70400000","1400000000","3.301","3.352"\n'
        '"b","crashed","405000000","8200000000","5.911",""\n'
        '"c","finished","405000000","8200000000","2.701","2.788"\n'
        '"d","running","1010000000","20000000000","2.655","2.801"\n'
    )
    table = read(tmp_path, text)
    assert table.kept.tolist() == [True, False, True, False]
    assert table["reason"].tolist() == ["", "State is crashed, no loss", "", "State is running"]
    assert "unfinished-runs" in warnings_of(table)
    assert "row 2 (line 3): the cell is empty" in failure(
        write(tmp_path, "runs.csv", text), strict=True
    )
    diverged = runs.read({"N": [1e8, 2e8, 3e8], "loss": [3.0, math.nan, math.inf]})
    assert diverged.kept.tolist() == [True, False, False]
    assert "is not finite" in diverged["reason"][2]


def test_excluded_rows_may_be_incomplete():
    table = runs.read(
        {"N": [1e8, None, 2e8], "D": [2e9, None, 4e9], "loss": [3, None, 2.9], "exclude": [0, 1, 0]}
    )
    assert table.kept.tolist() == [True, False, True]
    assert "unfinished-runs" not in codes(table)


def test_a_row_at_zero_tokens_can_be_left_out():
    columns = {"tokens": ["0", "3.08B", "6.17B"], "score": [0.578, 0.6214, 0.6444]}
    message = failure(columns)
    assert "row 1: 0 is out of range" in message
    assert "a column 'exclude' with 1 in the row leaves it out" in message
    table = runs.read({**columns, "exclude": [1, 0, 0]})
    assert table["D"][table.kept].tolist() == [3.08e9, 6.17e9]


def test_checkpoints_of_one_run_are_told():
    step = [1000, 2000, 3000, 4000, 5000]
    losses = [4.0, 3.6, 3.4, 3.3, 3.2]
    table = runs.read({"step": step, "tokens": [5e8 * s / 1e3 for s in step], "val_loss": losses})
    assert "checkpoints" in warnings_of(table)
    epochs = runs.read({"epoch": step, "n_parameters": [24106216] * 5, "test_loss": losses})
    assert "one training run" in codes(epochs)["checkpoints"]
    grid = runs.read({"N": [1e8, 1e8, 2e8, 2e8], "D": [1e9, 2e9, 1e9, 2e9], "loss": losses[:4]})
    assert "checkpoints" not in codes(grid)


def test_a_text_column_that_parts_the_table_is_a_warning():
    dims, budget = ["d512", "d768", "d1024"], [2.19e17, 1.70e18, 9.0e18]
    table = runs.read(
        {
            "variant": ["base"] * 3 + ["2x"] * 3,
            "dim": dims * 2,
            "budget": budget * 2,
            "loss": [3.81, 3.43, 3.16, 3.82, 3.44, 3.17],
        }
    )
    (note,) = [note for note in table.notes if note.code == "text-splits"]
    assert note.evidence == {"column": "variant", "values": ("2x", "base")}


def test_rows_that_differ_in_what_a_law_reads_are_no_duplicates():
    base = {"N": [1e8, 1e8], "D": [2e9, 2e9], "loss": [3.0, 3.0]}
    for name in ("lr", "batch_tokens", "mix_2"):
        assert "duplicate-runs" not in codes(runs.read({**base, name: [0.1, 0.2]}))
    assert "duplicate-runs" in codes(runs.read({**base, "lr": [0.1, 0.1]}))


def test_a_quantised_model_better_than_its_original_is_noted():
    table = runs.read(
        {"N": [6.74e9] * 3, "D": [2e12] * 3, "P_post": [16, 4, 3], "loss": [1.699, 1.686, 1.826]}
    )
    assert "(row 2)" in codes(table)["quantised-better"]


# --- formats by name ---


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        *(("bf16", 16), ("fp16", 16), ("F16", 16), ("fp32", 32), ("fp8", 8), ("e4m3", 8)),
        *(("int8", 8), ("nvfp4", 4), ("mxfp4", 4), ("int4", 4), ("4-bit", 4), ("Q4_K_M", 4.84)),
        *(("q8_0", 8.5), ("q6_K", 6.56), ("Q2_K", 3.35), ("IQ2_XS", 2.31)),
    ],
)
def test_formats_by_name(name, bits):
    table = runs.read({"N": [1e8, 2e8], "loss": [3.0, 2.9], "w_bits": [name, "16"]})
    assert table["P_w"].tolist() == [bits, 16]
    assert name in codes(table)["formats"]


def test_formats_that_name_weights_and_activations():
    base = {"N": [1e8, 2e8, 3e8], "loss": [3.0, 2.9, 2.8]}
    table = runs.read({**base, "precision": ["W4A16", "W8A8KV8", "bf16"]})
    assert table["P_w"].tolist() == [4, 8, 16]
    assert table["P_a"].tolist() == [16, 8, 16]
    assert table["P_kv"].tolist() == [16, 8, 16]
    weights = runs.read({**base, "w_bits": ["W4A8", "4", "16"]})
    assert weights["P_a"].tolist() == [8, 16, 16]
    message = failure({**base, "w_bits": ["W4A8", "4", "16"], "a_bits": [4, 16, 16]})
    assert "'W4A8' disagrees with 4 in column 'a_bits'" in message
    assert "a format such as bf16" in failure({**base, "w_bits": ["gptq", "4", "16"]})
    method = runs.read({**base, "quantization": ["gptq", "awq", "none"]})
    assert method.extras == ("quantization",)


# --- files ---

LOG = (
    '{"epoch": 0.3, "loss": 4.41, "step": 1000, "num_input_tokens_seen": 524288000}',
    '{"epoch": 0.3, "eval_loss": 4.32, "step": 1000, "num_input_tokens_seen": 524288000}',
    '{"epoch": 0.6, "loss": 3.72, "step": 2000, "num_input_tokens_seen": 1048576000}',
    '{"epoch": 0.6, "eval_loss": 3.71, "step": 2000, "num_input_tokens_seen": 1048576000}',
    '{"epoch": 0.9, "train_loss": 3.9, "train_runtime": 1000, "step": 3000}',
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trainer_state.json", f'{{"global_step": 3000, "log_history": [{",".join(LOG)}]}}'),
        ("log_history.jsonl", "\n".join(LOG)),
        ("log.json", f"[{','.join(LOG)}]"),
    ],
)
def test_the_log_of_a_trainer(name, text, tmp_path):
    table = read(tmp_path, text, name)
    assert table["loss"].tolist() == [4.32, 3.71]
    assert table["D"].tolist() == [524288000, 1048576000]
    assert "2 evaluations" in codes(table)["evaluations"]


def test_a_zip_of_one_file(tmp_path):
    path = tmp_path / "runs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sweep/runs.csv", "params,loss\n7e7,3.4\n1e8,3.3\n")
        archive.writestr("__MACOSX/._runs.csv", "x")
    assert runs.read(path)["N"].tolist() == [7e7, 1e8]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.csv", "params,loss\n")
    assert "the archive holds 2 files ('sweep/runs.csv', 'other.csv'); expected one" in failure(
        path
    )
    path.write_bytes(b"PK\x03\x04")
    assert "not a zip archive that can be read" in failure(path)


@pytest.mark.parametrize(
    "text", ["N,loss\n1e8,3\n2e8,2.9\n", '[{"N": 1e8, "loss": 3}, {"N": 2e8, "loss": 2.9}]', LOG[0]]
)
def test_the_standard_input(text, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    table = runs.read("-")
    assert table.name == "stdin"
    assert len(table) in (1, 2)


# --- conditions ---


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("variant == '2x'", [1, 3]),
        ("variant=2x", [1, 3]),
        ("variant != 2x and N > 100M", [2]),
        ("N >= 1e8", [1, 2, 3]),
        ("params < 1e8", [0]),
        ("seed == 2", [1]),
        ("Variant=base & loss <= 3.0", [2]),
    ],
)
def test_rows_by_a_condition(condition, rows):
    table = runs.read(
        {
            "variant": ["base", "2x", "base", "2x"],
            "params": [7e7, 1e8, 2e8, 4e8],
            "seed": [1, 2, 3, 4],
            "loss": [3.2, 3.1, 3.0, 2.9],
        }
    )
    assert table.where(condition)["loss"].tolist() == table["loss"][rows].tolist()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("variant == bse", "has 'bse' in column 'variant'; did you mean 'base'"),
        ("wariant == 2x", "did you mean 'variant'"),
        ("N > many", "'many' is not a number, and column 'N' holds numbers"),
        ("variant > 2x", "holds text, which has no order"),
        ("N > 1e12", "no row of table has N > 1e12"),
        ("variant", "is no condition; expected one such as"),
        ("N >", "is no condition"),
    ],
)
def test_conditions_that_cannot_hold(condition, message):
    table = runs.read({"variant": ["base", "2x"], "N": [1e8, 2e8], "loss": [3.0, 2.9]})
    with pytest.raises(JscaleError, match=message):
        table.where(condition)


def test_excluded_rows_come_back_but_for_those_without_a_loss():
    table = runs.read(
        {"N": [1e8, 2e8, 3e8], "loss": [3.0, 2.9, None], "state": ["running", "ok", "ok"]}
    )
    assert table.kept.tolist() == [False, True, False]
    assert table.including_excluded().kept.tolist() == [True, True, False]


# --- wide tables ---

CHART = (
    "Step,small - val/loss,small - val/loss__MIN,mid - val/loss,mid - val/loss__MIN\n"
    "1000,4.2,4.2,4.0,4.0\n2000,3.9,3.9,,\n"
)
MATRIX = "dim,1e+18,3e+18\nd512,1.074,1.0375\nd640,,1.0202\n"


def test_a_chart_of_a_tracker_is_named_and_turned_into_rows(tmp_path):
    path = write(tmp_path, "chart.csv", CHART)
    assert "this is a wide chart with one column a run" in failure(path)
    table = runs.read(path, long=True)
    assert table["run_id"].tolist() == ["small", "mid", "small"]
    assert table["Step"].tolist() == [1000, 1000, 2000]
    assert table["loss"].tolist() == [4.2, 4.0, 3.9]


def test_a_matrix_of_sizes_and_budgets_is_named_and_turned_into_rows(tmp_path):
    path = write(tmp_path, "matrix.csv", MATRIX)
    assert "this is a matrix with one column a budget ('1e+18' …)" in failure(path)
    table = runs.read(path, long=True)
    assert table["C"].tolist() == [1e18, 3e18, 3e18]
    assert table["dim"].tolist() == ["d512", "d512", "d640"]
    assert table["loss"].tolist() == [1.074, 1.0375, 1.0202]
    with pytest.raises(JscaleError, match="long: expected a chart"):
        runs.read({"N": [1e8], "loss": [3.0]}, long=True)


def test_a_matrix_of_sizes_and_tokens_is_turned_into_rows(tmp_path):
    path = write(tmp_path, "matrix.csv", "tokens,70M,160M\n1.4B,3.61,3.41\n3.2B,3.44,\n")
    assert "this is a matrix with one column a size ('70M' …)" in failure(path)
    table = runs.read(path, long=True)
    assert table["N"].tolist() == [7e7, 1.6e8, 7e7]
    assert table["D"].tolist() == [1.4e9, 1.4e9, 3.2e9]
    # The corner does not say which of the two the rows are.
    unclear = write(tmp_path, "unclear.csv", "seed,70M,160M\n1,3.61,3.41\n")
    assert "matrix" not in failure(unclear)


# --- numbers and products in place of columns ---


def test_columns_are_stated_as_numbers_and_products(tmp_path):
    chart = "Wall time,Step,Value\n17e8,100,4.9\n17e8,200,4.4\n17e8,400,4.0\n"
    assert "the chart of one metric" in failure(write(tmp_path, "chart.csv", chart))
    stated = {"loss": "Value", "N": "70M", "D": "Step * 512K"}
    table = read(tmp_path, chart, columns=stated)
    assert table["D"].tolist() == [5.12e7, 1.024e8, 2.048e8]
    assert table["N"].tolist() == [7e7] * 3
    messages = [note.message for note in table.notes if note.code == "column-computed"]
    assert messages == ["N is 70M, as stated", "D is 'Step' times 512k, as stated"]

    product = "N,steps,batch_tokens_k,loss\n1e8,2000,500,3.1\n1e8,4000,500,2.9\n"
    table = read(tmp_path, product, columns={"D": "steps*batch_tokens_k"})
    assert table["D"].tolist() == [1e9, 2e9]
    assert "'batch_tokens_k' in units of 1k" in codes(table)["column-computed"]


def test_what_is_no_product_is_refused(tmp_path):
    text = "N,steps,loss\n1e8,2000,3.1\n1e8,many,2.9\n"
    for stated, expected in (
        ({"D": "stepz * 512K"}, "the table has no column 'stepz * 512K'"),
        ({"D": "steps * 512K"}, "column 'steps', row 2 (line 3): 'many' is not a number"),
        ({"loss": "3.1"}, "the table has no column '3.1'"),
    ):
        assert expected in failure(write(tmp_path, "runs.csv", text), columns=stated)


def test_a_list_of_metrics_says_how_it_is_read(tmp_path):
    text = "run_uuid,key,value,step\na,eval_loss,4.9,1\na,lr,0.001,1\na,eval_loss,4.4,2\n"
    assert "key == 'loss'" in failure(write(tmp_path, "metrics.csv", text))
    stated = {"loss": "value", "N": "70M", "D": "step*512K"}
    table = read(tmp_path, text, columns=stated)
    assert "mixed-metrics" in warnings_of(table)
    kept = table.where("key == 'eval_loss'")
    assert kept["loss"].tolist() == [4.9, 4.4]
    assert "mixed-metrics" not in warnings_of(kept)
    assert kept["run_id"].tolist() == ["a", "a"]


# --- words in place of numbers ---


def test_a_word_for_a_failed_run_in_place_of_a_loss_excludes_the_run(tmp_path):
    text = "N,D,loss\n7e7,1.4e9,3.5\n2e8,4e9,diverged\n4e8,8e9,OOM\n1e9,2e10,2.7\n"
    table = read(tmp_path, text)
    assert table["exclude"].tolist() == [False, True, True, False]
    assert codes(table)["unfinished-runs"] == (
        "2 runs left out: the loss is 'diverged' (row 2); the loss is 'OOM' (row 3)"
    )
    assert "row 2 (line 3)" in failure(write(tmp_path, "strict.csv", text), strict=True)
    assert "'3.1x' is not a number" in failure(
        write(tmp_path, "typo.csv", text.replace("diverged", "3.1x"))
    )


def test_columns_of_formats_that_are_not_read_have_a_warning(tmp_path):
    text = "N,D,loss,weights,dtype\n7e7,1.4e9,3.5,nvfp4,bf16\n2e8,4e9,3.1,int8,bf16\n"
    table = read(tmp_path, text)
    assert "column 'weights' holds number formats" in codes(table)["unread-formats"]
    named = read(tmp_path, text, columns={"P_w": "weights"})
    assert named["P_w"].tolist() == [4.0, 8.0]
    assert "unread-formats" not in codes(named)
