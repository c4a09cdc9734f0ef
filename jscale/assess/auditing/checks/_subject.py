"""What a check looks at: the kept runs of a table, a law and its fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.text import listing, quote
from jscale.assess.auditing.checks._residuals import Residuals, of_fit, of_surface
from jscale.fit import Point, Posterior
from jscale.fit.predictions import Ranges, input_ranges
from jscale.laws import LawFunction, chinchilla, describe
from jscale.runs import Runs, inputs
from jscale.runs.tables import fold

MOST_ROWS = 100_000
"""Runs of a table that is looked at row by row."""
_LISTED = 5


@dataclass(frozen=True, eq=False)
class Subject:
    """A table of runs with what is asked of it.

    Attributes:
        table: the runs.
        law: the law that it is for, or None.
        fitted: a fit or posterior of that law to the table, or None.
        at: requested forecasts, input → (points,); empty for none.
        by: column whose equal values form a cluster, or None for the default one.
    """

    table: Runs
    law: LawFunction | None = None
    fitted: Point | Posterior | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    by: str | None = None

    @cached_property
    def rows(self) -> np.ndarray:
        """Positions of the kept runs in the table, counted from 0, shape (n,)."""
        return np.flatnonzero(self.table.kept)

    def __len__(self) -> int:
        return len(self.rows)

    def numbers(self, name: str) -> np.ndarray | None:
        """The kept values (n,) of a column of numbers; None where it is absent, text or has gaps.

        Args:
            name: of the column in the table.
        """
        if name not in self.table.columns:
            return None
        values = self.table.columns[name][self.rows]
        complete = values.dtype.kind == "f" and bool(np.isfinite(values).all())
        return values if complete and len(values) else None

    def positive(self, *names: str) -> list[np.ndarray] | None:
        """Columns (n,) of numbers above zero; None where one of them is not."""
        columns = [self.numbers(name) for name in names]
        valid = [x for x in columns if x is not None and (x > 0).all()]
        return valid if len(valid) == len(names) else None

    def extras(self, *words: str, kinds: str = "fU") -> list[str]:
        """Columns that jscale does not know whose name contains one of some words.

        Args:
            words: folded, such as ``warmup``.
            kinds: NumPy's kinds of values that are taken.
        """
        return [
            name
            for name in self.table.extras
            if self.table.columns[name].dtype.kind in kinds
            and any(word in fold(name) for word in words)
        ]

    def is_input(self, column: str) -> bool:
        """Whether the law reads a column."""
        if self.law is None:
            return False
        read = [
            name for each in describe(self.law).inputs for name in (each.name, each.role.column)
        ]
        return fold(column) in {fold(name) for name in read if name}

    def labels(self, name: str) -> np.ndarray:
        """The kept values of a column as texts, shape (n,)."""
        return self.table.columns[name][self.rows].astype(str)

    @cached_property
    def ranges(self) -> Ranges:
        """Smallest and largest value over the runs of what the law reads; empty if not known.

        Without a law those of Chinchilla's.
        """
        law = chinchilla if self.law is None else self.law
        try:
            return input_ranges(law, inputs(self.table, law))
        except JscaleError:
            return {}

    @cached_property
    def residuals(self) -> Residuals | None:
        """Residuals of the law where there is a fit, else of a smooth surface through the losses.

        None where there are too few runs for either, or no losses.
        """
        if len(self) > MOST_ROWS:
            return None
        if self.fitted is not None:
            return of_fit(self.fitted, self.table, self.by)
        return of_surface(self)

    def names_of(self, positions: np.ndarray) -> str:
        """``row 3 ('big-1')``: rows by number, with the name of the run where there is one.

        Args:
            positions: in the table, counted from 0.
        """
        texts = []
        for row in positions.tolist():
            has_name = "run_id" in self.table.columns
            name = str(self.table.columns["run_id"][row]) if has_name else ""
            texts.append(f"{row + 1} ({quote(name)})" if name else f"{row + 1}")
        return ("row " if len(texts) == 1 else "rows ") + listing(texts, _LISTED, last=", ")


def rows_evidence(positions: np.ndarray) -> dict[str, Any]:
    """Row numbers, counted from 1, of at most a hundred rows, and how many there are."""
    return {"rows": tuple((positions[:100] + 1).tolist()), "count": len(positions)}
