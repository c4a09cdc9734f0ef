"""The public tables: right content from the right file, and one clear line when the file cannot be
had.
"""

import csv
import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import platformdirs
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from jscale.runs.public import _catalogue
from jscale.runs.public._fetch import Gathered, Upstream, fetch

CONTENT = b"N,D,loss\n1e8,2e9,3.0\n2e8,9e9,2.5\n" * 100
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
@pytest.mark.parametrize("name", TIDY)
def test_the_original_gives_the_tidy_table(name, data_dir):
    path, renamed = TIDY[name]
    with (data_dir / path).open(newline="") as file:
        expected = list(csv.DictReader(file))
    table = runs.dataset(name)
    assert len(table) == len(expected)
    for column in expected[0]:
        ours = renamed.get(column, column)
        if ours is None:
            continue
        cells = [row[column] for row in expected]
        if table[ours].dtype.kind == "U":
            assert table[ours].tolist() == cells, column
        else:
            np.testing.assert_array_equal(
                table[ours].astype(float), [float(c) if c else np.nan for c in cells], column
            )


@pytest.mark.data
def test_what_each_data_set_says_of_itself(data_dir):
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
        assert not [note for note in table.notes if note.severity != "info"]


@pytest.mark.data
def test_chinchilla_keeps_240_of_245():
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
def test_what_papers_left_out_of_their_fits_is_excluded():
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
    assert (
        len(
            {
                (group, n, d)
                for group, n, d in zip(table["group"], table["N"], table["D"], strict=True)
            }
        )
        == 17
    )


@pytest.mark.data
def test_gemstones_have_22_shapes():
    table = runs.dataset("gemstones")
    assert len(np.unique(table["group"])) == len(np.unique(table["shape"])) == 22


def test_a_gathered_table_that_is_not_at_hand(tmp_path, monkeypatch):
    """There is nothing to download: the message says which table is wanted, where, and what it was
    gathered from.
    """
    origin = r"gadre_overtraining_c4_rw\.csv, a table gathered from mlfoundations/scaling @ a003c4913793, exp_data"
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
    (folder / "gadre_overtraining_c4_rw.csv").write_bytes(CONTENT)
    with pytest.raises(JscaleError, match="is not the table that was gathered: its SHA-256 is"):
        runs.dataset("gadre")


@pytest.mark.data
def test_clark_has_no_tokens():
    table = runs.dataset("clark-moe")
    assert "D" not in table
    assert "C" not in table
    assert table["E_experts"].max() == 512


@pytest.mark.data
def test_a_local_file_that_was_changed_is_refused(tmp_path, data_dir, monkeypatch):
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
def test_the_packages_own_table_needs_no_network(monkeypatch):
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
    # What the laws know no loss for is kept and excluded, with a reason.
    assert not (table.kept & (table["group"] == "gptq")).any()
    assert not (table.kept & ~trained & (table["P_post"] > table["P_w"])).any()
    assert not (table.kept & ((table["P_post"] == 2) | (table["P_a"] == 2))).any()
    assert table["N"].max() >= 60 * table["N"].min()
    assert (table["reason"][~table.kept] != "").all()
    assert "diverged" in table["reason"]


class Sender(BaseHTTPRequestHandler):
    """Sends what the server's ``answer`` says: a status, a promised length and a body."""

    def do_GET(self) -> None:
        status, length, body = self.server.answer  # pyright: ignore[reportAttributeAccessIssue]
        self.server.asked += 1  # pyright: ignore[reportAttributeAccessIssue]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Sender) as server:
        server.answer = (200, len(CONTENT), CONTENT)  # pyright: ignore[reportAttributeAccessIssue]
        server.asked = 0  # pyright: ignore[reportAttributeAccessIssue]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, no local folder and no proxy."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    monkeypatch.delenv("JSCALE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "datasets" / "toy"


def toy(port: int) -> Upstream:
    return Upstream(
        f"http://127.0.0.1:{port}/commit/toy.csv", hashlib.sha256(CONTENT).hexdigest(), "toy"
    )


def refused(upstream: Upstream) -> str:
    with pytest.raises(JscaleError) as caught:
        fetch(upstream)
    message = str(caught.value)
    assert message.isprintable()
    assert upstream.url in message
    assert "set JSCALE_DATA to a folder that holds toy/original/toy.csv" in message
    return message


def test_a_download_is_kept_and_not_repeated(server, cache, capfd):
    upstream = toy(server.server_port)
    assert fetch(upstream) == (CONTENT, upstream.url)
    assert fetch(upstream) == (CONTENT, upstream.url)
    assert server.asked == 1
    assert [path.name for path in cache.iterdir()] == ["toy.csv"]
    assert capfd.readouterr() == ("", "")


def test_a_download_becomes_a_table(server, cache):
    entry = replace(
        runs.datasets()[1],
        name="toy",
        upstream=toy(server.server_port),
        tidy=lambda content: {"N": [1e8, 2e8], "loss": [3.0, float(len(content))]},
    )
    table = _catalogue.load(entry)
    assert table["loss"].tolist() == [3.0, len(CONTENT)]
    assert table.source == entry.upstream.url


def test_a_file_spoilt_in_the_cache_is_fetched_again(server, cache):
    upstream = toy(server.server_port)
    fetch(upstream)
    (cache / "toy.csv").write_bytes(CONTENT[:-1])
    assert fetch(upstream)[0] == CONTENT
    assert server.asked == 2


def test_a_file_spoilt_in_the_cache_does_not_outlive_a_failed_download(server, cache):
    upstream = toy(server.server_port)
    fetch(upstream)
    (cache / "toy.csv").write_bytes(CONTENT[:-1])
    server.answer = (404, 0, b"")
    refused(upstream)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, 4, b"N,D\n"), "sent a file whose SHA-256 is not"),
        ((200, len(CONTENT), CONTENT[:-1] + b" "), "it was thrown away"),
        ((200, len(CONTENT), CONTENT[:500]), "the download broke off"),
        ((404, 9, b"not found"), "HTTP status 404"),
        ((500, 0, b""), "HTTP status 500"),
    ],
)
def test_a_bad_answer_leaves_no_file(answer, expected, server, cache):
    server.answer = answer
    assert expected in refused(toy(server.server_port))
    assert list(cache.iterdir()) == []


def test_nobody_listens(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "no connection" in refused(toy(port))
    assert list(cache.iterdir()) == []


def test_an_unknown_host(cache):
    upstream = replace(toy(80), url="http://no-such-host.invalid/toy.csv")
    assert "no connection" in refused(upstream)


def test_a_cache_that_cannot_be_written(server, cache):
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where a folder should be")
    with pytest.raises(JscaleError, match="set JSCALE_DATA to a folder"):
        fetch(toy(server.server_port))


def test_the_local_folder_comes_first(server, cache, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "toy" / "original"
    folder.mkdir(parents=True)
    (folder / "toy.csv").write_bytes(CONTENT)
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path / "mine"))
    assert fetch(toy(server.server_port)) == (CONTENT, str(folder / "toy.csv"))
    assert server.asked == 0
    (folder / "toy.csv").unlink()
    assert fetch(toy(server.server_port))[0] == CONTENT
    assert server.asked == 1
