"""Simulation-based calibration of three posteriors: are ranks of the truth uniform?

Parameters are drawn from the priors, losses are simulated at a fixed design, and the truth is
ranked in the posterior of every table (``assess.calibrate_posterior``): Chinchilla's law on 64
runs, the law of precision on 96 and a pooled law on four groups of 12. The posteriors that are done
are kept in a file for each model, so that a second call goes on.

Run: ``python -m benchmarks.simulation_based_calibration [--tables 300] [--folder DIR] [NAME ...]``
with the names ``chinchilla``, ``precision`` and ``pooled``.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jscale import assess, laws, runs

DRAWS = 2000
"""Of each posterior: of 500 a chain, NUTS draws again those that have not mixed."""
_BITS = np.array([4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0])


def main() -> None:
    """Print the rows of docs/posteriors.md for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *MODELS])
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    for name in arguments.names or MODELS:
        wall, cpu = time.perf_counter(), time.process_time()
        result = calibration(name, arguments.tables, arguments.folder / f"{name}.state")
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        (arguments.folder / f"{name}.json").write_text(json.dumps(summary(result) | seconds))
        print(shown(name, result), f"[{seconds['cpu']:.0f} s of CPU]", flush=True)


def calibration(name: str, tables: int, state: Path) -> assess.PosteriorCalibration:
    """The calibration of one model.

    Args:
        name: one of :data:`MODELS`.
        tables: number of simulated tables.
        state: file that holds what is done.
    """
    return assess.calibrate_posterior(
        **MODELS[name](),
        simulations=tables,
        key=jax.random.key(0),
        draws=DRAWS,
        resume=state,
    )


def chinchilla() -> dict[str, Any]:
    """Eight sizes by eight numbers of tokens, Student-t errors."""
    N, D = _grid(8, 8)
    return {"law": laws.chinchilla, "table": _table(laws.chinchilla, N=N, D=D), "errors": "student"}


def precision() -> dict[str, Any]:
    """Bits of weights, activations and cache in training, and of weights after it."""
    rng, count = np.random.default_rng(0), 96
    N, D = (start * 100 ** rng.random(count) for start in (3e7, 2e9))
    bits = {name: rng.choice(_BITS, count) for name in ("P_w", "P_a", "P_kv")}
    post = np.where(rng.random(count) < 0.5, 16.0, rng.choice(_BITS[:4], count))
    table = _table(laws.precision, N=N, D=D, P_post=post, **bits)
    return {"law": laws.precision, "table": table, "errors": "student"}


def pooled() -> dict[str, Any]:
    """Four corpora of 12 runs each, with a size term and an exponent of their own."""
    N, D = (np.tile(x, 4) for x in _grid(4, 3))
    corpus = np.repeat(["a", "b", "c", "d"], 12)
    pool = {"A": "partial", "alpha": "partial"}
    table = _table(laws.chinchilla, N=N, D=D)
    table = runs.read({**{name: table[name] for name in table}, "corpus": corpus})
    return {
        "law": laws.chinchilla,
        "table": table,
        "errors": "normal",
        "by": "corpus",
        "pool": pool,
    }


MODELS: dict[str, Callable[[], dict[str, Any]]] = {
    "chinchilla": chinchilla,
    "precision": precision,
    "pooled": pooled,
}


def _grid(sizes: int, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    N, D = np.meshgrid(np.geomspace(3e7, 3e9, sizes), np.geomspace(2e9, 2e11, tokens))
    return N.ravel(), D.ravel()


def _table(law: laws.LawFunction, **design: np.ndarray) -> runs.Runs:
    return runs.simulate(law, laws.params(law), design, noise=0.005, key=jax.random.key(0))


def summary(result: assess.PosteriorCalibration) -> dict[str, Any]:
    """What is kept in the JSON file."""
    return {
        "p": result.p_value,
        "unusable": result.unusable,
        "not_converged": result.not_converged,
        "samplers": dict(result.samplers),
        "rows": {
            row.target: {
                "p": row.p_value,
                "coverage": {str(level): share for level, share in row.coverage.items()},
                "limits": row.limits(0.9),
                "counts": row.counts.tolist(),
            }
            for row in result.rows
        },
    }


def shown(name: str, result: assess.PosteriorCalibration) -> str:
    """A row of the table of docs/posteriors.md."""
    shares = {row.target: row.coverage[0.9] for row in result.rows}
    low, high = result.rows[0].limits(0.9)
    worst = min(result.rows, key=lambda row: row.p_value)
    outside = [target for target, share in shares.items() if not low <= share <= high]
    tables = result.simulations - result.unusable
    samplers = ", ".join(f"{sampler} {count}" for sampler, count in result.samplers.items())
    return (
        f"| {name} | {tables} | {len(result.rows)} | {result.p_value:.2g} | "
        f"{worst.p_value:.2g} ({worst.target}) | {min(shares.values()):.1%} to "
        f"{max(shares.values()):.1%} | {low:.1%} to {high:.1%} | {', '.join(outside) or 'none'} | "
        f"{samplers} | {result.not_converged} |"
    )


if __name__ == "__main__":
    main()
