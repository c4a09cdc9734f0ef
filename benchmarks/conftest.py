"""Commands run as a person runs them: in a process of their own, with wall time and peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.process import ROOT, Outcome, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command to its end, in the repository, with an empty cache folder that the calls of
    one test share.
    """
    cache = str(tmp_path / "cache")
    environment = {**os.environ, "XDG_CACHE_HOME": cache, "JSCALE_CACHE": cache}
    environment.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # a person's second start finds its byte code compiled

    def call(command: Sequence[str]) -> Outcome:
        out, err = tmp_path / "stdout", tmp_path / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            start = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (
            f"{command} ended with {process.returncode}: {err.read_text()[-2000:]}"
        )
        unit = (
            1 if sys.platform == "darwin" else 1024
        )  # ru_maxrss counts bytes there, KiB elsewhere
        return Outcome(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * unit / 2**20,
            out.read_text(),
        )

    return call


@pytest.fixture(scope="session")
def command() -> str:
    """The installed ``jscale`` of the environment that runs the benchmarks."""
    return str(Path(sys.executable).with_name("jscale"))
