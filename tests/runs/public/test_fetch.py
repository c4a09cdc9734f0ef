"""Downloads: only the file with the right hash is used; any failure is one clear line."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import platformdirs
import pytest

from jscale import runs
from jscale._core.errors import JscaleError
from jscale.runs.public import _load
from jscale.runs.public._fetch import Upstream, fetch

CONTENT = b"N,D,loss\n1e8,2e9,3.0\n2e8,9e9,2.5\n" * 100


class Sender(BaseHTTPRequestHandler):
    """Sends the server's ``answer``: a status, a content length and a body."""

    def do_GET(self) -> None:
        status, length, body = self.server.answer  # pyright: ignore[reportAttributeAccessIssue]
        self.server.requests += 1  # pyright: ignore[reportAttributeAccessIssue]
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
        server.requests = 0  # pyright: ignore[reportAttributeAccessIssue]
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


def failure(upstream: Upstream) -> str:
    with pytest.raises(JscaleError) as caught:
        fetch(upstream)
    message = str(caught.value)
    assert message.isprintable()
    assert upstream.url in message
    assert "set JSCALE_DATA to a folder that holds toy/original/toy.csv" in message
    return message


def test_a_download_is_cached(server, cache, capfd):
    upstream = toy(server.server_port)
    assert fetch(upstream) == (CONTENT, upstream.url)
    assert fetch(upstream) == (CONTENT, upstream.url)
    assert server.requests == 1
    assert [path.name for path in cache.iterdir()] == ["toy.csv"]
    assert capfd.readouterr() == ("", "")


def test_a_download_becomes_a_table(server, cache):
    entry = replace(
        runs.datasets()[1],
        name="toy",
        upstream=toy(server.server_port),
        tidy=lambda content: {"N": [1e8, 2e8], "loss": [3.0, float(len(content))]},
    )
    table = _load.load(entry)
    assert table["loss"].tolist() == [3.0, len(CONTENT)]
    assert table.source == entry.upstream.url


def test_a_damaged_file_in_the_cache_is_replaced(server, cache):
    upstream = toy(server.server_port)
    fetch(upstream)
    (cache / "toy.csv").write_bytes(CONTENT[:-1])
    assert fetch(upstream)[0] == CONTENT
    assert server.requests == 2


def test_a_damaged_file_in_the_cache_is_removed_even_if_the_download_fails(server, cache):
    upstream = toy(server.server_port)
    fetch(upstream)
    (cache / "toy.csv").write_bytes(CONTENT[:-1])
    server.answer = (404, 0, b"")
    failure(upstream)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, 4, b"N,D\n"), "sent a file whose SHA-256 is not"),
        ((200, len(CONTENT), CONTENT[:-1] + b" "), "which was discarded"),
        ((200, len(CONTENT), CONTENT[:500]), "the download was interrupted"),
        ((404, 9, b"not found"), "HTTP status 404"),
        ((500, 0, b""), "HTTP status 500"),
    ],
)
def test_an_invalid_answer_is_not_cached(answer, expected, server, cache):
    server.answer = answer
    assert expected in failure(toy(server.server_port))
    assert list(cache.iterdir()) == []


def test_no_server_at_the_port(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "no connection" in failure(toy(port))
    assert list(cache.iterdir()) == []


def test_an_unknown_host(cache):
    upstream = replace(toy(80), url="http://no-such-host.invalid/toy.csv")
    assert "no connection" in failure(upstream)


def test_a_cache_that_cannot_be_written(server, cache):
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where a folder should be")
    with pytest.raises(JscaleError, match="set JSCALE_DATA to a folder"):
        fetch(toy(server.server_port))


def test_the_local_folder_has_precedence(server, cache, tmp_path, monkeypatch):
    folder = tmp_path / "local" / "toy" / "original"
    folder.mkdir(parents=True)
    (folder / "toy.csv").write_bytes(CONTENT)
    monkeypatch.setenv("JSCALE_DATA", str(tmp_path / "local"))
    assert fetch(toy(server.server_port)) == (CONTENT, str(folder / "toy.csv"))
    assert server.requests == 0
    (folder / "toy.csv").unlink()
    assert fetch(toy(server.server_port))[0] == CONTENT
    assert server.requests == 1
