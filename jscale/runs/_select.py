"""The part of a table that a law asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import quote
from jscale.laws import Input, LawFunction, describe
from jscale.laws.declaration import require_compilable, sum_label, sum_of_parts
from jscale.runs._table import Runs
from jscale.runs.reading import BIT_COLUMNS, KNOWN, OFF_BITS


@dataclass(frozen=True, eq=False)
class Data:
    """What a fit needs of a table: kept rows only, float64.

    Attributes:
        inputs: the law's inputs in its order, each of shape (kept,).
        loss: what the law predicts, shape (kept,): losses in nats per token, or what its output's
            role names.
        loss_se: its standard error, shape (kept,), or None.
        group: label of each run, shape (kept,), or None.
        rows: where each kept row stands in the table, counted from 0, shape (kept,).
        notes: what was filled in for the law.
        weights: how much each run counts in a fit, shape (kept,), or None where all count once.
        errors: size of each run's error relative to the median one, shape (kept,), or None where
            all are alike.
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
        """How the runs' errors are taken to differ in size, shape (kept,); None where all are
        alike.
        """
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


def select(table: Runs, law: LawFunction) -> Data:
    """The inputs of a law and the losses, from the rows of a table that are not excluded.

    A bit input that the table does not have is 16 everywhere, with a note; any other input takes
    the law's default.

    Args:
        table: validated runs.
        law: a declared law.

    Raises:
        JscaleError: a column that the law needs is missing, is text, or has an empty or impossible
            cell; every row is excluded; or JAX cannot compile the law.
    """
    if not isinstance(table, Runs):
        raise JscaleError(
            f"expected a table of runs, as jscale.runs.read returns it, not a {type(table).__name__}"
        )
    kept = table.kept
    if not kept.any():
        raise JscaleError(f"{table.name}: all {len(table)} rows are excluded")
    notes: list[Note] = []
    inputs = input_columns(table, law, kept, notes)
    require_compilable(law, inputs)
    notes += _ignored(table, law, kept)
    return Data(
        inputs,
        loss=_observed(table, law, kept),
        loss_se=table["loss_se"][kept]
        if "loss_se" in table and describe(law).output.column == "loss"
        else None,
        group=table["group"][kept] if "group" in table else None,
        rows=np.flatnonzero(kept),
        notes=tuple(notes),
    )


def _observed(table: Runs, law: LawFunction, kept: np.ndarray) -> np.ndarray:
    """What the law predicts, as the runs have it."""
    record = describe(law)
    output = record.output
    if not output.column:
        raise JscaleError(
            f"law {record.name!r} returns {output.meaning}, which no column of a table holds"
        )
    wanted = Input(output.column, output)
    column = _find(table, (wanted.name,))
    if column is None:
        raise JscaleError(
            f"law {record.name!r} is fitted to {output.meaning}: it needs column {quote(output.column)}, which the "
            f"table {quote(table.name)} does not have (it has: {table.listing})"
        )
    return table["loss"][kept] if column == "loss" else _checked(table, column, wanted, kept)


def _ignored(table: Runs, law: LawFunction, kept: np.ndarray) -> list[Note]:
    """A warning where the runs differ in bits that the law knows nothing of."""
    record = describe(law)
    ignored = [
        name
        for name in BIT_COLUMNS
        if name in table
        and name not in record.input_names
        and len(np.unique(table[name][kept])) > 1
    ]
    if not ignored:
        return []
    message = f"{table.name} varies {', '.join(ignored)}, which law {record.name!r} ignores: its fit mixes them"
    return [Note("ignored-bits", "warning", message, {"columns": tuple(ignored)})]


def input_columns(
    table: Runs, law: LawFunction, rows: np.ndarray, notes: list[Note]
) -> dict[str, np.ndarray]:
    """The law's inputs in ``rows`` (booleans, shape (rows,)) of the table; see :func:`select`.

    Raises:
        JscaleError: as :func:`select`.
    """
    record = describe(law)
    inputs: dict[str, np.ndarray] = {}
    names = columns_of(law)
    off: list[str] = []
    for wanted in record.inputs:
        column = _find(table, names[wanted.name])
        if column is not None:
            inputs[wanted.name] = _checked(table, column, wanted, rows)
        elif wanted.role.name == "bits":
            inputs[wanted.name] = np.full(int(rows.sum()), OFF_BITS)
            off.append(wanted.name)
        elif wanted.default is not None:
            inputs[wanted.name] = np.full(int(rows.sum()), wanted.default)
        else:
            raise JscaleError(
                f"law {record.name!r} needs column {' or '.join(map(quote, names[wanted.name]))}, which the table "
                f"{quote(table.name)} does not have (it has: {table.listing})"
            )
    if off:
        message = f"{table.name} has no column for {', '.join(off)}: counted as 16 bits (off)"
        notes.append(Note("bits-off", "info", message, {"columns": tuple(off)}))
    _check_sum(table, law, inputs, np.flatnonzero(rows))
    return inputs


def columns_of(law: LawFunction) -> dict[str, tuple[str, ...]]:
    """Input of a law → the columns that it is found in: its own name, and that of its quantity
    where
    it has one.

    N, D, C and loss go by the name of the input alone: active parameters are not to be taken from a
    column of all.
    """
    inputs = describe(law).inputs
    quantities = [wanted.role.column for wanted in inputs]
    found = {}
    for wanted in inputs:
        other = wanted.role.column
        own = other and other not in KNOWN and other != wanted.name and quantities.count(other) == 1
        found[wanted.name] = (wanted.name, other) if own else (wanted.name,)
    return found


def _find(table: Runs, names: Sequence[str]) -> str | None:
    for name in names:
        if name in table.columns:
            return name
        # "E experts" serves a law that asks for E_experts; letter case counts, since E and e may be
        # two things.
        alike = [extra for extra in table.extras if _squeeze(extra) == _squeeze(name)]
        if len(alike) == 1:
            return alike[0]
    # By the name that a column had in its source last: a header "c" may be compute, and the context
    # stand beside it.
    return next((name for name in names if name in table), None)


def _squeeze(name: str) -> str:
    return "".join(ch for ch in name if ch.isalnum())


def _checked(table: Runs, column: str, wanted: Input, rows: np.ndarray) -> np.ndarray:
    values, expected, header = (
        table[column],
        wanted.role.expected,
        table.headers.get(column, column),
    )
    if values.dtype.kind != "f":
        raise JscaleError(
            f"{table.name}: column {quote(header)} holds text; expected {wanted.unit} in every row"
        )
    bad = np.flatnonzero(rows & ~(np.isfinite(values) & wanted.role.allows(values)))
    if len(bad):
        value = values[bad[0]]
        what = "the cell is empty" if np.isnan(value) else f"{value:g} is out of range"
        raise JscaleError(
            f"{table.name}: column {quote(header)}, row {bad[0] + 1}: {what}; expected {expected}"
        )
    return values[rows]


def _check_sum(
    table: Runs, law: LawFunction, inputs: Mapping[str, np.ndarray], rows: np.ndarray
) -> None:
    """Refuse shares of one whole that do not add up; ``rows`` are where the inputs stand in the
    table.
    """
    found = sum_of_parts(describe(law), inputs)
    if found is not None and found.wrong.any():
        at = int(np.flatnonzero(found.wrong)[0])
        raise JscaleError(
            f"{table.name}: columns {sum_label(found.names)}, row {rows[at] + 1}: they sum to {found.total[at]:g}; "
            f"expected parts of one whole, together {found.expected}"
        )
