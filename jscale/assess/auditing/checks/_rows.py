"""Rows that are not one run each: repeated tokens, replicates, sweeps of settings."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import general, plural, quote
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import MOST_ROWS, Subject, rows_evidence
from jscale.runs.findings import is_input
from jscale.runs.tables import BIT_COLUMNS, fold

_MOST_EPOCHS = 4.0
"""Passes over the data up to which repeated tokens count like new ones (Muennighoff et al.
2023)."""
_UNIQUE = ("uniquetokens", "dunique", "tokensunique", "uniquetraintokens")
_LEAST_SEEDS = 3
_SETUP = ("N", "D", "C", *BIT_COLUMNS, "group", "family")
"""Columns that make a run, besides those of a law and texts."""


@check(
    epochs="fit the law data_constrained with the unique tokens in a column U, or leave out the "
    "runs beyond four epochs: --where 'epochs <= 4'"
)
def epochs(subject: Subject) -> Iterator[Note]:
    """More passes over the data than repeated tokens count for."""
    if subject.is_input("U"):
        return
    passes = _passes(subject)
    if passes is None or not (passes > _MOST_EPOCHS * 1.01).any():
        return
    rows = subject.rows[passes > _MOST_EPOCHS * 1.01]
    message = (
        f"{plural(len(rows), 'run')} repeat their data more than {_MOST_EPOCHS:g} times, up to "
        f"{general(float(passes.max()), 3)} epochs ({subject.names_of(rows)}): repeated tokens "
        "count for less than new ones"
    )
    yield Note("epochs", "warning", message, rows_evidence(rows))


def _passes(subject: Subject) -> np.ndarray | None:
    """Passes over the data (n,), from unique tokens or a column of epochs."""
    d = subject.positive("D")
    unique = ["U", *(name for name in subject.extras(*_UNIQUE) if fold(name) in _UNIQUE)]
    for name in unique:
        values = subject.numbers(name)
        if d is not None and values is not None and (values > 0).all():
            return d[0] / values
    if any(note.code == "checkpoints" for note in subject.table.notes):
        return None  # the epochs of a log
    named = [name for name in subject.extras("epoch", kinds="f") if fold(name) in _EPOCHS]
    return subject.numbers(named[0]) if named else None


_EPOCHS = ("epochs", "epoch", "nepochs", "numepochs", "passes")


@check(
    seed_noise="give the spread as loss_se, or pass weights; a law that scatters more than seeds "
    "do leaves something out"
)
def seed_noise(subject: Subject) -> Iterator[Note]:
    """The spread of runs that differ in their seed alone, beside the scatter of the model."""
    loss = subject.positive("loss")
    if loss is None or "seed" not in subject.table.columns or len(subject) > MOST_ROWS:
        return
    label = _same_but_for_the_seed(subject)
    logs, counts = np.log(loss[0]), np.bincount(label)
    repeated = counts[label] > 1
    freedom = int(repeated.sum() - (counts > 1).sum())
    if freedom < _LEAST_SEEDS:
        return
    means = np.bincount(label, logs) / counts
    spread = float(np.sqrt(np.square((logs - means[label])[repeated]).sum() / freedom))
    residuals = subject.residuals
    scatter = residuals.scale if residuals is not None and residuals.on_log else np.nan
    message = f"runs that differ in their seed alone scatter by {spread:.2%} of the loss"
    evidence = {"seed_noise": spread, "scatter": float(scatter), "degrees_of_freedom": freedom}
    if residuals is not None and residuals.is_law and scatter > 3 * spread:
        message += f"; {residuals.model} leaves {scatter:.2%}: more than seeds explain"
        yield Note("seed-noise", "warning", message, evidence)
        return
    yield Note("seed-noise", "info", message, evidence)


def _same_but_for_the_seed(subject: Subject) -> np.ndarray:
    """A label (n,) of the runs that agree in all that a law reads and in every text."""
    columns = subject.table.columns
    read = [
        name for name in subject.table.extras if columns[name].dtype.kind == "U" or is_input(name)
    ]
    names = [name for name in (*_SETUP, *read) if name in columns]
    label = np.zeros(len(subject), dtype=int)
    for name in names:
        values = np.unique(columns[name][subject.rows], return_inverse=True)[1].reshape(-1)
        label = np.unique(label * (values.max() + 1) + values, return_inverse=True)[1].reshape(-1)
    return label


@check(
    untuned_runs="keep the best run of each size and data (--where), fit the asymmetric objective "
    "(--objective asymmetric-huber), or a law of the setting",
    untuned_at_edge="extend the sweep until the best value has worse ones on both sides",
)
def sweeps(subject: Subject) -> Iterator[Note]:
    """Sweeps of the learning rate or the batch at one size and data, pooled under one law."""
    loss, columns = subject.positive("loss"), subject.positive("N", "D")
    if loss is None or columns is None or len(subject) > MOST_ROWS:
        return
    cell = np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)
    for name in subject.extras("lr", "learningrate", "batch", kinds="f"):
        if fold(name) not in _SETTINGS or subject.is_input(name):
            continue
        values = subject.numbers(name)
        if values is None:
            continue
        swept, at_edge = _swept(cell, values, loss[0])
        if not swept:
            continue
        message = (
            f"{plural(swept, 'pair')} of N and D have runs at several values of {quote(name)}, "
            "which the law does not read: most of them are not tuned"
        )
        yield Note("untuned-runs", "warning", message, {"column": name, "cells": swept})
        if at_edge > swept / 2:
            message = (
                f"the best {quote(name)} is the first or last of its sweep at {at_edge} of {swept} "
                "pairs of N and D"
            )
            yield Note("untuned-at-edge", "warning", message, {"column": name, "cells": at_edge})


_SETTINGS = (
    *("lr", "learningrate", "peaklr", "maxlr", "peaklearningrate"),
    *("batchsize", "batchtokens", "batch", "batchsequences", "globalbs", "globalbatchsize"),
)


def _swept(cell: np.ndarray, values: np.ndarray, loss: np.ndarray) -> tuple[int, int]:
    """Cells with three or more values of a setting, and those whose best is at the edge."""
    swept = at_edge = 0
    for each in np.unique(cell):
        rows = np.flatnonzero(cell == each)
        levels = np.unique(values[rows])
        if len(levels) < 3:
            continue
        swept += 1
        best = values[rows[np.argmin(loss[rows])]]
        at_edge += bool(best in (levels[0], levels[-1]))
    return swept, at_edge
