"""Rows that are left out: runs that failed, go on or diverged."""

from collections.abc import Mapping

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import named_rows, plural
from jscale.runs.reading._validate import NUMBERS, CheckedTable
from jscale.runs.tables import KNOWN, RawTable, fold, is_footer, meaning

_STATES = ("state", "status", "runstate", "runstatus", "jobstate", "jobstatus")
"""Folded names of columns with the state of a run."""
UNFINISHED = frozenset(
    (
        *("crashed", "crash", "failed", "failure", "error", "errored", "killed", "cancelled"),
        *("canceled", "aborted", "preempted", "timeout", "timed out", "oom", "out of memory"),
        *("diverged", "nan", "exploded", "running", "pending", "queued", "in progress", "started"),
    )
)
"""States of runs that failed, diverged or go on; some tables have them in place of a loss."""
_MAX_REASONS = 4
_MAX_FOOTERS = 6


def drop_footers(raw: RawTable, named: Mapping[str, str] | None) -> None:
    """Leave out the last rows of a table where they are totals, means or remarks.

    Args:
        raw: loses the rows and gets a note.
        named: known column → header, where the caller says which it is.
    """
    numbers = [
        header
        for header in raw.columns
        if ((known := meaning(header)) and KNOWN[known].kind in NUMBERS)
        or (named and header in named.values())
    ]
    count = 0
    while count < min(_MAX_FOOTERS, raw.rows - 1):
        row = raw.rows - 1 - count
        cells = {header: cells[row] for header, cells in raw.columns.items()}
        if not is_footer(list(cells.values()), [cells[header] for header in numbers]):
            break
        count += 1
    if not count:
        return
    first = raw.place(raw.rows - count)
    raw.rows -= count
    raw.columns.update({header: cells[: raw.rows] for header, cells in raw.columns.items()})
    message = f"{plural(count, 'row')} below the table left out, from {first} on"
    raw.notes.append(Note("footers", "info", message, {"count": count}))


def exclude_unfinished(table: CheckedTable) -> None:
    """Exclude runs that failed or go on by their state, and those without a finite loss.

    The table gets or extends its columns ``exclude`` and ``reason``, and a warning.
    """
    rows = table.raw.rows
    states = {name: values for name, values in table.extras.items() if _is_state(name, values)}
    losses = table.columns.get("loss")
    if not states and (losses is None or np.isfinite(losses).all()):
        return
    reasons = [""] * rows
    for name, values in states.items():
        for row, state in enumerate(values.tolist()):
            if state.strip().casefold() in UNFINISHED:
                reasons[row] = f"{name} is {state.strip()}"
    if losses is not None:
        for row in np.flatnonzero(~np.isfinite(losses)):
            problem = "the loss is not finite" if np.isinf(losses[row]) else "no loss"
            problem = table.lost.get(int(row), problem)
            reasons[row] = f"{reasons[row]}, {problem}" if reasons[row] else problem

    given = ~table.kept
    unfinished = np.array([bool(reason) for reason in reasons]) & ~given
    if not unfinished.any():
        return
    table.unfinished = unfinished
    table.columns["exclude"] = given | unfinished
    texts = table.columns.get("reason", np.array([""] * rows)).tolist()
    table.columns["reason"] = np.array(
        [
            reason if left else text
            for reason, text, left in zip(reasons, texts, unfinished, strict=True)
        ]
    )
    table.notes.append(_note(reasons, unfinished))


def _is_state(name: str, values: np.ndarray) -> bool:
    last = name.rpartition(".")[2].rpartition("/")[2]
    return values.dtype.kind == "U" and fold(last) in _STATES


def _note(reasons: list[str], unfinished: np.ndarray) -> Note:
    """Which rows are left out and why."""
    by_reason: dict[str, list[int]] = {}
    for row in np.flatnonzero(unfinished):
        by_reason.setdefault(reasons[row], []).append(int(row) + 1)
    parts = [f"{reason} ({named_rows(at)})" for reason, at in by_reason.items()]
    more = " …" if len(parts) > _MAX_REASONS else ""
    count = plural(int(unfinished.sum()), "run")
    message = f"{count} left out: {'; '.join(parts[:_MAX_REASONS])}{more}"
    evidence = {
        "rows": tuple(int(row) + 1 for row in np.flatnonzero(unfinished)[:100]),
        "count": int(unfinished.sum()),
    }
    return Note("unfinished-runs", "warning", message, evidence)
