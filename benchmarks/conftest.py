"""Commands as a user runs them: in their own process, with wall time and peak memory."""

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
    """Run a command to completion in the repository, with an empty cache folder for each test."""
    cache = str(tmp_path / "cache")
    environment = {**os.environ, "XDG_CACHE_HOME": cache, "JSCALE_CACHE": cache}
    # Byte code is cached, as on a user's machine.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

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
        # ru_maxrss is in bytes on macOS, in KiB elsewhere.
        unit = 1 if sys.platform == "darwin" else 1024
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
