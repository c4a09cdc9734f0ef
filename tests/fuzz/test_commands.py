"""Random command lines: an exit code and at most one line on stderr, no traceback, no stray file.

A short run makes 120 command lines, ``JSCALE_FUZZ_SCALE=17`` 2,000. They run in this process. What
takes long even for a valid command line (samplers and simulations) is replaced: the fuzzer is about
arguments.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
import typer.main

from jscale import assess, fit, report
from jscale._core.errors import JscaleError
from jscale.cli._app import app
from tests.cli.runner import invoke
from tests.cli.tables import chinchilla_rows, write_table
from tests.fuzz.scale import cases

_SECONDS = 20.0
"""A command line that takes longer hangs."""
GROUP: Any = typer.main.get_command(app)
NUMBERS = ("0", "1", "-1", "2", "1e21", "3.5", "70B", "1e400", "nan", "inf", "-0", "9" * 400, "６")
TEXTS = (
    *("", " ", "é", "\udcff", "\x1b[31m", "a\nb", "-", "--", "=", ",", "[", "{", "%s", "x" * 9000),
    *("E=1.69", "E", "E=1,E=2", "beta=alpha", "alpha=alpha", "N=70B,D=1.4T", "N=1e9,D=", "loss@N"),
    *(
        "N_opt@1e24",
        "D_crit@N=8B,P_post=4",
        "a",
        "loss@1e24",
        "()",
        "lambda: 0",
        "__import__('os')",
    ),
    *("chinchilla", "chinchila", "precision", "bnsl(2)", "bnsl(99999999)", "mixture_tokens(2)"),
    *("chinchilla[E=1]", "chinchilla[", "power_size<chinchilla", "hoffmann2022", "huber:0.01"),
    *("log-squares", "huber:-1", "fisher", "fisher,profile", "rows", "noise", "cluster", "normal"),
)
NUMERIC = ("INT", "X", "R", "FLOP", "BITS", "free|BITS", "PARAMETERS")
"""Placeholders of options that take a number."""
PLACES = (
    "runs.csv",
    "short.csv",
    "folder",
    "gone.csv",
    "fifo",
    "/dev/zero",
    "/dev/null",
    "~nouser/x",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with tables, a folder and a pipe; long computations are replaced."""
    write_table(tmp_path / "runs.csv", chinchilla_rows((3, 10, 30, 100, 300)))
    write_table(tmp_path / "short.csv", chinchilla_rows((20,), rows=3))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)

    def replaced(*_: object, **__: object) -> None:
        raise JscaleError("replaced by the fuzzer")

    for module, names in (
        (fit, ("posterior", "bootstrap", "intervals", "isoflop")),
        (assess, ("calibrate", "sensitivity", "reproduce", "compare")),
        (report, ("write",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, replaced)
    return tmp_path


def value(rng: random.Random, option: Any) -> str:
    """A value of an option: of its kind, or of any other."""
    if option.name in ("out", "figure", "resume", "posterior"):
        return rng.choice((*PLACES, "out.json", "out.svg", rng.choice(TEXTS)))
    if option.name == "starts":  # few, so that fits take no time
        return rng.choice(("1", "2", rng.choice(TEXTS)))
    numbers = option.metavar in NUMERIC
    first, second = (NUMBERS, TEXTS) if numbers else (TEXTS, NUMBERS)
    return rng.choice(first if rng.random() < 0.8 else second)


def command_line(rng: random.Random) -> list[str]:
    """A verb, mostly with a table, and up to five of its options."""
    verb = rng.choice(sorted(GROUP.commands))
    parameters = GROUP.commands[verb].params
    options = [p for p in parameters if p.param_type_name == "option" and p.name != "help"]
    words = [verb]
    if any(p.param_type_name == "argument" for p in parameters) and rng.random() < 0.8:
        choices = TEXTS if verb in ("laws", "reproduce") else PLACES
        words.append(rng.choice((choices[0], rng.choice(choices), rng.choice(TEXTS))))
    if verb in ("fit", "report"):
        words += ["--starts", "2"] if verb == "fit" else ["--posterior", "gone.nc"]
    for option in rng.choices(options, k=rng.randrange(6)):
        words.append(rng.choice(option.opts) if rng.random() < 0.95 else rng.choice(TEXTS))
        if not option.is_flag:
            words.append(value(rng, option))
    rng.random() < 0.05 and words.insert(rng.randrange(len(words) + 1), rng.choice(TEXTS))
    return words


def check(words: list[str], place: Path, before: dict[str, bytes]) -> None:
    """Run one command line and check how it ends."""
    start = time.monotonic()
    result = invoke(words)
    assert time.monotonic() - start < _SECONDS
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        assert result.stderr.startswith("jscale: error: ")
        assert result.stderr.count("\n") == 1
        assert result.stderr.rstrip("\n").isprintable()
        assert len(result.stderr) < 1500
    else:
        assert result.stderr == ""
    if "--json" in words and result.exit_code == 0 and "-h" not in words and "--help" not in words:
        json.loads(result.stdout)

    # The table is as it was, and nothing is left beside what was asked for.
    for name, content in before.items():
        if name in words[2:] and name != words[1]:  # it may have been the output
            (place / name).write_bytes(content)
        assert (place / name).read_bytes() == content, name
    for path in place.iterdir():
        if path.name not in (*before, "folder", "fifo"):
            assert str(path.name) in words
            path.unlink()
    assert not list((place / "folder").iterdir())


def test_command_lines(place: Path):
    before = {name: (place / name).read_bytes() for name in ("runs.csv", "short.csv")}
    for seed in range(cases(120)):
        words = command_line(random.Random(seed))
        try:
            check(words, place, before)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: jscale {words!r:.2000}: {error}") from None
