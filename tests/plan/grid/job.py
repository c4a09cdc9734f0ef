"""A grid search as a process of its own: ``job.py OUT [--resume FILE] [--kill N] [--process I]``.

It writes every number of the result to OUT, and the number of devices to stdout.
"""

import argparse
import os
import signal
from pathlib import Path

import jax
import numpy as np

from jscale import laws, plan
from jscale._core.jobs import Checkpoint
from jscale.plan import reductions
from jscale.plan.gridsearch import LostProcessError

AXES = {"N": np.geomspace(1e8, 1e11, 60), "D": np.geomspace(1e9, 1e12, 50), "P": np.arange(3.0, 17)}
LOST = 3
"""Exit code of a process that has lost the other one."""
TILE = 333
"""With 42,000 points it gives 195 tiles in 13 groups, and a rest on one axis."""


def search(resume: str | None = None) -> plan.GridResult:
    params = laws.params(laws.precision, "kumar2024")
    return plan.grid(
        {"loss": laws.precision, "flops": "6/16 * N * D * P"},
        AXES,
        params=params,
        where="flops <= 1e23",
        reduce=[
            reductions.Best(),
            reductions.Top(20),
            reductions.Count(),
            reductions.Moments(),
            reductions.Moments(("N", "P"), name="by_tokens"),
            reductions.Marginal(("P",)),
            reductions.Front(("flops", "loss")),
        ],
        tile=TILE,
        resume=resume,
    )


def numbers(result: plan.GridResult) -> dict[str, np.ndarray]:
    return {
        f"{name} {variable}": np.asarray(values)
        for name, each in result.results.items()
        for variable, values in each.values.items()
    }


def kill_after(count: int) -> None:
    """End this process, as by ``kill -9``, once so many groups are in the file."""
    add = Checkpoint.add

    def counted(self: Checkpoint, name: str, result: dict[str, np.ndarray]) -> None:
        nonlocal count
        add(self, name, result)
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoint.add = counted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--resume")
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--process", type=int)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.process is not None:
        jax.distributed.initialize(f"127.0.0.1:{options.port}", 2, options.process)
    if options.kill:
        kill_after(options.kill)
    try:
        result = search(options.resume)
    except LostProcessError as error:
        print(error, flush=True)  # noqa: T201 (read by the test)
        os._exit(LOST)  # JAX would wait for the other process
    np.savez(options.out, **numbers(result))
    print(len(jax.devices()))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main()
