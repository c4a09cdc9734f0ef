"""Designs worth knowing: text columns that split a table, checkpoints, quantised models."""

import re

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import plural, quote, quoted_names
from jscale.laws import catalogue, describe
from jscale.laws.formats import bits_of
from jscale.runs.findings._view import TableView, row_evidence, rows_text
from jscale.runs.tables import BIT_COLUMNS, METRIC_NAMES, OFF_BITS, OUTCOMES, fold

_MAX_GROUPS = 8
_MAX_FORMATS = 30
_STEPS = ("step", "steps", "iteration", "iterations", "epoch", "epochs", "iter")
_LEAST_CHECKPOINTS = 4
_EVEN = 0.01
"""Difference of the steps between checkpoints, as a share of them, up to which they are even."""
_MOST_ROWS = 100_000
"""Of a table whose labels and checkpoints are looked at: sorting millions of texts takes long."""
_MOST_SIZES = 1000
_BOOKKEEPING = re.compile(
    "time|^date|stamp|hour|wall|duration|memory|cost|price|speed|persec|index|^row|^id$|unnamed"
    "|node|host|gpu|device|machine|worker"
)
"""Parts of folded names of columns that say when and where a run was made."""
_READ_BY_LAWS = frozenset(
    fold(name)
    for law in catalogue
    for each in describe(law).inputs
    for name in (each.name, each.role.column)
    if name
)


def is_input(name: str) -> bool:
    """Whether some law reads an unknown column of this name."""
    folded = fold(name)
    return (
        folded in _READ_BY_LAWS
        or name in OUTCOMES
        or folded.rstrip("0123456789") in ("mix", "pw", "compressed")
    )


def is_bookkeeping(name: str) -> bool:
    """Whether a column of this name says when or where a run was made, and not what was made."""
    return bool(_BOOKKEEPING.search(fold(name)))


def split_by_text(table: TableView) -> list[Note]:
    """Text columns whose values part the rows into overlapping groups: arms of an experiment.

    A label that follows from N, D and C, such as the width of each model, parts nothing.
    """
    inputs = [name for name in ("N", "D", "C") if name in table.columns]
    notes: list[Note] = []
    if len(table.kept) > _MOST_ROWS:
        return notes
    for name in table.extras:
        values = table.columns[name]
        if values.dtype.kind != "U" or "loss" not in table.columns:
            continue
        labels = [str(label) for label in np.unique(values[table.kept]) if label]
        rows = [np.flatnonzero(table.kept & (values == label)) for label in labels]
        several = 2 <= len(labels) <= _MAX_GROUPS and min(map(len, rows), default=0) >= 2
        if several and inputs and all(_overlap(table.columns[n], rows) for n in inputs):
            message = (
                f"column {quote(name)} parts the runs into {quoted_names(labels, 6)} over the same "
                f"range of {', '.join(inputs)}, and a fit pools them: fit each by itself "
                f"(where {name} == {labels[0]!r})"
            )
            evidence = {"column": name, "values": tuple(labels)}
            notes.append(Note("text-splits", "warning", message, evidence))
    return notes


def mixed_metrics(table: TableView) -> list[Note]:
    """A column that names the metric of each row, where all metrics are read as losses."""
    if fold(table.match.header("loss")) != "value":
        return []
    notes = []
    for name in table.extras:
        values = table.columns[name]
        if fold(name) in METRIC_NAMES and values.dtype.kind == "U":
            metrics = [str(label) for label in np.unique(values[table.kept])]
            if len(metrics) > 1:
                message = (
                    f"column {quote(name)} names the metric of each row "
                    f"({quoted_names(metrics, 6)}), and all are read as losses: keep those of one "
                    f"(where {name} == {metrics[0]!r})"
                )
                evidence = {"column": name, "values": tuple(metrics)}
                notes.append(Note("mixed-metrics", "warning", message, evidence))
    return notes


def unread_formats(table: TableView) -> list[Note]:
    """Unknown columns whose values are all number formats, two or more of them."""
    notes = []
    for name in table.extras:
        values = table.columns[name]
        if values.dtype.kind != "U" or len(values) > _MOST_ROWS or is_input(name):
            continue
        labels = [str(label) for label in np.unique(values[table.kept]) if label]
        if 2 <= len(labels) <= _MAX_FORMATS and all(map(bits_of, labels)):
            message = (
                f"column {quote(name)} holds number formats ({quoted_names(labels, 4)}) and is not "
                f"read: say of what, as --column P_w={name!r} or columns={{'P_w': {name!r}}}"
            )
            evidence = {"column": name, "values": tuple(labels)}
            notes.append(Note("unread-formats", "warning", message, evidence))
    return notes


def _overlap(values: np.ndarray, groups: list[np.ndarray]) -> bool:
    """Whether every group varies and overlaps the first in range."""
    first = values[groups[0]]
    if not all(np.ptp(values[rows]) > 0 for rows in groups):
        return False
    return all(
        values[rows].min() < first.max() and first.min() < values[rows].max() for rows in groups
    )


def checkpoints(table: TableView) -> list[Note]:
    """Rows that are checkpoints of one training run, which share its errors.

    Without a name of the run they are recognised by their size and texts: at one N (or without N)
    the tokens, steps or epochs grow from row to row, and the table has a column of steps or epochs.
    """
    is_large = len(table.kept) > _MOST_ROWS
    if is_large or "run_id" in table.columns or "loss" not in table.columns:
        return []
    growing = next((n for n in table.extras if fold(n) in map(fold, _STEPS)), None)
    if growing is None or table.columns[growing].dtype.kind != "f":
        return []
    models = _models(table)
    runs, is_even = 0, True
    for model in range(models.max() + 1 if models.max() < _MOST_SIZES else 0):
        rows = np.flatnonzero(table.kept & (models == model))
        steps = table.columns[growing][rows]
        if len(rows) >= _LEAST_CHECKPOINTS and (np.diff(steps) > 0).all():
            runs += 1
            is_even &= bool(np.ptp(np.diff(steps)) <= _EVEN * np.diff(steps).max())
    if not runs:
        return []
    whole = "one training run" if runs == 1 else f"{runs} training runs"
    message = (
        f"the rows look like checkpoints of {whole} (column {quote(growing)} grows at one N): they "
        "share its errors, so that intervals count runs and not rows; a column run_id says which"
    )
    # A log writes at even steps; runs of their own lengths are rather spaced by a factor.
    severity = "error" if runs > 1 and is_even else "warning"
    return [Note("checkpoints", severity, message, {"column": growing, "runs": runs})]


def _models(table: TableView) -> np.ndarray:
    """A label (rows,) of the rows that have one N and the same texts."""
    texts = [name for name in table.extras if table.columns[name].dtype.kind == "U"]
    names = [name for name in ("N", *texts) if name in table.columns]
    label = np.zeros(len(table.kept), dtype=int)
    for name in names:
        values = np.unique(table.columns[name], return_inverse=True)[1].reshape(-1)
        label = np.unique(label * (values.max() + 1) + values, return_inverse=True)[1].reshape(-1)
    return label


def better_quantised(table: TableView) -> list[Note]:
    """Quantised models with a lower loss than their own original of 16 bits."""
    columns = table.columns
    bits = [name for name in BIT_COLUMNS if name in columns]
    if not bits or "loss" not in columns or "N" not in columns:
        return []
    low = np.min([columns[name] for name in bits], axis=0)
    models = np.stack([columns[name] for name in ("N", "D") if name in columns])
    model = np.unique(models, axis=1, return_inverse=True)[1].reshape(-1)
    best = np.full(model.max() + 1, -np.inf)
    original = table.kept & (low >= OFF_BITS)
    best[model[original]] = np.inf
    np.minimum.at(best, model[original], columns["loss"][original])
    better = table.kept & (low < OFF_BITS) & (columns["loss"] < best[model])
    if not better.any():
        return []
    message = (
        f"{plural(int(better.sum()), 'quantised run')} with a lower loss than the same model in 16 "
        f"bits ({rows_text(better)}): check that evaluation set, context and tokenizer are alike"
    )
    return [Note("quantised-better", "warning", message, row_evidence(better))]
