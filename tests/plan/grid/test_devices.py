"""The same bytes on one device, on eight, in two processes, and from a checkpoint."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.plan.grid import job

ROOT = Path(__file__).parents[3]


def start(*words: object, devices: int = 1) -> subprocess.Popen[str]:
    """The job in a process of its own, compiled with this process's settings."""
    quick = jax.config.read("jax_disable_most_optimizations")
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    command = [sys.executable, "-m", "tests.plan.grid.job", *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "XLA_FLAGS": flags,
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": str(int(quick)),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    with process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-2000:]
    return out.split()[-1]  # Gloo writes to stdout, too


@pytest.fixture(scope="module")
def expected():
    """The result in this process."""
    return job.numbers(job.search())


def same(file: Path, expected: dict[str, np.ndarray]) -> None:
    with np.load(file) as result:
        assert set(result.files) == set(expected)
        for name, array in expected.items():
            assert result[name].tobytes() == array.tobytes(), name


def test_eight_devices(expected, tmp_path):
    assert finish(start(tmp_path / "8.npz", devices=8)) == "8"
    same(tmp_path / "8.npz", expected)


def both(tmp_path: Path, kill: int) -> list[subprocess.Popen[str]]:
    """Two processes with one job, of which the second one is killed after so many groups."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = ("--port", port, "--resume", tmp_path / "progress")
    return [
        start(tmp_path / "0.npz", "--process", 0, *common),
        start(tmp_path / "1.npz", "--process", 1, *common, "--kill", kill),
    ]


def test_two_processes_of_which_one_is_killed(expected, tmp_path):
    """The other one ends with a sentence, and both go on from what they had."""
    first, second = both(tmp_path, kill=2)
    out, _ = first.communicate(timeout=300)
    second.communicate(timeout=300)
    assert (first.returncode, second.returncode) == (job.LOST, -signal.SIGKILL)
    assert "grid: another process has ended or does not answer; start all processes again" in out
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["progress.1-of-2", "progress.2-of-2"]
    assert files[1].read_bytes().count(b'{"unit": "group') == 2

    assert [finish(process) for process in both(tmp_path, kill=0)] == ["2", "2"]
    assert files[1].read_bytes().count(b'{"unit": "group') == 6
    for number in (0, 1):
        same(tmp_path / f"{number}.npz", expected)


def test_a_killed_job_goes_on(expected, tmp_path):
    progress = tmp_path / "progress"
    killed = start(tmp_path / "none.npz", "--resume", progress, "--kill", 4)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "none.npz").exists()

    content = progress.read_bytes()
    result = job.search(str(progress))
    # Four groups were there; what was written before stays.
    assert progress.read_bytes()[: len(content)] == content
    assert content.count(b'{"unit": "group') == 4
    resumed = job.numbers(result)
    assert {n: a.tobytes() for n, a in resumed.items()} == {
        n: a.tobytes() for n, a in expected.items()
    }
