"""Which parameters of a law are shared, partially pooled or separate between groups of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import did_you_mean, enumerated, plural, quoted_names, shown
from jscale.fit.errors import ErrorModel, FittedRows, labels_of
from jscale.fit.objective import empty_cells
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs

Mode = Literal["shared", "partial", "separate"]
SHARED, PARTIAL, SEPARATE = "shared", "partial", "separate"
MODES = (SHARED, PARTIAL, SEPARATE)
BETWEEN, BY_GROUP = "_sd", "_by_group"
"""Ends of names of sites: the sd between groups, and the values of the groups."""
OF_OTHER_GROUPS = "of other groups"
"""Attribute ``runs`` of a file whose runs are not those of the posterior: that of a new group."""
_MAX_GROUPS = 200
"""Groups of one table: each has a value of every parameter that is not shared."""


@dataclass(frozen=True)
class Pool:
    """The groups of a table, and the mode of every parameter.

    Attributes:
        by: column of the groups.
        modes: parameter and mode, in the law's order, for those that are not shared.
    """

    by: str
    modes: tuple[tuple[str, str], ...]

    def names(self, mode: str) -> list[str]:
        """Parameters of a mode."""
        return [name for name, each in self.modes if each == mode]


def checked_pool(law: LawFunction, by: Any, pool: Any) -> Pool:
    """The modes of a law's parameters, checked.

    Args:
        law: the law.
        by: column of the groups.
        pool: parameter → mode, or one mode for all; what is not named is shared.

    Raises:
        JscaleError: a parameter that the law does not have, or an unknown mode.
    """
    record = describe(law)
    if not isinstance(by, str) or not by.strip():
        raise JscaleError(f"must be the name of a column, not {shown(by)}", argument="by")
    if isinstance(pool, str):
        pool = dict.fromkeys(record.parameter_names, pool)
    if not isinstance(pool, Mapping):
        raise JscaleError(
            f"must map parameters to {enumerated(MODES, last=' or ')}, or be one of them, not "
            f"{shown(pool)}",
            argument="pool",
        )
    for name, mode in pool.items():
        if name not in record.parameter_names:
            raise JscaleError(
                f": law {record.name!r} has no parameter {shown(name)} "
                f"(it has: {enumerated(record.parameter_names)})"
                f"{did_you_mean(str(name), record.parameter_names)}",
                argument="pool",
            )
        if not isinstance(mode, str) or mode not in MODES:
            raise JscaleError(
                f"[{name!r}] must be {enumerated(MODES, last=' or ')}, not {shown(mode)}"
                f"{did_you_mean(str(mode), MODES)}",
                argument="pool",
            )
        if mode == PARTIAL and f"{name}{BETWEEN}" in record.parameter_names:
            raise JscaleError(
                f"[{name!r}] cannot be partial: the law has a parameter {name}{BETWEEN}, the name "
                "of the sd between groups; expected shared or separate",
                argument="pool",
            )
    modes = ((name, pool[name]) for name in record.parameter_names if name in pool)
    return Pool(by, tuple((name, mode) for name, mode in modes if mode != SHARED))


def parsed_pool(texts: Sequence[str], where: str) -> dict[str, str] | str:
    """Modes from the texts of an option: ``alpha=partial,E=separate``, or one mode for all.

    Args:
        texts: of the option, each with one pair or several.
        where: the option, for messages.

    Raises:
        JscaleError: a text of another form, or a parameter that is named twice.

    Example:
        >>> from jscale.fit.bayes import parsed_pool
        >>> parsed_pool(["alpha=partial,E=separate"], "--pool")
        {'alpha': 'partial', 'E': 'separate'}
    """
    if len(texts) == 1 and texts[0].strip() in MODES:
        return texts[0].strip()
    modes: dict[str, str] = {}
    for pair in ",".join(texts).split(","):
        name, equals, mode = (part.strip() for part in pair.partition("="))
        if not (name and equals and mode):
            raise JscaleError(
                f"{where}: expected pairs such as alpha=partial,E=separate, or one of "
                f"{enumerated(MODES)} for all parameters, not {shown(pair)}"
            )
        if name in modes:
            raise JscaleError(f"{where}: {shown(name)} is named twice")
        modes[name] = mode
    return modes


def group_column(
    law: LawFunction, table: Runs, data: Data, pool: Pool
) -> tuple[np.ndarray, tuple[Note, ...]]:
    """The labels of the groups (rows,), and notes on groups that are small.

    Args:
        law: the law.
        table: the runs.
        data: the part of the table that the law uses.
        pool: the groups, and the mode of every parameter.

    Raises:
        JscaleError: no such column, an empty cell, fewer than two groups, too many, or a group with
            fewer runs than parameters of its own.
    """
    by = pool.by
    if by not in table and by not in data.inputs:
        raise JscaleError(f": {table.no_column(by)}", argument="by")
    values = np.asarray(data.inputs[by] if by in data.inputs else table[by][data.rows])
    if (empty := empty_cells(values)).any():
        row = int(data.rows[np.flatnonzero(empty)[0]]) + 1
        raise JscaleError(
            f": {table.name}: column {shown(by)}, row {row}: the cell is empty; expected the "
            "group of every run",
            argument="by",
        )
    labels = labels_of(values)
    groups, counts = np.unique(labels, return_counts=True)
    where = f": {table.name}: column {shown(by)}"
    if len(groups) == 1:
        raise JscaleError(
            f"{where} has one group, {shown(str(groups[0]))}; expected two or more, or "
            "fit.posterior for a single one",
            argument="by",
        )
    if len(groups) > _MAX_GROUPS:
        raise JscaleError(
            f"{where} has {len(groups):,} groups; expected at most {_MAX_GROUPS}", argument="by"
        )
    _check_separate(law, pool, where, groups, counts)

    notes = _shared_coefficients(law, pool)
    single = groups[counts == 1].tolist()
    if not single or not pool.modes:
        return labels, notes
    message = (
        f"{plural(len(single), 'group')} of {by} with one run ({quoted_names(single, 4)}): the "
        "other groups determine most of what differs there"
    )
    few = Note("single-run-groups", "warning", message, {"groups": tuple(single)})
    return labels, (*notes, few)


def _shared_coefficients(law: LawFunction, pool: Pool) -> tuple[Note, ...]:
    """A warning about coefficients that are shared between different exponents."""
    modes, notes = dict(pool.modes), []
    for p in describe(law).parameters:
        anchor = p.role.anchor
        if p.name in modes or anchor is None:
            continue
        differing = [name for name in sorted(anchor.names) if name in modes]
        if differing:
            message = (
                f"{p.name} is shared and {enumerated(differing)} is not: groups then have equal "
                f"terms where the factor of {p.name} is 1, far from the runs; expected {p.name} "
                "partial or separate"
            )
            notes.append(Note("shared-coefficient", "warning", message, {"parameter": p.name}))
    return tuple(notes)


def _check_separate(
    law: LawFunction, pool: Pool, where: str, groups: np.ndarray, counts: np.ndarray
) -> None:
    """Check that every group has a run for each parameter of its own."""
    separate = pool.names(SEPARATE)
    few = np.flatnonzero(counts < len(separate))
    if not few.size:
        return
    label, count = str(groups[few[0]]), int(counts[few[0]])
    every = " all" if len(separate) == len(describe(law).parameters) else ""
    raise JscaleError(
        f"{where}: group {shown(label)} has {plural(count, 'run')} for{every} {len(separate)} "
        f"separate parameters ({enumerated(separate)}); expected at least as many runs, or some "
        "partial or shared",
        argument="by",
    )


def check_errors(errors: ErrorModel, rows: FittedRows, labels: np.ndarray) -> None:
    """Check that an error model is one of groups that have a law each.

    Args:
        errors: the error model, with its columns filled in.
        rows: the runs.
        labels: (rows,) group of each run.

    Raises:
        JscaleError: a discrepancy, or clusters with effects that are integrated out and that have
            runs of several groups.
    """
    if errors.discrepancy is not None:
        raise JscaleError(
            f": {shown(str(errors))} has one discrepancy for all groups, and the groups have a law "
            "each; expected an error model without it",
            argument="errors",
        )
    for name in errors.effects or () if errors.is_joint else ():
        pairs = np.unique(np.stack([labels_of(rows.columns[name]), labels]), axis=1)
        clusters, counts = np.unique(pairs[0], return_counts=True)
        if counts.max() > 1:
            raise JscaleError(
                f": effects({name}): cluster {shown(str(clusters[counts.argmax()]))} has runs of "
                "several groups; expected clusters inside groups, or 'student' errors",
                argument="errors",
            )
