"""``sensitivity``: one number under every reasonable way of fitting it (a specification curve)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jscale._core.checks import check_count
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.assess.comparison import refit
from jscale.assess.robustness._exclusions import Choice, choices, unmarked
from jscale.assess.targets import EXPONENT, Estimator, Quantity, estimator, quantity
from jscale.fit import Huber, HuberLikelihood, Objective, Squares
from jscale.fit.objective import resolve
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select

OBJECTIVES: tuple[Objective, ...] = (
    Huber(1e-3),
    Huber(1e-4),
    Huber(1e-2),
    Huber(1e-1),
    HuberLikelihood(),
    Squares("log"),
    Squares("raw"),
)
"""The objectives of the field, the usual one first."""
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Specification:
    """One way of fitting, and what it gives.

    Attributes:
        law: its name.
        objective: what was minimised.
        runs: which runs were fitted, in words.
        inputs: "as given", or which column took the place of an input.
        n_runs: number of runs.
        value: of the target; NaN where there is none, for the reason in ``status``.
        stderr: its standard error.
        status: how the fit, or the plan made of it, ended.
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
        """Whether the value may be believed as a result of this specification."""
        return self.status == Status.converged and math.isfinite(self.value)


@dataclass(frozen=True)
class Sensitivity:
    """A specification curve.

    Attributes:
        target: name of the number.
        rows: all specifications; the first is the one to compare with.
        turns_at: value at which a conclusion turns; None for none.
        notes: doubts and remarks.
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
        """Share of the certified rows on the other side of ``turns_at`` than the first; None where
        it means nothing.
        """
        first = self.rows[0]
        if self.turns_at is None or not first.certified:
            return None
        return float(
            np.mean(
                [
                    (row.value > self.turns_at) != (first.value > self.turns_at)
                    for row in self.certified
                ]
            )
        )

    @property
    def outside(self) -> float | None:
        """Share of the certified rows outside the 95% interval of the first; None where it has
        none.
        """
        first = self.rows[0]
        if not (first.certified and math.isfinite(first.stderr)):
            return None
        return float(
            np.mean(
                [abs(row.value - first.value) > _NORMAL * first.stderr for row in self.certified]
            )
        )

    @property
    def headline(self) -> str:
        """The range, the value to compare with, and how many specifications change the conclusion."""
        if self.span is None:
            return f"{self.target}: none of {len(self.rows)} specifications gives a certified fit"
        sure, first = self.certified, self.rows[0]
        low, high = self.span
        parts = [
            f"{self.target} runs from {low:.4g} to {high:.4g} over {len(sure)} certified fits of {len(self.rows)}"
        ]
        if first.certified:
            parts.append(
                f"{first.value:.4g} ± {first.stderr:.2g} by {first.objective} on {_where(first)}"
            )
        else:
            parts.append(f"the first specification has no certified value ({first.status})")
        if self.outside is not None:
            parts.append(f"{self.outside:.0%} of the fits lie outside that one's 95% interval")
        if self.turned is not None:
            other = "none lies" if self.turned == 0 else f"{self.turned:.0%} lie"
            parts.append(f"{other} on the other side of {self.turns_at:g}")
        return "; ".join(parts)


def _where(first: Specification) -> str:
    return "the runs as marked" if first.runs == "as marked" else first.runs


@in_float64
def sensitivity(
    law: LawFunction,
    table: Runs,
    *,
    target: str,
    objectives: Sequence[str | Objective] = OBJECTIVES,
    exclusions: Sequence[str] | None = None,
    variants: Sequence[LawFunction] = (),
    columns: Mapping[str, Sequence[str]] | None = None,
    turns_at: float | None = None,
    drop: int = 5,
    share: float = 0.1,
    starts: int = 32,
) -> Sensitivity:
    """A number under every combination of law, objective, choice of runs and meaning of an input.

    Every combination is a certified fit. The first of each list makes the specification that others
    are compared with.

    Args:
        law: a declared law.
        table: validated runs.
        target: a parameter or any other number that :func:`jscale.assess.quantity` knows, such as
            "a" or "N_opt@1e24".
        objectives: as for :func:`jscale.fit.point`.
        exclusions: choices of runs beside the table's own: "excluded" (with the rows marked so),
            "ratio" (without the ``drop`` smallest D/N), "compute" (without the ``share`` of least
            compute), "groups" (without each group in turn); None for all that the table allows.
        variants: more laws with the same target.
        columns: input → other columns of the table that may stand for it, such as ``{"N":
            ["N_total"]}``.
        turns_at: value at which a conclusion turns; by default 1/2 for "a", 0 for a parameter of
            either sign.
        drop: number of runs.
        share: of the runs.
        starts: number of starting points of each fit.

    Raises:
        JscaleError: a wrong name or number, a column that is missing, or fewer runs than
            parameters.

    Source: Simonsohn, Simmons & Nelson 2020, Specification curve analysis, Nature Human Behaviour
        4.
    """
    several = [objectives] if isinstance(objectives, str) else objectives
    goals = list(dict.fromkeys(resolve(objective) for objective in several))
    if turns_at is not None and not (isinstance(turns_at, int | float) and math.isfinite(turns_at)):
        raise JscaleError(f"turns_at must be a finite number, not {turns_at!r}")
    if not goals:
        raise JscaleError("objectives is empty; expected at least one")
    check_count(starts)
    laws = list(dict.fromkeys((law, *variants)))
    targets = [quantity(each, target) for each in laws]
    picked, notes = choices(table, exclusions, drop=drop, share=share)
    swaps: list[tuple[str, str] | None] = [None]
    swaps += [(name, other) for name, others in (columns or {}).items() for other in others]
    settings = []
    for each, wanted in zip(laws, targets, strict=True):
        estimate = estimator(wanted)
        for swap in swaps:
            inputs = "as given" if swap is None else f"{swap[0]} = {swap[1]}"
            settings.append(
                _Setting(each, table, _data(each, table, picked, swap), estimate, inputs, starts)
            )
    rows = []
    for setting in settings:
        notes += setting.data.notes
        rows += _curve(setting, goals, _enough(setting.law, setting.data, picked, notes))
    return Sensitivity(
        target=targets[0].name,
        rows=tuple(rows),
        turns_at=_turning_point(targets[0]) if turns_at is None else turns_at,
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _turning_point(wanted: Quantity) -> float | None:
    """Where a conclusion turns: 1/2 for the exponent of size (above it size grows faster than
    data), 0 for signs.
    """
    supports = {p.name: p.support for p in describe(wanted.law).parameters}
    if wanted.kind in supports:
        return 0.0 if supports[wanted.kind].lower < 0 < supports[wanted.kind].upper else None
    return 0.5 if wanted.kind == EXPONENT else None


@dataclass(frozen=True)
class _Setting:
    """What the fits of one compiled program share."""

    law: LawFunction
    table: Runs
    data: Data
    estimate: Estimator
    inputs: str
    starts: int


def _data(
    law: LawFunction, table: Runs, picked: Sequence[Choice], swap: tuple[str, str] | None
) -> Data:
    """The rows that any choice uses, as the law takes them, with another column in the place of an
    input.
    """
    if any((choice.keep & ~table.kept).any() for choice in picked):
        table = unmarked(table)
    if swap is not None:
        name, other = swap
        if name not in describe(law).input_names:
            raise JscaleError(f"columns: law {describe(law).name!r} has no input {name!r}")
        swapped = replace(table, columns={**table.columns, name: table[other]})
        try:
            return select(swapped, law)
        except JscaleError as error:
            raise JscaleError(f"{error} ({other!r} stands for {name!r} here)") from None
    return select(table, law)


def _enough(
    law: LawFunction, data: Data, picked: Sequence[Choice], notes: list[Note]
) -> list[Choice]:
    """The choices that leave as many runs as the law has parameters; the first is for the fit to
    refuse.
    """
    record = describe(law)
    few = [choice for choice in picked[1:] if choice.keep[data.rows].sum() < len(record.parameters)]
    for choice in few:
        message = f"{record.name} is not fitted {choice.label}: too few runs for {len(record.parameters)} parameters"
        notes.append(Note("too-few-runs", "info", message, {"runs": int(choice.keep.sum())}))
    return [choice for choice in picked if choice not in few]


def _curve(
    setting: _Setting, goals: Sequence[Objective], picked: Sequence[Choice]
) -> list[Specification]:
    rows = []
    for choice in picked:
        keep = choice.keep[setting.data.rows]
        for goal in goals:
            fitted = refit(
                setting.law, setting.table, setting.data, keep, goal, starts=setting.starts
            )
            value, stderr, status = setting.estimate(fitted.params, fitted.covariance)
            rows.append(
                Specification(
                    law=describe(setting.law).name,
                    objective=str(goal),
                    runs=choice.label,
                    inputs=setting.inputs,
                    n_runs=int(keep.sum()),
                    value=value,
                    stderr=stderr,
                    status=status if fitted.status == Status.converged else fitted.status,
                )
            )
    return rows
