"""The public tables: content, exclusions and provenance."""

import csv

import numpy as np
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from jscale.runs.public._fetch import Gathered

TIDY = {
    "chinchilla": ("chinchilla_epoch/chinchilla_epoch.csv", {"excluded_by_besiroglu": "exclude"}),
    "quest": (
        "quest_precision/quest_precision.csv",
        {"Pw": "P_w", "Pa": "P_a", "Pkv": "P_kv", "Ppost": None, "DN": None},
    ),
    "llama3-isoflop": (
        "llama3_isoflop/llama3_isoflop.csv",
        {"outlier": None, "outlier_reason": None},
    ),
    "clark-moe": (
        "moe_routing_clark/moe_routing_final.csv",
        {"D": None, "C": None, "hyper_id": "run_id"},
    ),
    "datablations": (
        "datablations/datablations.csv",
        {"D_unique": "U", "run": "run_id", "config": "group", "in_paper_fit_182": None},
    ),
    "gadre": (
        "gadre_overtraining/gadre_overtraining_c4_rw.csv",
        {"name": "run_id", "train_set": "group", "model": "shape"},
    ),
    "gemstones": ("gemstones/gemstones_hot_cool_end.csv", {"run": "shape"}),
    "porian": ("porian_isoflop/porian_isoflop_rw.csv", {"file": None, "dataset": None}),
    "isoflops": (
        "isoflops_open_athena/isoflops.csv",
        {"outlier": "exclude", "outlier_reason": None},
    ),
    "steplaw": ("steplaw/steplaw_dense.csv", {"bs": "batch_sequences", "ti": "steps"}),
    "vocab": (
        "vocab_scaling/vocab_scaling.csv",
        {
            "loss": "loss_u",
            "N_nonvocab": "N_nv",
            "N_vocab": "N_v",
            "vocab_size": "vocab",
            "embed_dim": "d_model",
            "num_characters": "characters",
            "sld_split": "split",
            "used_in_paper_fit": None,
        },
    ),
}


@pytest.mark.data
@pytest.mark.parametrize("dataset", TIDY)
def test_the_original_file_gives_the_expected_table(dataset, data_dir):
    path, renamed = TIDY[dataset]
    with (data_dir / path).open(newline="") as file:
        expected = list(csv.DictReader(file))
    table = runs.dataset(dataset)
    assert len(table) == len(expected)
    for column in expected[0]:
        name = renamed.get(column, column)
        if name is None:
            continue
        cells = [row[column] for row in expected]
        if table[name].dtype.kind == "U":
            assert table[name].tolist() == cells, column
        else:
            np.testing.assert_array_equal(
                table[name].astype(float), [float(c) if c else np.nan for c in cells], column
            )


@pytest.mark.data
def test_name_source_and_notes_of_each_table(data_dir):
    for entry in runs.datasets()[1:]:
        table = runs.dataset(entry.name)
        assert len(table) == entry.rows
        assert table.name == entry.name
        folder = data_dir / entry.upstream.folder
        gathered = isinstance(entry.upstream, Gathered)
        assert table.source == str(
            (folder if gathered else folder / "original") / entry.upstream.file
        )
        assert {"source", "caveat"} <= {note.code for note in table.notes}
        doubtful = {note.code for note in table.notes if note.severity != "info"}
        assert doubtful == ({"checkpoints"} if entry.name == "gemstones" else set())


@pytest.mark.data
def test_chinchilla_excludes_5_of_245():
    table = runs.dataset("chinchilla")
    assert table.kept.sum() == 240
    assert np.sort(table["loss"])[-5:].tolist() == np.sort(table["loss"][~table.kept]).tolist()
    assert set(table["reason"][~table.kept]) == {"besiroglu: outlier, very low D/N"}
    assert set(table["reason"][table.kept]) == {""}


@pytest.mark.data
def test_quest_bits_and_series():
    table = runs.dataset("quest")
    groups, counts = np.unique(table["group"], return_counts=True)
    expected = {
        "bf16": 6,
        "quest_fp4": 4,
        "quest_ht": 48,
        "quest_ht_2:4": 6,
        "quest_no_ht": 24,
        "quest_weight_only": 16,
    }
    assert dict(zip(groups.tolist(), counts.tolist(), strict=True)) == expected
    assert set(table["P_w"][table["group"] == "quest_fp4"]) == {4.0}
    assert set(table["P_post"]) == {16.0}


@pytest.mark.data
def test_runs_outside_of_the_papers_fits_are_excluded():
    for name, kept in {"datablations": 182, "vocab": 1054, "isoflops": 405}.items():
        table = runs.dataset(name)
        assert table.kept.sum() == kept, name
        assert (table["reason"][~table.kept] != "").all()
        assert set(table["reason"][table.kept]) == {""}


@pytest.mark.data
def test_step_law_batches_in_tokens_and_cells():
    table = runs.dataset("steplaw")
    np.testing.assert_array_equal(table["batch_tokens"], 2048 * table["batch_sequences"])
    assert len(np.unique(table["group"])) == 17
    cells = set(zip(table["group"], table["N"], table["D"], strict=True))
    assert len(cells) == 17


@pytest.mark.data
def test_gemstones_have_22_shapes():
    table = runs.dataset("gemstones")
    assert len(np.unique(table["group"])) == len(np.unique(table["shape"])) == 22


def test_a_gathered_table_that_is_not_in_the_local_folder(tmp_path, monkeypatch):
    """The message names the table, its place, and what it was gathered from."""
    origin = (
        r"gadre_overtraining_c4_rw\.csv, a table gathered from mlfoundations/scaling "
        "@ a003c4913793, exp_data"
    )
    monkeypatch.delenv("JSCALE_DATA", raising=False)
    with pytest.raises(
        JscaleError, match=rf"data set gadre: JSCALE_DATA is not set; set JSCALE_DATA .*{origin}"
    ):
        runs.dataset("gadre")
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path))
    with pytest.raises(
        JscaleError, match=rf"data set gadre: no {tmp_path}/gadre_overtraining/.*{origin}"
    ) as caught:
        runs.dataset("gadre")
    assert str(caught.value).isprintable()
    folder = tmp_path / "gadre_overtraining"
    folder.mkdir()
    (folder / "gadre_overtraining_c4_rw.csv").write_bytes(b"N,D,loss\n1e8,2e9,3.0\n")
    with pytest.raises(JscaleError, match="is not the table that was gathered: its SHA-256 is"):
        runs.dataset("gadre")


@pytest.mark.data
def test_the_clark_table_has_no_tokens():
    table = runs.dataset("clark-moe")
    assert "D" not in table
    assert "C" not in table
    assert table["E_experts"].max() == 512


@pytest.mark.data
def test_a_local_file_with_another_hash_is_an_error(tmp_path, data_dir, monkeypatch):
    upstream = runs.datasets()[1].upstream
    folder = tmp_path / upstream.folder / "original"
    folder.mkdir(parents=True)
    (folder / upstream.file).write_bytes(
        (data_dir / upstream.folder / "original" / upstream.file).read_bytes() + b"\n"
    )
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path))
    with pytest.raises(
        JscaleError, match=r"data set chinchilla: .*is not the published file: its SHA-256 is"
    ) as caught:
        runs.dataset("chinchilla")
    assert upstream.url in str(caught.value)
    assert (folder / upstream.file).exists(), "a user's own file is never removed"


def test_the_catalogue():
    entries = runs.datasets()
    assert [e.name for e in entries] == [
        "precision-runs",
        "chinchilla",
        "quest",
        "llama3-isoflop",
        "clark-moe",
        "datablations",
        "gadre",
        "gemstones",
        "porian",
        "isoflops",
        "steplaw",
        "vocab",
    ]
    for entry in entries[1:]:
        assert len(entry.upstream.sha256) == 64
        host = "github.com" if isinstance(entry.upstream, Gathered) else "raw.githubusercontent.com"
        assert entry.upstream.url.startswith(f"https://{host}/")
        assert any(len(part) == 40 for part in entry.upstream.url.split("/")), "pinned to a commit"
        assert entry.summary
        assert entry.licence
        assert "arXiv" in entry.paper
    with pytest.raises(
        JscaleError, match="no data set 'pile'; expected one of precision-runs, chinchilla, quest"
    ):
        runs.dataset("pile")


@pytest.mark.smoke
def test_the_package_table_needs_no_network(monkeypatch):
    monkeypatch.delenv("JSCALE_DATA", raising=False)
    table = runs.dataset("precision-runs")
    entry = runs.datasets()[0]
    assert len(table) == entry.rows
    trained = table["P_post"] == 16
    assert trained.sum() >= 200
    assert (~trained).sum() >= 1000
    # A model and its quantised copies share everything that the training fixed.
    for name in ("N", "D", "P_w", "P_a", "P_kv", "seed"):
        assert len(np.unique(table[name][trained])) > 1
    assert np.isin(table["P_post"][~trained], [2, 3, 4, 5, 6, 8]).all()
    # Runs for which the laws are not defined are excluded, with a reason.
    assert not (table.kept & (table["group"] == "gptq")).any()
    assert not (table.kept & ~trained & (table["P_post"] > table["P_w"])).any()
    assert not (table.kept & ((table["P_post"] == 2) | (table["P_a"] == 2))).any()
    assert table["N"].max() >= 60 * table["N"].min()
    assert (table["reason"][~table.kept] != "").all()
    assert "diverged" in table["reason"]


def test_models_from_one_trunk_share_it_with_their_quantised_copies():
    table = runs.dataset("precision-runs")
    of_model = {}
    for run, trunk, group in zip(table["run_id"], table["trunk"], table["group"], strict=True):
        if group == "trained":
            of_model[run] = trunk
        else:
            assert of_model[run.rsplit("-", 1)[0]] == trunk
    assert (table["trunk"] != "").all()
    fitted = table.where(table.kept & (table["group"] == "trained"))
    assert len(np.unique(fitted["trunk"])) == 152
    # The branches of a trunk differ only in the data.
    for trunk in np.unique(fitted["trunk"]):
        own = fitted.where(fitted["trunk"] == trunk)
        assert all(len(np.unique(own[name])) == 1 for name in ("N", "P_w", "P_a", "P_kv", "seed"))
