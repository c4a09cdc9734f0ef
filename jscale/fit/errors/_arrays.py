"""What the likelihood of an error model computes from: arrays of the runs, padded to few sizes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jscale._core.text import enumerated, shown
from jscale.fit.errors._discrepancy import MAX_INDUCING, smooth_coordinates
from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._rows import (
    CONFIGURATION,
    FLOP_PER_TOKEN,
    FittedRows,
    configurations,
    labels_of,
    parts_of,
    ratio_of,
    wrong,
)
from jscale.fit.objective import pad, padded_size

_NEW = "\0"
"""The label of a group that the runs do not have; no cell of a table holds it."""

_SCALE_LIMIT = 2.5
"""Standard deviations of a column, beyond which the scale of the errors stays constant at new runs.
Growth of errors that was seen in the runs is not extrapolated without end."""
_FAR = 1e9
"""Distance of inducing points that only fill the arrays: they have no part in anything."""


class Placement(NamedTuple):
    """Where rows lie among the groups, the clusters and the inputs of an error model.

    Attributes:
        scale: (rows, terms) standardised logs of the terms of the scale.
        group: (rows,) group of the scale, -1 for one that the runs do not have; None without
            groups.
        clusters: (rows,) for each column of effects, -1 for a cluster that the runs do not have.
        distances: (rows, points) to the inducing points of the discrepancy, or None without one.
    """

    scale: Any
    group: Any
    clusters: tuple[Any, ...]
    distances: Any


class ErrorArrays(NamedTuple):
    """The arrays of an error model for the runs that are fitted.

    Attributes:
        is_run: (rows,) false in rows that only fill the arrays.
        spread: standard deviation of the log losses, or of the losses where errors are additive.
        known: (rows,) known standard error of the log loss or the loss, or None.
        at: place of the rows.
        groups: (groups,) zeros, one for each group of the scale, or None.
        effects: (clusters,) zeros for each column of effects.
        among: (points, points) distances between the inducing points of the discrepancy, or None.
    """

    is_run: Any
    spread: Any
    known: Any
    at: Placement
    groups: Any
    effects: tuple[Any, ...]
    among: Any


def error_arrays(errors: ErrorModel, rows: FittedRows, *, padded: bool) -> ErrorArrays:
    """The arrays of the runs.

    Args:
        errors: the error model, with its columns filled in.
        rows: the runs.
        padded: whether the arrays have one of few sizes, so that tables of similar size share
            their compiled programs.
    """
    count = len(rows)
    size = padded_size(count) if padded else count
    values = rows.loss if errors.additive else np.log(rows.loss)
    known = None
    if errors.known:
        assert rows.loss_se is not None
        known = pad(rows.loss_se if errors.additive else rows.loss_se / rows.loss, size)

    placement = _placement(errors, rows, rows.inputs, dict(rows.columns))
    groups = None
    if errors.scale_by is not None:
        groups = np.zeros(len(np.unique(labels_of(rows.columns[errors.scale_by]))))

    # Sizes of what is sampled are exact. What is integrated out costs nothing when it is padded.
    labels = [labels_of(rows.columns[name]) for name in errors.effects or ()]
    counts = [len(np.unique(each)) for each in labels]
    fill = padded and errors.is_joint
    effects = tuple(np.zeros(padded_size(n) if fill else n) for n in counts)
    among = None
    if errors.discrepancy is not None:
        among = _distances(errors, rows, rows.inducing)
        among = np.concatenate([among, np.full((among.shape[1] - len(among), len(among.T)), _FAR)])
        np.fill_diagonal(among, 0.0)
    return ErrorArrays(
        is_run=np.arange(size) < count,
        spread=np.asarray(_spread(values)),
        known=known,
        at=padded_placement(placement, size),
        groups=groups,
        effects=effects,
        among=among,
    )


def place(
    errors: ErrorModel,
    rows: FittedRows,
    inputs: Mapping[str, np.ndarray],
    columns: Mapping[str, np.ndarray],
) -> Placement:
    """Where new rows lie among the runs.

    Args:
        errors: the error model, with its columns filled in.
        rows: the runs.
        inputs: input of the law → (points,).
        columns: other column → (points,); the compute ``C`` is 6 N D where neither has it. Groups
            and clusters that are left out are new ones.

    Raises:
        JscaleError: a term of the scale needs a column that is missing, or not above zero.
    """
    points = len(next(iter(inputs.values())))
    available = {**columns, **inputs}
    if "C" not in available and {"N", "D"} <= set(available):
        available["C"] = FLOP_PER_TOKEN * available["N"] * available["D"]

    chosen: dict[str, np.ndarray] = {}
    numbers = {part for term in errors.scale for part in parts_of(term, rows.columns)}
    for name in rows.columns:
        if name in numbers:
            chosen[name] = _new_numbers(name, available, errors)
        else:
            chosen[name] = _new_labels(name, available, inputs, rows, points)
    return _placement(errors, rows, inputs, chosen)


def padded_placement(placement: Placement, size: int) -> Placement:
    """The placement with the first rows once more at the end, ``size`` rows in all."""
    rows = len(placement.scale)

    def filled(values: Any) -> Any:
        return values if values is None else np.asarray(values)[np.arange(size) % rows]

    return Placement(
        scale=filled(placement.scale),
        group=filled(placement.group),
        clusters=tuple(filled(each) for each in placement.clusters),
        distances=filled(placement.distances),
    )


def _placement(
    errors: ErrorModel,
    rows: FittedRows,
    inputs: Mapping[str, np.ndarray],
    columns: Mapping[str, np.ndarray],
) -> Placement:
    terms = [_scale_coordinate(term, columns, rows.columns) for term in errors.scale]
    count = len(next(iter(inputs.values())))
    by, effects = errors.scale_by, errors.effects or ()
    distances = None
    if errors.discrepancy is not None:
        points = smooth_coordinates(errors.discrepancy, inputs, rows.inputs)
        distances = _distances(errors, rows, points)
    return Placement(
        scale=np.stack(terms, axis=1) if terms else np.zeros((count, 0)),
        group=None if by is None else _index(columns[by], rows.columns[by]),
        clusters=tuple(_index(columns[name], rows.columns[name]) for name in effects),
        distances=distances,
    )


def scale_reference(term: str, columns: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Mean and standard deviation of the log of a term of the scale; 1 for a deviation of 0."""
    logs = np.log(ratio_of(term, columns))
    return float(logs.mean()), float(logs.std()) or 1.0


def _scale_coordinate(
    term: str, columns: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Standardised log (points,) of a term that the scale of the errors is a power of.

    It ends at :data:`_SCALE_LIMIT`, or at the farthest run.

    Args:
        term: of the scale.
        columns: column → (points,) above zero.
        reference: column → (rows,) of the runs.
    """
    mean, deviation = scale_reference(term, reference)
    coordinates, own = (
        (np.log(ratio_of(term, each)) - mean) / deviation for each in (columns, reference)
    )
    low, high = min(own.min(), -_SCALE_LIMIT), max(own.max(), _SCALE_LIMIT)
    return np.clip(coordinates, low, high)


def _distances(errors: ErrorModel, rows: FittedRows, points: Any) -> np.ndarray:
    """Distances (points, inducing points); where all are integrated out, of one number for all."""
    assert rows.inducing is not None
    squared = ((np.asarray(points)[:, None] - rows.inducing[None]) ** 2).sum(axis=-1)
    count = len(rows.inducing)
    width = max(MAX_INDUCING, count) if errors.is_joint else count
    filled = np.full((len(squared), width), _FAR)
    filled[:, :count] = np.sqrt(squared)
    return filled


def _index(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Position of each value among the sorted different ones of the runs; -1 for an unknown one."""
    labels, names = labels_of(values), np.unique(labels_of(known))
    at = np.minimum(np.searchsorted(names, labels), len(names) - 1)
    return np.where(names[at] == labels, at, -1)


def _new_labels(
    name: str,
    available: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    rows: FittedRows,
    points: int,
) -> np.ndarray:
    """Labels of new rows; where they are not given, one that no run has."""
    if name == CONFIGURATION and name not in available:
        return configurations({each: inputs[each] for each in rows.inputs})
    if name in available:
        return np.asarray(available[name])
    return np.full(points, _NEW)


def _new_numbers(name: str, available: Mapping[str, np.ndarray], errors: ErrorModel) -> np.ndarray:
    """A column of numbers above zero at new rows."""
    where = f": the scale of the errors in {shown(str(errors))} depends on {shown(name)}"
    if name not in available:
        raise wrong(f"{where}; expected it among the inputs ({enumerated(available)})")
    values = np.asarray(available[name], float)
    if not (np.isfinite(values) & (values > 0)).all():
        raise wrong(f"{where}; expected finite numbers above 0 at every point")
    return values


def _spread(values: np.ndarray) -> float:
    """Standard deviation, or a thousandth of the typical value where all are equal."""
    deviation = float(np.std(values))
    return deviation if deviation > 0 else max(1e-3 * float(np.abs(values).mean()), 1e-12)
