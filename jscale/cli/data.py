"""``jscale data``: the public tables of runs, and the contents of a table."""

import csv
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jscale._core.errors import JscaleError
from jscale.cli.support import inputs, options, output
from jscale.cli.support.session import prepare_jax

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from jscale.runs import Runs

_BITS = ("P_w", "P_a", "P_kv", "P_post")
_FULL_BITS = 16
_UNITS = {
    "N": "parameters",
    "D": "tokens",
    "C": "FLOP",
} | dict.fromkeys(_BITS, "bits")


_SOURCE = "besiroglu2024"
"""Constants of the verdict: the refit, which agrees with the other approaches of Hoffmann et al."""
_CLOSE = 1.1
"""Tokens within this factor of the optimal ones cost less than 0.001 nats per token, from 1e8
parameters on."""

TABLE = Annotated[
    str | None,
    typer.Argument(
        help="A data set by name, or a file of runs.", metavar="NAME_OR_FILE", show_default=False
    ),
]
OUT = Annotated[
    str | None,
    options.option("--out", help="Write the validated table to FILE, as CSV.", metavar="FILE"),
]


def data(
    source: TABLE = None,
    *,
    as_json: options.AS_JSON = False,
    seed: options.NO_SEED = 0,
    out: OUT = None,
) -> None:
    """List the data sets, or summarise one table of runs and write it as tidy CSV."""
    if out is not None:
        output.target(out, inputs=[source])
    prepare_jax()
    if source is None:
        if out is not None:
            raise JscaleError(
                "--out: say which table to write: jscale data NAME_OR_FILE --out FILE.csv"
            )
        _list(as_json)
        return

    table = inputs.table_of(source)
    if out is not None:
        with output.writing(out) as temporary:
            write_csv(table, temporary)
    payload = summary(table)
    if as_json:
        output.deliver(payload, as_json, None)
    else:
        _show(table, payload)


def _list(as_json: bool) -> None:
    """Print the data sets, as a table or as JSON."""
    from jscale import runs

    datasets = runs.datasets()
    entries = [
        {
            "name": d.name,
            "rows": d.rows,
            "summary": d.summary,
            "licence": d.licence,
            "paper": d.paper,
            "url": d.upstream.url,
            "caveats": d.caveats,
        }
        for d in datasets
    ]
    output.deliver({"data": entries}, as_json, None)
    if not as_json:
        rows = [(d.name, f"{d.rows:,}", f"{d.summary} ({d.paper})") for d in datasets]
        output.show(output.table(("data set", "rows", "what, and from where"), rows, right="lr"))


def summary(table: "Runs") -> dict[str, Any]:
    """A table of runs as a JSON object: its size, the range of every column, and its audit."""
    from jscale.assess import audit

    return {
        "name": table.name,
        "source": table.source,
        "rows": len(table),
        "kept": int(table.kept.sum()),
        "loss_unit": table.loss_unit,
        "columns": {name: _column(table[name]) for name in table},
        "extras": table.extras,
        "digest": table.digest,
        "largest_run": largest_run(table),
        "notes": output.notes(audit(table).notes),
    }


def largest_run(table: "Runs") -> dict[str, Any] | None:
    """The kept run with the most N D against the optimum of Chinchilla's law as published.

    None without N, D or a loss in nats per token, and for a run of which the law leaves something
    out.
    """
    import numpy as np

    from jscale import laws, plan

    if not {"N", "D", "loss"} <= set(table) or table.loss_unit != "nats per token":
        return None
    compute = np.log(table["N"]) + np.log(table["D"])
    known = table.kept & np.isfinite(compute) & np.isfinite(table["loss"])
    if not known.any():
        return None
    row = int(np.argmax(np.where(known, compute, -np.inf)))
    names = ("N", "D", "U", "E_experts", "sparsity", *_BITS)
    run = {name: float(table[name][row]) for name in names if name in table}
    if _is_beyond_chinchilla(run):
        return None

    theta = laws.params("chinchilla", _SOURCE)
    found = plan.allocation("chinchilla", theta, N=run["N"], D=run["D"])
    if not np.isfinite(found.tokens):
        return None
    return {
        "row": row + 1,
        "N": run["N"],
        "D": run["D"],
        "law": "chinchilla",
        "params": _SOURCE,
        "tokens_over_optimal": float(found.tokens),
        "excess": float(found.excess),
    }


def _is_beyond_chinchilla(run: dict[str, float]) -> bool:
    """Whether a run has few bits, repeated tokens, experts or sparse weights."""
    return (
        any(run.get(name, _FULL_BITS) < _FULL_BITS for name in _BITS)
        or run.get("U", math.inf) < run["D"]
        or run.get("E_experts", 1.0) > 1
        or run.get("sparsity", 0.0) > 0
    )


def _column(values: "np.ndarray") -> dict[str, Any]:
    """Kind and range of one column."""
    import numpy as np

    if values.dtype.kind == "f":
        present = values[np.isfinite(values)]
        low, high = (present.min(), present.max()) if present.size else (None, None)
        return {"kind": "number", "distinct": len(np.unique(present)), "min": low, "max": high}
    return {"kind": "flag" if values.dtype == bool else "label", "distinct": len(np.unique(values))}


def _show(table: "Runs", payload: dict[str, Any]) -> None:
    """Print the summary of a table."""
    from jscale.report.notation import human, number

    excluded = payload["rows"] - payload["kept"]
    suffix = f", {excluded:,} of them excluded" if excluded else ""
    output.show(f"{table.name}: {payload['rows']:,} runs{suffix}")

    loss_unit = table.loss_unit.replace(" per ", "/")
    units = _UNITS | dict.fromkeys(("loss", "loss_se"), loss_unit)
    rows = []
    for name, column in payload["columns"].items():
        write = human if name in ("N", "D", "C") else number
        ends = [column.get("min"), column.get("max")]
        cells = ["" if end is None else write(float(end)) for end in ends]
        unit = units.get(name, "")
        rows.append((name, unit, *cells, f"{column['distinct']:,}"))
    headers = ("column", "unit", "smallest", "largest", "distinct")
    output.show(output.table(headers, rows, right="llrrr"))
    if payload["largest_run"] is not None:
        output.show(_verdict(payload["largest_run"]))
    output.show_notes(payload["notes"])


def _verdict(run: dict[str, Any]) -> str:
    """Whether the largest run is undertrained or overtrained for its compute."""
    from jscale.report.notation import human, number

    share = run["tokens_over_optimal"]
    verdict = "undertrained for its compute" if share < 1 else "overtrained for its compute"
    if max(share, 1 / share) < _CLOSE:
        verdict = "close to compute-optimal"
    return (
        f"By {run['law']} as published ({run['params']}; not a fit of this table) the run with the "
        f"most compute, row {run['row']} with {human(run['N'])} parameters and {human(run['D'])} "
        f"tokens, is {verdict}: {number(share, 2)} times the optimal tokens, "
        f"{number(run['excess'], 2)} nats per token above the optimum."
    )


def write_csv(table: "Runs", path: "Path") -> None:
    """Write the table as UTF-8 CSV that reads back to exactly the same numbers.

    Raises:
        JscaleError: a label cannot be encoded as UTF-8.
    """
    columns = [_cells(table[name]) for name in table]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([_header(table, name) for name in table])
            writer.writerows(zip(*columns, strict=True))
    except UnicodeEncodeError as error:
        characters = error.object[error.start : error.end]
        raise JscaleError(
            f"{table.name}: a label holds {characters!r}, which UTF-8 cannot encode"
        ) from None


def _header(table: "Runs", name: str) -> str:
    """The name of a column; losses in another unit than nats per token have it in brackets."""
    plain = name != "loss" or table.loss_unit == "nats per token"
    return name if plain else f"{name} [{table.loss_unit}]"


def _cells(values: "np.ndarray") -> list[str]:
    """A column as cells of CSV: every digit of a number, empty for NaN."""
    if values.dtype.kind == "f":
        return ["" if math.isnan(value) else repr(value) for value in values.tolist()]
    if values.dtype == bool:
        return ["1" if value else "0" for value in values.tolist()]
    return values.tolist()
