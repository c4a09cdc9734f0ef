"""Routed models with and without a floor: the table of docs/new-laws.md.

Clark et al.'s law and `routed_floor` are fitted to their runs with the least compute, and to all
but the largest models, and judged by the others: R2 of the losses and root mean square of the
errors of ln loss.

Run: ``python -m benchmarks.routed_models``.
"""

import numpy as np

from benchmarks.backtests import routed_runs
from jscale import fit, laws, runs
from jscale._core.scope import float64
from jscale.fit.objective import padded_at_least

ROUTERS, CUTS, STARTS = ("S-Base", "RL-R", "Hash"), (0.6, 0.8), 24


def held_out(law: laws.LawFunction, table: runs.Runs, seen: np.ndarray) -> tuple[float, float]:
    """R2 and RMS of the log errors on the rows that are not seen."""
    with padded_at_least(len(table)):
        point = fit.point(law, table.where(seen), starts=STARTS)
    inputs = {name: np.asarray(table[name])[~seen] for name in ("N", "E_experts")}
    true = np.asarray(table["loss"])[~seen]
    with float64():
        value = np.asarray(law(**inputs, **point.params))
    error = np.sum((value - true) ** 2) / np.sum((true - true.mean()) ** 2)
    return float(1 - error), float(np.sqrt(np.mean(np.log(value / true) ** 2)))


def main() -> None:
    """Print a line for each router, cut and law."""
    for router in ROUTERS:
        table = routed_runs(router)
        compute, size = np.asarray(table["C"]), np.asarray(table["N"])
        cuts = {
            f"smaller {cut:.0%} by compute": compute <= np.quantile(compute, cut) for cut in CUTS
        }
        cuts["all but the largest size"] = size < size.max()
        for name, seen in cuts.items():
            for law in (laws.routed, laws.routed_floor):
                r2, rms = held_out(law, table, seen)
                label = laws.describe(law).name
                print(f"{router:8} {name:28} {label:13} {r2:.3f} {rms:.4f}", flush=True)


if __name__ == "__main__":
    main()
