"""Do forecast bands hold on held-out larger runs? The table of docs/forecasts.md.

Every public table and group is cut at 60% and at 80% of its runs by compute. Three forecasters are
fitted to the smaller runs and judged by the others: the law alone with Student-t errors, the
ensemble that is the default of ``jscale predict``, and the law's point fit with the in-sample RMS
as its band. Scores are those of the log loss; losses relative to a unigram model, which have no
logarithm, are scored in nats and stay out of the averages.

Run: ``python -m benchmarks.backtests [--out FILE.json] [TABLE ...]``; tables that FILE already
holds are not run again.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jscale import assess, laws, runs
from jscale.assess import Backtest, Forecaster, ForecastScores
from jscale.fit.objective import padded_at_least
from jscale.laws import LawFunction
from jscale.runs import Runs

CUTS = (0.6, 0.8)
SEED = 0
_ROWS = 256
"""Tables are padded to so many rows, so that most share their programs."""
_LONG = 30
"""Held-out runs from which on a table's own coverage is judged."""


_OTHER_THAN_13 = (
    "porian base-long-kaplan-attention-train",
    "porian base-long-kaplan-kaplan-train",
    "porian base-short-kaplan-attention-train",
    "porian tuned-short-const-attention-train",
)
"""Tables with laws of N and D that are not among the 13 on which a first prototype of the ensemble
was tried, told by their number of held-out rows (the last may be its standard-val twin)."""


class Entry(NamedTuple):
    """A table of runs and what forecasts it.

    Attributes:
        name: of the table.
        table: validated runs.
        law: the law alone.
        ensemble: laws of the ensemble; None for those that suit the columns.
        errors: error model of the law alone.
        ensemble_errors: of the ensemble; None for the default.
    """

    name: str
    table: Runs
    law: LawFunction
    ensemble: tuple[LawFunction, ...] | None = None
    errors: str = "student"
    ensemble_errors: tuple[str, ...] | None = None


def entries() -> Iterator[Entry]:
    """The public tables, one protocol, corpus or subset at a time."""
    yield from dense_entries()
    yield Entry("datablations", runs.dataset("datablations"), laws.data_constrained)
    quest = (laws.low_precision, laws.generalised_precision)
    yield Entry("quest", runs.dataset("quest"), laws.low_precision, quest)
    own = runs.dataset("precision-runs")
    yield Entry("precision-runs", own, laws.precision, (laws.precision,))
    yield Entry("precision-runs 16 bits", own.where(in_16_bits(own)), laws.chinchilla)
    for router in ("S-Base", "RL-R", "Hash"):
        experts = (laws.routed, laws.routed_floor)
        yield Entry(f"clark {router}", routed_runs(router), laws.routed, experts)
    yield Entry("steplaw", _best_settings(), laws.chinchilla)
    additive = ("student + additive", "normal + additive + discrepancy")
    yield Entry(
        "vocab", runs.dataset("vocab"), laws.vocabulary, (laws.vocabulary,), additive[0], additive
    )


def dense_entries() -> Iterator[Entry]:
    """The 17 tables with laws of N and D."""
    dense = laws.chinchilla
    yield Entry("chinchilla", runs.dataset("chinchilla"), dense)
    for name, columns in (
        ("gadre", ("group",)),
        ("porian", ("hparams", "warmup", "decay", "param_count", "eval")),
        ("llama3-isoflop", ()),
        ("gemstones", ("subset",)),
    ):
        for label, table in _groups(runs.dataset(name), columns):
            yield Entry(f"{name} {label}".strip(), table, dense)
    if (marin := _marin()) is not None:
        yield Entry("marin", marin, dense)


def _groups(table: Runs, columns: tuple[str, ...]) -> Iterator[tuple[str, Runs]]:
    if not columns:
        yield "", table
        return
    labels = np.array(
        ["-".join(map(str, row)) for row in zip(*(table[c] for c in columns), strict=True)]
    )
    for label in np.unique(labels):
        yield label, table.where(labels == label)


def _marin() -> Runs | None:
    """Marin's runs, which have no loader of their own, where the folder of public data has them."""
    folder = os.environ.get("JSCALE_DATA")
    path = Path(folder or "") / "marin_isoflop" / "marin_isoflop_dclm.csv"
    return runs.read(path) if folder and path.exists() else None


def in_16_bits(table: Runs) -> np.ndarray:
    """Which of the project's own runs are in 16 bits throughout, shape (rows,)."""
    bits = np.stack([table[name] for name in ("P_w", "P_a", "P_kv", "P_post")])
    return table.kept & (bits == 16).all(axis=0)


def routed_runs(router: str) -> Runs:
    """Clark's models of one router and its dense ones, as the paper fits them, with compute."""
    frame = runs.dataset("clark-moe").to_pandas()
    chosen = frame["router"].isin(["Dense", router])
    chosen &= (frame["k"] == 1) & (frame["routing_frequency"] == 0.5) & (frame["seed"] == 42)
    frame = frame[chosen].assign(C=frame["flops_per_step"] * frame["step"])
    return runs.read(frame[["N", "E_experts", "C", "loss"]], name=f"clark {router}")


def _best_settings() -> Runs:
    """Step Law's runs with the best learning rate and batch of each size and token count."""
    frame = runs.dataset("steplaw").to_pandas()
    best = frame.loc[frame.groupby(["N", "D"])["loss"].idxmin()]
    return runs.read(best[["N", "D", "loss"]], name="steplaw")


def measure(entry: Entry) -> list[dict[str, Any]]:
    """One row for every forecaster and cut."""
    ensemble = assess.ensemble_forecaster(entry.ensemble, entry.table, errors=entry.ensemble_errors)
    methods: dict[str, LawFunction | Forecaster] = {
        "law alone": entry.law,
        "ensemble": ensemble,
    }
    outcome = entry.table[laws.describe(entry.law).output.column][entry.table.kept]
    if (outcome > 0).all():  # the band is that of log losses
        methods["in-sample RMS"] = assess.in_sample_band(entry.law)
    rows = []
    for kind, method in methods.items():
        start = time.perf_counter()
        key = jax.random.key(SEED)
        with padded_at_least(_ROWS):
            result = assess.backtest(method, entry.table, errors=entry.errors, key=key, cuts=CUTS)
        seconds = time.perf_counter() - start
        own = [
            _row(entry.name, kind, share, scores, result=result, seconds=seconds)
            for share, scores in zip(CUTS, result.laws[0].cuts, strict=True)
        ]
        for row in own:
            print(json.dumps(row), flush=True)
        rows += own
    return rows


def _row(
    name: str,
    kind: str,
    share: float,
    scores: ForecastScores,
    *,
    result: Backtest,
    seconds: float,
) -> dict[str, Any]:
    has_log = not np.isnan(scores.crps)
    ends = [(row.q10, row.q90) for row in result.rows if row.cut == scores.label]
    in_nats = float(np.mean([high - low for low, high in ends]))
    in_log = next(band.width for band in scores.bands if band.level == 0.8)
    return {
        "table": name,
        "forecaster": kind,
        "cut": share,
        "held_out": scores.count,
        "unit": "log" if has_log else "nats",
        "coverage": {f"{band.level:g}": band.coverage for band in scores.bands},
        "crps": scores.crps if has_log else scores.crps_raw,
        "rmsle": scores.rmsle if has_log else scores.rmse,
        "width": in_log if has_log else in_nats,
        "seconds": round(seconds, 1),
    }


def selections(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Title → rows of the tables that are averaged together."""
    with_log = [row for row in rows if row["unit"] == "log"]
    dense = {"chinchilla", "gadre", "porian", "llama3-isoflop", "gemstones", "marin"}
    of_dense = [row for row in with_log if row["table"].split()[0] in dense]
    of_13 = [row for row in of_dense if row["table"] not in _OTHER_THAN_13]
    return {
        "All splits whose losses have a logarithm": with_log,
        "The 17 tables with laws of N and D": of_dense,
        "13 of them": of_13,
    }


def summary(rows: list[dict[str, Any]]) -> str:
    """The Markdown table of each forecaster, over all cuts."""
    lines = [
        "| forecaster | splits | rows | cover 50 / 80 / 95 (by row) | lowest 80 / 95 | CRPS mean, "
        "median | RMSLE | width of 80% |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(row["forecaster"] for row in rows):
        own = [row for row in rows if row["forecaster"] == kind]
        counts = np.array([row["held_out"] for row in own])
        covers = [
            np.average([row["coverage"][level] for row in own], weights=counts)
            for level in ("0.5", "0.8", "0.95")
        ]
        large = [row for row in own if row["held_out"] >= _LONG]
        lowest = [
            min((row["coverage"][level] for row in large), default=np.nan)
            for level in ("0.8", "0.95")
        ]
        crps = np.array([row["crps"] for row in own])
        lines.append(
            f"| {kind} | {len(own)} | {counts.sum():,} | "
            f"{' / '.join(f'{cover:.2f}' for cover in covers)} | "
            f"{lowest[0]:.2f} / {lowest[1]:.2f} | {crps.mean():.4f}, {np.median(crps):.4f} | "
            f"{np.mean([row['rmsle'] for row in own]):.4f} | "
            f"{np.mean([row['width'] for row in own]):.3f} |"
        )
    return "\n".join(lines)


def by_table(rows: list[dict[str, Any]]) -> str:
    """The Markdown table of each table and cut."""
    lines = [
        "| table | cut | held out | law alone 80% / CRPS | ensemble 50 / 80 / 95 / CRPS / width | "
        "in-sample RMS 80% / CRPS |",
        "|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((row["table"], row["cut"]) for row in rows)
    for table, cut in keys:
        own = {row["forecaster"]: row for row in rows if (row["table"], row["cut"]) == (table, cut)}
        count = next(iter(own.values()))["held_out"]
        cells = [_cell(own.get(kind), kind) for kind in ("law alone", "ensemble", "in-sample RMS")]
        lines.append(f"| {table} | {cut} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None, kind: str) -> str:
    """Coverage and scores of a forecaster; a dash where it was not run."""
    if row is None:
        return "–"
    covers = [f"{row['coverage'][level]:.2f}" for level in ("0.5", "0.8", "0.95")]
    if kind == "ensemble":
        return f"{' / '.join(covers)} / {row['crps']:.4f} / {row['width']:.3f}"
    return f"{covers[1]} / {row['crps']:.4f}"


def main() -> None:
    """Measure the tables that are not in the file yet, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", help="names of tables (default: all)")
    parser.add_argument("--out", type=Path, default=Path("backtests.json"))
    arguments = parser.parse_args()

    rows = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    for entry in entries():
        if arguments.tables and not any(name in entry.name for name in arguments.tables):
            continue
        if any(row["table"] == entry.name for row in rows):
            continue
        rows += measure(entry)
        arguments.out.write_text(json.dumps(rows, indent=1))
    for title, chosen in selections(rows).items():
        if chosen:
            print(f"{title}:\n\n{summary(chosen)}\n")
    print(by_table(rows))


if __name__ == "__main__":
    main()
