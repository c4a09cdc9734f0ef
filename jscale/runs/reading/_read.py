"""``read``: any table of runs, validated."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale.runs._table import Runs
from jscale.runs.findings import TableView, table_notes
from jscale.runs.reading._fill import fill_bits, fill_resources
from jscale.runs.reading._known import check
from jscale.runs.reading._rows import drop_footers
from jscale.runs.reading._sources import load
from jscale.runs.tables import (
    COLUMNS,
    TIED_BITS,
    TRAINING_BITS,
    RawTable,
    factors_of,
    like_losses,
    meaning,
    to_long,
    wide_hint,
    with_products,
)


def read(
    source: str | os.PathLike | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any,
    *,
    name: str | None = None,
    losses: bool = True,
    columns: Mapping[str, str] | None = None,
    bytes_per_token: float | None = None,
    strict: bool = False,
    long: bool = False,
) -> Runs:
    """A validated table of training runs.

    Columns are recognised under many names, in any letter case and punctuation: ``N`` (parameters;
    params, model size …), ``D`` (tokens; training tokens …), ``C`` (FLOP; flops, compute, budget
    …), ``loss`` (nats per token; val_loss, final_loss …), ``loss_se``, ``P_w P_a P_kv P_post``
    (bits; w_bits, a_bits …; or one ``P`` for the first three), ``seed``, ``group``, ``family``,
    ``run_id``, ``exclude`` with ``reason``, and ``n_kind`` (what N counts). ``loss`` is required,
    and one other number. A table for a law of something else may have that in place of the loss:
    ``error``, ``score``, ``lr`` … Unknown columns are kept as extras. A column is also found by
    the name that it had in the source.

    Two of N, D and C give the third by C = 6ND. An empty bit cell counts as 16 bits, which means
    not quantised, and so does a missing bit column where there is another one. Counts may be
    written ``70M``, ``1.4T`` or ``1,000,000`` (K, M, B, T for 1e3, 1e6, 1e9, 1e12); losses and bits
    are plain numbers, since a comma may be a decimal sign. A unit in a header (``params_b``,
    ``Params [M]``, ``FLOPs (P)``, ``PF-days``) is applied and noted; a loss may state its standard
    error (``6.23 ± 0.04``), and bits may be a format's name (``bf16``, ``W4A16``, ``Q4_K_M``).
    Perplexity is read as its logarithm; losses per byte keep their unit.

    Well-formed but suspicious data become notes of the table: runs listed twice, sizes that look
    like millions, C that differs from 6ND, all runs at one D/N, excluded rows, a single row.

    Args:
        source: a path to a .csv, .tsv, .txt, .md (a Markdown table), .json (an array of records, or
            ``trainer_state.json``), .jsonl, .ndjson, .xlsx (its first sheet; needs
            ``jscale[excel]``) or .parquet file (needs ``jscale[parquet]``), text files also with
            .gz, or a .zip of one file; an event file of TensorBoard, or a folder where each folder
            with event files is a run; "-" for the standard input; a pandas or polars data frame,
            or any other that narwhals knows; a dict of arrays of shape (rows,); or a list of dicts,
            one a run.
        name: of the table, for messages; by default the file's name.
        losses: whether the table must have a loss, or another outcome; False for a table of inputs,
            the points of a forecast.
        columns: column → its name in the source, for names that jscale does not know or a choice
            among several: ``{"loss": "macro_loss"}``. Of parameters, tokens, compute and bits also
            a number, or a product: ``{"N": "70M", "D": "Step * 512K"}``.
        bytes_per_token: mean number of bytes of a token, which converts losses per byte to losses
            per token. By default they stay as they are, and ``loss_unit`` says what they are.
        strict: whether runs that failed, go on or have no loss are an error. By default they are
            excluded with the reason and a warning.
        long: turn a wide table into rows: a tracker's chart with one column a run, or a matrix of
            losses with one column a budget.

    Returns:
        The table, float64 throughout.

    Raises:
        JscaleError: the source cannot be read, a column is missing or ambiguous, or a cell does not
            hold what its column should. The message names the column, the data row (counted from 1)
            and the line of the file, and says how many more cells are wrong.

    Example:
        >>> from jscale import runs
        >>> table = runs.read(
        ...     {"params": ["70M", "1B"], "tokens": [1.4e9, 2e10], "val_loss": [3.5, 2.75]}
        ... )
        >>> table
        <Runs 'table': 2 runs; N 70M..1B, D 1.4B..20B, C 5.88e17..1.2e20, loss 2.75..3.5; 2 notes>
        >>> table.notes[0].message
        'C was computed from N and D by C = 6ND'
    """
    if isinstance(source, Runs):
        return source
    raw, name, origin = load(source, name, factors_of(columns or {}))
    try:
        hint = "" if long else wide_hint(raw)
        raw = to_long(raw) if long else raw
        return build(
            raw,
            name,
            origin,
            losses=losses,
            columns=columns,
            bytes_per_token=bytes_per_token,
            strict=strict,
        )
    except JscaleError as error:
        raise _named(error, name, hint if "no column for 'loss'" in str(error) else "") from None


def loss_columns(source: str | os.PathLike) -> list[str]:
    """The headers of a file that mean a loss, or look like one, in its order.

    Args:
        source: a path, as :func:`read` takes it.

    Raises:
        JscaleError: the file cannot be read.
    """
    raw, _, _ = load(source, None)
    headers = list(raw.columns)
    similar = set(like_losses(headers)) | {each for each in headers if meaning(each) == "loss"}
    return [header for header in headers if header in similar and meaning(header) != "loss_se"]


def _named(error: JscaleError, name: str, hint: str) -> JscaleError:
    """The error with the name of the table and a hint, unless it is about an argument."""
    return error if error.argument else JscaleError(f"{name}: {error}{hint}")


def build(
    raw: RawTable,
    name: str,
    origin: str,
    *,
    losses: bool = True,
    columns: Mapping[str, str] | None = None,
    bytes_per_token: float | None = None,
    strict: bool = False,
) -> Runs:
    """The validated table of unvalidated columns.

    Args:
        raw: the columns.
        name: of the table.
        origin: where it came from.
        losses: as in :func:`read`.
        columns: as in :func:`read`.
        bytes_per_token: as in :func:`read`.
        strict: as in :func:`read`.

    Raises:
        JscaleError: as :func:`read`, without the name of the table.
    """
    drop_footers(raw, columns)
    columns = with_products(raw, columns)
    table = check(raw, losses=losses, named=columns, bytes_per_token=bytes_per_token, strict=strict)
    fill_resources(table)
    fill_bits(table)

    known = [column.name for column in COLUMNS if column.name in table.columns]
    arrays = {name: table.columns[name] for name in known} | table.extras
    for values in arrays.values():
        if values.base is None and values.flags.owndata:
            values.setflags(write=False)

    extras = tuple(table.extras)
    unfinished = np.zeros(raw.rows, dtype=bool) if table.unfinished is None else table.unfinished
    view = TableView(arrays, extras, table.match, table.kept, unfinished, table.loss_unit)
    notes = (*table.notes, *table_notes(view, losses=losses))
    headers = _original_headers(table.match.headers, arrays)
    return Runs(arrays, extras, notes, name, origin, headers=headers, loss_unit=table.loss_unit)


def _original_headers(
    headers: Mapping[str, str], columns: Mapping[str, np.ndarray]
) -> dict[str, str]:
    """Column → its header, where that differs; a header of tied bits stands for three columns."""
    headers = dict(headers)
    if TIED_BITS in headers:
        headers.update(dict.fromkeys(TRAINING_BITS, headers[TIED_BITS]))
    return {name: header for name, header in headers.items() if name in columns and name != header}
