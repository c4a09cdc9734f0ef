"""Train runs of the table again, from their first step, and compare.

``python -m benchmarks.precision_runs.reproduce --work FOLDER --table TABLE.csv RUN_ID …`` exits
with 1 if a loss differs from the table's by more than three standard deviations between seeds.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from benchmarks.precision_runs import corpus, summary, train
from benchmarks.precision_runs.design import Job, jobs
from benchmarks.precision_runs.sweep import train_job

_DEVIATIONS = 3.0


def retrain(job: Job, lr: float, text: corpus.Corpus) -> float:
    """The validation loss of a run trained again, without its trunk, nats per byte."""
    with tempfile.TemporaryDirectory() as empty:
        state, _ = train_job(dataclasses.replace(job, trunk=False), lr, text.train, Path(empty))
    return train.mean_and_error(
        train.evaluate(state.params, job.size, text.validation, job.bits), text.documents
    )[0]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of the text; it is made there if need be"
    )
    parser.add_argument("--table", type=Path, required=True, help="table of runs")
    parser.add_argument("run_id", nargs="+")
    options = parser.parse_args()
    rows, _ = summary.read(options.table)
    by_name, known = {row["run_id"]: row for row in rows}, {job.run_id: job for job in jobs()}
    text, sd = corpus.load(options.work / "corpus"), summary.pooled(summary.noise(rows))
    failed = False
    for name in options.run_id:
        if name not in by_name or name not in known:
            raise SystemExit(f"{name}: not a run of the design in {options.table}")
        expected = float(by_name[name]["loss"] or "nan")
        loss = retrain(known[name], float(by_name[name]["lr"]), text)
        agrees = abs(loss - expected) <= _DEVIATIONS * sd
        failed |= not agrees
        print(
            f"{name}: {loss:.6f}, table {expected:.6f}, seeds ±{sd:.4f}: "
            f"{'agrees' if agrees else 'DIFFERS'}",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
