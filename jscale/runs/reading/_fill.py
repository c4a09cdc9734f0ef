"""What follows from the cells that are there: the third of N, D and C, and bits that nobody wrote
down.
"""

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import listing, numbers, plural, quote
from jscale.runs.reading._columns import BIT_COLUMNS, OFF_BITS, TIED_BITS, TRAINING_BITS
from jscale.runs.reading._validate import RESOURCES, Checked, Problems

FLOP_PER_PARAMETER_TOKEN = 6.0
"""Two for the forward pass and four for the backward pass (Kaplan et al. 2020, section 2.1)."""


def fill_resources(table: Checked) -> None:
    """Compute the third of N, D and C by C = 6ND: a whole column, or the rows in which it is empty.

    Raises:
        JscaleError: the result is not a finite number above zero.
    """
    columns, rows = table.columns, table.raw.rows
    present = [name for name in RESOURCES if name in columns]
    if len(present) < 2:
        return
    n, d, c = (columns.get(name, np.full(rows, np.nan)) for name in RESOURCES)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        derived = {
            "N": c / (FLOP_PER_PARAMETER_TOKEN * d),
            "D": c / (FLOP_PER_PARAMETER_TOKEN * n),
            "C": FLOP_PER_PARAMETER_TOKEN * n * d,
        }
    problems = Problems(table.raw)
    for name, given in zip(RESOURCES, (n, d, c), strict=True):
        empty = np.isnan(given)
        if not empty.any():
            continue
        others = [other for other in RESOURCES if other != name]
        good = np.isfinite(derived[name]) & (derived[name] > 0)
        at = table.match.headers[next(other for other in others if other in present)]
        what = f"{name} by C = 6ND is not a number above 0"
        problems.add(
            np.flatnonzero(empty & ~good), at, what, f"{' and '.join(others)} of sensible sizes"
        )
        columns[name] = np.where(empty, derived[name], given)
        count = int(empty.sum())
        where = "" if count == rows else f" in {plural(count, 'row')} ({numbers(_rows(empty))})"
        message = f"{name} was computed from {' and '.join(others)} by C = 6ND{where}"
        table.notes.append(Note(f"derived-{name}", "info", message, {"count": count}))
    problems.stop_if_any()


def fill_bits(table: Checked) -> None:
    """Count empty bits as 16, and so the bit columns that are missing beside one that is there.

    One column ``P`` stands for weights, activations and KV cache alike.

    Raises:
        JscaleError: there are both ``P`` and one of the three.
    """
    columns = table.columns
    for name in (*BIT_COLUMNS, TIED_BITS):
        if name in columns and (empty := np.isnan(columns[name])).any():
            columns[name] = np.where(empty, OFF_BITS, columns[name])
            where = (
                ""
                if empty.all()
                else f" in {plural(int(empty.sum()), 'row')} ({numbers(_rows(empty))})"
            )
            message = f"column {quote(table.match.headers[name])} is empty{where}: counted as 16 bits (off)"
            table.notes.append(
                Note("bits-empty", "info", message, {"column": name, "count": int(empty.sum())})
            )
    if TIED_BITS in columns:
        tied = quote(table.match.headers[TIED_BITS])
        if split := [name for name in TRAINING_BITS if name in columns]:
            others = listing(table.match.headers[name] for name in split)
            raise JscaleError(
                f"column {tied} means weights, activations and KV cache alike: remove it or {others}"
            )
        bits = columns.pop(TIED_BITS)
        columns.update(dict.fromkeys(TRAINING_BITS, bits))
        table.notes.append(
            Note("bits-tied", "info", f"column {tied} was taken for P_w, P_a and P_kv alike")
        )
    absent = [name for name in BIT_COLUMNS if name not in columns]
    if 0 < len(absent) < len(BIT_COLUMNS):
        columns.update({name: np.full(table.raw.rows, OFF_BITS) for name in absent})
        message = f"no column for {', '.join(absent)}: counted as 16 bits (off)"
        table.notes.append(Note("bits-off", "info", message, {"columns": tuple(absent)}))


def _rows(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(mask) + 1
