"""The choices of runs in a specification curve."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import shown
from jscale.runs import Runs

MAX_GROUPS = 12
"""With more groups, the default curve does not leave out each of them in turn."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Some of the runs.

    Attributes:
        label: what was left out.
        mask: rows of the table, booleans, shape (rows,).
    """

    label: str
    mask: np.ndarray


def unmarked(table: Runs) -> Runs:
    """The table with every row in use, those marked ``exclude`` included."""
    if "exclude" not in table:
        return table
    columns = {name: values for name, values in table.columns.items() if name != "exclude"}
    return replace(table, columns=columns)


def choices(
    table: Runs, names: Sequence[str] | None, *, drop: int, share: float
) -> tuple[list[Choice], list[Note]]:
    """The choices of these names, or all that the table allows; the first is the table's own.

    Args:
        table: validated runs.
        names: of :data:`EXCLUSIONS`; None for all that the table allows.
        drop: number of runs with the smallest D/N to leave out.
        share: of the runs, those with the least compute, to leave out.

    Raises:
        JscaleError: an unknown name, a choice that the table does not allow, or an invalid ``drop``
            or ``share``.
    """
    if drop < 1:
        raise JscaleError(f"must be at least 1 run, not {drop}", argument="drop")
    if not 0 < share < 1:
        raise JscaleError(f"must be above 0 and below 1, not {share:g}", argument="share")

    notes: list[Note] = []
    if names is None:
        names, notes = _default_names(table)
    else:
        names = list(dict.fromkeys(names))
        _check_names(table, names)

    selected = [Choice("as marked" if "exclude" in table else "all runs", table.kept)]
    for name in names:
        selected += EXCLUSIONS[name](table, drop, share)
    return selected, notes


def _default_names(table: Runs) -> tuple[list[str], list[Note]]:
    """The choices that the table allows, without too many groups; and a note about those."""
    names = [name for name in EXCLUSIONS if not _requirement(table, name)]
    groups = len(_group_labels(table)) if "group" in table else 0
    if groups <= MAX_GROUPS:
        return names, []
    names.remove("groups")
    message = (
        f"{table.name} has {groups} groups: leaving out each in turn is not part of the default"
    )
    return names, [Note("many-groups", "info", message, {"groups": groups})]


def _check_names(table: Runs, names: Sequence[str]) -> None:
    for name in names:
        if name not in EXCLUSIONS:
            raise JscaleError(f"no choice of runs {shown(name)} (known: {', '.join(EXCLUSIONS)})")
        if requirement := _requirement(table, name):
            raise JscaleError(f"{table.name}: the choice {shown(name)} needs {requirement}")


def _requirement(table: Runs, name: str) -> str:
    """What a choice needs that the table does not have; empty if it has all."""
    if name == "excluded":
        return "" if not table.kept.all() else "rows that are marked 'exclude'"
    if name == "groups":
        several = "group" in table and len(_group_labels(table)) > 1
        return "" if several else "column 'group' with two or more labels"
    columns = {"ratio": ("N", "D"), "compute": ("C",)}[name]
    missing = [column for column in columns if column not in table]
    return f"column {' and '.join(map(repr, missing))}" if missing else ""


def _group_labels(table: Runs) -> np.ndarray:
    return np.unique(table["group"][table.kept])


def _with_excluded(table: Runs, drop: int, share: float) -> list[Choice]:
    count = int((~table.kept).sum())
    return [Choice(f"with the {count} excluded", np.ones(len(table), dtype=bool))]


def _without_smallest_ratio(table: Runs, drop: int, share: float) -> list[Choice]:
    mask = _without_smallest(table, table["D"] / table["N"], drop)
    return [Choice(f"without the {drop} smallest D/N", mask)]


def _without_least_compute(table: Runs, drop: int, share: float) -> list[Choice]:
    count = max(1, round(share * int(table.kept.sum())))
    mask = _without_smallest(table, table["C"], count)
    return [Choice(f"without the {share:.0%} lowest-compute runs", mask)]


def _without_each_group(table: Runs, drop: int, share: float) -> list[Choice]:
    return [
        Choice(f"without group {label}", table.kept & (table["group"] != label))
        for label in _group_labels(table)
    ]


def _without_smallest(table: Runs, values: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(np.where(table.kept, values, np.inf), kind="stable")
    mask = table.kept.copy()
    mask[order[:count]] = False
    return mask


EXCLUSIONS: dict[str, Callable[[Runs, int, float], list[Choice]]] = {
    "excluded": _with_excluded,
    "ratio": _without_smallest_ratio,
    "compute": _without_least_compute,
    "groups": _without_each_group,
}
"""Choices besides the table's own.

With the rows marked ``exclude``; without the runs of the smallest D/N; without those of the least
compute; without each group in turn.
"""
