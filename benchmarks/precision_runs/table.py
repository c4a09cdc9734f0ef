"""The tables of finished runs: one appended line per run, exported to two CSV files."""

import csv
import fcntl
import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.precision_runs.corpus import write
from benchmarks.precision_runs.design import jobs

CELL = ("run_id", "purpose", "N", "n_kind", "D", "C", "P_w", "P_a", "P_kv", "seed")
COLUMNS = (
    *CELL,
    "loss",
    "loss_se",
    "train_loss",
    "diverged",
    "exclude",
    "reason",
    "lr",
    "schedule",
    "trunk",
    "steps",
    "batch",
    "layers",
    "width",
    "heads",
    "seconds",
    "corpus",
    "jax",
)
POST_COLUMNS = (
    *CELL,
    "P_post",
    "method",
    "loss",
    "loss_se",
    "delta",
    "delta_se",
    "diverged",
    "exclude",
    "reason",
)
_LINES = "rows.jsonl"


def post_path(out: Path) -> Path:
    """Path of the table of post-training losses, next to the table of runs."""
    return out.with_name(f"{out.stem}_post{out.suffix}")


@contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock file; yields whether it was free.

    The kernel releases it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def append(work: Path, row: dict, post: list[dict]) -> None:
    """Append a finished run and its post-training losses as one line, synced to disk."""
    line = json.dumps({"row": row, "post": post}).encode() + b"\n"
    with locked(work / "locks" / "rows", wait=True), (work / _LINES).open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            # A kill may have torn the last line: end it, so that only that line is dropped.
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def lines(work: Path) -> dict[str, tuple[dict, list[dict]]]:
    """Finished runs of a folder by run_id; a torn line counts as not finished."""
    finished_runs = {}
    path = work / _LINES
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        finished_runs[entry["row"]["run_id"]] = (entry["row"], entry["post"])
    return finished_runs


def finished(work: Path, out: Path) -> dict[str, tuple[dict, list[dict]]]:
    """Finished runs of the folder and of the table; the table is enough to resume from."""
    finished_runs: dict[str, tuple[dict, list[dict]]] = {}
    if out.exists():
        with out.open(newline="") as file:
            finished_runs = {row["run_id"]: (row, []) for row in csv.DictReader(file)}
        with post_path(out).open(newline="") as file:
            for post in csv.DictReader(file):
                # After a kill between the two exports, losses can precede their run.
                if post["run_id"] in finished_runs:
                    finished_runs[post["run_id"]][1].append(post)
    return finished_runs | lines(work)


def losses(runs: dict[str, tuple[dict, list[dict]]]) -> dict[str, float]:
    """run_id → loss; nan for a run whose loss is not finite."""
    return {
        name: math.nan if row["loss"] in ("", None) else float(row["loss"])
        for name, (row, _) in runs.items()
    }


def export(work: Path, out: Path) -> int:
    """Write both tables atomically, in the order of the design; returns the number of runs."""
    with locked(work / "locks" / "export", wait=True):
        runs = finished(work, out)
        positions = {job.run_id: position for position, job in enumerate(jobs())}
        order = sorted(runs, key=lambda name: (positions.get(name, len(positions)), name))
        # The post-training table first, so that after a kill every exported run has its losses.
        post = [entry for name in order for entry in runs[name][1]]
        write(post_path(out), _csv(POST_COLUMNS, post))
        write(out, _csv(COLUMNS, [runs[name][0] for name in order]))
    return len(order)


def _csv(columns: tuple[str, ...], rows: list[dict]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
