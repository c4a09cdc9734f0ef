"""Draw the figures of the gallery, light and dark: ``python docs/gallery.py FOLDER``.

From published constants and simulated runs: nothing is downloaded and little is fitted.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes

from jscale import assess, fit, laws, plan, runs
from jscale.plan import reductions
from jscale.report import plots

KUMAR = (laws.precision, laws.params(laws.precision, "kumar2024"))
# The constants C_w, C_a and C_kv are not published: 1 is an assumption.
ROBUST = (laws.precision_robust, KUMAR[1] | {"C_w": 1.0, "C_a": 1.0, "C_kv": 1.0})
DENSE = (laws.chinchilla, laws.params(laws.chinchilla, "besiroglu2024"))
BUDGETS = np.geomspace(1e18, 1e26, 33)


def isoflop_runs() -> runs.Runs:
    """Five budgets with seven sizes each, with 0.4% noise."""
    C = np.repeat(np.geomspace(1e18, 1e21, 5), 7)
    N = 0.09 * np.sqrt(C) * np.tile(np.geomspace(1 / 5, 5, 7), 5)
    design = {"N": N, "D": C / (6 * N)}
    return runs.simulate(*DENSE, design, noise=0.004, key=jax.random.key(1))


def size_runs() -> runs.Runs:
    """A ladder of 16 sizes with 20 tokens a parameter and 1% noise."""
    law, N = laws.kaplan_size, np.geomspace(1e8, 1e10, 16)
    theta = laws.params(law)
    return runs.simulate(law, theta, {"N": N, "D": 20 * N}, noise=0.01, key=jax.random.key(0))


def forecasts(table: runs.Runs) -> assess.Backtest:
    """Forecasts by the law that made the runs, with bands that are somewhat too narrow."""

    def forecast(training: runs.Runs, new: runs.Runs, key: jax.Array) -> np.ndarray:
        loss = np.asarray(laws.chinchilla(new["N"], new["D"], **DENSE[1]))
        return loss * np.exp(0.003 * np.asarray(jax.random.normal(key, (400, len(new)))))

    known = assess.Forecaster("chinchilla, known", forecast)
    return assess.backtest(known, table, key=jax.random.key(0), cuts=[0.2, 0.4, 0.6])


def searched() -> plan.GridResult:
    """The best bits at 1e21 FLOP, and the front of loss and compute below it."""
    return plan.grid(
        {"loss": laws.precision, "flops": "6/16 * N * D * P"},
        {
            "N": np.geomspace(1e8, 1e11, 121),
            "D": np.geomspace(1e9, 1e13, 121),
            "P": np.arange(4.0, 17.0),
        },
        params=KUMAR[1],
        where="flops <= 1e21",
        reduce=[reductions.Marginal(("P",)), reductions.Front(("flops", "loss"))],
    )


def iso_loss() -> plan.GridResult:
    """Figure 3 of *Scaling Laws for Precision*."""
    axes = {"N": np.geomspace(1e8, 1e9, 81), "P_w": np.linspace(3, 16, 53), "D": [13e9]}
    keep = reductions.Marginal(("N", "P_w"))
    return plan.grid(laws.precision, axes, params=KUMAR[1], reduce=[keep])


def next_batch(draws: Mapping[str, np.ndarray]) -> plan.NextRuns:
    """Six runs for a plan of 1e24 FLOP, at a thirtieth of its compute at most."""
    candidates = plan.run_grid(np.geomspace(5e7, 5e10, 10), np.geomspace(1e9, 3e12, 10), most=1e22)
    settings = {"noise": 0.01, "budget": 3e22, "plan_budget": 1e24, "most": 6}
    return plan.next_runs(laws.chinchilla, draws, candidates, stop_at_saving=False, **settings)


def held_out() -> list[dict[str, Any]]:
    """The regrets of benchmarks/held_out_plans.py, as in docs/planning.md."""
    kinds = ("point fit", "least expected loss", "least tail regret")
    return [
        {"data": data, "budget": C, "error": error, "regret": dict(zip(kinds, nats, strict=True))}
        for data, C, error, *nats in _HELD_OUT
    ]


def figures() -> dict[str, Callable[[Axes], Any]]:
    """Name of a function of ``report.plots`` → how it is drawn here."""
    table, own = isoflop_runs(), runs.dataset("precision-runs")
    three = fit.three_approaches(table)
    point = three.law
    assert point is not None
    assert three.isoflop is not None
    valleys, backtest = three.isoflop, forecasts(table)
    boot = fit.bootstrap(point, draws=400, key=jax.random.key(2))
    random = np.random.default_rng(0)
    (prior,) = (
        p.role.prior for p in laws.describe(laws.chinchilla).parameters if p.name == "alpha"
    )
    groups = {
        "prior": {"alpha": random.lognormal(*prior.args, 4000)},
        # Refits stand for draws of a posterior, which would have to be sampled.
        "posterior": {"alpha": boot.draws["alpha"]},
    }
    sizes, key = size_runs(), jax.random.key(0)
    checks = {"key": key, "starts": 8}
    specifications = {"objectives": ["huber", "log-squares"], "exclusions": ["compute"]}
    ours = (laws.low_precision, {**_PRECISION_RUNS})
    cells = searched()
    return {
        "degradation": lambda ax: plots.degradation(KUMAR, N=1e9, ax=ax),
        "critical_tokens": lambda ax: plots.critical_tokens(KUMAR, (1e8, 1e12), ax=ax),
        "loss_by_bits": lambda ax: plots.loss_by_bits(KUMAR, [1e19, 1e20, 1e21], ax=ax),
        "optimal_bits": lambda ax: plots.optimal_bits(KUMAR, BUDGETS, sizes=[1e9, 7e10], ax=ax),
        "isoloss": lambda ax: plots.isoloss(KUMAR, D=2e10, sizes=(3e7, 3e9), ax=ax),
        "wrong_size": lambda ax: plots.wrong_size(boot, [1e20, 1e22, 1e24], ax=ax),
        "expected_regret": lambda ax: plots.expected_regret(boot, 1e24, ax=ax),
        "marginal_value": lambda ax: plots.marginal_value(boot, N=7e10, tokens=(1e11, 1e14), ax=ax),
        "information_value": lambda ax: plots.information_value(
            plan.perfect_information(laws.chinchilla, boot.draws, 1e24), ax=ax
        ),
        "next_runs": lambda ax: plots.next_runs(next_batch(boot.draws), table=table, ax=ax),
        "held_out_regret": lambda ax: plots.held_out_regret(held_out(), ax=ax),
        "grid_valley": lambda ax: plots.grid_valley(cells, label="Loss", ax=ax),
        "grid_heat_map": lambda ax: plots.grid_heat_map(
            iso_loss(), lines=True, label="Loss", ax=ax
        ),
        "grid_front": lambda ax: plots.grid_front(cells, colour="N", ax=ax),
        "train_post": lambda ax: plots.train_post(ROBUST, N=1e9, D=1e12, ax=ax),
        "kept_share": lambda ax: plots.kept_share(ours, _trained(own), part="P_a", ax=ax),
        "joint_shares": lambda ax: plots.joint_shares(ours, _trained(own), ax=ax),
        "loss_contours": lambda ax: plots.loss_contours(
            DENSE, sizes=(2e7, 1e11), tokens=(1e9, 1e13), table=table, ax=ax
        ),
        "valleys": lambda ax: plots.valleys(valleys, table, ax=ax),
        "approaches": lambda ax: plots.approaches(three, (1e17, 1e24), ax=ax),
        "allocation": lambda ax: plots.allocation(boot, BUDGETS, of="D/N", table=table, ax=ax),
        "predicted": lambda ax: plots.predicted(point, ax=ax),
        "residuals": lambda ax: plots.residuals(point, along="N", table=table, ax=ax),
        "backtest": lambda ax: plots.backtest(backtest, ax=ax),
        "coverage_by_distance": lambda ax: plots.coverage_by_distance(backtest, ax=ax),
        "profile": lambda ax: plots.profile(fit.profile(point, "alpha"), ax=ax),
        "coverage": lambda ax: plots.coverage(
            assess.calibrate(laws.kaplan_size, sizes, kinds=["fisher"], **checks), ax=ax
        ),
        "rank_histogram": lambda ax: plots.rank_histogram(
            assess.calibrate_posterior(
                laws.kaplan_size, sizes, key=key, errors="normal", simulations=100, draws=400
            ),
            ax=ax,
        ),
        "specification_curve": lambda ax: plots.specification_curve(
            assess.sensitivity(
                laws.kaplan_size, sizes, target="alpha_N", starts=8, **specifications
            ),
            ax=ax,
        ),
        "prior_posterior": lambda ax: plots.prior_posterior(groups, "alpha", ax=ax),
        "forest": lambda ax: plots.forest(
            {"fit": point, "bootstrap": boot}, "alpha", reference=0.3478, ax=ax
        ),
    }


_PRECISION_RUNS = dict(
    E=0.0,
    A=3.429,
    B=18.26,
    alpha=0.07055,
    beta=0.2477,
    gamma_w=1.279,
    n_w=1.397,
    gamma_a=1.471,
    n_a=1.797,
    gamma_kv=1.306,
    n_kv=1.478,
)
"""Constants of the fit in docs/precision-runs.md, section 1."""

_HELD_OUT = (
    ("Llama 3", 1.00e22, 0.0009, 0.0020, 0.0022, 0.0022),
    ("Chinchilla", 2.97e21, 0.0072, 0.0043, 0.0043, 0.0043),
    ("Marin (DCLM)", 2.76e20, 0.0083, 0.0305, 0.0287, 0.0289),
    ("Marin (DCLM)", 3.00e20, 0.0061, 0.0015, 0.0011, 0.0012),
    ("Gemstones", 1.34e20, 0.027, 0.0053, 0.0023, 0.0024),
    ("Gemstones", 2.52e20, 0.045, 0.0124, 0.0061, 0.0061),
    ("Gemstones", 3.15e20, 0.045, 0.0080, 0.0039, 0.0039),
)
"""Data, FLOP, error and regrets of the three plans in nats: the table of docs/planning.md."""


def _trained(table: runs.Runs) -> runs.Runs:
    """The runs before quantisation after training."""
    chosen = table.kept & (table["P_post"] == 16)
    names = ("N", "D", "P_w", "P_a", "P_kv", "loss", "seed")
    return runs.read({name: table[name][chosen] for name in names}, name="precision runs")


def main(folder: Path) -> None:
    """Write a light and a dark PNG of every figure."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in figures().items():
        for suffix, dark in (("", False), ("-dark", True)):
            ax = plots.axes(dark=dark)
            draw(ax)
            plots.save(ax, folder / f"{name}{suffix}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
