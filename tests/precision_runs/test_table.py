"""Finished runs survive a kill, a torn line and the loss of the folder, without duplicates."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.precision_runs import table
from benchmarks.precision_runs.design import jobs

NAMES = [job.run_id for job in jobs()]


def row(name: str, loss: float | str = 2.5) -> dict:
    return {"run_id": name, "purpose": "design", "N": 6144, "loss": loss, "corpus": "c0"}


def post(name: str, loss: float) -> dict:
    return {"run_id": name, "P_post": 4, "method": "rtn", "loss": loss}


def read(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_and_its_losses_are_read_back(tmp_path: Path):
    out = tmp_path / "runs.csv"
    for name in (NAMES[3], NAMES[1]):
        table.append(tmp_path, row(name), [post(name, 2.6), post(name, 2.7)])
    assert table.export(tmp_path, out) == 2
    assert [r["run_id"] for r in read(out)] == [NAMES[1], NAMES[3]]
    assert [r["loss"] for r in read(table.post_path(out))] == ["2.6", "2.7"] * 2


def test_a_torn_line_is_dropped_without_the_next(tmp_path: Path):
    table.append(tmp_path, row("a"), [])
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(lines.read_bytes() + lines.read_bytes()[:25])
    assert list(table.lines(tmp_path)) == ["a"]
    table.append(tmp_path, row("b"), [])
    assert list(table.lines(tmp_path)) == ["a", "b"]


def test_the_table_is_enough_to_resume(tmp_path: Path):
    out = tmp_path / "runs.csv"
    table.append(tmp_path / "first", row(NAMES[0]), [post(NAMES[0], 2.6)])
    table.append(tmp_path / "first", row(NAMES[2], ""), [])
    table.export(tmp_path / "first", out)
    exported = out.read_bytes(), table.post_path(out).read_bytes()
    losses = table.losses(table.finished(tmp_path / "second", out))
    assert losses[NAMES[0]] == 2.5
    assert losses[NAMES[2]] != losses[NAMES[2]]  # NaN: a run without a finite loss
    table.export(tmp_path / "second", out)
    assert (out.read_bytes(), table.post_path(out).read_bytes()) == exported
    table.append(tmp_path / "second", row(NAMES[1]), [post(NAMES[1], 2.8)])
    assert table.export(tmp_path / "second", out) == 3
    assert [r["run_id"] for r in read(table.post_path(out))] == [NAMES[0], NAMES[1]]


def test_a_lock_is_released_with_its_process(tmp_path: Path):
    path = tmp_path / "locks" / "one"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from benchmarks.precision_runs.table import locked\n"
        "with locked(Path(sys.argv[1]), wait=False) as free:\n"
        "    print(free, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True, env=with_path()
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with table.locked(path, wait=False) as free:
            assert not free
        other.kill()
        other.wait()
    with table.locked(path, wait=False) as free:
        assert free


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.11])
def test_a_kill_loses_at_most_the_current_run(tmp_path: Path, delay: float):
    out = tmp_path / "runs.csv"
    code = (
        "import sys\nfrom pathlib import Path\nfrom benchmarks.precision_runs import table\n"
        "work = Path(sys.argv[1])\n"
        "for i in range(100_000):\n"
        "    name = f'run-{i:05d}'\n"
        "    row = {'run_id': name, 'loss': 1.0 + i, 'corpus': 'c0'}\n"
        "    table.append(work, row, [{'run_id': name, 'P_post': p, 'loss': i} for p in (2, 3)])\n"
        "    table.export(work, work / 'runs.csv')\n"
        "    print(name, flush=True)\n"
    )
    command = [sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=with_path()) as writer:
        assert writer.stdout is not None
        reported = [writer.stdout.readline().strip()]
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        reported += writer.stdout.read().split()
    recovered = list(table.finished(tmp_path, out))
    assert recovered[: len(reported)] == reported
    assert len(recovered) <= len(reported) + 1
    table.append(tmp_path, row("after"), [])
    assert table.export(tmp_path, out) == len(recovered) + 1
    assert len(read(table.post_path(out))) == 2 * len(recovered)


def with_path() -> dict[str, str]:
    """The environment of this process, with ``benchmarks`` on the path."""
    return {**os.environ, "PYTHONPATH": str(Path(table.__file__).parents[2])}
