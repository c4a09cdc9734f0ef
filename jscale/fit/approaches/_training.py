"""Hoffmann's first approach: the lowest of all training curves at each compute."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import numpy as np

from jscale._core.checks import check_whole_number
from jscale._core.errors import Argument, JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale._core.text import enumerated, shown
from jscale.fit.approaches._budgets import usable_rows
from jscale.fit.approaches._draws import check_draws
from jscale.fit.approaches._powerlaw import LEVEL, Lines, PowerLaw, fit_line, fit_power_law
from jscale.runs import Runs, TableLike, as_runs

_MIN_CURVES = 3
"""Curves that must reach a compute for the lowest of them to count."""
_MIN_SIZES = 3
"""Sizes that a headline needs, as for budgets."""


@dataclass(frozen=True, eq=False)
class TrainingCurves:
    """The first approach on a table; arrays over a grid that is regular in ln C.

    Attributes:
        C: (points,) FLOP.
        N_opt: (points,) size of the lowest curve, parameters.
        D_opt: (points,) its tokens there.
        loss: (points,) its loss, nats per token.
        run: (points,) its label.
        bracketed: (points,) whether larger and smaller models than it reach this compute.
        fits: "all" and "bracketed"; errors and intervals come from draws of runs and are infinite
            without, since neighbouring points of a grid are not independent observations.
        headline: which to quote: "bracketed" where it crosses three sizes.
        draws: (draws,) exponents of N* of the headline; None without resampling.
        status: ``converged`` for a bracketed headline.
        notes: warnings and remarks.
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


@dataclass(frozen=True, eq=False)
class _Curves:
    """All training curves on one grid of compute.

    Attributes:
        log_C: (points,) of the grid.
        labels: (runs,).
        N: (runs,) parameters.
        log_loss: (runs, points); NaN outside the curve.
        log_D: (runs, points), likewise.
    """

    log_C: np.ndarray
    labels: np.ndarray
    N: np.ndarray
    log_loss: np.ndarray
    log_D: np.ndarray

    def lowest(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lowest curve at each point of the grid.

        Args:
            chosen: (runs,) booleans, the curves to compare.

        Returns:
            Index of its run (points,), whether enough curves reach the point (points,), and whether
            both smaller and larger models do (points,).
        """
        present = np.isfinite(self.log_loss) & chosen[:, None]
        best = np.argmin(np.where(present, self.log_loss, np.inf), axis=0)
        sizes = np.where(present, self.N[:, None], np.nan)
        size = self.N[best]
        with np.errstate(invalid="ignore"):
            bracketed = (sizes < size).any(axis=0) & (sizes > size).any(axis=0)
        return best, present.sum(axis=0) >= _MIN_CURVES, np.asarray(bracketed)

    def tokens(self, best: np.ndarray) -> np.ndarray:
        """Ln D (points,) of the runs ``best`` (points,)."""
        return self.log_D[best, np.arange(len(best))]


@in_float64
def training_curves(
    table: TableLike,
    *,
    by: str | None = None,
    points: int = 400,
    draws: int = 0,
    key: jax.Array | None = None,
) -> TrainingCurves:
    """Size and tokens of the run with the lowest loss at each compute, and power laws through them.

    Each run's checkpoints are joined by straight lines of log loss on log compute; at each of
    ``points`` regular steps of log compute the lowest curve gives N* and D*. Only trained sizes
    occur, so N* is a staircase.

    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.1, with 1,500 points.

    Args:
        table: validated runs, one row a checkpoint, with N, D, C and loss.
        by: column with the label of each row's run; ``run_id`` without it.
        points: of the grid.
        draws: number of times that runs are resampled for errors and intervals; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Returns:
        The lowest curve at each compute, the power laws, a status and notes.

    Raises:
        JscaleError: a column is missing or empty, no run has several checkpoints, no compute is
            reached by three runs, or draws and key are not possible.

    Example:
        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> N = np.repeat(np.geomspace(1e8, 1e10, 12), 20)
        >>> D = N * np.tile(np.geomspace(2, 300, 20), 12)
        >>> loss = laws.chinchilla(N, D, **laws.params(laws.chinchilla))
        >>> labels = [f"run {i // 20}" for i in range(240)]
        >>> table = runs.read({"N": N, "D": D, "loss": loss, "run_id": labels})
        >>> result = fit.training_curves(table)
        >>> print(f"{result.N.exponent:.1f}", result.headline, result.status)
        0.5 bracketed converged
    """
    table = as_runs(table)
    check_draws("rows", draws, key, "parabola")
    check_whole_number("points", points, at_least=2)
    curves = _read_curves(table, by, points)
    log_C = curves.log_C

    best, used, bracketed = curves.lowest(np.ones(len(curves.N), bool))
    if not used.any():
        raise JscaleError(
            f"{table.name}: no compute is reached by the training curves of {_MIN_CURVES} runs"
        )
    N, D = curves.N[best], np.exp(curves.tokens(best))
    fits = {
        "all": _fit_lines(log_C, N, D, used),
        "bracketed": _fit_lines(log_C, N, D, used & bracketed),
    }
    crossed = len(np.unique(N[used & bracketed]))
    headline = "bracketed" if crossed >= _MIN_SIZES else "all"

    drawn = None
    if key is not None:
        drawn, fits[headline] = _resample(curves, headline, draws, key, fits[headline])
    return TrainingCurves(
        C=np.exp(log_C)[used],
        N_opt=N[used],
        D_opt=D[used],
        loss=np.exp(curves.log_loss[best, np.arange(points)])[used],
        run=curves.labels[best][used],
        bracketed=bracketed[used],
        fits=fits,
        headline=headline,
        draws=drawn,
        status=Status.converged if headline == "bracketed" else Status.no_interior_optimum,
        notes=_notes(bracketed[used], crossed),
    )


def _read_curves(table: Runs, by: str | None, points: int) -> _Curves:
    """The runs with several checkpoints, interpolated on a grid of ``points`` steps of ln C.

    Raises:
        JscaleError: no column names the runs, none has several checkpoints, or one several sizes.
    """
    rows = usable_rows(table)
    name = "run_id" if by is None else by
    if by is not None and by not in table:
        raise JscaleError(f": {table.no_column(by)}", argument="by")
    if name not in table:
        raise JscaleError(
            f"{table.name}: training curves need checkpoints and a column that names the run of "
            "each, 'run_id' or ",
            Argument("by"),
            f"; it has {enumerated(table)}",
        )
    labels, run_of_row = np.unique(table[name][rows], return_inverse=True)
    log_C, log_N, log_D, log_loss = (np.log(table[c][rows]) for c in ("C", "N", "D", "loss"))

    curves = [i for i in range(len(labels)) if len(np.unique(log_C[run_of_row == i])) > 1]
    if not curves:
        raise JscaleError(
            f"{table.name}: column {shown(name)} has one row a run: final losses are not training "
            "curves; expected several checkpoints of a run, or use the isoFLOP approach"
        )
    of_curves = log_C[np.isin(run_of_row, curves)]
    grid = np.linspace(of_curves.min(), of_curves.max(), points)

    sizes, losses, tokens = [], [], []
    for i in curves:
        checkpoints = np.flatnonzero(run_of_row == i)
        if np.ptp(log_N[checkpoints]) > 1e-6:
            raise JscaleError(
                f"{table.name}: run {labels[i]!r} of column {shown(name)} has several sizes N; "
                "expected one"
            )
        own_C, first = np.unique(log_C[checkpoints], return_index=True)
        checkpoints = checkpoints[first]
        sizes.append(np.exp(log_N[checkpoints[0]]))
        outside = {"left": np.nan, "right": np.nan}
        losses.append(np.interp(grid, own_C, log_loss[checkpoints], **outside))
        tokens.append(np.interp(grid, own_C, log_D[checkpoints], **outside))
    return _Curves(grid, labels[curves], np.array(sizes), np.array(losses), np.array(tokens))


def _fit_lines(log_C: np.ndarray, N: np.ndarray, D: np.ndarray, used: np.ndarray) -> Lines:
    """Power laws through points of the grid, without errors: the points are not independent."""
    if used.sum() < 2:
        return Lines(None, None)

    fitted = [fit_power_law(np.exp(log_C[used]), y[used]) for y in (N, D)]
    unknown = {"stderr": np.inf, "interval": (-np.inf, np.inf)}
    return Lines(*(line and replace(line, **unknown) for line in fitted))


def _resample(
    curves: _Curves, headline: str, draws: int, key: jax.Array, fitted: Lines
) -> tuple[np.ndarray, Lines]:
    """Exponents of N* (draws,) over resampled runs, and ``fitted`` with errors from them."""
    runs = len(curves.N)
    chosen = np.asarray(jax.random.randint(key, (draws, runs), 0, runs))
    exponents = np.full((draws, 2), np.nan)
    for i, rows in enumerate(chosen):
        best, used, bracketed = curves.lowest(np.isin(np.arange(runs), rows))
        used = used & (bracketed | (headline == "all"))
        if used.sum() > 1:
            logs = np.stack([np.log(curves.N[best]), curves.tokens(best)])[:, used]
            exponents[i] = fit_line(curves.log_C[used], logs)[:, 1]

    valid = exponents[np.isfinite(exponents).all(axis=1)]
    if len(valid) < 2:
        return exponents[:, 0], fitted

    quantiles = 50 * np.array([1 - LEVEL, 1 + LEVEL])
    ends = np.percentile(valid, quantiles, axis=0).T
    lines = []
    for line, column, (low, high) in zip((fitted.N, fitted.D), valid.T, ends, strict=True):
        error, interval = float(column.std(ddof=1)), (float(low), float(high))
        lines.append(line and replace(line, stderr=error, interval=interval))
    return exponents[:, 0], Lines(*lines)


def _notes(bracketed: np.ndarray, crossed: int) -> tuple[Note, ...]:
    """Warnings about points without a smaller or larger model, and about too few sizes."""
    share = float((~bracketed).mean())
    notes = []
    if share > 0:
        message = (
            f"at {share:.0%} of the compute the smallest or the largest model that reaches it is "
            "the lowest: its size is a limit, not an optimum"
        )
        notes.append(Note("unbracketed", "warning", message, {"share": share}))
    if crossed < _MIN_SIZES:
        message = (
            f"only {crossed} sizes are the lowest anywhere with both smaller and larger ones around"
        )
        notes.append(Note("headline-flagged", "error", message, {"sizes": crossed}))
    return tuple(notes)
