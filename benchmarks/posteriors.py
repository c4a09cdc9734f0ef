"""Do posteriors converge, in how many seconds, and are they right? The table of docs/posteriors.md.

Every table is sampled twice with ``fit.posterior``: the first call compiles, the second does not.
``--reference`` compares them with a long run of NUTS (4 chains of 20,000 draws): means, standard
deviations and 5 and 95% quantiles, in units of their Monte-Carlo errors.

Run: ``python -m benchmarks.posteriors [--reference] [--out FILE.json] [NAME ...]``.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jscale import fit, laws, runs
from jscale.laws import LawFunction
from jscale.runs import Runs

_LONG = 20_000
"""Draws of each chain of the reference."""
SMOOTH = "normal + scale(C, D/N) + discrepancy"


class Entry(NamedTuple):
    """A posterior to sample: a law, what makes its table, and the error model."""

    name: str
    law: LawFunction
    table: Callable[[], Runs]
    errors: str


def entries() -> Iterator[Entry]:
    """The tables, from few runs on one ray to thousands."""
    chinchilla = partial(runs.dataset, "chinchilla")
    quest, precision = partial(runs.dataset, "quest"), partial(runs.dataset, "precision-runs")
    llama, gemstones = partial(runs.dataset, "llama3-isoflop"), partial(runs.dataset, "gemstones")
    reused = partial(runs.dataset, "datablations")
    yield Entry("chinchilla", laws.chinchilla, chinchilla, "student")
    yield Entry("chinchilla smooth", laws.chinchilla, chinchilla, SMOOTH)
    yield Entry("ladder of 12", laws.chinchilla, ladder, "student")
    yield Entry("ladder of 12 smooth", laws.chinchilla, ladder, "normal + scale(C) + discrepancy")
    yield Entry("8 runs", laws.chinchilla, few, "student")
    yield Entry("quest", laws.low_precision, quest, "student")
    without_bias = laws.fix(laws.low_precision, n_w=0.0, n_a=0.0, n_kv=0.0)
    yield Entry("quest without biases", without_bias, quest, "student")
    yield Entry("precision-runs", laws.precision, precision, "student")
    yield Entry("precision-runs effects", laws.precision, precision, "normal + effects")
    yield Entry("gemstones effects", laws.chinchilla, gemstones, "normal + effects")
    yield Entry("datablations", laws.data_constrained, reused, "student")
    yield Entry("bnsl(1)", laws.bnsl(1), broken, "student")
    yield Entry("llama 3 coupled", laws.coupled, llama, "student")
    yield Entry("llama 3 coupled smooth", laws.coupled, llama, SMOOTH)
    yield Entry("ladder of 19 coupled", laws.coupled, coupled_ladder, "student")


def ladder() -> Runs:
    """Twelve runs of D = 20 N: which of the two terms is which is not identified."""
    N = np.geomspace(2e7, 3e9, 12)
    return _simulated(laws.chinchilla, laws.params(laws.chinchilla), N, 20 * N, 0.003)


def few() -> Runs:
    """Eight runs."""
    N = np.repeat([1e8, 3e8, 1e9, 3e9], 2)
    D = np.array([2e9, 1e10, 5e9, 4e10, 2e10, 1e11, 5e10, 2e11])
    return _simulated(laws.chinchilla, laws.params(laws.chinchilla), N, D, 0.005)


def coupled_ladder() -> Runs:
    """Nineteen runs near D = 20 N of a law with small exponents: alpha q = 0.16."""
    rng = np.random.default_rng(0)
    N = np.geomspace(2e7, 3e9, 19)
    D = 20 * N * np.exp(rng.normal(0.0, 0.5, 19))
    truth = {"E": 0.5, "A": 1e3, "B": 3e3, "alpha": 0.32, "beta": 0.34, "q": 0.5}
    return _simulated(laws.coupled, truth, N, D, 0.003)


def broken() -> Runs:
    """Forty runs of a power law of the compute with one break."""
    C = np.geomspace(1e17, 1e23, 40)
    law = laws.bnsl(1)
    truth = {"a": 1.5, "b": 40.0, "c_0": 0.07, "c_1": 0.06, "d_1": 1e20, "f_1": 0.5}
    return runs.simulate(law, truth, {"x": C}, noise=0.003, key=jax.random.key(0))


def _simulated(law: LawFunction, truth: Any, N: np.ndarray, D: np.ndarray, noise: float) -> Runs:
    return runs.simulate(law, truth, {"N": N, "D": D}, noise=noise, key=jax.random.key(0))


def measure(entry: Entry, *, reference: bool) -> dict[str, Any]:
    """One row of the table."""
    table = entry.table()
    first = _timed(entry, table, seed=0)
    again = _timed(entry, table, seed=1)
    posterior = again["posterior"]
    rows = posterior.summary.values()
    row = {
        "table": entry.name,
        "runs": len(posterior.rows or ()),
        "law": posterior.law_name,
        "errors": str(posterior.errors),
        "sampler": posterior.sampler,
        "status": str(posterior.status),
        "rhat": max(each["rhat"] for each in rows),
        "ess_bulk": min(each["ess_bulk"] for each in rows),
        "ess_tail": min(each["ess_tail"] for each in rows),
        "divergences": posterior.divergences,
        "first": {name: first[name] for name in ("seconds", "cpu")},
        "again": {name: again[name] for name in ("seconds", "cpu")},
    }
    if reference:
        row["worst_error"] = _worst_error(posterior, _reference(entry, table))
    return row


def _timed(entry: Entry, table: Runs, seed: int) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    key = jax.random.key(seed)
    posterior = fit.posterior(entry.law, table, key=key, errors=entry.errors)
    return {
        "posterior": posterior,
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu": round(time.process_time() - cpu, 1),
    }


def _reference(entry: Entry, table: Runs) -> fit.Posterior:
    settings: dict[str, Any] = {"chains": 4, "warmup": 2000, "draws": _LONG}
    return fit.posterior(
        entry.law, table, key=jax.random.key(2), errors=entry.errors, sampler="nuts", **settings
    )


def _worst_error(posterior: fit.Posterior, reference: fit.Posterior) -> dict[str, Any]:
    """Largest difference of mean, sd and quantiles, in Monte-Carlo errors, and of which."""
    worst: dict[str, Any] = {
        "errors": 0.0,
        "of": "",
        "reference_rhat": max(row["rhat"] for row in reference.summary.values()),
        "reference_ess": min(row["ess_bulk"] for row in reference.summary.values()),
    }
    draws = {**posterior.draws, **posterior.noise}
    long = {**reference.draws, **reference.noise}
    for name, row in posterior.summary.items():
        other = reference.summary[name]
        share = 1 / row["ess_bulk"] + 1 / other["ess_bulk"]
        tail = 1 / row["ess_tail"] + 1 / other["ess_tail"]
        z = (long[name] - other["mean"]) / other["sd"]
        errors = {
            "mean": (row["mean"] - other["mean"]) / (other["sd"] * np.sqrt(share)),
            "sd": (row["sd"] / other["sd"] - 1) / np.sqrt((np.mean(z**4) - 1) / 4 * tail),
        }
        for q, column in ((0.05, "q05"), (0.95, "q95")):
            below = np.mean(draws[name] < other[column])
            errors[column] = (below - q) / np.sqrt(q * (1 - q) * tail)
        for part, value in errors.items():
            if abs(value) > worst["errors"]:
                worst.update(errors=round(float(abs(value)), 2), of=f"{part} of {name}")
    return worst


def shown(row: dict[str, Any]) -> str:
    """A row of the Markdown table."""
    return (
        f"| {row['table']} | {row['runs']:,} | `{row['law']}` | `{row['errors']}` | "
        f"{row['sampler']} | {row['rhat']:.3f} | {row['ess_bulk']:,.0f} / {row['ess_tail']:,.0f} | "
        f"{row['divergences']} | {row['first']['seconds']} ({row['first']['cpu']}) | "
        f"{row['again']['seconds']} ({row['again']['cpu']}) |"
    )


def main() -> None:
    """Print one row for each table as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables; all without any")
    parser.add_argument("--reference", action="store_true", help="compare with long NUTS")
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    rows = []
    for entry in entries():
        if arguments.names and entry.name not in arguments.names:
            continue
        rows.append(measure(entry, reference=arguments.reference))
        print(shown(rows[-1]), rows[-1].get("worst_error", ""), flush=True)
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
