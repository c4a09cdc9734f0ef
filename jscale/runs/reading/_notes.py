"""Doubts about a table that is well formed: nothing here stops a fit, everything here is worth a
look first.
"""

from collections.abc import Callable, Mapping

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import human, inline, listing, numbers, plural, quote
from jscale.runs.reading._columns import BIT_COLUMNS, Match

MOST_ROWS = 100
"""Row numbers that a note carries at most; its ``count`` is always the whole number."""
_DISAGREEMENT = 2.0
_ONE_RATIO = 0.01
"""Spread of D/N below which all runs count as lying on one line: rounding to whole steps moves it
by less."""
_FEWEST = {"N": 1e3, "D": 1e4}
"""No table of language models stops below so many parameters or tokens."""
_SMALL = 1e7
"""A count in thousands or more stays below this."""
_UNITS = {"N": "parameters", "D": "tokens"}

Columns = Mapping[str, np.ndarray]


def remarks(columns: Columns, extras: tuple[str, ...], match: Match | None = None) -> list[Note]:
    """The notes on a validated table; rows are counted from 1.

    Args:
        columns: canonical name → values, shape (rows,).
        extras: names of the unknown columns.
        match: the table's own headers and the scales that they speak of, if it was read from
            somewhere.
    """
    kept = ~columns["exclude"] if "exclude" in columns else np.ones(_length(columns), dtype=bool)
    found = [_extras(extras), _excluded(columns, kept), *_scale(columns, match or Match({}, {}))]
    found += [check(columns) for check in _CHECKS]
    found += [_one_level(columns, kept), _one_ratio(columns, kept)]
    return [note for note in found if note is not None]


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _rows(mask: np.ndarray) -> dict[str, object]:
    rows = np.flatnonzero(mask) + 1
    return {"rows": tuple(rows[:MOST_ROWS].tolist()), "count": len(rows)}


def _shown(mask: np.ndarray) -> str:
    return numbers(np.flatnonzero(mask) + 1)


def _extras(extras: tuple[str, ...]) -> Note | None:
    if not extras:
        return None
    message = f"other columns were kept, for laws that read them by name: {listing(extras)}"
    return Note("unknown-columns", "info", message, {"columns": extras})


def _excluded(columns: Columns, kept: np.ndarray) -> Note | None:
    if kept.all():
        return None
    why = (
        [reason for reason in np.unique(columns["reason"][~kept]).tolist() if reason]
        if "reason" in columns
        else []
    )
    reasons = f": {'; '.join(inline(reason, 80) for reason in why[:3])}" if why else ""
    message = f"{plural(int((~kept).sum()), 'row')} excluded ({_shown(~kept)}){reasons}"
    return Note("rows-excluded", "info", message, _rows(~kept))


def _duplicates(columns: Columns) -> Note | None:
    """Rows, of those kept, that agree in everything that makes a run, and in its result to the last
    digit.
    """
    keys = [
        n for n in ("N", "D", "C", *BIT_COLUMNS, "seed", "group", "family", "loss") if n in columns
    ]
    if "loss" not in columns:
        return None
    # Only rows that share a loss can be equal, and in most tables few do.
    _, inverse, counts = np.unique(columns["loss"], return_inverse=True, return_counts=True)
    repeated = counts[inverse] > 1
    candidates = np.flatnonzero(
        repeated & ~columns["exclude"] if "exclude" in columns else repeated
    )
    if not len(candidates):
        return None
    codes = np.stack([np.unique(columns[k][candidates], return_inverse=True)[1] for k in keys])
    order = np.lexsort(codes)
    same = (codes[:, order[1:]] == codes[:, order[:-1]]).all(axis=0)
    equal = np.zeros(len(columns["loss"]), dtype=bool)
    equal[candidates[order[1:][same]]] = equal[candidates[order[:-1][same]]] = True
    if not equal.any():
        return None
    message = f"rows {_shown(equal)} repeat others in {', '.join(keys)}: a run that is listed twice counts twice"
    return Note("duplicate-runs", "warning", message, _rows(equal))


def _compute_disagrees(columns: Columns) -> Note | None:
    if not all(name in columns for name in ("N", "D", "C")):
        return None
    log_ratio = np.log(columns["C"]) - np.log(6.0) - np.log(columns["N"]) - np.log(columns["D"])
    apart = np.abs(log_ratio) > np.log(_DISAGREEMENT)
    if not apart.any():
        return None
    worst = int(np.argmax(np.abs(log_ratio)))
    ratio = float(np.exp(np.clip(log_ratio[worst], -700, 700)))
    evidence = {**_rows(apart), "worst_row": worst + 1, "worst_ratio": ratio}
    message = (
        f"C differs from 6ND by more than a factor {_DISAGREEMENT:g} in rows {_shown(apart)}; "
        f"worst in row {worst + 1}, where C is {ratio:.3g} times 6ND"
    )
    return Note("compute-disagrees", "warning", message, evidence)


def _scale(columns: Columns, match: Match) -> list[Note]:
    """Sizes or tokens that seem to be given in millions or billions.

    Models of a few thousand parameters exist, so a small N says nothing by itself unless it is
    below a thousand; models with more than a million tokens a parameter, or fewer than one token
    for a thousand parameters, do not.
    """
    n, d = columns.get("N"), columns.get("D")
    tokens_per_parameter = (
        None if n is None or d is None else float(np.exp(np.median(np.log(d) - np.log(n))))
    )
    ratio = tokens_per_parameter or 1.0
    tiny_n = n is not None and n.max() < _FEWEST["N"]
    tiny_d = d is not None and d.max() < _FEWEST["D"]
    notes = []
    for name, values, odd in (("N", n, ratio > 1e6 or tiny_d), ("D", d, ratio < 1e-3 or tiny_n)):
        if values is None:
            continue
        largest, scale = float(values.max()), match.scales.get(name)
        if largest < _FEWEST[name] or (largest < _SMALL and (odd or scale)):
            spoken = f"column {quote(match.headers[name])}" if name in match.headers else name
            message = (
                f"{spoken} is at most {human(largest)}, which looks like millions or billions: "
                f"it is taken as {_UNITS[name]}, so multiply it if it is not"
            )
            evidence = {
                "column": name,
                "largest": largest,
                "tokens_per_parameter": tokens_per_parameter,
                "named": scale,
            }
            notes.append(Note("suspicious-scale", "warning", message, evidence))
    return notes


def _one_row(columns: Columns) -> Note | None:
    if _length(columns) > 1:
        return None
    return Note(
        "one-row",
        "warning",
        "the table has one row: no law can be told from another by it",
        {"count": 1},
    )


def _mixed_kinds(columns: Columns) -> Note | None:
    kinds = (
        sorted({kind for kind in columns["n_kind"].tolist() if kind}) if "n_kind" in columns else []
    )
    if len(kinds) < 2:
        return None
    message = f"N counts different things in different rows: {listing(kinds)}"
    return Note("mixed-n-kind", "warning", message, {"kinds": tuple(kinds)})


def _one_level(columns: Columns, kept: np.ndarray) -> Note | None:
    """Of the resources that a table has, those that are the same in all runs."""
    levels = {
        name: np.unique(columns[name][kept])
        for name in ("N", "D")
        if name in columns and kept.sum() > 1
    }
    alone = {name: float(values[0]) for name, values in levels.items() if len(values) == 1}
    if not alone:
        return None
    told = " and ".join(f"{name} is {human(value)}" for name, value in alone.items())
    effects = "its effect" if len(alone) == 1 else "their effects"
    message = f"{told} in all runs: {effects} on the loss cannot be told"
    return Note("one-level", "info", message, {"levels": alone})


def _one_ratio(columns: Columns, kept: np.ndarray) -> Note | None:
    if "N" not in columns or "D" not in columns or kept.sum() < 2:
        return None
    log_ratio = np.log(columns["D"][kept]) - np.log(columns["N"][kept])
    if float(np.ptp(log_ratio)) > _ONE_RATIO or not np.ptp(columns["N"][kept]):
        return None
    ratio = float(np.exp(log_ratio.mean()))
    message = f"all runs have {ratio:.3g} tokens a parameter: effects of size and data cannot be told apart"
    return Note("one-ratio", "warning", message, {"tokens_per_parameter": ratio})


_CHECKS: tuple[Callable[[Columns], Note | None], ...] = (
    _duplicates,
    _compute_disagrees,
    _one_row,
    _mixed_kinds,
)
