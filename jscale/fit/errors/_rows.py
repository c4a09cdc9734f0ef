"""The columns of runs that an error model needs, and the columns that it leaves to the table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, enumerated, plural, quoted_names, shown
from jscale.fit.errors._discrepancy import inducing_points, smooth_coordinates
from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.objective import TRAINED_ALONE, alone_where_empty, clusters, empty_cells
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

CONFIGURATION = "configuration"
"""Name of the clusters of runs with equal inputs of the law."""
MIN_DISTINCT = 8
"""Distinct inputs that a discrepancy needs: five parameters and three runs more."""
FLOP_PER_TOKEN = 6.0
"""FLOP per parameter and token, where new runs have no compute of their own."""


@dataclass(frozen=True, eq=False)
class FittedRows:
    """The runs that a posterior was fitted to, as far as its law and its error model use them.

    Attributes:
        inputs: input of the law → (rows,).
        loss: (rows,).
        loss_se: (rows,) standard errors of the losses, or None where the error model has no use for
            them.
        columns: column of the error model → (rows,) numbers or labels.
        inducing: (points, dimensions) inducing points of the discrepancy, or None without one.
    """

    inputs: Mapping[str, np.ndarray]
    loss: np.ndarray
    loss_se: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    inducing: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.loss)


def fitted_rows(
    law: LawFunction, table: Runs, data: Data, errors: ErrorModel
) -> tuple[ErrorModel, FittedRows, tuple[Note, ...]]:
    """The error model with its default columns filled in, the runs, and notes on them.

    Args:
        law: the law.
        table: the runs.
        data: the part of the table that the law uses.
        errors: the error model.

    Raises:
        JscaleError: a column is missing, constant, unique, empty or not positive, or there are too
            few runs for what the error model estimates.
    """
    columns: dict[str, np.ndarray] = {}

    # 1. Standard errors, and columns that the scale is a power of.
    loss_se = _known_errors(table, data) if errors.known else None
    for term in errors.scale:
        for name in parts_of(term, {*data.inputs, *table}):
            columns[name] = _positive(table, data, name, term)
        if len(np.unique(ratio_of(term, columns))) == 1:
            raise wrong(f": {table.name}: scale({term}): it is the same in all runs")

    # 2. Groups and clusters.
    if errors.scale_by is not None:
        groups = _groups(table, data, errors.scale_by, "scale-by")
        if len(np.unique(labels_of(groups))) == len(groups):
            raise wrong(
                f": {table.name}: scale-by({errors.scale_by}): no two runs share a value, so that "
                "no group shows its own scale; expected a column that some runs share"
            )
        columns[errors.scale_by] = groups
        notes = _single_run_note(errors.scale_by, labels_of(groups))
    else:
        notes = ()
    if errors.effects is not None:
        effects = errors.effects or (_default_clusters(table, data),)
        errors = replace(errors, effects=effects)
        for name in effects:
            columns[name] = _clusters(table, data, name)

    # 3. Inputs of the discrepancy.
    inducing = None
    if errors.discrepancy is not None:
        errors = replace(errors, discrepancy=_smooth_inputs(law, table, data, errors))
        assert errors.discrepancy is not None
        points = smooth_coordinates(errors.discrepancy, data.inputs, data.inputs)
        distinct = len(np.unique(points, axis=0))
        if distinct < MIN_DISTINCT:
            raise wrong(
                f": {table.name}: discrepancy({', '.join(errors.discrepancy)}): the runs have "
                f"{distinct} different inputs; expected at least {MIN_DISTINCT}"
            )
        inducing = inducing_points(points)
    rows = FittedRows(dict(data.inputs), np.asarray(data.loss, float), loss_se, columns, inducing)
    return errors, rows, notes


def parts_of(term: str, columns: Collection[str]) -> tuple[str, ...]:
    """The columns of a term of the scale: ``D/N`` has two, unless a column has that very name."""
    if term in columns or term.count("/") != 1:
        return (term,)
    return tuple(part.strip() for part in term.split("/"))


def columns_needed(errors: ErrorModel, known: Collection[str] = ()) -> dict[str, bool]:
    """Column of the error model → whether it holds numbers above 0, else labels or numbers.

    Args:
        errors: the error model, with its columns filled in.
        known: columns that there are; a ratio that is among them is a column of its own.
    """
    labels = [*(errors.effects or ()), *([] if errors.scale_by is None else [errors.scale_by])]
    needed = dict.fromkeys(labels, False)
    for term in errors.scale:
        needed |= dict.fromkeys(parts_of(term, known), True)
    return needed


def ratio_of(term: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The values of a term of the scale (rows,)."""
    if term in columns:
        return columns[term]
    above, below = (columns[part.strip()] for part in term.split("/"))
    return above / below


def labels_of(values: np.ndarray) -> np.ndarray:
    """Values of a column as texts (rows,); equal numbers have equal texts."""
    if values.dtype.kind in "fiub":
        return np.array([f"{value:.12g}" for value in values.astype(float).tolist()])
    return values.astype(str)


def group_labels(errors: ErrorModel, rows: FittedRows) -> list[str]:
    """Labels of the groups that have a scale each, in their order; none without such groups."""
    if errors.scale_by is None:
        return []
    return np.unique(labels_of(rows.columns[errors.scale_by])).tolist()


def configurations(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The inputs of each run as one text (rows,), equal for runs with equal inputs."""
    texts = [labels_of(np.asarray(column)) for column in inputs.values()]
    return np.array([" ".join(row) for row in zip(*texts, strict=True)])


def wrong(message: str) -> JscaleError:
    """An error about the argument ``errors``."""
    return JscaleError(message, argument="errors")


def _column(table: Runs, data: Data, name: str) -> np.ndarray:
    """A column of the table, or an input of the law, in the rows of the law's data."""
    if name in data.inputs:
        return np.asarray(data.inputs[name], float)
    if name not in table:
        raise wrong(f": {table.no_column(name)}")
    return table[name][data.rows]


def _positive(table: Runs, data: Data, name: str, term: str) -> np.ndarray:
    """A column of numbers above zero."""
    values = _column(table, data, name)
    where = f": {table.name}: scale({term}): column {shown(name)}"
    if values.dtype.kind not in "fiub":
        raise wrong(f"{where} holds text; expected numbers, or scale-by({name})")
    values = values.astype(float)
    invalid = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if invalid.size:
        value, row = values[invalid[0]], int(data.rows[invalid[0]]) + 1
        cell = "the cell is empty" if np.isnan(value) else f"{value:g} has no finite logarithm"
        raise wrong(f"{where}, row {row}: {cell}; expected finite numbers above 0")
    return values


def _known_errors(table: Runs, data: Data) -> np.ndarray:
    """Standard errors of the losses, all above zero."""
    if data.loss_se is None:
        if "loss_se" in table:
            raise wrong(
                f": {table.name}: known: column 'loss_se' is of the loss, which this law does not "
                "predict"
            )
        raise wrong(f": known needs standard errors of the losses: {table.no_column('loss_se')}")
    errors = np.asarray(data.loss_se, float)
    invalid = np.flatnonzero(~(np.isfinite(errors) & (errors > 0)))
    if invalid.size:
        value, row = errors[invalid[0]], int(data.rows[invalid[0]]) + 1
        cell = "the cell is empty" if np.isnan(value) else f"{value:g} is out of range"
        raise wrong(
            f": {table.name}: known: column 'loss_se', row {row}: {cell}; expected a standard "
            "error above 0 in every row"
        )
    return errors


def _groups(table: Runs, data: Data, name: str, term: str) -> np.ndarray:
    """Values of a column that are labels of groups: at least two, none empty."""
    if name == CONFIGURATION and name not in table:
        return configurations(data.inputs)
    values = _column(table, data, name)
    texts = labels_of(values)
    empty = empty_cells(values)
    if empty.any() and name in TRAINED_ALONE:
        values = texts = alone_where_empty(values, data.rows)
    elif empty.any():
        row = int(data.rows[np.flatnonzero(empty)[0]]) + 1
        raise wrong(
            f": {table.name}: {term}({name}): row {row}: the cell is empty; expected a value in "
            "every row"
        )
    if len(np.unique(texts)) == 1:
        raise wrong(f": {table.name}: {term}({name}): all runs have one value; expected two")
    return values.astype(float) if values.dtype.kind in "fiub" else values


def _clusters(table: Runs, data: Data, name: str) -> np.ndarray:
    """Values of a column that are labels of clusters, of which some have several runs."""
    values = _groups(table, data, name, "effects")
    if len(np.unique(labels_of(values))) == len(values):
        raise wrong(
            f": {table.name}: effects({name}): no two runs share a value, so that effects cannot "
            "be separated from errors; expected a column that some runs share"
        )
    return values


def _single_run_note(name: str, labels: np.ndarray) -> tuple[Note, ...]:
    """A warning about groups whose scale comes from one run."""
    groups, counts = np.unique(labels, return_counts=True)
    single = groups[counts == 1].tolist()
    if not single:
        return ()
    message = (
        f"{plural(len(single), 'group')} of {name} with one run "
        f"({quoted_names(single, 4)}): the prior determines the scale of the errors there"
    )
    return (Note("single-run-groups", "warning", message, {"groups": tuple(single)}),)


def _default_clusters(table: Runs, data: Data) -> str:
    """The column of the clusters that a fit takes; new runs are found among them by it."""
    name = clusters(table, data.rows, columns_only=True).name
    if name is None:
        raise wrong(
            f": {table.name}: effects: no runs share a trunk, a group or a size; expected "
            "effects(COLUMN) with a column that some share"
        )
    return name


def _smooth_inputs(
    law: LawFunction, table: Runs, data: Data, errors: ErrorModel
) -> tuple[str, ...]:
    """The inputs of a discrepancy: those named, or all that vary."""
    names = describe(law).input_names
    requested = errors.discrepancy or ()
    if unknown := [name for name in requested if name not in names]:
        raise wrong(
            f": discrepancy({', '.join(requested)}): law {describe(law).name!r} has no input "
            f"{shown(unknown[0])} (it has: {enumerated(names)}){did_you_mean(unknown[0], names)}"
        )
    varying = [name for name in names if len(np.unique(data.inputs[name])) > 1]
    if constant := [name for name in requested if name not in varying]:
        raise wrong(
            f": {table.name}: discrepancy({', '.join(requested)}): {constant[0]} is the same in "
            "all runs; expected inputs that vary"
        )
    if not varying:
        raise wrong(f": {table.name}: discrepancy: no input of the law varies in the runs")
    return requested or tuple(varying)
