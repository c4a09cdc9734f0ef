"""Do posteriors of the catalogue's laws converge, at three levels of noise? docs/posteriors.md.

Every law is sampled with ``fit.posterior`` on 240 runs that ``benchmarks.starts`` simulates from it
with relative errors of 0.1, 0.5 and 2%, and Student-t errors (additive ones for rewards, which can
be 0). A posterior goes into the file as soon as it is done; a second call goes on.

Run: ``python -m benchmarks.posteriors_of_laws FILE.jsonl [LAW ...]``; ``--table`` prints the
table of a file.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import jax

from benchmarks import starts
from jscale import fit, laws
from jscale._core.errors import JscaleError

NOISES = (0.001, 0.005, 0.02)
RECENT = (
    *("overfitting_penalty", "bounded_multi_epoch", "coupled", "routed_floor", "looped", "merged"),
    *("rectified_fine_tuning", "train_to_test", "cluster_accuracy", "noisy_quadratic"),
    *("five_factor_moe", "best_of_n_reward", "rl_reward"),
)
"""Laws of docs/new-laws.md."""
LAWS = (
    *RECENT,
    *("chinchilla", "kaplan", "power_context", "farseer", "unimodal", "bnsl(1)", "m4"),
    *("low_precision", "precision", "qat", "quartet", "ptq_degradation", "optimiser_qat"),
    *("data_constrained", "sparse", "granular", "sparse_moe", "parallel", "transfer_loss"),
    *("mixture_additive(3)", "distilled"),
)
ADDITIVE = ("best_of_n_reward", "rl_reward")
LEAST_ESS, LARGEST_RHAT, LARGEST_SHARE = 1000, 1.01, 0.001


def measured(name: str, noise: float) -> dict[str, Any]:
    """How the posterior of one law at one level of noise ends.

    Args:
        name: of a law of the catalogue.
        noise: relative errors.
    """
    law = laws.get(name)
    errors = "normal + additive" if name in ADDITIVE else "student"
    table = starts.table(law, noise)
    wall, cpu = time.perf_counter(), time.process_time()
    posterior = fit.posterior(starts.held(law), table, key=jax.random.key(0), errors=errors)
    rows = posterior.summary
    worst = min(rows, key=lambda each: rows[each]["ess_bulk"])
    return {
        "cpu": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - wall, 1),
        "size": len(rows),
        "sampler": posterior.sampler,
        "status": str(posterior.status),
        "rhat": max(row["rhat"] for row in rows.values()),
        "ess_bulk": rows[worst]["ess_bulk"],
        "ess_tail": min(row["ess_tail"] for row in rows.values()),
        "worst": worst,
        "divergent": float(posterior.diverging.mean()),
        "notes": {note.code: note.message for note in posterior.notes},
    }


def passes(row: dict[str, Any]) -> bool:
    """Whether a posterior has R-hat, effective draws and divergences as they should be."""
    return (
        row.get("rhat", math.inf) < LARGEST_RHAT
        and min(row["ess_bulk"], row["ess_tail"]) >= LEAST_ESS
        and row["divergent"] <= LARGEST_SHARE
    )


def rows_of(path: Path) -> dict[tuple[str, float], dict[str, Any]]:
    """Law and noise → what is done."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = map(json.loads, lines)
    return {(row["law"], row["noise"]): row for row in rows}


def shown(name: str, rows: list[dict[str, Any]]) -> str:
    """A row of the Markdown table: what is worst of the levels of noise."""
    errors = [row["error"] for row in rows if "error" in row]
    if errors:
        return f"| `{name}` | | | | | | {errors[0]} |"
    samplers = " / ".join(dict.fromkeys(row["sampler"] for row in rows))
    failing = [f"{row['noise']:.1%} ({row['worst']})" for row in rows if not passes(row)]
    return (
        f"| `{name}` | {rows[0]['size']} | {samplers} | {max(row['rhat'] for row in rows):.3f} | "
        f"{min(row['ess_bulk'] for row in rows):,.0f} / "
        f"{min(row['ess_tail'] for row in rows):,.0f} | "
        f"{max(row['divergent'] for row in rows):.2%} | "
        f"{' / '.join(str(row['cpu']) for row in rows)} | {', '.join(failing) or 'none'} |"
    )


def main() -> None:
    """Measure what the file does not have yet, or print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("names", nargs="*", metavar="LAW")
    parser.add_argument("--table", action="store_true", help="print the table of the file")
    arguments = parser.parse_args()
    names, done = arguments.names or LAWS, rows_of(arguments.file)
    if arguments.table:
        for name in names:
            print(shown(name, [done[name, noise] for noise in NOISES if (name, noise) in done]))
        return

    for name in names:
        for noise in NOISES:
            if (name, noise) in done:
                continue
            try:
                row = measured(name, noise)
            except JscaleError as error:
                row = {"error": str(error)}
            row = {"law": name, "noise": noise, **row}
            with arguments.file.open("a") as file:
                file.write(json.dumps(row) + "\n")
            brief = {key: value for key, value in row.items() if key != "notes"}
            print(brief, flush=True)


if __name__ == "__main__":
    main()
