"""``audit``: a table of runs, and a law's fit to it, under all checks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale.assess.auditing.checks import CHECKS, Subject
from jscale.fit import Point, Posterior, point
from jscale.fit.predictions import checked_inputs
from jscale.laws import LawFunction, as_law, chinchilla, describe
from jscale.runs import TableLike, as_runs

_COVERED = {"ridge": "one-ratio", "compute-factor": "compute-disagrees"}
"""Code of a finding → code of a weaker one on the same fault, which is left out beside it."""
_SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, eq=False)
class Audit:
    """What checks find in a table of runs.

    Attributes:
        table: name of the table.
        law: name of the law whose residuals were checked, or None.
        notes: findings, the most severe first; :func:`advice` says what to do about each code.
        checks: names of the checks that ran.
        fitted: the fit that residuals come from, or None.
    """

    table: str
    law: str | None
    notes: tuple[Note, ...]
    checks: tuple[str, ...]
    fitted: Point | Posterior | None

    @property
    def errors(self) -> tuple[Note, ...]:
        """The notes of severity "error": what makes a fit of this table misleading."""
        return tuple(note for note in self.notes if note.severity == "error")

    def __repr__(self) -> str:
        counts = [f"{sum(n.severity == s for n in self.notes)} {s}" for s in _SEVERITIES]
        law = "" if self.law is None else f" with {self.law}"
        return f"<Audit {self.table}{law}: {', '.join(counts)}>"


@in_float64
def audit(
    table: TableLike,
    law: LawFunction | str | Point | Posterior | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    by: str | None = None,
    starts: int = 16,
) -> Audit:
    """Check a table of runs for what makes fits and forecasts go wrong.

    Without a law the checks are of the table alone, in closed form. With one, it is fitted once and
    its residuals are checked too.

    Args:
        table: validated runs, or what :func:`jscale.runs.read` takes.
        law: a declared law or its name; or a fit or posterior draws of the table, which is not
            fitted again; None for checks of the table alone.
        at: requested forecasts, input → number or (points,) numbers; without a law those of
            Chinchilla's.
        by: column whose equal values form a cluster; as for :func:`lack_of_fit`.
        starts: number of starting points of the fit.

    Returns:
        The findings, with stable codes, numbers, and the checks that ran. A law that cannot be
        fitted is a finding ``not-fitted``.

    Raises:
        JscaleError: the table is not valid, there is no such law, a fit of other runs, or a
            forecast with a missing, unknown or impossible input.

    Example:
        Twenty tokens a parameter in every run say nothing about size and data apart.

        >>> from jscale import assess, runs
        >>> N = [1e8, 2e8, 4e8, 8e8, 1.6e9]
        >>> table = runs.read({"N": N, "D": [20 * n for n in N], "loss": [3.5, 3.2, 3.0, 2.8, 2.7]})
        >>> [note.code for note in assess.audit(table).errors]
        ['ridge']
    """
    table = as_runs(table)
    of_law = law.law if isinstance(law, Point | Posterior) else as_law(law or chinchilla)
    points = requested(of_law, at)
    chosen, fitted, of_fit = _fitted(law, table, starts)
    subject = Subject(table, chosen, fitted, points, by)
    notes = _without_repeats([*table.notes, *of_fit, *check_all(subject)])
    notes.sort(key=lambda note: _SEVERITIES.index(note.severity))
    return Audit(
        table=table.name,
        law=None if chosen is None else describe(chosen).name,
        notes=tuple(notes),
        checks=tuple(each.name for each in CHECKS if fitted is not None or not each.needs_fit),
        fitted=fitted,
    )


def requested(law: LawFunction, at: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    """The requested forecasts as input → (points,) numbers; empty for none.

    Raises:
        JscaleError: an input is missing, unknown or outside the domain of the law.
    """
    if not at:
        return {}
    try:
        return checked_inputs(law, at)
    except JscaleError as error:
        raise error.renamed({"inputs": "at"}) from None


def check_all(subject: Subject) -> list[Note]:
    """The notes of all checks that apply to a table, its law and its fit."""
    return [
        note
        for each in CHECKS
        if subject.fitted is not None or not each.needs_fit
        for note in each.run(subject)
    ]


def _fitted(
    law: Any, table: Any, starts: int
) -> tuple[LawFunction | None, Point | Posterior | None, tuple[Note, ...]]:
    """The law, its fit to the table, and the notes of the fit."""
    if law is None:
        return None, None, ()
    if isinstance(law, Point | Posterior):
        return law.law, law, law.notes
    law = as_law(law)
    try:
        fitted = point(law, table, starts=starts)
    except JscaleError as error:
        message = f"{describe(law).name} cannot be fitted: {error}"
        return law, None, (Note("not-fitted", "error", message),)
    return law, fitted, fitted.notes


def _without_repeats(notes: Iterable[Note]) -> list[Note]:
    kept: dict[tuple[str, str], Note] = {}
    for note in notes:
        kept.setdefault((note.code, note.message), note)
    covered = {_COVERED.get(code) for code, _ in kept}
    return [note for note in kept.values() if note.code not in covered]
