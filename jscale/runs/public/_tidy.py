"""Published files as columns for :func:`jscale.runs.read`; nothing is rounded or corrected."""

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
    """Points of Hoffmann et al.'s Figure 4; Besiroglu et al.'s five outliers are excluded.

    The file has no tokens: D = C / (6N).
    """
    points = records(content.decode())
    losses = [float(point["loss"]) for point in points]
    fifth_highest = sorted(losses, reverse=True)[4]
    excluded = [loss >= fifth_highest for loss in losses]
    return {
        "N": [float(point["Model Size"]) for point in points],
        "C": [float(point["Training FLOP"]) for point in points],
        "loss": losses,
        "exclude": excluded,
        "reason": ["besiroglu: outlier, very low D/N" if out else "" for out in excluded],
    }


_QUEST_FORMATS = {"bf16": "bf16", "quest_fp4": "fp4_e2m1"}
_QUEST_SETTINGS = ("lr", "n_layer", "n_embd", "n_head", "iterations", "warmup_steps")


def _quest_group(w_quant: str, a_quant: str, bits: int) -> tuple[str, str]:
    """The series of a run, and the key under which the authors fit its effective precision."""
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
        "number_format": _QUEST_FORMATS.get(group, "int"),
        "w_quant": run["w_quant"],
        "a_quant": run["a_quant"],
        "model_size_M": run["model_size"],
        **{name: args[name] for name in _QUEST_SETTINGS},
        "tokens_per_step": d // args["iterations"],
        "clip_scale": run["clip_scale"],
    }


def quest(content: bytes) -> Columns:
    """QuEST's quantisation-aware runs, ordered by series, key and size."""
    runs = [_quest_run(run) for run in json.loads(content)]
    return _columns(sorted(runs, key=lambda run: (run["group"], run["P_key"], run["N"], run["D"])))


def llama3_isoflop(content: bytes) -> Columns:
    """Points of the Llama 3 paper's Figure 2, as digitised, ordered by budget and size."""
    points = [row for row in records(content.decode()) if row["condition"] == "raw_loss"]
    sources = {"N": "params", "D": "tokens", "C": "budget", "loss": "loss"}
    runs = [{name: float(point[source]) for name, source in sources.items()} for point in points]
    return _columns(sorted(runs, key=lambda run: (run["C"], run["N"])))


_CLARK_COPIED = ("k", "routing_frequency", "flop_increase", "step", "flops_per_step")
_CLARK_LOSSES = ("c4", "pile", "wikitext103", "lambada", "curation_corpus")


def _clark_model(row: dict[str, str]) -> dict[str, Any]:
    return {
        "N": float(row["dense_parameter_count"]),
        "loss": float(row["loss_validation"]),
        "seed": int(row["seed"]),
        "run_id": row["hyper_id"],
        "E_experts": int(row["num_experts"]),
        "N_total": float(row["total_parameter_count"]),
        "router": row["router_type"],
        **{name: row[name] for name in _CLARK_COPIED},
        "d_model": row["d_model"],
        "num_blocks": row["num_blocks"],
        "size": row["model_size_label"],
        **{f"loss_{corpus}": row[f"loss_{corpus}"] for corpus in _CLARK_LOSSES},
    }


def clark_moe(content: bytes) -> Columns:
    """Clark et al.'s routed models at their last evaluation, by router, size and experts."""
    last: dict[str, dict[str, str]] = {}
    for row in records(gzip.decompress(content).decode()):
        previous = last.get(row["hyper_id"])
        if previous is None or int(row["step"]) > int(previous["step"]):
            last[row["hyper_id"]] = row

    models = [_clark_model(row) for row in last.values()]
    order = ("router", "N", "E_experts")
    models.sort(key=lambda model: (*(model[name] for name in order), int(model["run_id"])))
    return _columns(models)


_PRECISION_NUMBERS = ("N", "D", "C", "P_w", "P_a", "P_kv", "loss", "loss_se")


def _precision_run(row: dict[str, str], group: str, bits: str, trunk: str) -> dict[str, Any]:
    """A trained model (group "trained") or one of its copies, quantised to ``bits``."""
    numbers = {name: float(row[name]) for name in _PRECISION_NUMBERS}
    reason = row["reason"] or _exclusion_reason(numbers, group, float(bits))
    return {
        "run_id": row["run_id"] if group == "trained" else f"{row['run_id']}-{group}{bits}",
        "group": group,
        "trunk": trunk,
        "n_kind": row["n_kind"],
        "seed": int(row["seed"]),
        **numbers,
        "P_post": float(bits),
        "purpose": row["purpose"],
        "exclude": bool(reason),
        "reason": reason,
    }


def _exclusion_reason(numbers: dict[str, float], group: str, bits: float) -> str:
    """Why a run is excluded; empty for one that is kept."""
    if numbers["P_a"] == 2:
        return "activations in 2 bits: learns byte frequencies at best, at any size and length"
    if bits == 2:
        return "quantised to 2 bits, three levels: beyond what the law of degradation describes"
    if group == "gptq":
        return "another method of quantisation: fit it on its own"
    if numbers["P_w"] < bits < 16:
        return "quantised to more bits than trained in"
    return ""


def precision_runs(trained: bytes, quantised: bytes) -> Columns:
    """The project's own runs: every trained model, then each of its quantised copies.

    A trained model has ``P_post = 16``. Models that continue the same run at constant rate have the
    same ``trunk``, and their copies too; a model without one is its own. Excluded, with the reason:
    copies made by GPTQ; copies in more bits than the model was trained in, where the laws are not
    defined; copies in 2 bits, a fifth of all, which would contribute 99% of the squared residuals
    of the law of degradation; runs with activations in 2 bits, half of which diverge and the rest
    of which end within 0.1 nats of byte frequencies. Runs without a finite loss are in the files
    only.
    """
    models = records(trained.decode())
    trunks = {row["run_id"]: row["trunk"] or row["run_id"] for row in models}
    runs = [
        _precision_run(row, "trained", "16", trunks[row["run_id"]]) for row in models if row["loss"]
    ]
    copies = [
        _precision_run(row, row["method"], row["P_post"], trunks[row["run_id"]])
        for row in records(quantised.decode())
        if row["loss"]
    ]
    return _columns([*runs, *copies])
