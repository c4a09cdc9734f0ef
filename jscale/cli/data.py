"""``jscale data``: the public tables of runs, and what a table holds."""

import csv
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli import _inputs, _options, _output
from jscale.cli._session import prepare_jax

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from jscale.runs import Runs

_UNITS = {
    "N": "parameters",
    "D": "tokens",
    "C": "FLOP",
    "loss": "nats/token",
    "loss_se": "nats/token",
} | dict.fromkeys(("P_w", "P_a", "P_kv", "P_post"), "bits")


def data(
    source: _options.TABLE = None,
    *,
    as_json: _options.AS_JSON = False,
    seed: _options.NO_SEED = 0,
    out: _options.OUT_CSV = None,
) -> None:
    """List the data sets, or summarise one table of runs and write it in tidy form."""
    if out is not None:
        _output.target(out)
    prepare_jax()
    if source is None:
        if out is not None:
            raise JscaleError(
                "--out: say which table to write: jscale data NAME_OR_FILE --out FILE.csv"
            )
        _list(as_json)
        return
    table = _inputs.table_of(source)
    if out is not None:
        with _output.writing(out) as temporary:
            write_csv(table, temporary)
    payload = summary(table)
    if as_json:
        _output.deliver(payload, as_json, None)
    else:
        _show(table, payload)


def _list(as_json: bool) -> None:
    from jscale import runs

    known = runs.datasets()
    payload = {
        "data": [
            {
                "name": d.name,
                "rows": d.rows,
                "summary": d.summary,
                "licence": d.licence,
                "paper": d.paper,
                "url": d.upstream.url,
                "caveats": d.caveats,
            }
            for d in known
        ]
    }
    _output.deliver(payload, as_json, None)
    if not as_json:
        rows = [(d.name, f"{d.rows:,}", d.summary, d.paper) for d in known]
        _output.show(_output.table(("data set", "rows", "what", "from"), rows, right="lr"))


def summary(table: "Runs") -> dict[str, Any]:
    """A table of runs as a JSON object: its size, the range of every column, its notes."""
    return {
        "name": table.name,
        "source": table.source,
        "rows": len(table),
        "kept": int(table.kept.sum()),
        "columns": {name: _column(table[name]) for name in table},
        "extras": table.extras,
        "digest": table.digest,
        "notes": _output.notes(table.notes),
    }


def _column(values: "np.ndarray") -> dict[str, Any]:
    import numpy as np

    if values.dtype.kind == "f":
        filled = values[~np.isnan(values)]
        low, high = (filled.min(), filled.max()) if filled.size else (None, None)
        return {"kind": "number", "distinct": len(np.unique(filled)), "min": low, "max": high}
    return {"kind": "flag" if values.dtype == bool else "label", "distinct": len(np.unique(values))}


def _show(table: "Runs", payload: dict[str, Any]) -> None:
    from jscale.report.notation import human, significant

    dropped = payload["rows"] - payload["kept"]
    _output.show(
        f"{table.name}: {payload['rows']:,} runs"
        + (f", {dropped:,} of them excluded" if dropped else "")
    )
    rows = []
    for name, column in payload["columns"].items():
        number = human if name in ("N", "D", "C") else significant
        ends = [
            number(float(column[end])) if column.get(end) is not None else ""
            for end in ("min", "max")
        ]
        rows.append((name, _UNITS.get(name, ""), *ends, f"{column['distinct']:,}"))
    _output.show(
        _output.table(("column", "unit", "smallest", "largest", "distinct"), rows, right="llrrr")
    )
    _output.show_notes(payload["notes"])


def write_csv(table: "Runs", path: "Path") -> None:
    """The table as UTF-8 CSV that reads back to the same numbers, digit for digit.

    Raises:
        JscaleError: a label cannot be written as UTF-8.
    """
    columns = [_cells(table[name]) for name in table]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(list(table))
            writer.writerows(zip(*columns, strict=True))
    except UnicodeEncodeError as error:
        letters = error.object[error.start : error.end]
        raise JscaleError(
            f"{table.name}: a label holds {letters!r}, which UTF-8 cannot write"
        ) from None


def _cells(values: "np.ndarray") -> list[str]:
    if values.dtype.kind == "f":
        return ["" if value != value else repr(value) for value in values.tolist()]
    if values.dtype == bool:
        return ["1" if value else "0" for value in values.tolist()]
    return values.tolist()
