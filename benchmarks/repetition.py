"""Laws of repeated data with the runs in which repetition hurts: the table of docs/forecasts.md.

Muennighoff et al. fitted 182 of their 296 runs and left out most of those in which another epoch
hurts. Four laws are fitted to those 182, to all, to all but a fold of the configurations, and to
the smaller runs, and judged by the root mean square of the log losses' errors on the others.

Run: ``python -m benchmarks.repetition [--out FILE.json]``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from jscale import fit, laws, runs
from jscale._core.scope import float64
from jscale.fit.objective import padded_at_least

LAWS = (
    laws.chinchilla,
    laws.data_constrained,
    laws.overfitting_penalty,
    laws.bounded_multi_epoch,
)
FOLDS, CUTS, STARTS, ROWS = 4, (0.6, 0.8), 24, 296
OBJECTIVE = "student-likelihood"
"""Losses of the left-out runs reach 11 nats: the errors have heavy tails under any of the laws."""


def predicted(law: laws.LawFunction, frame: Any, chosen: np.ndarray, starts: int) -> dict:
    """The fit to the chosen rows and the errors of ln loss at all, (rows,)."""
    columns = [*laws.describe(law).input_names, "loss"]
    with padded_at_least(ROWS):
        point = fit.point(
            law, runs.read(frame[chosen][columns]), objective=OBJECTIVE, starts=starts
        )
    inputs = {name: frame[name].to_numpy(float) for name in columns[:-1]}
    with float64():
        value = np.asarray(law(**inputs, **point.params))
    error = np.log(value) - np.log(frame["loss"].to_numpy(float))
    return {"params": point.params, "agreement": point.certificate.agreement, "error": error}


def rms(error: np.ndarray, rows: np.ndarray) -> float:
    """Root mean square over the rows."""
    return float(np.sqrt(np.mean(error[rows] ** 2)))


def folds(frame: Any) -> np.ndarray:
    """The fold of every row; repeats of a configuration share one."""
    labels = frame.groupby(["N", "D", "U"]).ngroup().to_numpy()
    return np.random.default_rng(0).permutation(labels.max() + 1)[labels] % FOLDS


def row(law: laws.LawFunction, frame: Any, paper: np.ndarray, starts: int) -> dict:
    """Errors of one law."""
    everything = np.ones(len(frame), bool)
    by_paper = predicted(law, frame, paper, starts)
    by_all = predicted(law, frame, everything, starts)

    fold, held_out = folds(frame), np.zeros(len(frame))
    for number in range(FOLDS):
        rest = predicted(law, frame, fold != number, starts)
        held_out[fold == number] = rest["error"][fold == number]

    result = {
        "params": by_all["params"],
        "agreement": by_all["agreement"],
        "in sample": rms(by_all["error"], everything),
        "left out, by a fit to the paper's": rms(by_paper["error"], ~paper),
        "folds": rms(held_out, everything),
        "folds, paper's": rms(held_out, paper),
        "folds, left out": rms(held_out, ~paper),
        "folds, median": float(np.median(np.abs(held_out))),
    }
    for cut in CUTS:
        smaller = (frame["C"] <= frame["C"].quantile(cut)).to_numpy()
        error = predicted(law, frame, smaller, starts)["error"]
        result[f"largest {1 - cut:.0%}"] = rms(error, ~smaller)
        result[f"largest {1 - cut:.0%}, median"] = float(np.median(np.abs(error[~smaller])))
    return result


def main() -> None:
    """Print a line for each law."""
    parser = argparse.ArgumentParser(description="Laws of repeated data on all of datablations.")
    parser.add_argument("--out", type=Path, help="JSON file with every number")
    parser.add_argument("--starts", type=int, default=STARTS, help="starting points of each fit")
    options = parser.parse_args()

    table = runs.dataset("datablations")
    frame, paper = table.to_pandas(), table.kept
    results = {}
    for law in LAWS:
        name = laws.describe(law).name
        results[name] = row(law, frame, paper, options.starts)
        print(
            name,
            json.dumps({k: np.round(v, 4) for k, v in results[name].items() if k != "params"}),
            flush=True,
        )
        if options.out:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
