"""Hoffmann's first approach: the lowest of all training curves at each compute."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.approaches import _draws
from jscale.fit.approaches._budgets import columns
from jscale.fit.approaches._powerlaw import LEVEL, PowerLaw, line, power_law
from jscale.fit.approaches._results import Lines
from jscale.runs import Runs

_RIVALS = 3
"""Curves that must reach a compute before the lowest of them means anything."""


@dataclass(frozen=True)
class TrainingCurves:
    """The first approach on a table; arrays over a grid that is regular in ln C.

    Attributes:
        C: (points,) FLOP.
        N_opt: (points,) size of the lowest curve, parameters.
        D_opt: (points,) its tokens there.
        loss: (points,) its loss.
        run: (points,) its label.
        bracketed: (points,) whether larger and smaller models than it reach this compute.
        fits: "all" and "bracketed"; errors and intervals come from draws of runs and are infinite
            without, since neighbouring points of a grid are no independent observations.
        headline: which to quote: "bracketed" where it crosses three sizes.
        draws: (draws,) exponents of N* of the headline; None without resampling.
        status: ``converged`` for a bracketed headline.
        notes: doubts and remarks.
    """

    C: np.ndarray
    N_opt: np.ndarray
    D_opt: np.ndarray
    loss: np.ndarray
    run: np.ndarray
    bracketed: np.ndarray
    fits: Mapping[str, Lines]
    headline: str
    draws: np.ndarray | None
    status: Status
    notes: tuple[Note, ...]

    @property
    def N(self) -> PowerLaw | None:
        """The headline's N*(C)."""
        return self.fits[self.headline].N

    @property
    def D(self) -> PowerLaw | None:
        """The headline's D*(C)."""
        return self.fits[self.headline].D


@dataclass(frozen=True)
class _Curves:
    """All curves on one grid: sizes and labels (runs,); logarithms of loss and tokens (runs,
    points), NaN off them.
    """

    labels: np.ndarray
    N: np.ndarray
    log_loss: np.ndarray
    log_D: np.ndarray

    def lowest(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the runs ``chosen`` (booleans): the lowest at each point, whether enough reach it,
        whether it is inner.
        """
        there = np.isfinite(self.log_loss) & chosen[:, None]
        best = np.argmin(np.where(there, self.log_loss, np.inf), axis=0)
        sizes = np.where(there, self.N[:, None], np.nan)
        size = self.N[best]
        with np.errstate(invalid="ignore"):
            inside = (sizes < size).any(axis=0) & (sizes > size).any(axis=0)
        return best, there.sum(axis=0) >= _RIVALS, np.asarray(inside)


@in_float64
def training_curves(
    table: Runs,
    *,
    by: str | None = None,
    points: int = 400,
    draws: int = 0,
    key: jax.Array | None = None,
) -> TrainingCurves:
    """Size and tokens of the run with the lowest loss at each compute, and power laws through them.

    Each run's checkpoints are joined by straight lines of log loss on log compute; at each of
    ``points`` regular steps of log compute the lowest curve gives N* and D*. The sizes are those
    that were trained, so N* is a staircase.

    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.1, with 1,500 points.

    Args:
        table: validated runs, one row a checkpoint, with N, D, C and loss.
        by: column that names the run of a row; ``run_id`` without it.
        points: of the grid.
        draws: number of times that runs are drawn again for errors and intervals; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Raises:
        JscaleError: a column is missing or empty, no run has several checkpoints, no compute is
            reached by three runs, or draws and key do not make sense.
    """
    _draws.check("rows", draws, key, "parabola")
    if points < 2:
        raise JscaleError(f"points must be at least 2, not {points}")
    log_C, curves = _curves(table, by, points)
    best, rivalled, inside = curves.lowest(np.ones(len(curves.N), bool))
    if not rivalled.any():
        raise JscaleError(
            f"{table.name}: no compute is reached by the training curves of {_RIVALS} runs"
        )
    at = np.arange(points)
    N, D = curves.N[best], np.exp(curves.log_D[best, at])
    fits = {"all": _fit(log_C, N, D, rivalled), "bracketed": _fit(log_C, N, D, rivalled & inside)}
    crossed = len(np.unique(N[rivalled & inside]))
    headline = "bracketed" if crossed >= 3 else "all"
    sampled = None
    if key is not None:
        sampled, fits[headline] = _resample(
            curves, log_C, headline, draws=draws, key=key, fitted=fits[headline]
        )
    return TrainingCurves(
        *(
            values[rivalled]
            for values in (
                np.exp(log_C),
                N,
                D,
                np.exp(curves.log_loss[best, at]),
                curves.labels[best],
            )
        ),
        bracketed=inside[rivalled],
        fits=fits,
        headline=headline,
        draws=sampled,
        status=Status.converged if headline == "bracketed" else Status.no_interior_optimum,
        notes=_notes(inside[rivalled], crossed),
    )


def _curves(table: Runs, by: str | None, points: int) -> tuple[np.ndarray, _Curves]:
    rows = columns(table)
    name = by or "run_id"
    if name not in table:
        raise JscaleError(
            f"{table.name}: training curves need checkpoints and a column that names the run of each, 'run_id' or by=; "
            f"it has {', '.join(table)}"
        )
    labels, which = np.unique(table[name][rows], return_inverse=True)
    log_C, log_N, log_D, log_loss = (np.log(table[c][rows]) for c in ("C", "N", "D", "loss"))
    several = [i for i in range(len(labels)) if len(np.unique(log_C[which == i])) > 1]
    if not several:
        raise JscaleError(
            f"{table.name}: column {name!r} has one row a run: final losses are no training curves; expected several "
            "checkpoints of a run, or use the isoFLOP approach"
        )
    of_curve = np.isin(which, several)
    grid = np.linspace(log_C[of_curve].min(), log_C[of_curve].max(), points)
    sizes, on_grid = [], []
    for i in several:
        mine = np.flatnonzero(which == i)
        if np.ptp(log_N[mine]) > 1e-6:
            raise JscaleError(
                f"{table.name}: run {labels[i]!r} of column {name!r} has several sizes N; expected one"
            )
        C, first = np.unique(log_C[mine], return_index=True)
        mine = mine[first]
        sizes.append(np.exp(log_N[mine[0]]))
        on_grid.append(
            [np.interp(grid, C, v[mine], left=np.nan, right=np.nan) for v in (log_loss, log_D)]
        )
    loss, tokens = np.array(on_grid).transpose(1, 0, 2)
    return grid, _Curves(labels[several], np.array(sizes), loss, tokens)


def _fit(log_C: np.ndarray, N: np.ndarray, D: np.ndarray, used: np.ndarray) -> Lines:
    if used.sum() < 2:
        return Lines(None, None)
    found = [power_law(np.exp(log_C[used]), y[used]) for y in (N, D)]
    return Lines(*(f and replace(f, stderr=np.inf, interval=(-np.inf, np.inf)) for f in found))


def _resample(
    curves: _Curves, log_C: np.ndarray, headline: str, *, draws: int, key: jax.Array, fitted: Lines
) -> tuple[np.ndarray, Lines]:
    runs, at = len(curves.N), np.arange(len(log_C))
    chosen = np.asarray(jax.random.randint(key, (draws, runs), 0, runs))
    found = np.full((draws, 2), np.nan)
    for i, rows in enumerate(chosen):
        best, rivalled, inside = curves.lowest(np.isin(np.arange(runs), rows))
        used = rivalled & (inside | (headline == "all"))
        if used.sum() > 1:
            logs = np.stack([np.log(curves.N[best]), curves.log_D[best, at]])[:, used]
            found[i] = line(log_C[used], logs)[:, 1]
    settled = found[np.isfinite(found).all(axis=1)]
    if len(settled) < 2:
        return found[:, 0], fitted
    ends = np.percentile(settled, 50 * np.array([1 - LEVEL, 1 + LEVEL]), axis=0).T
    laws = [
        f and replace(f, stderr=float(column.std(ddof=1)), interval=(float(low), float(high)))
        for f, column, (low, high) in zip((fitted.N, fitted.D), settled.T, ends, strict=True)
    ]
    return found[:, 0], Lines(*laws)


def _notes(inside: np.ndarray, crossed: int) -> tuple[Note, ...]:
    share = float((~inside).mean())
    found = []
    if share > 0:
        message = (
            f"at {share:.0%} of the compute the smallest or the largest model that reaches it is the lowest: its size "
            "is a limit, not an optimum"
        )
        found.append(Note("unbracketed", "warning", message, {"share": share}))
    if crossed < 3:
        message = (
            f"only {crossed} sizes are ever the lowest with both smaller and larger ones around"
        )
        found.append(Note("headline-flagged", "error", message, {"sizes": crossed}))
    return tuple(found)
