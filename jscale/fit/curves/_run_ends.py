"""The loss at the end of runs that are still training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jscale._core.checks import check_level
from jscale._core.notes import Note
from jscale._core.text import enumerated, human
from jscale.fit.curves._extrapolate import (
    WINDOW,
    earlier_errors,
    errors_needed,
    extrapolated,
    finished_errors,
    quantiles,
)
from jscale.fit.curves._read import Curve, read_curves
from jscale.runs import TableLike, as_runs


@dataclass(frozen=True, eq=False)
class RunEnds:
    """Forecasts of unfinished runs, an entry for each.

    Attributes:
        run: (runs,) labels.
        D: (runs,) tokens at the end.
        share: (runs,) of the tokens that the run has seen.
        last: (runs,) loss at its last checkpoint.
        loss: (runs,) forecast loss at the end, in the unit of the table.
        low: (runs,) lower end of its band; NaN where too few errors are known.
        high: (runs,) upper end.
        errors: (runs,) number of errors that the band is made of.
        finished: (runs,) whether they are those of finished runs at the same share; else they are
            of earlier parts of all runs.
        level: nominal coverage of the bands.
        notes: warnings and remarks.
    """

    run: np.ndarray
    D: np.ndarray
    share: np.ndarray
    last: np.ndarray
    loss: np.ndarray
    low: np.ndarray
    high: np.ndarray
    errors: np.ndarray
    finished: np.ndarray
    level: float
    notes: tuple[Note, ...]


class _End(NamedTuple):
    """The forecast of one run."""

    run: str
    D: float
    share: float
    last: float
    loss: float
    low: float
    high: float
    errors: int
    finished: bool


def run_ends(
    table: TableLike, horizon: str | float, *, by: str = "run_id", level: float = 0.8
) -> RunEnds:
    """The loss at the end of every unfinished run, with a band.

    A power law of the tokens through the last part of the curve goes on to the end. Its errors are
    known where runs of the same protocol are finished: cut at the same share of their tokens, each
    shows how far such a forecast is off, the fall of a learning rate at the end included. Their
    median corrects the forecast, and order statistics of them are the band. Without enough
    finished runs (9 for 80%) the errors are those inside the seen part of all runs, as far ahead;
    the effect of a learning rate that falls only at the end is not in them.

    Args:
        table: validated runs, one row a checkpoint, with D and loss.
        horizon: tokens at the end of every run, or the column that has them.
        by: column with the label of each row's run.
        level: coverage of the bands.

    Returns:
        The forecasts, in the order of the labels.

    Raises:
        JscaleError: a column is missing, a horizon is not possible, or no run has two checkpoints.

    Example:
        Ten finished runs and one that has seen 60% of its tokens:

        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> N, share = np.geomspace(1e8, 1e9, 11), np.linspace(0.05, 1, 20)
        >>> D = 2e10 * share
        >>> theta = laws.params(laws.chinchilla)
        >>> loss = laws.chinchilla(N[:, None], D, **theta)
        >>> rows = {"N": np.repeat(N, 20), "D": np.tile(D, 11), "loss": np.ravel(loss)}
        >>> rows["run_id"] = [f"run {i:02d}" for i in range(11) for _ in D]
        >>> table = runs.read(rows)
        >>> seen = table.where((table["D"] <= 1.2e10) | (table["run_id"] != "run 05"))
        >>> end = fit.run_ends(seen, horizon=2e10)
        >>> true = float(loss[5, -1])
        >>> print(f"{end.share[0]:.0%} done: {end.loss[0]:.3f} forecast, {true:.3f} reached")
        60% done: 2.702 forecast, 2.702 reached
    """
    table = as_runs(table)
    check_level(level)
    curves = read_curves(table, by, horizon)
    open_runs = [curve for curve in curves if not curve.finished]
    ends = [_end(curve, curves, level) for curve in open_runs]
    columns = (np.array(column) for column in zip(*ends, strict=True)) if ends else ()
    if not ends:
        columns = (np.empty(0, type_) for type_ in (str, *[float] * 6, int, bool))
    return RunEnds(*columns, level=level, notes=_notes(ends, level))


def _end(curve: Curve, curves: list[Curve], level: float) -> _End:
    share = float(curve.x[-1] - curve.end)
    errors, finished = finished_errors(curves, curve.label, share), True
    if np.isnan(quantiles(errors, level)[0]):
        errors, finished = earlier_errors(curves, share), False

    low, middle, high = quantiles(errors, level)
    forecast = extrapolated(curve, curve.end)
    loss, low, high = (
        np.exp(forecast.value + forecast.unit * error) for error in (middle, low, high)
    )
    D, last = float(np.exp(curve.end)), float(np.exp(curve.y[-1]))
    return _End(curve.label, D, float(np.exp(share)), last, loss, low, high, len(errors), finished)


def _notes(ends: list[_End], level: float) -> tuple[Note, ...]:
    notes = []
    without = sum(np.isnan(end.low) for end in ends)
    if without:
        needed = errors_needed(level)
        message = (
            f"{without} forecasts have no band: at {level:.0%} it takes {needed} errors of "
            "finished runs, or inside runs"
        )
        notes.append(Note("no-band", "warning", message, {"runs": without}))
    inside = sum(not end.finished and not np.isnan(end.low) for end in ends)
    if inside:
        message = (
            f"{inside} bands are made of errors inside the seen part of the runs: too few runs "
            "are finished, and a learning rate that falls at the end is not in them"
        )
        notes.append(Note("no-finished-runs", "warning", message, {"runs": inside}))
    return (*notes, *_doubts(ends))


def _doubts(ends: list[_End]) -> Iterator[Note]:
    """Notes on forecasts that a power law of the last part does not support."""
    if not ends:
        yield Note("no-open-runs", "info", "all runs are at their horizon: none is to be forecast")
    ahead = [1 / end.share for end in ends if not end.finished and np.log(end.share) < -WINDOW]
    if ahead:
        message = (
            f"{len(ahead)} runs end at up to {human(max(ahead))} times the tokens that they "
            "have seen: the slope of their last factor of four goes on that far without a floor, "
            "and nothing checks it"
        )
        yield Note("far-horizon", "warning", message, {"factor": max(ahead)})
    rising = [end.run for end in ends if end.loss > end.last]
    if rising:
        message = (
            f"forecast to end above the last loss seen: {enumerated(rising)}; leave out runs that "
            "diverged, whose errors widen the bands of the others too"
        )
        yield Note("rising-loss", "warning", message, {"runs": rising})
