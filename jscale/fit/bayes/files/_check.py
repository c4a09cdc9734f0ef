"""The one check of what a posterior's file holds, before anything is computed from it."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.files import check_regular
from jscale._core.notes import Note
from jscale._core.text import enumerated, quoted_path, shown
from jscale.fit.bayes._diagnostics import DRAWS_CODES
from jscale.fit.bayes.files._hdf5 import ENERGY
from jscale.fit.bayes.files._runs import InvalidAttributeError, error_model, fitted_rows
from jscale.fit.bayes.pooling import BETWEEN, BY_GROUP, PARTIAL, SEPARATE, Pool
from jscale.fit.errors import (
    DEFAULT_ERRORS,
    ErrorModel,
    FittedRows,
    labels_of,
    noise_ranges,
    weight_counts,
)
from jscale.laws import LawFunction, Record, describe, get

Contents = tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any], dict[str, np.ndarray]]
"""Variables of the posterior, diverging transitions, attributes and variables of the runs."""

MIN_DRAWS = 10
"""Draws or warm-up transitions of a chain: fewer can be neither summarised nor tuned by."""
MAX_DRAWS = 10_000_000
"""Draws of one parameter in all chains together."""
_CENTRED = "_centred"
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """What a posterior's file holds, checked.

    Attributes:
        law: the law.
        sites: parameter or noise parameter → (chains, draws), weights (chains, draws, values).
        diverging: (chains, draws) whether each transition diverged.
        notes: notes on the data.
        loss_min: smallest loss of the runs.
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
    """

    law: LawFunction
    sites: Mapping[str, np.ndarray]
    diverging: np.ndarray
    notes: tuple[Note, ...]
    loss_min: float
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
    sites, diverging, attributes, arrays = contents
    where = quoted_path(path)
    energy = _energy(where, arrays.get(ENERGY), diverging)
    arrays = {name: values for name, values in arrays.items() if name != ENERGY}
    law = _law(where, _text(where, attributes, "law"), law)
    record = describe(law)

    # 1. The error model and the runs.
    try:
        text = attributes.get("errors", str(DEFAULT_ERRORS))
        errors = error_model(text)
        columns = attributes.get("columns", "[]")
        rows = fitted_rows(where, record, errors, arrays, columns)
    except InvalidAttributeError as error:
        raise _invalid(where, *error.args) from None
    noise = noise_ranges(errors, rows)
    names = _json(where, attributes, "noise")
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not is_list or sorted(names) != sorted(noise):
        raise _invalid(where, "noise", f"expected {json.dumps(list(noise))}")

    # 2. The other attributes.
    loss_min = _attribute(where, attributes, "loss_min")
    is_number = isinstance(loss_min, float) and math.isfinite(loss_min)
    if not is_number or not (loss_min > 0 or errors.additive):
        raise _invalid(where, "loss_min", "expected a finite number above 0")
    digest = _text(where, attributes, "table_digest")
    if not _DIGEST.fullmatch(digest):
        raise _invalid(where, "table_digest", "expected 64 hexadecimal digits")
    notes = _notes(where, attributes)

    # 3. The draws.
    pool = _pool(where, attributes, record, rows)
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
        table_digest=digest,
        ranges=_ranges(where, attributes),
        prior_overlaps=_prior_overlaps(where, attributes),
        errors=errors,
        rows=rows,
        priors=_priors(where, attributes),
        seed=_seed(where, attributes),
        version=_version(where, attributes),
        sampler=_sampler(where, attributes),
        effective=_effective(where, attributes),
        energy=energy,
        pool=pool,
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


def _pool(
    where: str, attributes: Mapping[str, Any], record: Record, rows: FittedRows | None
) -> Pool | None:
    """The groups of a pooled posterior; None for an ordinary one."""
    if "pool" not in attributes:
        return None
    entry = _json(where, attributes, "pool")
    match entry:
        case {"by": str(by), "modes": dict(modes)} if rows is not None and by in rows.columns:
            is_known = set(modes) <= set(record.parameter_names)
            if is_known and set(map(str, modes.values())) <= {PARTIAL, SEPARATE}:
                return Pool(by, tuple(modes.items()))
    raise _invalid(where, "pool", "expected a column of the runs and the modes of parameters")


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


def _law(where: str, name: str, law: LawFunction | None) -> LawFunction:
    """The law that a file names."""
    if law is None:
        try:
            return get(name)
        except JscaleError:
            raise JscaleError(
                f"{where}: attribute 'law' is {shown(name)}, which is not in the catalogue; "
                "expected a law of the catalogue, or the law as the second argument of fit.load"
            ) from None
    expected = describe(law).name
    if expected != name:
        raise JscaleError(f"{where} holds draws of law {shown(name)}, not of {shown(expected)}")
    return law


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


def _notes(where: str, attributes: Mapping[str, Any]) -> tuple[Note, ...]:
    """Notes on the data; those on the draws are left out."""
    entries = _json(where, attributes, "notes")
    notes = []
    for entry in entries if isinstance(entries, list) else [None]:
        match entry:
            case [str(code), "info" | "warning" | "error" as severity, str(message)]:
                notes.append(Note(code, severity, message))
            case _:
                raise _invalid(
                    where, "notes", "expected a list of [code, info or warning or error, message]"
                )
    return tuple(note for note in notes if note.code not in DRAWS_CODES)


def _ranges(where: str, attributes: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The ranges of the runs; earlier versions did not store any."""
    if "ranges" not in attributes:
        return {}
    entries = _json(where, attributes, "ranges")
    ranges = {}
    for name, ends in entries.items() if isinstance(entries, dict) else [("", None)]:
        match ends:
            case [float(low), float(high)] if low <= high:
                ranges[name] = (low, high)
            case _:
                raise _invalid(where, "ranges", "expected quantities with [smallest, largest]")
    return ranges


def _prior_overlaps(where: str, attributes: Mapping[str, Any]) -> dict[str, float]:
    """The overlaps of prior and posterior; earlier versions did not store any."""
    if "prior_overlap" not in attributes:
        return {}
    entries = _json(where, attributes, "prior_overlap")
    values = list(entries.values()) if isinstance(entries, dict) else [None]
    if not all(isinstance(value, float) and 0 <= value <= 1.001 for value in values):
        raise _invalid(where, "prior_overlap", "expected parameters with numbers from 0 to 1")
    return entries


def _priors(where: str, attributes: Mapping[str, Any]) -> dict[str, str]:
    """Priors that were given, as texts; earlier versions did not store any."""
    priors = _json(where, attributes, "priors") if "priors" in attributes else {}
    if not isinstance(priors, dict) or not all(isinstance(x, str) for x in priors.values()):
        raise _invalid(where, "priors", "expected parameters with the text of a prior")
    return priors


def _seed(where: str, attributes: Mapping[str, Any]) -> tuple[int, ...]:
    """Data of the random key; earlier versions did not store it."""
    seed = _json(where, attributes, "seed") if "seed" in attributes else []
    if not isinstance(seed, list) or not all(type(x) is int for x in seed):
        raise _invalid(where, "seed", "expected a list of whole numbers")
    return tuple(seed)


def _version(where: str, attributes: Mapping[str, Any]) -> str:
    return _text(where, attributes, "jscale") if "jscale" in attributes else ""


def _sampler(where: str, attributes: Mapping[str, Any]) -> str:
    """What has drawn; earlier versions had NUTS only."""
    sampler = _text(where, attributes, "sampler") if "sampler" in attributes else "nuts"
    if sampler not in ("nuts", "importance"):
        raise _invalid(where, "sampler", "expected nuts or importance")
    return sampler


def _effective(where: str, attributes: Mapping[str, Any]) -> float | None:
    """Effective draws of importance sampling; None for NUTS and in older files."""
    value = _json(where, attributes, "effective_draws") if "effective_draws" in attributes else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (is_number and 0 < value < math.inf):
        return value
    raise _invalid(where, "effective_draws", "expected a number above 0 or null")


def _attribute(where: str, attributes: Mapping[str, Any], name: str) -> Any:
    if name not in attributes:
        raise JscaleError(
            f"{where}: attribute {name!r} is missing; use an unedited copy, or sample again"
        )
    return attributes[name]


def _text(where: str, attributes: Mapping[str, Any], name: str) -> str:
    value = _attribute(where, attributes, name)
    if not isinstance(value, str):
        raise _invalid(where, name, "expected text")
    return value


def _json(where: str, attributes: Mapping[str, Any], name: str) -> Any:
    text = _text(where, attributes, name)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid(where, name, "expected JSON") from None


def _invalid(where: str, name: str, expected: str) -> JscaleError:
    return JscaleError(f"{where}: attribute {name!r} is wrong; {expected}")
