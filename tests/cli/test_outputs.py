"""Outputs: never over an input, straight into standard streams, and one line for a bad path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.tables import chinchilla_rows, write_table
from tests.cli.test_bad_input import rejected

TARGET = ("--target", "a")
POINT = ("--at", "N=1e9,D=1e10")
PLAN = ("--budget", "1e21", "--json")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write_table(tmp_path / "runs.csv", chinchilla_rows((20, 100)))


def test_no_verb_overwrites_its_table(jscale, runs: Path, tmp_path: Path):
    """Under any of its names."""
    before = runs.read_bytes()
    link, hard = tmp_path / "link.csv", tmp_path / "hard.csv"
    link.symlink_to("runs.csv")
    os.link(runs, hard)
    verbs = ("data", "fit", "sample", "report", "compare", "isoflop", "plan", "calibrate")
    for verb in (*((verb,) for verb in verbs), ("sensitivity", *TARGET)):
        for out in (runs, link, hard):
            rejected(jscale(*verb, runs, "--out", out), "--out: cannot write", "this is the input")
    for verb in (("calibrate",), ("sensitivity", *TARGET)):
        figure = tmp_path / "figure.svg"
        figure.symlink_to("runs.csv")
        rejected(jscale(*verb, figure, "--figure", runs), "--figure: cannot write")
        figure.unlink()
    assert runs.read_bytes() == before
    assert link.is_symlink()


def test_parameters_and_draws_are_not_overwritten(jscale, tmp_path: Path):
    params, draws = tmp_path / "params.json", tmp_path / "draws.nc"
    params.write_text("{}")
    draws.write_text("draws")
    for out in (params, draws):
        for verb in (("plan", *PLAN), ("laws", "chinchilla", *POINT)):
            option = "--params" if out == params or verb[0] == "laws" else "--posterior"
            rejected(jscale(*verb, option, out, "--out", out), "this is the input")
    rejected(jscale("report", "runs.csv", "--posterior", draws, "--out", draws), "the input")
    assert params.read_text() + draws.read_text() == "{}draws"


def test_figure_and_result_are_two_files(jscale, runs: Path, tmp_path: Path):
    both = ("--figure", tmp_path / "a.svg", "--out", tmp_path / "a.svg")
    rejected(jscale("calibrate", runs, *both), "--figure", "this is the file of --out too")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("~nouser/x", "'~nouser/x': there is no such home folder"),
        ("~no\ud800user/x", "there is no such home folder"),
        ("x" * 5000, "name too long"),
        ("a\udcff", "cannot"),
        ("a\0b", "null"),
        ("/dev/full", "device or pipe"),
        ("/dev/fd/987", "Bad file descriptor"),
        ("", "this is a folder"),
    ],
)
def test_paths_that_cannot_be(jscale, runs: Path, out: str, words: str, monkeypatch):
    monkeypatch.chdir("/proc")
    for option in ("--out", "--figure"):
        result = jscale("sensitivity", *TARGET, runs, option, out)
        rejected(result, option)
        assert len(result.stderr) < 600
        if option == "--out":
            assert words in result.stderr


def test_files_of_parameters_that_never_end(jscale, tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.json")
    for path in (tmp_path / "fifo.json", "/dev/zero", "/dev/urandom"):
        rejected(jscale("plan", *PLAN, "--params", path), "not a regular file")
        rejected(jscale("laws", "chinchilla", *POINT, "--params", path), "not a regular file")
    rejected(jscale("plan", *PLAN, "--params", tmp_path), "this is a folder")


def test_out_to_the_standard_streams(runs: Path, tmp_path: Path):
    """``--out /dev/stdout >> log`` appends to the log."""
    log = tmp_path / "log"
    log.write_text("old\n")
    command = [sys.executable, "-m", "jscale", "laws", "chinchilla", "--json"]
    with log.open("ab") as file:
        subprocess.run([*command, "--out", "/dev/stdout"], stdout=file, check=True)
    first, *objects = log.read_text().splitlines()
    assert first == "old"
    assert [json.loads(line)["name"] for line in objects] == ["chinchilla"] * 2


LONG = "x" * 5000
ARGUMENTS = (
    *(("fit", LONG), ("data", LONG), (LONG,), ("fit", f"--{LONG}"), ("laws", LONG)),
    *(("compare", "RUNS", "--law", text) for text in (LONG, f"{LONG}[E=1]", f"chinchilla[{LONG}]")),
    *(("fit", "RUNS", "--fix", text) for text in (LONG, f"{LONG}=1", f"E={LONG}", f"E=1,E={LONG}")),
    *(("fit", "RUNS", "--tie", text) for text in (LONG, f"{LONG}=E", f"E={LONG}")),
    *(
        ("fit", "RUNS", option, LONG)
        for option in ("--law", "--objective", "--weights", "--starts")
    ),
    *(("fit", "RUNS", option, LONG) for option in ("--delta", "--seed", "--by", "--kind")),
    *(("plan", "--params", text, "--budget", "1e21") for text in (LONG, f"{LONG}=1", f"E={LONG}")),
    *(
        ("plan", option, LONG, "--params", "hoffmann2022")
        for option in ("--budget", "--N", "--bits")
    ),
    *(("laws", "chinchilla", "--at", text) for text in (LONG, f"{LONG}=1", f"N={LONG}")),
    *(
        ("sensitivity", "RUNS", "--target", text)
        for text in (LONG, f"loss@{LONG}", f"loss@{LONG}=1")
    ),
    ("plan", "--posterior", LONG, "--budget", "1e21"),
    ("compare", "RUNS", "--nested", LONG),
    ("reproduce", LONG),
)


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda parts: " ".join(parts)[:40])
def test_long_names_are_cut_in_messages(jscale, runs: Path, arguments):
    result = jscale(*(str(runs) if part == "RUNS" else part for part in arguments))
    rejected(result)
    assert len(result.stderr) < 700
