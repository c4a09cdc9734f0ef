"""Published files, each turned into columns that :func:`jscale.runs.read` takes; nothing is rounded
or corrected.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

Columns = dict[str, list[Any]]
Tidy = Callable[..., Columns]
"""The files of a data set (bytes each) → columns."""


def records(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text)))


def _columns(rows: Iterable[dict[str, Any]]) -> Columns:
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in rows[0]}


def chinchilla(content: bytes) -> Columns:
    """Points of Hoffmann et al.'s Figure 4, with Besiroglu et al.'s five outliers excluded; D = C /
    (6N).
    """
    points = records(content.decode())
    highest = sorted((float(r["loss"]) for r in points), reverse=True)[:5]
    excluded = [float(r["loss"]) >= highest[-1] for r in points]
    return {
        "N": [float(r["Model Size"]) for r in points],
        "C": [float(r["Training FLOP"]) for r in points],
        "loss": [float(r["loss"]) for r in points],
        "exclude": excluded,
        "reason": ["besiroglu: outlier, very low D/N" if out else "" for out in excluded],
    }


def _quest_group(w_quant: str, a_quant: str, bits: int) -> tuple[str, str]:
    """The series that a run belongs to and the key under which the authors fit its effective
    precision.
    """
    if w_quant == a_quant == "NoQuantizer":
        return "bf16", "16"
    if "FP4" in w_quant:
        return "quest_fp4", "fp4"
    if "FourEight" in w_quant:  # 2:4 sparse INT4: the authors count 2.5 bits
        return "quest_ht_2:4", "2.5"
    if a_quant == "NoQuantizer":
        return "quest_weight_only", f"{bits}WO"
    if "Hadamard" not in w_quant:
        return "quest_no_ht", f"{bits}NOH"
    return "quest_ht", str(bits)


def _quest_run(run: dict[str, Any]) -> dict[str, Any]:
    args, n, d = run["args"], run["non_embedding_parameters"], run["tokens"]
    group, key = _quest_group(run["w_quant"], run["a_quant"], run["w_bits"])
    fp4 = group == "quest_fp4"
    return {
        "N": n,
        "D": d,
        "C": 6 * n * d,
        "loss": run["loss"],
        # The file says 16/16 for the FP4 runs, whose weights and activations are in E2M1.
        "P_w": 4 if fp4 else run["w_bits"],
        "P_a": 4 if fp4 else run["a_bits"],
        "P_kv": 16,
        "P_post": 16,
        "seed": args["seed"],
        "group": group,
        "n_kind": "non-embedding",
        "P_key": key,
        "number_format": {"bf16": "bf16", "quest_fp4": "fp4_e2m1"}.get(group, "int"),
        "w_quant": run["w_quant"],
        "a_quant": run["a_quant"],
        "model_size_M": run["model_size"],
        **{
            name: args[name]
            for name in ("lr", "n_layer", "n_embd", "n_head", "iterations", "warmup_steps")
        },
        "tokens_per_step": d // args["iterations"],
        "clip_scale": run["clip_scale"],
    }


def quest(content: bytes) -> Columns:
    """QuEST's quantisation-aware runs, ordered by series, key and size."""
    runs = [_quest_run(run) for run in json.loads(content)]
    return _columns(sorted(runs, key=lambda r: (r["group"], r["P_key"], r["N"], r["D"])))


def llama3_isoflop(content: bytes) -> Columns:
    """Points of the Llama 3 paper's Figure 2, as digitised, ordered by budget and size."""
    points = [r for r in records(content.decode()) if r["condition"] == "raw_loss"]
    runs = [
        {
            "N": float(r["params"]),
            "D": float(r["tokens"]),
            "C": float(r["budget"]),
            "loss": float(r["loss"]),
        }
        for r in points
    ]
    return _columns(sorted(runs, key=lambda r: (r["C"], r["N"])))


def _clark_model(row: dict[str, str]) -> dict[str, Any]:
    return {
        "N": float(row["dense_parameter_count"]),
        "loss": float(row["loss_validation"]),
        "seed": int(row["seed"]),
        "run_id": row["hyper_id"],
        "E_experts": int(row["num_experts"]),
        "N_total": float(row["total_parameter_count"]),
        "router": row["router_type"],
        **{
            name: row[name]
            for name in ("k", "routing_frequency", "flop_increase", "step", "flops_per_step")
        },
        **{name: row[name] for name in ("d_model", "num_blocks")},
        "size": row["model_size_label"],
        **{
            f"loss_{on}": row[f"loss_{on}"]
            for on in ("c4", "pile", "wikitext103", "lambada", "curation_corpus")
        },
    }


def clark_moe(content: bytes) -> Columns:
    """The last evaluation of each of Clark et al.'s routed models, ordered by router, size and
    experts.
    """
    last: dict[str, dict[str, str]] = {}
    for row in records(gzip.decompress(content).decode()):
        if row["hyper_id"] not in last or int(row["step"]) > int(last[row["hyper_id"]]["step"]):
            last[row["hyper_id"]] = row
    models = [_clark_model(row) for row in last.values()]
    return _columns(
        sorted(models, key=lambda m: (m["router"], m["N"], m["E_experts"], int(m["run_id"])))
    )


def _precision_run(row: dict[str, str], group: str, bits: str) -> dict[str, Any]:
    numbers = {
        name: float(row[name]) for name in ("N", "D", "C", "P_w", "P_a", "P_kv", "loss", "loss_se")
    }
    reason = row["reason"]
    if not reason and numbers["P_a"] == 2:
        reason = "activations in 2 bits: learns byte frequencies at best, at any size and length"
    if not reason and float(bits) == 2:
        reason = "quantised to 2 bits, three levels: beyond what the law of degradation describes"
    if not reason and group == "gptq":
        reason = "another method of quantisation: fit it on its own"
    if not reason and float(bits) < 16 and float(bits) > numbers["P_w"]:
        reason = "quantised to more bits than trained in"
    return {
        "run_id": row["run_id"] if group == "trained" else f"{row['run_id']}-{group}{bits}",
        "group": group,
        "n_kind": row["n_kind"],
        "seed": int(row["seed"]),
        **numbers,
        "P_post": float(bits),
        "purpose": row["purpose"],
        "exclude": bool(reason),
        "reason": reason,
    }


def precision_runs(trained: bytes, quantised: bytes) -> Columns:
    """The project's own runs in long form: every trained model, then each of its quantised copies.

    A trained model has ``P_post = 16``. Excluded, with the reason: copies made by GPTQ; copies in
    more bits than the model was trained in, for which the laws know no loss; copies in 2 bits, a
    fifth of all, which would make 99% of the squared miss of the law of degradation; runs with
    activations in 2 bits, half of which diverge and the rest of which end within 0.1 nats of byte
    frequencies. Runs without a finite loss are in the files alone.
    """
    runs = [
        _precision_run(row, "trained", "16") for row in records(trained.decode()) if row["loss"]
    ]
    copies = [
        _precision_run(row, row["method"], row["P_post"])
        for row in records(quantised.decode())
        if row["loss"]
    ]
    return _columns([*runs, *copies])
