"""Coverage of pooled posteriors: simulated groups of runs, intervals of groups and population.

Run: ``python -m benchmarks.pooling [tables] [out.json]``. Each table has six groups of nine runs of
Chinchilla's law with the data term fixed, the floor, the size term and the exponent of each group
drawn about typical ones (sd 0.1 of the logarithm), and errors of 0.5%. All three parameters are
partially pooled. A table goes into the file as soon as it is done; a second call goes on.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jscale import fit, laws, runs

SD, NOISE, GROUPS = 0.1, 0.005, 6
HOFFMANN = laws.params(laws.chinchilla, "hoffmann2022")
LAW = laws.fix(laws.chinchilla, B=HOFFMANN["B"], beta=HOFFMANN["beta"])
SIZES, TOKENS = (
    x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 3), np.geomspace(5e9, 2e11, 3))
)
CENTRE = float(np.exp(np.log(SIZES).mean()))
SETTINGS = {"errors": "normal", "sampler": "nuts", "warmup": 200, "draws": 250}


def simulated(seed: int) -> tuple[runs.Runs, dict[str, float]]:
    """A table, and the true value of every parameter of its summary."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(3, GROUPS))
    floors, alphas = HOFFMANN["E"] * np.exp(SD * z[0]), HOFFMANN["alpha"] * np.exp(SD * z[1])
    typical = HOFFMANN["A"] * CENTRE ** -HOFFMANN["alpha"]
    coefficients = typical * np.exp(SD * z[2]) * CENTRE**alphas
    columns: dict[str, list[Any]] = {"N": [], "D": [], "loss": [], "corpus": []}
    truth = {**{n: HOFFMANN[n] for n in ("E", "A", "alpha")}, "E_sd": SD, "A_sd": SD}
    truth |= {"alpha_sd": SD, "sigma": NOISE}
    for i in range(GROUPS):
        params = {"E": floors[i], "A": coefficients[i], "alpha": alphas[i]}
        loss = np.asarray(LAW(N=SIZES, D=TOKENS, **params), float)
        columns["N"] += SIZES.tolist()
        columns["D"] += TOKENS.tolist()
        columns["loss"] += (loss * np.exp(NOISE * rng.normal(size=len(loss)))).tolist()
        columns["corpus"] += [f"g{i}"] * len(loss)
        truth |= {f"{name}[g{i}]": value for name, value in params.items()}
    return runs.read(columns), truth


def ranked(seed: int) -> dict[str, Any]:
    """Share of the draws below the truth, for every parameter of one table."""
    table, truth = simulated(seed)
    pooled = fit.pooled_posterior(
        LAW, table, by="corpus", pool="partial", key=jax.random.key(seed), **SETTINGS
    )
    draws = {**pooled.noise, **pooled.typical}
    draws |= {f"{name}_sd": values for name, values in pooled.between.items()}
    draws |= {
        f"{name}[{label}]": values[:, i]
        for name, values in pooled.draws.items()
        for i, label in enumerate(pooled.groups)
    }
    return {
        "ranks": {name: float((draws[name] < value).mean()) for name, value in truth.items()},
        "status": str(pooled.status),
        "rhat": max(row["rhat"] for row in pooled.summary.values()),
        "seconds": pooled.seconds,
    }


def report(tables: list[dict[str, Any]]) -> None:
    """Print the coverage of 50% and 90% intervals by kind of parameter."""
    kinds: dict[str, list[float]] = {}
    for table in tables:
        for name, rank in table["ranks"].items():
            kinds.setdefault(name.partition("[")[0] + "[]" * ("[" in name), []).append(rank)
    print(f"{len(tables)} tables; parameter, intervals, in 50%, in 90%")
    for name, ranks in kinds.items():
        values = np.array(ranks)
        inside = [float((abs(values - 0.5) < level / 2).mean()) for level in (0.5, 0.9)]
        print(f"{name:9} {len(values):5} {inside[0]:.3f} {inside[1]:.3f}")
    converged = np.mean([table["status"] == "converged" for table in tables])
    seconds = np.median([table["seconds"] for table in tables])
    print(f"converged {converged:.0%}; median {seconds:.1f} s a table")


def main() -> None:
    """Simulate tables until the file has as many as asked for."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("pooling.json")
    tables = json.loads(path.read_text()) if path.exists() else []
    while len(tables) < count:
        tables.append(ranked(len(tables)))
        path.write_text(json.dumps(tables))
    report(tables)


if __name__ == "__main__":
    main()
