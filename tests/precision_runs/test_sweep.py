"""The order of work between workers: who makes what, what is left, what is written."""

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
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A design of two runs that take no time; the runs that were made."""
    names: list[str] = []

    def run(job, lr, text, work):
        names.append(job.run_id)
        found = row(job.run_id, "2.5", loss_se="0.1", seconds="1")
        return found, [
            {name: found[name] for name in ("run_id", "N", "D")} | {"P_post": 4, "method": "rtn"}
        ]

    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr(
        sweep, "ordered", lambda done: [(job, 0.01) for job in JOBS if job.run_id not in done]
    )
    return names


def test_each_run_is_made_once_and_told_at_once(made: list[str], tmp_path: Path):
    out = tmp_path / "runs.csv"
    for count, job in enumerate(JOBS, start=1):
        said = sweep.next_run(tmp_path, out, TEXT, most=np.inf)
        assert said is not None
        assert said.startswith(job.run_id)
        assert list(table.finished(tmp_path / "elsewhere", out)) == [
            job.run_id for job in JOBS[:count]
        ]
        assert f"{count} runs" in out.with_suffix(".md").read_text()
    assert sweep.next_run(tmp_path, out, TEXT, most=np.inf) is None
    assert made == [job.run_id for job in JOBS]


def test_what_another_worker_is_at_is_left_to_it(made: list[str], tmp_path: Path):
    out = tmp_path / "runs.csv"
    with table.locked(tmp_path / "locks" / JOBS[0].trunk_id, wait=False) as free:
        assert free
        sweep.next_run(tmp_path, out, TEXT, most=np.inf)
        assert made == [JOBS[1].run_id]
        assert sweep.next_run(tmp_path, out, TEXT, most=np.inf) == ""
    sweep.next_run(tmp_path, out, TEXT, most=np.inf)
    assert made == [JOBS[1].run_id, JOBS[0].run_id]


def test_runs_that_cost_too_much_are_left_out(made: list[str], tmp_path: Path):
    assert sweep.next_run(tmp_path, tmp_path / "runs.csv", TEXT, most=0.0) is None
    assert made == []
