"""Forecasts of the ends of runs: the table of docs/new-laws.md.

Every finished curve is cut at 50 to 95% of its tokens and its end forecast by `fit.run_ends`: once
with all other runs finished, once with all runs cut at the same share. Beside the forecast stands
the last loss seen. Curves: the Gemstones at a constant learning rate and after their cool-downs,
the evaluations of Clark et al.'s routed models (their raw file, under ``JSCALE_DATA``), and the
final losses of one model of the project's own table at 20, 80, 320 and 1,280 tokens a parameter.

Run: ``JSCALE_DATA=... python -m benchmarks.run_ends``.
"""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jscale import fit, runs

SHARES = (0.5, 0.7, 0.9, 0.95)
OWN_SHARES = (0.25,)
COLUMNS = ["N", "D", "loss", "run_id", "horizon"]


def tables() -> Iterator[tuple[str, Any, tuple[float, ...]]]:
    """Names, frames of finished curves, and the shares at which to cut them."""
    gemstones = runs.dataset("gemstones").to_pandas()
    gemstones["run_id"] = gemstones["shape"].astype(str)
    for subset, rows in gemstones.groupby("subset"):
        yield f"gemstones {subset}", rows, SHARES

    path = Path(os.environ["JSCALE_DATA"]) / "moe_routing_clark/original/curves.csv.gz"
    with gzip.open(path, "rt") as file:
        clark = pd.read_csv(file)
    clark = clark[clark["step"] > 0].assign(
        D=lambda rows: rows["step"],
        N=lambda rows: rows["dense_parameter_count"],
        loss=lambda rows: rows["loss_validation"],
    )
    clark["run_id"] = clark["hyper_id"].astype(str)
    yield "clark", clark, SHARES

    own = runs.dataset("precision-runs")
    own = own.to_pandas()[own.kept & (own["trunk"] != "")]
    own["run_id"] = own["trunk"]
    yield "precision-runs", own, OWN_SHARES


def finished(frame: Any) -> Any:
    """Curves of three points or more, whose last one is taken for their planned end."""
    frame = frame.sort_values("D").drop_duplicates(["run_id", "D"], keep="last")
    by_run = frame.groupby("run_id")["D"]
    frame = frame.assign(horizon=by_run.transform("max"))
    return frame[by_run.transform("size") >= 3][COLUMNS]


def scores(frame: Any, share: float, *, others_finished: bool) -> dict[str, float]:
    """Coverage of 80% bands, error and error of the last loss in ln loss, and width."""
    ends = frame.sort_values("D").groupby("run_id").tail(1).set_index("run_id")["loss"]
    early = (frame["D"] <= share * frame["horizon"] * (1 + 1e-6)).to_numpy()
    labels = frame["run_id"].to_numpy()

    results = []
    for label in ends.index if others_finished else [None]:
        seen = early | (others_finished & (labels != label))
        results.append(fit.run_ends(runs.read(frame[seen]), "horizon"))
    run, last, loss, low, high = (
        np.concatenate([getattr(result, name) for result in results])
        for name in ("run", "last", "loss", "low", "high")
    )
    true = ends.loc[run].to_numpy()
    judged = np.isfinite(low)
    error, naive = np.log(loss / true), np.log(last / true)
    inside = (low <= true) & (true <= high)
    return {
        "runs": len(run),
        "with band": int(judged.sum()),
        "coverage": float(inside[judged].mean()) if judged.any() else np.nan,
        "width": float(np.mean(np.log(high / low)[judged])) if judged.any() else np.nan,
        "rms": float(np.sqrt(np.mean(error**2))),
        "rms of the last loss": float(np.sqrt(np.mean(naive**2))),
    }


def main() -> None:
    """Print a line for each table, share and kind of errors."""
    for name, frame, shares in tables():
        curves = finished(frame)
        for share in shares:
            for others in (True, False):
                kind = "others finished" if others else "all cut"
                row = scores(curves, share, others_finished=others)
                print(name, share, kind, {k: round(v, 4) for k, v in row.items()}, flush=True)


if __name__ == "__main__":
    main()
