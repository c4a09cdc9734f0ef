"""Summaries of the table: number of runs, noise between seeds, check of the schedule."""

import csv
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.precision_runs.table import post_path

Row = dict[str, str]


class Noise(NamedTuple):
    """Standard deviation of the loss between the seeds of one cell, nats per byte."""

    N: int
    D: int
    bits: str
    seeds: int
    sd: float


class Check(NamedTuple):
    """Losses of one cell from its trunk and from scratch, with the same and a cosine schedule."""

    N: int
    D: int
    trunk: float
    scratch: float
    cosine: float


def read(out: Path) -> tuple[list[Row], list[Row]]:
    """The rows of both tables, as text."""
    tables = []
    for path in (out, post_path(out)):
        with path.open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    return tables[0], tables[1]


def bits(row: Row) -> str:
    """P_w/P_a/P_kv of a row."""
    return "/".join(row[name] for name in ("P_w", "P_a", "P_kv"))


def noise(rows: Iterable[Row]) -> list[Noise]:
    """Cells of the design with at least two seeds that did not diverge, smallest first."""
    cells: dict[tuple[int, int, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["purpose"] in ("design", "seed") and row["diverged"] == "0":
            cells[int(row["N"]), int(row["D"]), bits(row)].append(float(row["loss"]))
    return [
        Noise(N, D, bits, len(v), statistics.stdev(v))
        for (N, D, bits), v in sorted(cells.items())
        if len(v) > 1
    ]


def pooled(cells: Iterable[Noise]) -> float:
    """Pooled standard deviation of several cells, by degrees of freedom; nan without any."""
    pairs = [(cell.seeds - 1, cell.sd**2) for cell in cells]
    if not pairs:
        return math.nan
    return math.sqrt(sum(n * v for n, v in pairs) / sum(n for n, _ in pairs))


def checks(rows: Iterable[Row]) -> list[Check]:
    """The cells whose three runs are all finished."""
    losses = {row["run_id"]: float(row["loss"]) for row in rows if row["loss"]}
    cells = {
        row["run_id"].removeprefix("scratch-wsd-"): row
        for row in rows
        if row["run_id"].startswith("scratch-wsd-")
    }
    names = {cell: (cell, f"scratch-wsd-{cell}", f"scratch-cosine-{cell}") for cell in cells}
    return [
        Check(int(cells[cell]["N"]), int(cells[cell]["D"]), *(losses[name] for name in three))
        for cell, three in names.items()
        if all(name in losses for name in three)
    ]


def rates(rows: Iterable[Row]) -> dict[int, dict[float, float]]:
    """N → learning rate → validation loss of the search."""
    losses_by_rate: dict[int, dict[float, float]] = defaultdict(dict)
    for row in rows:
        if row["purpose"] == "rate":
            losses_by_rate[int(row["N"])][float(row["lr"])] = float(row["loss"] or "nan")
    return {N: dict(sorted(losses_by_rate[N].items())) for N in sorted(losses_by_rate)}


def counts(rows: Iterable[Row]) -> Counter:
    """Runs by purpose."""
    return Counter(row["purpose"] for row in rows)
