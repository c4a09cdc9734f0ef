"""A specification curve: its rows, and summaries of them."""

import math
from dataclasses import dataclass

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale._core.text import general

_NORMAL = 1.959963984540054
"""The 97.5% quantile of a standard normal."""


@dataclass(frozen=True)
class Specification:
    """One way of fitting, and its result.

    Attributes:
        law: its name.
        objective: what was minimised.
        runs: which runs were fitted.
        inputs: "as given", or the column used in place of an input.
        n_runs: number of runs.
        value: of the target; NaN where there is none, for the reason in ``status``.
        stderr: its standard error.
        status: how the fit, or the plan computed from it, ended.
    """

    law: str
    objective: str
    runs: str
    inputs: str
    n_runs: int
    value: float
    stderr: float
    status: Status

    @property
    def certified(self) -> bool:
        """Whether the fit, and the plan if there is one, converged to a finite value."""
        return self.status == Status.converged and math.isfinite(self.value)


@dataclass(frozen=True)
class Sensitivity:
    """A specification curve.

    Attributes:
        target: name of the number.
        rows: all specifications; the first is the reference.
        turns_at: value at which a conclusion changes; None for none.
        notes: warnings and remarks.
        table_digest: hash of the table.
    """

    target: str
    rows: tuple[Specification, ...]
    turns_at: float | None
    notes: tuple[Note, ...]
    table_digest: str

    @property
    def certified(self) -> tuple[Specification, ...]:
        """The rows with a certified value."""
        return tuple(row for row in self.rows if row.certified)

    @property
    def span(self) -> tuple[float, float] | None:
        """Smallest and largest certified value; None where there is none."""
        values = [row.value for row in self.certified]
        return (min(values), max(values)) if values else None

    @property
    def turned(self) -> float | None:
        """Share of the certified rows on the other side of ``turns_at`` than the first.

        None without a ``turns_at`` or without a certified first row.
        """
        first = self.rows[0]
        if self.turns_at is None or not first.certified:
            return None
        above = [row.value > self.turns_at for row in self.certified]
        return float(np.mean([side != (first.value > self.turns_at) for side in above]))

    @property
    def outside(self) -> float | None:
        """Share of the certified rows outside the 95% interval of the first.

        None if the first row has no interval.
        """
        first = self.rows[0]
        if not (first.certified and math.isfinite(first.stderr)):
            return None
        distances = [abs(row.value - first.value) for row in self.certified]
        return float(np.mean([distance > _NORMAL * first.stderr for distance in distances]))

    @property
    def headline(self) -> str:
        """One sentence: the range, the reference, and the share that changes the conclusion."""
        if self.span is None:
            return f"{self.target}: none of {len(self.rows)} specifications gives a certified fit"
        first = self.rows[0]
        low, high = self.span
        parts = [
            f"{self.target} ranges from {general(low, 4)} to {general(high, 4)} over "
            f"{len(self.certified)} certified fits of {len(self.rows)}"
        ]
        if first.certified:
            runs = "the runs as marked" if first.runs == "as marked" else first.runs
            parts.append(
                f"the reference is {general(first.value, 4)} ± {general(first.stderr, 2)} "
                f"({first.objective}, {runs})"
            )
        else:
            parts.append(f"the reference has no certified value ({first.status})")
        if self.outside is not None:
            parts.append(f"{self.outside:.0%} of the fits lie outside the reference's 95% interval")
        if self.turned is not None and self.turns_at is not None:
            above = first.value > self.turns_at
            if self.turned == 0:
                turned = "no fit is below" if above else "no fit exceeds"
            else:
                turned = f"{self.turned:.0%} of the fits {'are below' if above else 'exceed'}"
            parts.append(f"{turned} {self.turns_at:g}")
        return "; ".join(parts)
