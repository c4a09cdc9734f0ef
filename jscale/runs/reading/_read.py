"""``read``: any table of runs, validated."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.runs._table import Runs
from jscale.runs.reading._columns import COLUMNS, TIED_BITS, TRAINING_BITS
from jscale.runs.reading._fill import fill_bits, fill_resources
from jscale.runs.reading._notes import remarks
from jscale.runs.reading._raw import Raw
from jscale.runs.reading._sources import load
from jscale.runs.reading._validate import check


def read(
    source: str | os.PathLike | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any,
    *,
    name: str | None = None,
) -> Runs:
    """A validated table of training runs.

    The columns are found under many names, in any letter case and punctuation: ``N`` (parameters;
    params, model size …), ``D`` (tokens; training tokens …), ``C`` (FLOP; flops, compute, budget
    …), ``loss`` (nats per token; val_loss, final_loss …), ``loss_se``, ``P_w P_a P_kv P_post``
    (bits; w_bits, a_bits …; or one ``P`` for the first three), ``seed``, ``group``, ``family``,
    ``run_id``, ``exclude`` with ``reason``, and ``n_kind`` (what N counts). ``loss`` is required,
    and one other number. Two of N, D and C give the third by C = 6ND. An empty bit cell counts as
    16 bits, which means not quantised, and so does a bit column that is missing beside one that is
    there. Unknown columns are kept as extras. A column is found by the name that it had in the
    source as well. Counts may be written ``70M``, ``1.4T`` or ``1,000,000`` (K, M, B, T for 1e3,
    1e6, 1e9, 1e12); losses and bits are plain numbers, since a comma may be a decimal sign.

    A table for a law of something else may have that in place of the loss: ``error``, ``score``,
    ``lr`` …

    What is odd but well formed becomes a note of the table: runs listed twice, sizes that look like
    millions, C far from 6ND, all runs at one D/N, excluded rows, a single row.

    Args:
        source: a path to a .csv, .tsv, .jsonl, .ndjson or .parquet file; a pandas or polars data
            frame, or any other that narwhals knows; a dict of arrays of shape (rows,); or a list of
            dicts, one a run.
        name: of the table, for messages; by default the file's name.

    Returns:
        The table, float64 throughout.

    Raises:
        JscaleError: the source cannot be read, a column is missing or ambiguous, or a cell does not
            hold what its column should; the message names the column, the data row (counted from 1)
            and the line of the file, and says how many more cells are wrong.
    """
    if isinstance(source, Runs):
        return source
    raw, name, origin = load(source, name)
    try:
        return build(raw, name, origin)
    except JscaleError as error:
        raise JscaleError(f"{name}: {error}") from None


def build(raw: Raw, name: str, origin: str) -> Runs:
    """The validated table of unchecked columns.

    Raises:
        JscaleError: as :func:`read`, without the name of the table.
    """
    table = check(raw)
    fill_resources(table)
    fill_bits(table)
    known = {
        column.name: table.columns[column.name]
        for column in COLUMNS
        if column.name in table.columns
    }
    columns: dict[str, np.ndarray] = {**known, **table.extras}
    for values in columns.values():
        if values.base is None and values.flags.owndata:
            values.setflags(write=False)
    extras = tuple(table.extras)
    notes: list[Note] = [*table.notes, *remarks(columns, extras, table.match)]
    return Runs(
        columns, extras, tuple(notes), name, origin, headers=_renamed(table.match.headers, columns)
    )


def _renamed(headers: Mapping[str, str], columns: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Column → header of those that have another name now; a header of tied bits stands for three
    columns.
    """
    tied = dict.fromkeys(TRAINING_BITS, headers[TIED_BITS]) if TIED_BITS in headers else {}
    return {
        name: header
        for name, header in {**headers, **tied}.items()
        if name in columns and name != header
    }
