"""Do the next runs save what is predicted? The section "Next runs" of docs/planning.md.

The law is fitted to simulated tables with the sizes and tokens of Chinchilla's runs, with and
without a batch of further runs, by least squares on the logarithm of the loss. Realised is the mean
regret, over the tables, of the plan from the fit; predicted is that of
:func:`jscale.plan.next_runs`. Batches: by regret, by the determinant, at random, and the largest
runs that the budget pays for.

Run: ``python -m benchmarks.next_runs [--tables COUNT] [--out FILE.json]``.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale import fit, laws, plan, runs
from jscale._core.scope import float64
from jscale.fit.objective import params_at
from jscale.fit.optimum import resolve_point
from jscale.fit.solve import Batch, chunk_for, refit_batch

LAW = laws.chinchilla
TRUTH = laws.params(LAW, "besiroglu2024")
NOISE = 0.005
"""Standard deviation of the logarithm of the loss; that of Chinchilla's runs is near it."""
PLAN_BUDGETS = (5.76e23, 1e25)
SHARE = 0.1
"""Budget of the batch as a share of the compute of all runs."""
MOST = 6
RANDOM_BATCHES = 10
_STARTS = 8
Design = Mapping[str, np.ndarray]


def covariance_of(design: Design) -> np.ndarray:
    """The inverse Fisher information of the parameters, (k, k), at the truth."""
    with float64():

        def logs(theta: Any) -> Any:
            return jnp.log(LAW(jnp.asarray(design["N"]), jnp.asarray(design["D"]), **theta))

        columns = jax.jacfwd(logs)(jax.tree.map(jnp.asarray, TRUTH))
        jacobian = np.stack([np.asarray(columns[name]) for name in TRUTH], axis=1)
    scale = np.array(list(TRUTH.values()))
    scaled = np.linalg.inv((jacobian * scale).T @ (jacobian * scale))
    return NOISE**2 * scale[:, None] * scaled * scale


def joined(base: Design, batch: Design) -> dict[str, np.ndarray]:
    """Both designs as one."""
    return {name: np.concatenate([base[name], batch[name]]) for name in ("N", "D")}


def fits(design: Design, noise: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters of the fits to simulated tables, (tables,) each; NaN where one did not converge.

    Args:
        design: N and D, (rows,).
        noise: (tables, rows) errors of the logarithm of the loss.
    """
    logs = np.log(np.asarray(LAW(design["N"], design["D"], **TRUTH), np.float64))
    first = runs.read({**design, "loss": np.exp(logs + noise[0])})
    point = fit.point(LAW, first, objective="log-squares", starts=_STARTS)
    _, context = resolve_point(point, None, caller="benchmark")
    state, observed, size = context.state, logs + noise, chunk_for(len(logs))
    parts = []
    with float64():
        for start in range(0, len(noise), size):
            chunk = observed[start : start + size]
            batch = Batch(
                weights=jnp.ones((1, len(logs))),
                observed=jnp.asarray(np.resize(chunk, (size, chunk.shape[1]))),
                starts=jnp.asarray(state.free)[None],
                count=jnp.asarray(len(chunk)),
            )
            solved = refit_batch(LAW, state.objective, state.fit_data, state.stages, batch)
            found = params_at(LAW, state.objective, state.fit_data, solved.free)
            kept = np.where(np.asarray(solved.converged), 1.0, np.nan)
            parts.append({name: (np.asarray(v) * kept)[: len(chunk)] for name, v in found.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in TRUTH}


def realised(params: Mapping[str, np.ndarray], budget: float) -> np.ndarray:
    """Regret of the plan from each fit, (tables,), in nats."""
    a, b = params["alpha"], params["beta"]
    ratio = (a * params["A"] / (b * params["B"])) ** (1 / (a + b))
    N = ratio * (budget / 6) ** (b / (a + b))
    with float64():
        loss = np.asarray(LAW(N, budget / (6 * N), **TRUTH), np.float64)
        best = float(plan.optimal(LAW, TRUTH, budget).loss)
    return loss - best


def largest(grid: Design, budget: float) -> np.ndarray:
    """The largest runs that a budget pays for, one after another, nearest to 20 tokens each."""
    cost = 6 * grid["N"] * grid["D"]
    off = np.abs(np.log(grid["D"] / (20 * grid["N"])))
    chosen, left = [], budget
    while len(chosen) < MOST:
        open_runs = [i for i in range(len(cost)) if cost[i] <= left and i not in chosen]
        if not open_runs:
            break
        top = max(cost[open_runs])
        pick = min((i for i in open_runs if cost[i] > 0.5 * top), key=lambda i: off[i])
        chosen.append(pick)
        left -= cost[pick]
    return np.array(chosen)


def random_batch(grid: Design, budget: float, rng: np.random.Generator) -> np.ndarray:
    """Runs at random until the next one cannot be paid."""
    cost, chosen, left = 6 * grid["N"] * grid["D"], [], budget
    for i in rng.permutation(len(cost)):
        if cost[i] <= left and len(chosen) < MOST:
            chosen.append(i)
            left -= cost[i]
    return np.array(chosen)


def batches(
    base: Design, grid: Design, budget: float, plan_budget: float
) -> dict[str, list[np.ndarray]]:
    """Name of a design → its batches, as indices of the grid."""
    settings: dict[str, Any] = {
        "noise": NOISE,
        "budget": budget,
        "covariance": covariance_of(base),
        "plan_budget": plan_budget,
        "most": MOST,
        "stop_at_saving": False,
    }
    rng = np.random.default_rng(1)
    return {
        "regret": [plan.next_runs(LAW, TRUTH, grid, **settings).index],
        "determinant": [plan.next_runs(LAW, TRUTH, grid, target="parameters", **settings).index],
        "largest": [largest(grid, budget)],
        "random": [random_batch(grid, budget, rng) for _ in range(RANDOM_BATCHES)],
    }


def predicted(base: Design, chosen: Design, plan_budget: float) -> tuple[float, float]:
    """Regret before and after a batch, by the linear Gaussian model."""
    found = plan.next_runs(
        LAW,
        TRUTH,
        chosen,
        noise=NOISE,
        budget=1e40,
        covariance=covariance_of(base),
        plan_budget=plan_budget,
        most=len(chosen["N"]),
        stop_at_saving=False,
    )
    return float(found.regret[0]), float(found.regret[-1])


def measured(regrets: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error."""
    kept = regrets[np.isfinite(regrets)]
    return float(kept.mean()), float(kept.std(ddof=1) / len(kept) ** 0.5)


def simulate(tables: int) -> dict[str, Any]:
    """All designs at all budgets."""
    table = runs.dataset("chinchilla")
    base = {name: np.asarray(table[name][table.kept], np.float64) for name in ("N", "D")}
    compute = 6 * base["N"] * base["D"]
    budget = SHARE * float(compute.sum())
    sizes = np.geomspace(base["N"].min(), base["N"].max(), 12)
    grid = plan.run_grid(sizes, np.geomspace(5e8, 2e12, 16), most=budget / 2)
    rng = np.random.default_rng(0)
    own = NOISE * rng.standard_normal((tables, len(base["N"])))
    new = NOISE * rng.standard_normal((tables, MOST))
    before = fits(base, own)
    result: dict[str, Any] = {"runs": len(base["N"]), "batch_budget": budget, "plans": []}
    for plan_budget in PLAN_BUDGETS:
        start = realised(before, plan_budget)
        rows: dict[str, Any] = {"plan_budget": plan_budget, "designs": {}}
        for name, every in batches(base, grid, budget, plan_budget).items():
            rows["designs"][name] = []
            for index in every:
                chosen = {each: grid[each][index] for each in ("N", "D")}
                count = len(index)
                after = realised(
                    fits(joined(base, chosen), np.hstack([own, new[:, :count]])), plan_budget
                )
                low = predicted(base, chosen, plan_budget)
                rows["designs"][name].append(
                    {
                        "N": chosen["N"].tolist(),
                        "D": chosen["D"].tolist(),
                        "cost": float(6 * np.sum(chosen["N"] * chosen["D"])),
                        "predicted": low,
                        "realised": (measured(start), measured(after)),
                        "reduction": measured(start - after),
                        "unconverged": int(np.sum(~np.isfinite(after))),
                    }
                )
        result["plans"].append(rows)
        show(rows)
    return result


def show(rows: Mapping[str, Any]) -> None:
    print(f"plan for {rows['plan_budget']:.3g} FLOP, in 1e-5 nats (predicted before)")
    for name, every in rows["designs"].items():
        fall = np.mean([each["predicted"][0] - each["predicted"][1] for each in every])
        seen = np.mean([each["reduction"][0] for each in every])
        after = np.mean([each["realised"][1][0] for each in every])
        before = every[0]["realised"][0][0]
        error = every[0]["reduction"][1]
        cost = np.mean([each["cost"] for each in every])
        low = every[0]["predicted"][0]
        print(
            f"  {name:12} {cost:.2e} FLOP, regret {1e5 * before:.2f} ({1e5 * low:.2f}) to "
            f"{1e5 * after:.2f}, "
            f"reduction predicted {1e5 * fall:.2f}, realised {1e5 * seen:.2f} ± {1e5 * error:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    outcome = simulate(arguments.tables)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
