"""The division of work between workers, what remains and what is written."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.precision_runs import sweep, table
from benchmarks.precision_runs.corpus import Corpus
from benchmarks.precision_runs.design import jobs
from tests.precision_runs.test_summary import RECORD, row

JOBS = jobs()[:2]
NOTHING = np.zeros((0, 129), np.uint8)
TEXT = Corpus(NOTHING, NOTHING, np.zeros(0, int), NOTHING, RECORD)


@pytest.fixture
def finished_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the finished runs of a design with two instant runs."""
    names: list[str] = []

    def run(job, lr, text, work):
        names.append(job.run_id)
        result = row(job.run_id, "2.5", loss_se="0.1", seconds="1")
        return result, [
            {name: result[name] for name in ("run_id", "N", "D")} | {"P_post": 4, "method": "rtn"}
        ]

    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr(
        sweep, "ordered", lambda done: [(job, 0.01) for job in JOBS if job.run_id not in done]
    )
    return names


def test_each_run_is_trained_and_reported_once(finished_runs: list[str], tmp_path: Path):
    out = tmp_path / "runs.csv"
    for count, job in enumerate(JOBS, start=1):
        message = sweep.next_run(tmp_path, out, TEXT, limit=np.inf)
        assert message is not None
        assert message.startswith(job.run_id)
        assert list(table.finished(tmp_path / "empty", out)) == [job.run_id for job in JOBS[:count]]
        assert f"{count} runs" in out.with_suffix(".md").read_text()
    assert sweep.next_run(tmp_path, out, TEXT, limit=np.inf) is None
    assert finished_runs == [job.run_id for job in JOBS]


def test_locked_runs_are_skipped(finished_runs: list[str], tmp_path: Path):
    out = tmp_path / "runs.csv"
    with table.locked(tmp_path / "locks" / JOBS[0].trunk_id, wait=False) as free:
        assert free
        sweep.next_run(tmp_path, out, TEXT, limit=np.inf)
        assert finished_runs == [JOBS[1].run_id]
        assert sweep.next_run(tmp_path, out, TEXT, limit=np.inf) == ""
    sweep.next_run(tmp_path, out, TEXT, limit=np.inf)
    assert finished_runs == [JOBS[1].run_id, JOBS[0].run_id]


def test_runs_above_the_limit_are_skipped(finished_runs: list[str], tmp_path: Path):
    assert sweep.next_run(tmp_path, tmp_path / "runs.csv", TEXT, limit=0.0) is None
    assert finished_runs == []
