"""The command as a separate process: its streams, its imports, its cache of compiled code."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

from jscale.cli.support import session

Process = Callable[..., subprocess.CompletedProcess[str]]
VALUE = ("laws", "chinchilla", "--at", "N=1e9,D=2e10", "--json")
"""The cheapest command that compiles."""


@pytest.fixture
def command(tmp_path: Path) -> Process:
    """``python -m jscale`` with a cache folder of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JAX_", "XLA_", "TF_"))
        }
        settings = {**kept, "JSCALE_CACHE": str(tmp_path / "cache"), **environment}
        words = [sys.executable, "-m", "jscale", *map(str, arguments)]
        return subprocess.run(words, env=settings, capture_output=True, text=True, timeout=300)

    return run


def values(done: subprocess.CompletedProcess[str]) -> dict:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*-cache") if path.is_file())


def test_compiled_code_is_cached_and_survives_damage(command: Process, tmp_path: Path):
    first = values(command(*VALUE))
    cached = entries(tmp_path / "cache" / "compiled")
    assert cached
    stamps = [path.stat().st_mtime_ns for path in cached]

    assert values(command(*VALUE)) == first
    assert entries(tmp_path / "cache") == cached, (
        "the second run compiled a program that the first had not cached"
    )
    assert [path.stat().st_mtime_ns for path in cached] == stamps

    for path in cached:
        path.write_bytes(path.read_bytes()[:100])
    assert values(command(*VALUE)) == first


@pytest.fixture
def before_jax(monkeypatch) -> None:
    """The environment of a process that has not imported JAX."""
    for name in [n for n in os.environ if n.startswith(("JAX_", "TF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "jax")
    # What prepare_jax sets is removed again.
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_a_cache_that_cannot_be_written_is_left_out(before_jax, monkeypatch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    os.environ["JSCALE_CACHE"] = str(tmp_path / "file" / "cache")
    session.prepare_jax()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert not [name for name in os.environ if name.startswith("JAX_")]


def test_the_cache_folder_of_jax_takes_precedence(command: Process, tmp_path: Path):
    values(command(*VALUE, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "jax")))
    assert entries(tmp_path / "jax")
    assert not (tmp_path / "cache").exists()


def test_the_cache_folder_is_the_users_unless_the_variable_is_set(monkeypatch, tmp_path: Path):
    monkeypatch.delenv(session.CACHE_VARIABLE)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, **_: tmp_path / name)
    assert session.cache_folder() == tmp_path / "jscale" / "compiled"
    monkeypatch.setenv(session.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert session.cache_folder() == tmp_path / "mine" / "compiled"


def test_fit_imports_no_sampler_and_no_figures(table: Path, tmp_path: Path):
    code = """
import json, sys
sys.argv = ["jscale", "fit", sys.argv[1], "--law", "power_size", "--starts", "1"]
from jscale.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)))
"""
    environment = {**os.environ, "JSCALE_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(table)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"jax", "jscale.fit"} <= loaded
    assert loaded & {"arviz", "matplotlib", "numpyro", "pandas", "xarray"} == set()


def test_a_process_that_has_imported_jax_is_not_changed():
    before = dict(os.environ)
    session.prepare_jax()
    assert dict(os.environ) == before


def test_a_mistake_is_one_line(command: Process, tmp_path: Path):
    done = command("fit", tmp_path / "gone.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"jscale: error: {tmp_path / 'gone.csv'}: no such file\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_under_stdout_is_one_line(unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jscale", "data", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 2
    assert done.stderr == "jscale: error: No space left on device\n"


SIGNALS = [
    (signal.SIGINT, "interrupted"),
    (signal.SIGTERM, "terminated"),
    (signal.SIGHUP, "hung up"),
]
BLOCKED = """
import hashlib, signal, sys
from jscale.cli.process import signals
from jscale._core.files import replacing
# Background jobs start with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
signals.install()
sys.stdout.write("printed")
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(" before", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)
"""
"""Holds the main thread in compiled code while a file is half written."""


@pytest.mark.parametrize(("number", "words"), SIGNALS, ids=[words for _, words in SIGNALS])
def test_a_signal_ends_a_process_inside_compiled_code(tmp_path: Path, number, words: str):
    (tmp_path / "out").write_text("old")
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "printed before\n"
    time.sleep(0.2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)  # the hash would take many minutes
    assert (process.returncode, err) == (128 + number, f"jscale: {words}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "old"


def test_an_ignored_signal_stays_ignored():
    """As under nohup."""
    code = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from jscale.cli.process import signals
signals.install()
os.kill(os.getpid(), signal.SIGHUP)
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        (">&-", 2, "stdout is closed"),
        (">/dev/full", 2, "No space left on device"),
        ("| true", 141, ""),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("--nope 2>&-", 2, ""),
        ("--nope 2>/dev/full", 2, ""),
        ("--nope <&- >&- 2>&-", 2, ""),
    ],
)
def test_standard_streams_that_are_closed_or_full(redirection: str, code: int, words: str):
    """The list of data sets, which is printed without JAX; the pipe is closed before it is."""
    program = "from jscale.cli import main; main()"
    command = '"$0" -c "$1" data ' + redirection
    if redirection.startswith("|"):
        program = f"import os; os.read(0, 1); {program}"
        command = f"(sleep 0.2; echo) | {command}; exit ${{PIPESTATUS[1]}}"
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, program],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code
    assert done.stderr.count("\n") == bool(words)
    assert words in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory; expected"),
        (MemoryError("Unable to allocate 7 TiB"), "out of memory (Unable to allocate 7 TiB)"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "out of memory (RESOURCE"),
        (RecursionError("too\ndeep"), "internal error: RecursionError: too deep; this is a fault"),
        (KeyError("x" * 5000), "please report this line and the command"),
        (AssertionError(), "JSCALE_DEBUG=1 shows"),
    ],
)
def test_the_last_resort(jscale, monkeypatch, error: Exception, words: str):
    def fail(*_) -> None:
        raise error

    monkeypatch.setattr("jscale.cli.data._list", fail)
    monkeypatch.delenv("JSCALE_DEBUG", raising=False)
    result = jscale("data")
    assert (result.exit_code, result.stdout) == (70, "")
    assert result.stderr.startswith("jscale: error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert len(result.stderr) < 1500

    monkeypatch.setenv("JSCALE_DEBUG", "1")
    result = jscale("data")
    assert result.exit_code == 70
    assert "Traceback" in result.stderr
    assert "in fail" in result.stderr


def test_an_interrupt_in_python(jscale, monkeypatch):
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jscale.cli.data._list", interrupt)
    result = jscale("data")
    assert (result.exit_code, result.stderr) == (130, "jscale: interrupted\n")


def test_shells_complete_verbs_and_options(command: Process):
    settings = {"_JSCALE_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "jscale pl"}
    assert command(**settings).stdout.split() == ["plan"]
    settings |= {"COMP_CWORD": "2", "COMP_WORDS": "jscale plan --bud"}
    assert command(**settings).stdout.split() == ["--budget"]
