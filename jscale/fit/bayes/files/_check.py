"""The one check of what a posterior's file holds, before anything is computed from it."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.files import check_regular
from jscale._core.notes import Note
from jscale._core.text import enumerated, quoted_path, shown
from jscale.fit.bayes._pool import BETWEEN, BY_GROUP, PARTIAL, SEPARATE, Pool
from jscale.fit.bayes.files._attributes import Attributes
from jscale.fit.bayes.files._hdf5 import ENERGY
from jscale.fit.bayes.files._runs import InvalidAttributeError, error_model, fitted_rows
from jscale.fit.errors import (
    DEFAULT_ERRORS,
    ErrorModel,
    FittedRows,
    labels_of,
    noise_ranges,
    weight_counts,
)
from jscale.laws import LawFunction, Record, describe

Contents = tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any], dict[str, np.ndarray]]
"""Variables of the posterior, diverging transitions, attributes and variables of the runs."""

MIN_DRAWS = 10
"""Draws or warm-up transitions of a chain: fewer can be neither summarised nor tuned by."""
MAX_DRAWS = 10_000_000
"""Draws of one parameter in all chains together."""
_CENTRED = "_centred"


@dataclass(frozen=True)
class Content:
    """What a posterior's file holds, checked.

    Attributes:
        law: the law.
        sites: parameter or noise parameter → (chains, draws), weights (chains, draws, values).
        diverging: (chains, draws) whether each transition diverged.
        notes: notes on the data.
        loss_min: smallest loss of the runs.
        loss_unit: unit of the losses; None in older files.
        table_digest: hash of the table.
        ranges: quantity → smallest and largest value over the runs; empty in older files.
        prior_overlaps: parameter → overlap of prior and posterior; empty in older files.
        errors: the error model; ``student`` in older files.
        rows: the runs that were fitted; None in older files.
        priors: parameter → text of a prior that was given; empty in older files.
        seed: data of the random key; () in older files.
        version: of jscale that sampled; "" where it is not known.
        sampler: "nuts" or "importance"; "nuts" in older files.
        effective: as that of a posterior; None in older files.
        energy: (chains * draws,) of each transition; None by importance sampling, and in older
            files.
        pool: the groups of a pooled posterior and the modes of its parameters; None for another.
        are_runs_of_others: whether ``rows`` are those of other groups than the posterior's.
    """

    law: LawFunction
    sites: Mapping[str, np.ndarray]
    diverging: np.ndarray
    notes: tuple[Note, ...]
    loss_min: float
    loss_unit: str | None
    table_digest: str
    ranges: Mapping[str, tuple[float, float]]
    prior_overlaps: Mapping[str, float]
    errors: ErrorModel
    rows: FittedRows | None
    priors: Mapping[str, str]
    seed: tuple[int, ...]
    version: str
    sampler: str
    effective: float | None
    energy: np.ndarray | None
    pool: Pool | None
    are_runs_of_others: bool


def check_path(path: Any) -> None:
    """Check that a path is one of a regular file.

    Raises:
        JscaleError: not a path, no such file, a folder, a pipe or a device.
    """
    if not isinstance(path, str | os.PathLike):
        raise JscaleError(f"must be a path of a file, not {shown(path)}", argument="path")
    try:
        exists = Path(path).exists()
    except (OSError, ValueError):  # check_regular says why
        exists = True
    if not exists:
        raise JscaleError(f"no posterior at {quoted_path(path)}: the file does not exist")
    try:
        check_regular(path)
    except JscaleError as error:
        raise JscaleError(f"cannot read a posterior from {quoted_path(path)}: {error}") from None


def checked(
    path: Any,
    law: LawFunction | None,
    contents: Contents,
) -> Content:
    """Check the variables and attributes of a file.

    Args:
        path: of the file, for messages.
        law: the expected law; None for the law of the catalogue that the file names.
        contents: variables of the posterior, diverging transitions, attributes of the group
            ``posterior`` and variables of the runs, as :func:`read` returns them.

    Raises:
        JscaleError: an attribute or variable that is missing, unknown, of another shape, or with
            values that no posterior has; or another law.
    """
    sites, diverging, values, arrays = contents
    where = quoted_path(path)
    attributes = Attributes(where, values)
    energy = _energy(where, arrays.get(ENERGY), diverging)
    arrays = {name: values for name, values in arrays.items() if name != ENERGY}
    law = attributes.law(law)
    record = describe(law)

    # 1. The error model and the runs.
    try:
        errors = error_model(values.get("errors", str(DEFAULT_ERRORS)))
        rows = fitted_rows(where, record, errors, arrays, values.get("columns", "[]"))
    except InvalidAttributeError as error:
        raise attributes.invalid(*error.args) from None
    noise = noise_ranges(errors, rows)
    names = attributes.noise_names(noise)

    # 2. The other attributes.
    loss_min = attributes.loss_min(may_be_negative=errors.additive)
    digest = attributes.digest()
    notes = attributes.notes()

    # 3. The draws.
    pool = attributes.pool(record, rows)
    weights = {} if rows is None else weight_counts(errors, rows)
    parameters, vectors = parameter_sites(record, pool, rows)
    expected = (*parameters, *vectors)
    _check_names(where, record, sites, expected, [*noise, *weights])
    _check_shapes(where, sites, diverging, {**weights, **vectors})
    check_draws(where, record, sites, noise)
    return Content(
        law=law,
        sites={name: sites[name] for name in (*expected, *names, *weights)},
        diverging=diverging.astype(bool),
        notes=notes,
        loss_min=loss_min,
        loss_unit=attributes.loss_unit(),
        table_digest=digest,
        ranges=attributes.ranges(),
        prior_overlaps=attributes.prior_overlaps(),
        errors=errors,
        rows=rows,
        priors=attributes.priors(),
        seed=attributes.seed(),
        version=attributes.version(),
        sampler=attributes.sampler(),
        effective=attributes.effective(),
        energy=energy,
        pool=pool,
        are_runs_of_others=attributes.are_runs_of_others(),
    )


def parameter_sites(
    record: Record, pool: Pool | None, rows: FittedRows | None
) -> tuple[list[str], dict[str, int]]:
    """Names of the variables of parameters, and the lengths of those that have groups.

    Args:
        record: of the law.
        pool: of a pooled posterior, else None.
        rows: the runs; those of a pooled posterior have the column of the groups.
    """
    if pool is None or rows is None:
        return list(record.parameter_names), {}
    groups, partial = len(np.unique(labels_of(rows.columns[pool.by]))), pool.names(PARTIAL)
    separate = pool.names(SEPARATE)
    names = [name for name in record.parameter_names if name not in separate]
    names += [f"{name}{BETWEEN}" for name in partial]
    return names, {f"{name}{BY_GROUP}": groups for name, _ in pool.modes}


def _energy(where: str, values: np.ndarray | None, diverging: np.ndarray) -> np.ndarray | None:
    """The energy of each transition (chains * draws,)."""
    if values is None:
        return None
    if values.shape != diverging.shape or not np.isfinite(values).all():
        raise JscaleError(
            f"{where}: variable 'energy' is of shape {values.shape} or has values that are not "
            f"finite; expected finite numbers of shape {diverging.shape}, as 'diverging' has"
        )
    return values.reshape(-1)


def check_draws(
    where: str,
    record: Record,
    sites: Mapping[str, np.ndarray],
    noise: Mapping[str, tuple[float, float]],
) -> None:
    """Check that draws are finite and inside the ranges of the parameters.

    Args:
        where: head of a message.
        record: of the law.
        sites: parameter, noise parameter or other site → (chains, draws, ...).
        noise: noise parameter → ends of its range.

    Raises:
        JscaleError: a value that no posterior of the law has; the message names its place.
    """
    ranges = {p.name: (p.support.lower, p.support.upper) for p in record.parameters}
    ranges |= {f"{name}{BY_GROUP}": ends for name, ends in ranges.items()}
    ranges |= {f"{p.name}{BETWEEN}": (0.0, math.inf) for p in record.parameters}
    ranges |= noise
    for name, values in sites.items():
        lower, upper = ranges.get(name, (-math.inf, math.inf))
        valid = np.isfinite(values) & (values > lower) & (values < upper)
        if not valid.all():
            place = tuple(np.argwhere(~valid)[0])
            raise JscaleError(
                f"{where}: variable {shown(name)} has {values[place]:g} in draw {place[1] + 1} "
                f"of chain {place[0] + 1}; expected finite values between {lower:g} and {upper:g}"
            )


def _check_names(
    where: str,
    record: Record,
    sites: Iterable[str],
    parameters: Sequence[str],
    noise: Sequence[str],
) -> None:
    """Check that the variables are those of the law and of the error model."""
    expected = (*parameters, *noise)
    if missing := [name for name in expected if name not in sites]:
        raise JscaleError(
            f"{where}: no variable {enumerated(missing)}; "
            f"draws of law {shown(record.name)} have {enumerated(expected)}"
        )
    allowed = {*expected, *(f"{name}{_CENTRED}" for name in parameters)}
    if unknown := [name for name in sites if name not in allowed]:
        raise JscaleError(
            f"{where}: variable {enumerated(unknown)} is unknown; "
            f"draws of law {shown(record.name)} have {enumerated(expected)}"
        )


def _check_shapes(
    where: str,
    sites: Mapping[str, np.ndarray],
    diverging: np.ndarray,
    weights: Mapping[str, int],
) -> None:
    """Check that all variables have one shape (chains, draws), and diverging is 0 or 1.

    Args:
        where: head of a message.
        sites: variable → values.
        diverging: (chains, draws).
        weights: variable with a third dimension → its length.
    """
    for name, values in sites.items():
        expected = (*diverging.shape, weights[name]) if name in weights else diverging.shape
        if values.shape != expected:
            shape = "(chains, draws, values)" if name in weights else "(chains, draws)"
            raise JscaleError(
                f"{where}: variable {shown(name)} is of shape {values.shape}, and 'diverging' "
                f"of {diverging.shape}; expected {expected}, one shape {shape}"
            )
    draws = diverging.shape[1]
    if draws < MIN_DRAWS:
        raise JscaleError(f"{where}: {draws} draws a chain; expected at least {MIN_DRAWS}")
    if not np.isin(diverging, (0, 1)).all():
        raise JscaleError(f"{where}: variable 'diverging' has values other than 0 and 1")
