"""Expanding windows along a column, and one window below given values."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jscale._core.checks import check_whole_number
from jscale._core.errors import JscaleError
from jscale._core.text import general, human, plural, quote, shown
from jscale.assess.backtesting._split import (
    TIE,
    Needs,
    Split,
    Splits,
    check_split,
    column_named,
    numbers,
)
from jscale.runs import Runs

COMPUTE = "compute"
"""The name that stands for the column C."""
DEFAULT_CUTS = 5
_FIRST, _LAST, _ONLY = 0.4, 0.8, 0.6
"""Shares of the runs in the first and the last window, and in the window of a single cut."""


def expanding_windows(
    table: Runs, by: Any, cuts: int | Sequence[float] | None, needs: Needs
) -> Splits:
    """Windows that end at several values of a column; each forecasts all runs above its end.

    Runs of equal values are on one side of a cut.

    Args:
        table: validated runs.
        by: column of numbers, or "compute".
        cuts: how many, evenly spaced from 40% to 80% of the runs (one: 60%), or the shares
            themselves; None for five, or as many as the table allows.
        needs: the fewest runs to fit.

    Raises:
        JscaleError: no such column, invalid cuts, fewer runs than cuts, too few runs to fit, or
            none held out.
    """
    column = _compute_column(table) if by == COMPUTE else column_named(table, by, "by")
    ladder = _ladder(table, column)
    if cuts is None or isinstance(cuts, int | np.integer):
        chosen = _spaced(ladder, cuts, needs)
    else:
        chosen = _at_shares(ladder, cuts, needs)

    digits = _distinct_digits(ladder.ends[chosen])
    splits = tuple(ladder.window(level, digits) for level in chosen)
    return Splits(f"by {'compute' if column == 'C' else column}", column, splits)


def _compute_column(table: Runs) -> str:
    if "C" not in table:
        raise JscaleError(
            f": {table.name} has no column 'C' (nor N and D, which give it); expected the name of "
            "a column to order the runs by",
            argument="by",
        )
    return "C"


class _Ladder(NamedTuple):
    """The distinct values of a column, at each of which a window can end.

    Attributes:
        table: validated runs.
        column: name of the column.
        values: of the kept runs.
        ends: (levels,) distinct values in order.
        counts: (levels,) runs up to each of them.
    """

    table: Runs
    column: str
    values: np.ndarray
    ends: np.ndarray
    counts: np.ndarray

    @property
    def together(self) -> str:
        """Why a cut cannot be anywhere, for messages."""
        return f"runs of equal {self.column} stay together"

    def at(self, share: float) -> int:
        """The last level that is not above a quantile of the values."""
        threshold = float(np.quantile(self.values, share))
        return max(0, int(np.sum(_up_to(self.ends, threshold))) - 1)

    def window(self, level: int, digits: int = 3) -> Split:
        """The split at a level, its end in the label with so many digits."""
        end, kept = self.ends[level], self.table.kept
        training = kept & _up_to(self.table[self.column], end)
        return Split(
            f"{self.column} ≤ {_end(self.column, end, digits)}", training, kept & ~training
        )


def _ladder(table: Runs, column: str) -> _Ladder:
    values = numbers(table, column, "by")[table.kept]
    ordered = np.unique(values)
    # Of values that are equal up to rounding, the largest.
    last = np.append(np.diff(ordered) > TIE * np.abs(ordered[:-1]), True)
    ends = ordered[last]
    counts = np.array([np.sum(_up_to(values, end)) for end in ends])
    return _Ladder(table, column, values, ends, counts)


def _up_to(values: np.ndarray, end: float) -> np.ndarray:
    return values <= end + TIE * abs(end)


def _spaced(ladder: _Ladder, cuts: int | None, needs: Needs) -> list[int]:
    """Levels at which to cut, evenly spaced by the number of runs."""
    if cuts is not None:
        check_whole_number("cuts", cuts, at_least=1)
    count, name = len(ladder.values), ladder.table.name
    valid = np.flatnonzero((ladder.counts >= needs.runs) & (ladder.counts < count)).tolist()
    if not valid:
        raise JscaleError(
            f"{name}: no cut by {ladder.column} leaves enough of its {plural(count, 'run')} to fit "
            f"and holds out one ({ladder.together}); {needs.reason}"
        )
    if cuts is not None and cuts > len(valid):
        raise JscaleError(
            f": {name} has fewer runs than {cuts} cuts need: {plural(len(valid), 'cut')} by "
            f"{ladder.column} would leave enough runs to fit and hold out one ({ladder.together}); "
            f"{needs.reason}",
            argument="cuts",
        )

    number = min(DEFAULT_CUTS, len(valid)) if cuts is None else cuts
    shares = [_ONLY] if number == 1 else np.linspace(_FIRST, _LAST, number).tolist()
    chosen: list[int] = []
    for share in shares:
        target = ladder.at(share)
        free = [level for level in valid if level not in chosen]
        chosen.append(min(free, key=lambda level: abs(level - target)))
    return sorted(chosen)


def _at_shares(ladder: _Ladder, cuts: Any, needs: Needs) -> list[int]:
    """Levels at which to cut, by the given shares of the runs."""
    chosen: list[int] = []
    for share in _shares(cuts):
        level = ladder.at(share)
        where = f"the cut at {share:.4g} of the runs by {ladder.column}"
        check_split(ladder.table, ladder.window(level), needs, where, "cuts")
        if level in chosen:
            raise JscaleError(
                f": {ladder.table.name}: {where} falls on another cut ({ladder.together}); "
                "expected fewer cuts",
                argument="cuts",
            )
        chosen.append(level)
    return sorted(chosen)


def _shares(cuts: Any) -> list[float]:
    items = list(cuts) if isinstance(cuts, Sequence) and not isinstance(cuts, str) else []
    valid = [
        isinstance(share, int | float | np.number) and not isinstance(share, bool) and 0 < share < 1
        for share in items
    ]
    if not items or not all(valid):
        raise JscaleError(
            ": expected a number of cuts, or shares of the runs between 0 and 1 such as 0.6, 0.8; "
            f"not {shown(cuts)}",
            argument="cuts",
        )
    return [float(share) for share in items]


def _end(column: str, value: float, digits: int = 3) -> str:
    """The end of a window: ``1.4B`` tokens, but ``2.9e11`` FLOP."""
    return general(value, digits) if column == "C" else human(value, digits)


def _distinct_digits(ends: np.ndarray) -> int:
    """Significant digits that tell the ends of all windows apart, at least 3."""
    for digits in range(3, 17):
        if len({human(end, digits) for end in ends}) == len(ends):
            return digits
    return 17


def window_below(table: Runs, limits: Any, needs: Needs) -> Splits:
    """One split: the runs that are below all limits are fitted, the others are forecast.

    Args:
        table: validated runs.
        limits: column → number.
        needs: the fewest runs to fit.

    Raises:
        JscaleError: no limit, no such column, text, a limit that is not a number, too few runs to
            fit, or none held out.
    """
    example = "such as {'N': 2.1e8}"
    if not isinstance(limits, Mapping) or not limits:
        raise JscaleError(
            f": expected a limit for at least one column, {example}, not {shown(limits)}",
            argument="train_below",
        )
    kept = table.kept
    training = kept.copy()
    parts = []
    for name, limit in limits.items():
        is_number = isinstance(limit, int | float | np.number) and not isinstance(limit, bool)
        if not is_number or np.isnan(limit):
            raise JscaleError(
                f": {quote(name)}: expected a number, {example}, not {shown(limit)}",
                argument="train_below",
            )
        training &= numbers(table, name, "train_below") < limit
        parts.append(f"{name} < {_end(name, float(limit))}")

    label = " and ".join(parts)
    split = Split(label, training, kept & ~training)
    check_split(table, split, needs, label, "train_below")
    column = table.find(next(iter(limits))) if len(limits) == 1 else None
    return Splits(f"fitted where {label}", column, (split,))
