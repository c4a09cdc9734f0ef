"""The choices of runs that a specification curve goes through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale.runs import Runs

MOST_GROUPS = 12
"""Above this many groups, leaving out each of them is not a part of the default curve."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Some of the runs.

    Attributes:
        label: what was left out, in words.
        keep: rows of the table, booleans, shape (rows,).
    """

    label: str
    keep: np.ndarray


def unmarked(table: Runs) -> Runs:
    """The table with every row in use, those marked ``exclude`` as well."""
    if "exclude" not in table:
        return table
    kept = {name: values for name, values in table.columns.items() if name != "exclude"}
    return replace(table, columns=kept)


def choices(
    table: Runs, names: Sequence[str] | None, *, drop: int, share: float
) -> tuple[list[Choice], list[Note]]:
    """The choices of these names, or all that the table allows; the first is always the table's
    own.

    Args:
        table: validated runs.
        names: of :data:`KINDS`; None for all that the table allows.
        drop: number of runs with the smallest D/N to leave out.
        share: of the runs, those with the least compute, to leave out.

    Raises:
        JscaleError: an unknown name, a choice that the table does not allow, or a wrong ``drop`` or
            ``share``.
    """
    if drop < 1:
        raise JscaleError(f"drop must be at least 1 run, not {drop}")
    if not 0 < share < 1:
        raise JscaleError(f"share must be above 0 and below 1, not {share:g}")
    found = [Choice("as marked" if "exclude" in table else "all runs", table.kept)]
    notes: list[Note] = []
    if names is None:
        groups = len(np.unique(table["group"][table.kept])) if "group" in table else 0
        possible = [name for name in KINDS if not _lacking(table, name)]
        if groups > MOST_GROUPS:
            possible.remove("groups")
            message = f"{table.name} has {groups} groups: leaving out each in turn is left to be asked for"
            notes.append(Note("many-groups", "info", message, {"groups": groups}))
    else:
        possible = list(dict.fromkeys(names))
        for name in possible:
            if name not in KINDS:
                raise JscaleError(f"no choice of runs {name!r} (known: {', '.join(KINDS)})")
            if lacking := _lacking(table, name):
                raise JscaleError(f"{table.name}: the choice {name!r} needs {lacking}")
    for name in possible:
        found += KINDS[name](table, drop, share)
    return found, notes


def _lacking(table: Runs, name: str) -> str:
    """What the table lacks for a choice, in words; empty for nothing."""
    if name == "excluded":
        return "" if not table.kept.all() else "rows that are marked 'exclude'"
    if name == "groups":
        many = "group" in table and len(np.unique(table["group"][table.kept])) > 1
        return "" if many else "column 'group' with two or more labels"
    needed = {"ratio": ("N", "D"), "compute": ("C",)}[name]
    absent = [column for column in needed if column not in table]
    return f"column {' and '.join(map(repr, absent))}" if absent else ""


def _with_excluded(table: Runs, drop: int, share: float) -> list[Choice]:
    count = int((~table.kept).sum())
    return [Choice(f"with the {count} excluded", np.ones(len(table), dtype=bool))]


def _ratio(table: Runs, drop: int, share: float) -> list[Choice]:
    return [
        Choice(
            f"without the {drop} smallest D/N", _without_least(table, table["D"] / table["N"], drop)
        )
    ]


def _compute(table: Runs, drop: int, share: float) -> list[Choice]:
    count = max(1, round(share * int(table.kept.sum())))
    return [Choice(f"without the {share:.0%} of least C", _without_least(table, table["C"], count))]


def _groups(table: Runs, drop: int, share: float) -> list[Choice]:
    labels = np.unique(table["group"][table.kept])
    return [
        Choice(f"without group {label}", table.kept & (table["group"] != label)) for label in labels
    ]


def _without_least(table: Runs, values: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(np.where(table.kept, values, np.inf), kind="stable")
    keep = table.kept.copy()
    keep[order[:count]] = False
    return keep


KINDS: dict[str, Callable[[Runs, int, float], list[Choice]]] = {
    "excluded": _with_excluded,
    "ratio": _ratio,
    "compute": _compute,
    "groups": _groups,
}
"""Choices beside the table's own: with the rows marked ``exclude``; without the runs of the
smallest
D/N; without those of the least compute; without each group in turn."""
