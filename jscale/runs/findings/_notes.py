"""Notes on a valid table: nothing here stops a fit, everything here is worth a look first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import human, inline, plural, quote, quoted_names
from jscale.runs.findings._designs import (
    better_quantised,
    checkpoints,
    is_bookkeeping,
    is_input,
    mixed_metrics,
    split_by_text,
    unread_formats,
)
from jscale.runs.findings._view import TableView, row_evidence, row_text, rows_text
from jscale.runs.tables import BIT_COLUMNS, NATS_PER_TOKEN

_MAX_REASONS = 3
_COMPUTE_FACTOR = 2.0
"""C that differs from 6ND by more than this factor is noted."""
_RATIO_SPREAD = 0.01
"""Spread of log D/N below which all runs count as lying on one line: rounding to whole steps moves
it by less."""
_SMALLEST_COUNTS = {"N": 1e3, "D": 1e4}
"""No table of language models stops below so many parameters or tokens."""
_LARGEST_SCALED_COUNT = 1e7
"""A count in thousands or more stays below this."""
_LARGEST_LOSS = 12.5
"""Nats per token of a uniform guess among 268,000 tokens: larger losses are no cross-entropies."""
_RATIO_LIMITS = (1e-3, 1e6)
"""Tokens a parameter outside of which one of the two is in another unit."""
_UNITS = {"N": "parameters", "D": "tokens"}


def table_notes(table: TableView, *, losses: bool = True) -> list[Note]:
    """The notes on a validated table; rows are counted from 1.

    Args:
        table: its columns, and which rows are kept.
        losses: whether the rows are runs; points of a forecast may be few and on one line.
    """
    notes: list[Note] = []
    for check in _CHECKS if losses else _CHECKS_OF_POINTS:
        notes += check(table)
    return notes


def _exp(log: Any) -> float:
    """A ratio from its logarithm; one beyond the range of float64 is cut to e**700."""
    return float(np.exp(np.clip(log, -700, 700)))


def _extra_columns(table: TableView) -> list[Note]:
    if not table.extras:
        return []
    names = quoted_names(table.extras)
    message = f"other columns were kept, for laws that read them by name: {names}"
    return [Note("unknown-columns", "info", message, {"columns": table.extras})]


def _excluded_rows(table: TableView) -> list[Note]:
    excluded = ~table.kept & ~table.unfinished
    if not excluded.any():
        return []
    message = f"{plural(int(excluded.sum()), 'row')} excluded ({row_text(excluded)})"
    if "reason" in table.columns:
        reasons = [reason for reason in np.unique(table.columns["reason"][excluded]) if reason]
        if reasons:
            message += f": {'; '.join(inline(str(r), 80) for r in reasons[:_MAX_REASONS])}"
    return [Note("rows-excluded", "info", message, row_evidence(excluded))]


def _kept(table: TableView, name: str) -> np.ndarray | None:
    """The kept rows of a column, or None where there is no such column."""
    return table.columns[name][table.kept] if name in table.columns else None


def _suspicious_scales(table: TableView) -> list[Note]:
    """Sizes or tokens that seem to be in millions or billions.

    Models of a few thousand parameters exist, so a small N says nothing by itself unless it is
    below a thousand. Models with more than a million tokens a parameter, or fewer than one token
    for a thousand parameters, do not.
    """
    n, d = _kept(table, "N"), _kept(table, "D")
    if not table.kept.any():
        return []
    tokens_per_parameter = None
    if n is not None and d is not None:
        tokens_per_parameter = _exp(np.median(np.log(d) - np.log(n)))
    ratio = tokens_per_parameter or 1.0
    n_too_small = n is not None and n.max() < _SMALLEST_COUNTS["N"]
    d_too_small = d is not None and d.max() < _SMALLEST_COUNTS["D"]
    implausible = {
        "N": ratio > _RATIO_LIMITS[1] or d_too_small,
        "D": ratio < _RATIO_LIMITS[0] or n_too_small,
    }

    notes = []
    for name in ("N", "D"):
        if name not in table.columns:
            continue
        largest = float(table.columns[name][table.kept].max())
        suspicious = largest < _LARGEST_SCALED_COUNT and implausible[name]
        if largest < _SMALLEST_COUNTS[name] or suspicious:
            header = table.match.headers.get(name)
            column = f"column {quote(header)}" if header else name
            stated = f": --column {quote(f'{name}={header}*1M')}" if header else ""
            message = (
                f"{column} is at most {human(largest)}, which looks like millions or billions: it "
                f"is read as {_UNITS[name]}, so multiply it if it counts those{stated}"
            )
            evidence = {
                "column": name,
                "largest": largest,
                "tokens_per_parameter": tokens_per_parameter,
            }
            notes.append(Note("suspicious-scale", "warning", message, evidence))
    return notes


def _duplicates(table: TableView) -> list[Note]:
    """Kept rows that agree in everything that makes a run, and in its loss to the last digit."""
    columns = table.columns
    if "loss" not in columns:
        return []
    identifying = ("N", "D", "C", *BIT_COLUMNS, "seed", "group", "family", "loss")
    keys = [name for name in identifying if name in columns]
    keys += [
        name
        for name in table.extras
        if columns[name].dtype.kind == "f" and (is_input(name) or not is_bookkeeping(name))
    ]

    # Only rows that share a loss can be equal, and in most tables few do.
    _, inverse, counts = np.unique(columns["loss"], return_inverse=True, return_counts=True)
    candidates = np.flatnonzero((counts[inverse] > 1) & table.kept)
    if not len(candidates):
        return []

    # Equal rows are neighbours once the candidates are sorted by all columns.
    codes = np.stack([np.unique(columns[k][candidates], return_inverse=True)[1] for k in keys])
    order = np.lexsort(codes)
    equal_to_next = (codes[:, order[1:]] == codes[:, order[:-1]]).all(axis=0)
    repeated = np.zeros(len(table.kept), dtype=bool)
    repeated[candidates[order[1:][equal_to_next]]] = True
    repeated[candidates[order[:-1][equal_to_next]]] = True
    if not repeated.any():
        return []
    message = (
        f"rows {row_text(repeated)} repeat others in {', '.join(keys)}: "
        "a run that is listed twice counts twice"
    )
    return [Note("duplicate-runs", "warning", message, row_evidence(repeated))]


def _compute_disagrees(table: TableView) -> list[Note]:
    columns = table.columns
    if not all(name in columns for name in ("N", "D", "C")):
        return []
    c, n, d = (np.where(table.kept, columns[name], 1.0) for name in ("C", "N", "D"))
    log_ratio = np.where(table.kept, np.log(c) - np.log(6.0) - np.log(n) - np.log(d), 0.0)
    different = np.abs(log_ratio) > np.log(_COMPUTE_FACTOR)
    if not different.any():
        return []
    furthest = int(np.argmax(np.abs(log_ratio)))
    ratio = _exp(log_ratio[furthest])
    message = (
        f"C differs from 6ND by more than a factor {_COMPUTE_FACTOR:g} in rows "
        f"{row_text(different)}; worst in row {furthest + 1}, where C is {ratio:.3g} times 6ND"
    )
    evidence = {**row_evidence(different), "worst_row": furthest + 1, "worst_ratio": ratio}
    return [Note("compute-disagrees", "warning", message, evidence)]


def _single_row(table: TableView) -> list[Note]:
    if len(table.kept) > 1:
        return []
    message = "the table has one row, which cannot distinguish one law from another"
    return [Note("one-row", "warning", message, {"count": 1})]


def _mixed_size_kinds(table: TableView) -> list[Note]:
    if "n_kind" not in table.columns:
        return []
    kinds = sorted({kind for kind in table.columns["n_kind"].tolist() if kind})
    if len(kinds) < 2:
        return []
    message = f"N counts different things in different rows: {quoted_names(kinds)}"
    return [Note("mixed-n-kind", "warning", message, {"kinds": tuple(kinds)})]


def _constant_resources(table: TableView) -> list[Note]:
    """Those of N and D that are the same in all kept runs."""
    if table.kept.sum() < 2:
        return []
    constant = {}
    for name in ("N", "D"):
        if name in table.columns:
            levels = np.unique(table.columns[name][table.kept])
            if len(levels) == 1:
                constant[name] = float(levels[0])
    if not constant:
        return []
    values = " and ".join(f"{name} is {human(value)}" for name, value in constant.items())
    effects = "its effect on the loss is" if len(constant) == 1 else "their effects on the loss are"
    message = f"{values} in all runs: {effects} not identified"
    return [Note("one-level", "info", message, {"levels": constant})]


def _constant_ratio(table: TableView) -> list[Note]:
    columns, kept = table.columns, table.kept
    if "N" not in columns or "D" not in columns or kept.sum() < 2:
        return []
    n, d = columns["N"][kept], columns["D"][kept]
    log_ratio = np.log(d) - np.log(n)
    if np.ptp(log_ratio) > _RATIO_SPREAD or not np.ptp(n):
        return []
    ratio = _exp(log_ratio.mean())
    message = (
        f"all runs have {ratio:.3g} tokens a parameter: "
        "effects of size and data are not separately identified"
    )
    return [Note("one-ratio", "warning", message, {"tokens_per_parameter": ratio})]


def _large_losses(table: TableView) -> list[Note]:
    losses = table.columns.get("loss")
    if losses is None or table.loss_unit != NATS_PER_TOKEN:
        return []
    large = table.kept & (losses > _LARGEST_LOSS)
    if not large.any():
        return []
    header = quote(table.match.header("loss"))
    message = (
        f"column {header} is above {_LARGEST_LOSS} in {rows_text(large)}, at most "
        f"{float(losses[large].max()):.4g}: more than a uniform guess in nats per token; if these "
        "are perplexities, name the column 'perplexity'"
    )
    return [Note("large-loss", "warning", message, row_evidence(large))]


_CHECKS: tuple[Callable[[TableView], list[Note]], ...] = (
    _extra_columns,
    _excluded_rows,
    _suspicious_scales,
    _duplicates,
    _compute_disagrees,
    _large_losses,
    split_by_text,
    mixed_metrics,
    unread_formats,
    checkpoints,
    better_quantised,
    _single_row,
    _mixed_size_kinds,
    _constant_resources,
    _constant_ratio,
)
_CHECKS_OF_POINTS = (_excluded_rows, _suspicious_scales, _compute_disagrees)
