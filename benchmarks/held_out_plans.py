"""Plans from small runs, judged by larger runs that were held out: docs/planning.md.

The law is fitted to the runs up to a tenth of the largest compute. For each larger budget with a
valley of its own (runs of at least five sizes) the plan from the point fit, the plan of least
expected loss over posterior draws, and that of least tail regret are compared with the valley: a
parabola in ln N through the held-out runs. The regret is its height at the planned size above its
bottom, where the size lies inside the runs' range.

Run: ``python -m benchmarks.held_out_plans [DATA SET | FILE ...] [--figure FILE.png]``.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jscale import fit, laws, plan, runs
from jscale._core.errors import JscaleError
from jscale._core.scope import float64

DATA = ("chinchilla", "llama3-isoflop", "gemstones")
HELD_OUT = 10.0
"""Factor of compute between the largest run and the largest one that is fitted."""
LEAST_SIZES, LEAST_FACTOR = 5, 3.0
"""Sizes of a valley, and the factor between its largest and its smallest."""
STEP = 0.1
"""Decades of compute that are one budget."""
DRAWS, CHAINS = 500, 4


class Valley(NamedTuple):
    """Held-out runs of one budget: ``loss = bottom + bend * (ln N - best)**2``.

    Attributes:
        budget: FLOP.
        ends: smallest and largest size.
        best: ln N of the bottom.
        bend: nats.
        error: root mean square of the residuals.
    """

    budget: float
    ends: tuple[float, float]
    best: float
    bend: float
    error: float

    def regret(self, size: float) -> float:
        """Of a size, NaN outside the runs."""
        if not self.ends[0] <= size <= self.ends[1]:
            return float("nan")
        return self.bend * (np.log(size) - self.best) ** 2


def columns_of(source: str) -> dict[str, np.ndarray]:
    """N, D and loss of the runs of a data set or a file."""
    table = runs.dataset(source) if "." not in source else runs.read(source)
    return {each: np.asarray(table[each], float)[table.kept] for each in ("N", "D", "loss")}


def valleys(columns: dict[str, np.ndarray], above: float) -> Iterator[Valley]:
    """The valleys of budgets above the fitted runs."""
    logs = np.log10(6 * columns["N"] * columns["D"])
    budgets = np.round(logs / STEP) * STEP
    for budget in np.unique(budgets[logs > above]):
        rows = (budgets == budget) & (logs > above)
        x, y = np.log(columns["N"][rows]), columns["loss"][rows]
        sizes = len(np.unique(x.round(3)))
        if sizes < LEAST_SIZES or np.ptp(x) < np.log(LEAST_FACTOR):
            continue
        bend, slope, level = np.polyfit(x, y, 2)
        best = -slope / (2 * bend)
        if bend <= 0 or not x.min() < best < x.max():
            continue
        error = float(np.sqrt(np.mean((np.polyval((bend, slope, level), x) - y) ** 2)))
        ends = float(np.exp(x.min())), float(np.exp(x.max()))
        yield Valley(float(10 ** logs[rows].mean()), ends, float(best), float(bend), error)


def compare(name: str, columns: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The plans of one data set against its valleys."""
    logs = np.log10(6 * columns["N"] * columns["D"])
    above = logs.max() - np.log10(HELD_OUT)
    held = list(valleys(columns, above))
    small = runs.read({each: values[logs <= above] for each, values in columns.items()})
    point = fit.point(laws.chinchilla, small, starts=32)
    posterior = fit.posterior(
        laws.chinchilla, small, key=jax.random.key(0), draws=DRAWS, chains=CHAINS
    )
    rows = []
    for valley in held:
        with float64():
            sizes = {
                "point": float(plan.optimal(laws.chinchilla, point.params, valley.budget).N_opt)
            }
            for risk in ("mean", "regret"):
                best = plan.robust(laws.chinchilla, posterior.draws, valley.budget, risk=risk)
                sizes[risk] = float(best.N)
            own = plan.optimal(laws.chinchilla, posterior.draws, valley.budget).N_opt
        low, high = np.nanquantile(np.asarray(own, float), (0.05, 0.95))
        rows.append({"data": name, "valley": valley, "sizes": sizes, "band": (low, high)})
        regrets = ", ".join(f"{key} {valley.regret(size):.5f}" for key, size in sizes.items())
        print(
            f"{name}: {len(small)} runs, {valley.budget:.2e} FLOP, best {np.exp(valley.best):.2e} "
            f"(rms {valley.error:.4f}), plans "
            + ", ".join(f"{key} {size:.2e}" for key, size in sizes.items())
            + f", band {low:.2e} to {high:.2e}; regret in nats: {regrets}",
            flush=True,
        )
    return rows


KINDS = {"point": "point fit", "mean": "least expected loss", "regret": "least tail regret"}
"""Key of a plan → its name in the figure."""


def cases(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What ``report.plots.held_out_regret`` draws; sizes outside the runs have no regret."""
    drawn = []
    for row in rows:
        valley = row["valley"]
        regret = {KINDS[key]: valley.regret(size) for key, size in row["sizes"].items()}
        known = {name: value for name, value in regret.items() if np.isfinite(value)}
        case = {"data": row["data"], "budget": valley.budget, "error": valley.error}
        drawn.append({**case, "regret": known})
    return drawn


def main() -> None:
    """Compare the plans of each data set, and draw their regrets if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=list(DATA))
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    rows = []
    for data in arguments.data:
        try:
            rows += compare(Path(data).stem, columns_of(data))
        except JscaleError as problem:
            print(f"{data}: {problem}")
    if arguments.figure is not None:
        from jscale.report import plots

        plots.save(plots.held_out_regret(cases(rows)), arguments.figure)


if __name__ == "__main__":
    main()
