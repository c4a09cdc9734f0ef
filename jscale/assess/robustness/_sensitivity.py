"""``sensitivity``: one number under every reasonable way of fitting it (a specification curve)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jscale._core.checks import check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale._core.text import shown
from jscale.assess.comparison import fit_subset
from jscale.assess.robustness._exclusions import Choice, choices, unmarked
from jscale.assess.robustness._specifications import Sensitivity, Specification
from jscale.assess.targets import EXPONENT, Estimator, Quantity, estimator, quantity
from jscale.fit import Huber, HuberLikelihood, Objective, Squares
from jscale.fit.objective import resolve
from jscale.laws import LawFunction, as_law, describe
from jscale.runs import Data, Runs, select

__all__ = ["OBJECTIVES", "Sensitivity", "Specification", "sensitivity"]

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

_Swap = tuple[str, str] | None
"""An input, and the column used in its place; None for the inputs as given."""


@in_float64
def sensitivity(
    law: LawFunction | str,
    table: Runs,
    *,
    target: str,
    objectives: Sequence[str | Objective] = OBJECTIVES,
    exclusions: Sequence[str] | None = None,
    variants: Sequence[LawFunction | str] = (),
    columns: Mapping[str, Sequence[str]] | None = None,
    turns_at: float | None = None,
    drop: int = 5,
    share: float = 0.1,
    starts: int = 32,
) -> Sensitivity:
    """One target under every combination of law, objective, selection of runs and input column.

    Each combination is fitted and certified. The first item of each list makes up the reference,
    with which the other fits are compared.

    Args:
        law: a declared law, or the name of one of the catalogue.
        table: validated runs.
        target: a parameter or any other number that :func:`jscale.assess.quantity` knows, such as
            "a" or "N_opt@1e24".
        objectives: as for :func:`jscale.fit.point`.
        exclusions: selections of runs besides the table's own: "excluded" (with the rows marked
            ``exclude``), "ratio" (without the ``drop`` runs of smallest D/N), "compute" (without
            the ``share`` of the runs that has the lowest compute), "groups" (without each group in
            turn); None for all that the table allows.
        variants: more laws, or names of some, with the same target.
        columns: input → other columns of the table to use in its place, such as ``{"N":
            ["N_total"]}``.
        turns_at: value at which a conclusion changes; by default 1/2 for "a", 0 for a parameter of
            either sign.
        drop: number of runs.
        share: of the runs.
        starts: number of starting points of each fit.

    Raises:
        JscaleError: an unknown name or invalid number, a missing column, or fewer runs than
            parameters.

    Source: Simonsohn, Simmons & Nelson 2020, Specification curve analysis, Nature Human Behaviour
        4.

    Example:
        The exponent of a law under two objectives, with all runs and without the smallest:

        >>> import jax
        >>> import numpy as np
        >>> from jscale import assess, laws, runs
        >>> N = np.geomspace(1e8, 1e10, 16)
        >>> theta = laws.params(laws.kaplan_size)
        >>> design = {"N": N, "D": 20 * N}
        >>> key = jax.random.key(0)
        >>> table = runs.simulate(laws.kaplan_size, theta, design, noise=0.01, key=key)
        >>> curve = assess.sensitivity(
        ...     laws.kaplan_size,
        ...     table,
        ...     target="alpha_N",
        ...     objectives=["huber", "log-squares"],
        ...     exclusions=["compute"],
        ...     starts=8,
        ... )
        >>> for row in curve.rows:
        ...     print(f"{row.value:.3f} {row.objective}, {row.runs}")
        0.075 huber(delta=0.001), all runs
        0.075 log-squares, all runs
        0.076 huber(delta=0.001), without the 10% lowest-compute runs
        0.077 log-squares, without the 10% lowest-compute runs
    """
    listed = [objectives] if isinstance(objectives, str) else objectives
    goals = list(dict.fromkeys(resolve(objective) for objective in listed))
    if not goals:
        raise JscaleError("is empty; expected at least one", argument="objectives")
    if turns_at is not None and not (isinstance(turns_at, int | float) and math.isfinite(turns_at)):
        raise JscaleError(f"must be a finite number, not {shown(turns_at)}", argument="turns_at")
    check_whole_number("starts", starts, at_least=1)

    laws = list(dict.fromkeys(as_law(each) for each in (law, *variants)))
    targets = [quantity(each, target) for each in laws]
    selected, notes = choices(table, exclusions, drop=drop, share=share)
    swaps: list[_Swap] = [None]
    swaps += [(name, other) for name, others in (columns or {}).items() for other in others]
    settings = [
        setting
        for each, law_target in zip(laws, targets, strict=True)
        for setting in _settings(each, table, law_target, selected, swaps)
    ]

    rows: list[Specification] = []
    for setting in settings:
        notes += setting.data.notes
        enough, skipped = _with_enough_runs(setting.law, setting.data, selected)
        notes += skipped
        rows += _curve(setting, goals, enough, starts)
    return Sensitivity(
        target=targets[0].name,
        rows=tuple(rows),
        turns_at=_default_turn(targets[0]) if turns_at is None else turns_at,
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _default_turn(target: Quantity) -> float | None:
    """Where a conclusion changes: at 1/2 for the exponent of size, at 0 for parameters with a sign.

    Above 1/2 the compute-optimal size grows faster than the data.
    """
    supports = {p.name: p.support for p in describe(target.law).parameters}
    if target.kind in supports:
        support = supports[target.kind]
        return 0.0 if support.lower < 0 < support.upper else None
    return 0.5 if target.kind == EXPONENT else None


@dataclass(frozen=True)
class _Setting:
    """What the fits of one compiled program share."""

    law: LawFunction
    table: Runs
    data: Data
    estimate: Estimator
    inputs: str


def _settings(
    law: LawFunction,
    table: Runs,
    target: Quantity,
    selected: Sequence[Choice],
    swaps: Sequence[_Swap],
) -> list[_Setting]:
    """One setting of a law for each column of an input."""
    estimate = estimator(target)
    settings = []
    for swap in swaps:
        inputs = "as given" if swap is None else f"{swap[0]} = {swap[1]}"
        data = _select(law, table, selected, swap)
        settings.append(_Setting(law, table, data, estimate, inputs))
    return settings


def _select(law: LawFunction, table: Runs, selected: Sequence[Choice], swap: _Swap) -> Data:
    """The rows that any choice uses, as the law takes them, with another column for an input."""
    if any((choice.mask & ~table.kept).any() for choice in selected):
        table = unmarked(table)
    if swap is None:
        return select(table, law)

    name, other = swap
    if name not in describe(law).input_names:
        raise JscaleError(
            f": law {describe(law).name!r} has no input {shown(name)}", argument="columns"
        )
    swapped = replace(table, columns={**table.columns, name: table[other]})
    try:
        return select(swapped, law)
    except JscaleError as error:
        raise JscaleError(f"{error} (column {shown(other)} is used for {shown(name)})") from None


def _with_enough_runs(
    law: LawFunction, data: Data, selected: Sequence[Choice]
) -> tuple[list[Choice], list[Note]]:
    """The choices that leave as many runs as the law has parameters, and notes about the others.

    The first is always kept: the fit to it raises an error.
    """
    record = describe(law)
    k = len(record.parameters)
    first, *others = selected
    enough, notes = [first], []
    for choice in others:
        if choice.mask[data.rows].sum() >= k:
            enough.append(choice)
            continue
        message = f"{record.name} is not fitted {choice.label}: too few runs for {k} parameters"
        notes.append(Note("too-few-runs", "info", message, {"runs": int(choice.mask.sum())}))
    return enough, notes


def _curve(
    setting: _Setting, objectives: Sequence[Objective], selected: Sequence[Choice], starts: int
) -> list[Specification]:
    rows = []
    for choice in selected:
        mask = choice.mask[setting.data.rows]
        for objective in objectives:
            fitted = fit_subset(
                setting.law, setting.table, setting.data, mask, objective, starts=starts
            )
            value, stderr, status = setting.estimate(fitted.params, fitted.covariance)
            row = Specification(
                law=describe(setting.law).name,
                objective=str(objective),
                runs=choice.label,
                inputs=setting.inputs,
                n_runs=int(mask.sum()),
                value=value,
                stderr=stderr,
                status=status if fitted.status == Status.converged else fitted.status,
            )
            rows.append(row)
    return rows
