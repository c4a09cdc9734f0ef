"""Values that follow from others: the third of N, D and C, and bits that were not recorded."""

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import plural, quote, quoted_names, row_numbers
from jscale.runs.reading._validate import RESOURCES, CheckedTable, Problems
from jscale.runs.tables import (
    BIT_COLUMNS,
    OFF_BITS,
    TIED_BITS,
    TRAINING_BITS,
    accepted,
    resembling,
)

FLOP_PER_PARAMETER_TOKEN = 6.0
"""Two for the forward pass and four for the backward pass (Kaplan et al. 2020, section 2.1)."""


def fill_resources(table: CheckedTable) -> None:
    """Compute the third of N, D and C by C = 6ND: a whole column, or the rows in which it is empty.

    Raises:
        JscaleError: the result is not a finite number above zero.
    """
    columns = table.columns
    present = [name for name in RESOURCES if name in columns]
    if len(present) < 2:
        return

    missing = np.full(table.raw.rows, np.nan)
    recorded = {name: columns.get(name, missing) for name in RESOURCES}
    derived = _derived(**recorded)
    problems = Problems(table.raw)
    for name, values in recorded.items():
        empty = np.isnan(values)
        if not empty.any():
            continue
        columns[name] = np.where(empty, derived[name], values)

        others = [other for other in RESOURCES if other != name]
        sources = " and ".join(others)
        valid = np.isfinite(derived[name]) & (derived[name] > 0)
        header = table.match.headers[next(other for other in others if other in present)]
        problem = f"{name} by C = 6ND is not a number above 0"
        problems.add(
            np.flatnonzero(empty & ~valid & table.kept),
            header,
            problem,
            f"{sources} of sensible sizes",
        )

        filled = empty & valid
        if not filled.any():
            continue
        where = _in_rows(filled) if name in present else ""
        message = f"{name} was computed from {sources} by C = 6ND{where}"
        evidence = {"count": int(filled.sum())}
        table.notes.append(Note(f"derived-{name}", "info", message, evidence))
        if name not in present:
            table.notes += _unread_columns(table, name, sources)
    problems.raise_first()


def _unread_columns(table: CheckedTable, name: str, sources: str) -> list[Note]:
    """A warning about columns that may hold the N, D or C that was computed."""
    numeric = [header for header, values in table.extras.items() if values.dtype.kind == "f"]
    unread = resembling(name, numeric)
    if not unread:
        return []
    columns, verb = ("column", "is") if len(unread) == 1 else ("columns", "are")
    message = (
        f"{columns} {quoted_names(unread)} {verb} not read as {name}, which was computed from "
        f"{sources}; to read one as {name}, rename it to {accepted(name)}"
    )
    return [Note("unread-column", "warning", message, {"column": name, "headers": unread})]


def _derived(N: np.ndarray, D: np.ndarray, C: np.ndarray) -> dict[str, np.ndarray]:
    """Each of N, D and C from the other two."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return {
            "N": C / (FLOP_PER_PARAMETER_TOKEN * D),
            "D": C / (FLOP_PER_PARAMETER_TOKEN * N),
            "C": FLOP_PER_PARAMETER_TOKEN * N * D,
        }


def fill_bits(table: CheckedTable) -> None:
    """Set empty bits to 16, and so the bit columns that are missing where there is another one.

    One column ``P`` stands for weights, activations and KV cache alike.

    Raises:
        JscaleError: there are both ``P`` and one of the three.
    """
    _fill_empty_bits(table)
    _expand_tied_bits(table)

    absent = [name for name in BIT_COLUMNS if name not in table.columns]
    if 0 < len(absent) < len(BIT_COLUMNS):
        table.columns.update({name: np.full(table.raw.rows, OFF_BITS) for name in absent})
        message = f"no column for {', '.join(absent)}: counted as 16 bits (off)"
        table.notes.append(Note("bits-off", "info", message, {"columns": tuple(absent)}))


def _fill_empty_bits(table: CheckedTable) -> None:
    for name in (*BIT_COLUMNS, TIED_BITS):
        if name not in table.columns:
            continue
        values = table.columns[name]
        empty = np.isnan(values)
        if empty.any():
            table.columns[name] = np.where(empty, OFF_BITS, values)
            header = quote(table.match.headers[name])
            message = f"column {header} is empty{_in_rows(empty)}: counted as 16 bits (off)"
            evidence = {"column": name, "count": int(empty.sum())}
            table.notes.append(Note("bits-empty", "info", message, evidence))


def _expand_tied_bits(table: CheckedTable) -> None:
    """Copy ``P`` to weights, activations and KV cache."""
    columns = table.columns
    if TIED_BITS not in columns:
        return
    header = quote(table.match.headers[TIED_BITS])
    separate = [table.match.headers[name] for name in TRAINING_BITS if name in columns]
    if separate:
        raise JscaleError(
            f"column {header} means weights, activations and KV cache alike: "
            f"remove it or {quoted_names(separate)}"
        )
    columns.update(dict.fromkeys(TRAINING_BITS, columns.pop(TIED_BITS)))
    message = f"column {header} was taken for P_w, P_a and P_kv alike"
    table.notes.append(Note("bits-tied", "info", message))


def _in_rows(mask: np.ndarray) -> str:
    """`` in 2 rows (3, 8)``; empty where the mask is true in every row."""
    if mask.all():
        return ""
    rows = np.flatnonzero(mask) + 1
    return f" in {plural(len(rows), 'row')} ({row_numbers(rows)})"
