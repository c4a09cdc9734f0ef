"""``select``: the columns and rows of a table that a law uses."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import quote, quoted_names
from jscale.laws import Input, LawFunction, as_law, describe
from jscale.laws.declaration import require_compilable, sum_label, sum_of_parts
from jscale.runs._table import Runs
from jscale.runs.reading import read
from jscale.runs.tables import (
    BIT_COLUMNS,
    KNOWN,
    OFF_BITS,
    fold,
    like_losses,
    outcome_names,
    resembling,
)

TableLike = Runs | str | os.PathLike[str] | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any
"""A table of runs, or anything that :func:`jscale.runs.read` takes for one."""
_LARGEST_CHANGE = 0.3
"""Nats by which 16 bits never change a loss; a larger value there is a loss itself."""
_LOSS_CHANGE = "loss change"
"""Role of losses above a reference."""


@dataclass(frozen=True, eq=False)
class Data:
    """The part of a table that a fit uses: kept rows only, float64.

    Attributes:
        inputs: the law's inputs in its order, each of shape (kept,).
        loss: what the law predicts, shape (kept,): losses in nats per token, or what its output's
            role names.
        loss_se: its standard error, shape (kept,), or None.
        group: label of each run, shape (kept,), or None.
        rows: position of each kept row in the table, counted from 0, shape (kept,).
        notes: what was filled in for the law.
        weights: how much each run counts in a fit, shape (kept,), or None where all count once.
        errors: size of each run's error relative to the median one, shape (kept,), or None where
            all are alike.

    Example:
        >>> from jscale import laws, runs
        >>> table = runs.read({"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.5, 2.75]})
        >>> data = runs.select(table, laws.chinchilla)
        >>> len(data), list(data.inputs), data.loss.tolist()
        (2, ['N', 'D'], [3.5, 2.75])
    """

    inputs: dict[str, np.ndarray]
    loss: np.ndarray
    loss_se: np.ndarray | None
    group: np.ndarray | None
    rows: np.ndarray
    notes: tuple[Note, ...]
    weights: np.ndarray | None = None
    errors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def sizes(self) -> np.ndarray | None:
        """Assumed relative sizes of the runs' errors, shape (kept,); None where all are alike."""
        return self.errors if self.weights is None else self.weights**-0.5

    def only(self, keep: np.ndarray) -> "Data":
        """The runs where ``keep`` (booleans, shape (kept,)) is true."""
        return Data(
            inputs={name: column[keep] for name, column in self.inputs.items()},
            loss=self.loss[keep],
            loss_se=None if self.loss_se is None else self.loss_se[keep],
            group=None if self.group is None else self.group[keep],
            rows=self.rows[keep],
            notes=self.notes,
            weights=None if self.weights is None else self.weights[keep],
            errors=None if self.errors is None else self.errors[keep],
        )


def as_runs(table: TableLike) -> Runs:
    """A table of runs; anything else that :func:`jscale.runs.read` understands is read.

    Args:
        table: validated runs, a path, a data frame, a dict of arrays or a list of dicts.

    Raises:
        JscaleError: it is none of these, or not a valid table.

    Example:
        >>> from jscale import runs
        >>> runs.as_runs({"N": [1e8, 1e9], "loss": [3.5, 2.75]})
        <Runs 'table': 2 runs; N 100M..1B, loss 2.75..3.5>
    """
    if isinstance(table, Runs):
        return table
    is_frame = hasattr(table, "columns") or hasattr(table, "__dataframe__")
    if isinstance(table, str | os.PathLike | Mapping | list | tuple) or is_frame:
        return read(table)
    kind = type(table).__name__
    message = f": expected a table of runs, as runs.read returns or takes it, not a {kind}"
    raise JscaleError(message, argument="table")


def select(table: TableLike, law: LawFunction | str) -> Data:
    """The inputs of a law and the losses, from the rows of a table that are not excluded.

    A bit input that the table does not have is 16 everywhere, with a note; any other input takes
    the law's default.

    Args:
        table: validated runs, or what :func:`as_runs` takes.
        law: a declared law, or the name of one of the catalogue.

    Raises:
        JscaleError: a column that the law needs is missing, is text, or has an empty or impossible
            cell; every row is excluded; a law of loss changes would be fitted to absolute losses;
            or JAX cannot compile the law.

    Example:
        >>> from jscale import laws, runs
        >>> table = runs.read(
        ...     {"N": [1e8, 1e9], "D": [2e9, 2e10], "w_bits": [4, 8], "loss": [3.5, 2.75]}
        ... )
        >>> data = runs.select(table, laws.precision)
        >>> {name: values.tolist() for name, values in data.inputs.items() if name[0] == "P"}
        {'P_w': [4.0, 8.0], 'P_a': [16.0, 16.0], 'P_kv': [16.0, 16.0], 'P_post': [16.0, 16.0]}
    """
    law = as_law(law)
    table = as_runs(table)
    kept = table.kept
    if not kept.any():
        raise JscaleError(f"{table.name}: all {len(table)} rows are excluded")

    notes: list[Note] = []
    inputs = input_columns(table, law, kept, notes)
    require_compilable(law, inputs)
    notes += _ignored_bits(table, law, kept)
    outcome = _outcome(table, law, kept)
    notes += _absolute_losses(law, inputs, outcome)

    has_errors = "loss_se" in table and _outcome_column(table, law) == "loss"
    return Data(
        inputs,
        loss=outcome,
        loss_se=table["loss_se"][kept] if has_errors else None,
        group=table["group"][kept] if "group" in table else None,
        rows=np.flatnonzero(kept),
        notes=tuple(notes),
    )


def _outcome(table: Runs, law: LawFunction, kept: np.ndarray) -> np.ndarray:
    """The column that the law predicts."""
    output = describe(law).output
    column = _outcome_column(table, law)
    if column == "loss":
        invalid = np.flatnonzero(kept & ~np.isfinite(table["loss"]))
        if len(invalid):
            raise JscaleError(f"{table.name}: row {invalid[0] + 1} has no loss; exclude the row")
        return table["loss"][kept]
    return _checked_values(table, column, Input(output.column, output), kept)


def _outcome_column(table: Runs, law: LawFunction) -> str:
    """The name of the column that the law predicts, by its own name or another.

    Raises:
        JscaleError: the table does not have it.
    """
    record = describe(law)
    output = record.output
    if not output.column:
        raise JscaleError(
            f"law {record.name!r} returns {output.meaning}, which no column of a table holds"
        )
    wanted = ("delta", output.column) if output.name == _LOSS_CHANGE else (output.column,)
    for name in wanted:
        if (column := _find(table, (name,))) is not None:
            return column
        similar = [extra for extra in table.extras if fold(extra) in outcome_names(name)]
        if len(similar) == 1:
            return similar[0]
    candidates = like_losses(list(table.extras)) if output.column == "loss" else []
    hint = f"; {quoted_names(candidates, 4)}: a loss?" if candidates else ""
    raise JscaleError(
        f"law {record.name!r} is fitted to {output.meaning}: it needs column "
        f"{quote(wanted[-1])}, which the table {quote(table.name)} does not have "
        f"(it has: {table.listing}){hint}"
    )


def _absolute_losses(
    law: LawFunction, inputs: Mapping[str, np.ndarray], outcome: np.ndarray
) -> list[Note]:
    """A warning where a law of loss changes may be fitted to losses.

    Raises:
        JscaleError: runs in 16 bits, which change nothing, are far from 0.
    """
    record = describe(law)
    bits = [inputs[each.name] for each in record.inputs if each.role.name == "bits"]
    if record.output.name != _LOSS_CHANGE or not bits:
        return []
    unchanged = outcome[np.min(bits, axis=0) >= OFF_BITS]
    if len(unchanged) and np.median(unchanged) > _LARGEST_CHANGE:
        raise JscaleError(
            f"law {record.name!r} is fitted to {record.output.meaning}, but runs in 16 bits have "
            f"{np.median(unchanged):.3g} where it should be near 0: these look like absolute "
            "losses; subtract the loss of the same model in 16 bits, in a column 'delta'"
        )
    if len(unchanged) or outcome.min() <= 1.0:
        return []
    message = (
        f"law {record.name!r} is fitted to {record.output.meaning}, and all values are above 1: "
        "are they absolute losses?"
    )
    return [Note("absolute-losses", "warning", message, {"smallest": float(outcome.min())})]


def _ignored_bits(table: Runs, law: LawFunction, kept: np.ndarray) -> list[Note]:
    """A warning where the runs differ in bits that are not an input of the law."""
    record = describe(law)
    candidates = [name for name in BIT_COLUMNS if name in table and name not in record.input_names]
    ignored = [name for name in candidates if len(np.unique(table[name][kept])) > 1]
    if not ignored:
        return []
    message = (
        f"{table.name} varies {', '.join(ignored)}, which law {record.name!r} ignores: "
        "its fit mixes them"
    )
    return [Note("ignored-bits", "warning", message, {"columns": tuple(ignored)})]


def input_columns(
    table: Runs, law: LawFunction, rows: np.ndarray, notes: list[Note]
) -> dict[str, np.ndarray]:
    """The law's inputs, each of shape (selected,); see :func:`select`.

    Args:
        table: validated runs.
        law: a declared law.
        rows: which rows to take, booleans, shape (rows,).
        notes: list that a note on bits that were filled in is appended to.

    Raises:
        JscaleError: as :func:`select`.
    """
    record = describe(law)
    names = columns_of(law)
    count = int(rows.sum())
    inputs: dict[str, np.ndarray] = {}
    filled: list[str] = []
    for each in record.inputs:
        column = _find(table, names[each.name])
        if column is not None:
            inputs[each.name] = _checked_values(table, column, each, rows)
        elif each.role.name == "bits":
            inputs[each.name] = np.full(count, OFF_BITS)
            filled.append(each.name)
        elif each.default is not None:
            inputs[each.name] = np.full(count, each.default)
        else:
            raise JscaleError(
                f"law {record.name!r} needs column {' or '.join(map(quote, names[each.name]))}, "
                f"which the table {quote(table.name)} does not have (it has: {table.listing})"
                f"{_where_it_may_be(table, each.name)}"
            )

    if filled:
        message = f"{table.name} has no column for {', '.join(filled)}: counted as 16 bits (off)"
        notes.append(Note("bits-off", "info", message, {"columns": tuple(filled)}))
    _check_shares(table, law, inputs, np.flatnonzero(rows))
    return inputs


def _where_it_may_be(table: Runs, column: str) -> str:
    """What to do about a missing column that may be there under another name."""
    if not table.extras:
        return ""
    similar = resembling(column, table.extras)
    which = f"if {quoted_names(similar, 3)} is it" if similar else "if another column is it"
    return f"; {which}, say so with --column {column}=NAME, in Python columns={{{column!r}: NAME}}"


def inputs(table: Runs, law: LawFunction | str) -> dict[str, np.ndarray]:
    """The inputs of a law, from the rows of a table that are not excluded.

    The table needs no losses: ``runs.read(..., losses=False)`` reads points to forecast. A bit
    input that it does not have is 16 everywhere; any other input takes the law's default.

    Args:
        table: validated runs or points.
        law: a declared law, or the name of one of the catalogue.

    Returns:
        Input → (kept,), in the law's order.

    Raises:
        JscaleError: a column that the law needs is missing, is text, or has an empty or impossible
            cell; or every row is excluded.

    Example:
        >>> from jscale import laws, runs
        >>> points = runs.read({"N": ["7B", "70B"], "D": ["2T", "15T"]}, losses=False)
        >>> {name: values.tolist() for name, values in runs.inputs(points, laws.chinchilla).items()}
        {'N': [7000000000.0, 70000000000.0], 'D': [2000000000000.0, 15000000000000.0]}
    """
    law = as_law(law)
    kept = table.kept
    if not kept.any():
        raise JscaleError(f"{table.name}: all {len(table)} rows are excluded")
    return input_columns(table, law, kept, [])


def columns_of(law: LawFunction | str) -> dict[str, tuple[str, ...]]:
    """Input of a law → the columns that may hold it: its own name and that of its quantity.

    N, D, C and loss go by the name of the input alone: active parameters must not be read from a
    column of total parameters.

    Args:
        law: a declared law, or the name of one of the catalogue.

    Example:
        >>> from jscale import laws, runs
        >>> runs.columns_of(laws.kaplan_steps)
        {'N': ('N',), 'S': ('S', 'steps')}
    """
    law = as_law(law)
    inputs = describe(law).inputs
    quantities = [each.role.column for each in inputs]
    columns = {}
    for each in inputs:
        quantity = each.role.column
        ambiguous = quantities.count(quantity) > 1
        if quantity and quantity not in KNOWN and quantity != each.name and not ambiguous:
            columns[each.name] = (each.name, quantity)
        else:
            columns[each.name] = (each.name,)
    return columns


def _find(table: Runs, names: Sequence[str]) -> str | None:
    """The column of a table that goes by one of these names."""
    for name in names:
        if name in table.columns:
            return name
        # "E experts" serves a law with the input E_experts. Letter case counts: E and e may be two
        # columns.
        similar = [extra for extra in table.extras if _letters(extra) == _letters(name)]
        if len(similar) == 1:
            return similar[0]
    # The name that a column had in its source comes last: a header "c" may be compute, next to a
    # column "context".
    return next((name for name in names if name in table), None)


def _letters(name: str) -> str:
    return "".join(char for char in name if char.isalnum())


def _checked_values(table: Runs, column: str, each: Input, rows: np.ndarray) -> np.ndarray:
    """The values of a column in ``rows``, valid for an input of a law."""
    values = table[column]
    header = quote(table.headers.get(column, column))
    if values.dtype.kind != "f":
        raise JscaleError(
            f"{table.name}: column {header} holds text; expected {each.unit} in every row"
        )
    invalid = np.flatnonzero(rows & ~(np.isfinite(values) & each.role.allows(values)))
    if len(invalid):
        value = values[invalid[0]]
        problem = "the cell is empty" if np.isnan(value) else f"{value:g} is out of range"
        raise JscaleError(
            f"{table.name}: column {header}, row {invalid[0] + 1}: {problem}; "
            f"expected {each.role.expected}"
        )
    return values[rows]


def _check_shares(
    table: Runs, law: LawFunction, inputs: Mapping[str, np.ndarray], rows: np.ndarray
) -> None:
    """Validate shares of one whole, which must add up.

    Args:
        table: validated runs.
        law: a declared law.
        inputs: its inputs.
        rows: their positions in the table.
    """
    total = sum_of_parts(describe(law), inputs)
    if total is not None and total.invalid.any():
        at = int(np.flatnonzero(total.invalid)[0])
        raise JscaleError(
            f"{table.name}: columns {sum_label(total.names)}, row {rows[at] + 1}: "
            f"they sum to {total.total[at]:g}; "
            f"expected parts of one whole, together {total.expected}"
        )
