"""Mixed calls for hours in one process: memory is flat after a warm-up, results stay the same.

A short run takes some seconds; ``make soak`` sets ``JSCALE_SOAK_MINUTES``.
"""

import gc
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from jscale import fit, laws, plan, runs
from jscale.cli._app import app
from tests.cli.tables import chinchilla_rows

MINUTES = float(os.environ.get("JSCALE_SOAK_MINUTES", "0.02"))
WARM_UP = 3
"""Rounds in which programs are compiled and caches fill."""
MOST_GROWTH = 64 * 2**20
"""Bytes by which memory may grow after the warm-up, however long the soak is."""
THREADS = 8


def resident() -> int:
    """Memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def calls(folder: Path) -> dict[str, Callable[[], Any]]:
    """What a pipeline does, each with a result that can be compared."""
    theta = laws.params(laws.chinchilla)
    columns = chinchilla_rows((3, 10, 30, 100, 300))
    table = runs.read(columns)
    key = jax.random.key(0)
    params = ["--params", "hoffmann2022", "--budget", "1e21", "--json"]

    def rejected() -> str:
        with pytest.raises(ValueError, match="loss") as error:
            runs.read({**columns, "loss": -columns["loss"]})
        return str(error.value)

    def saved() -> bytes:
        path = folder / f"{time.perf_counter_ns()}.csv"
        result = CliRunner().invoke(app, ["data", str(folder / "runs.csv"), "--out", str(path)])
        assert result.exit_code == 0
        content = path.read_bytes()
        path.unlink()
        return content

    return {
        "read": lambda: runs.read({**columns, "loss": columns["loss"] * 1.0}).digest,
        "rejected": rejected,
        "point": lambda: fit.point(laws.chinchilla, table, starts=8).params,
        "fixed": lambda: fit.point(laws.fix(laws.chinchilla, E=1.69), table, starts=8).params,
        "bootstrap": lambda: (
            fit.bootstrap(laws.chinchilla, table, draws=20, key=key, starts=8).stderr
        ),
        "plan": lambda: float(plan.optimal(laws.chinchilla, theta, 1e21).N_opt),
        "command": lambda: CliRunner().invoke(app, ["plan", *params]).stdout,
        "file": saved,
    }


def test_memory_is_flat_and_results_stay_the_same(tmp_path: Path):
    lines = [",".join(map(repr, row)) for row in zip(*_columns(), strict=True)]
    (tmp_path / "runs.csv").write_text("N,D,loss\n" + "\n".join(lines) + "\n")
    work = calls(tmp_path)
    expected = {name: call() for name, call in work.items()}

    def round_of_calls(i: int) -> None:
        names = list(work)
        for name in np.random.default_rng(i).permutation(names):
            assert work[name]() == expected[name], name

    for i in range(WARM_UP):
        round_of_calls(i)
    gc.collect()
    before, end, i = resident(), time.monotonic() + 60 * MINUTES, WARM_UP
    while i == WARM_UP or time.monotonic() < end:
        with ThreadPoolExecutor(THREADS) as pool:
            # A command line prints to the stdout of its process: one at a time.
            threaded = [name for name in work if name not in ("command", "file")]
            results = list(pool.map(lambda name: (name, work[name]()), threaded * 2))
        assert all(result == expected[name] for name, result in results)
        round_of_calls(i)
        i += 1
    gc.collect()
    assert resident() - before < MOST_GROWTH, f"after {i} rounds"


def _columns() -> list[list[float]]:
    return [column.tolist() for column in chinchilla_rows((3, 10, 30, 100, 300)).values()]
