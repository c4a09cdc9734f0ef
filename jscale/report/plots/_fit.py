"""How well a law fits its runs: predicted against observed losses, residuals along an input."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from jscale._core.errors import JscaleError
from jscale.fit import Point
from jscale.report.analysis import residual_trend
from jscale.report.figures import style
from jscale.report.notation import significant
from jscale.report.plots._axes import draw_dots, in_style, legend, palette, target
from jscale.report.plots._source import Fitted, Source, as_source
from jscale.runs import TableLike, as_runs, select

_COUNTS = {"N": "Parameters N", "D": "Training tokens D", "C": "Training compute C (FLOP)"}
_LEAST_RUNS = 8
"""Runs of a group below which its median shows chance rather than a trend."""


@in_style
def predicted(fitted: Fitted, table: TableLike | None = None, *, ax: Axes | None = None) -> Axes:
    """Observed against predicted loss, with the coefficient of determination.

    ``R² = 1 - sum (observed - predicted)² / sum (observed - mean)²``, of the losses themselves.

    Args:
        fitted: a fit; with a table also a posterior (medians of the predictions) or (law, params).
        table: the runs to predict; not needed for a fit, which knows its own.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no table for what is not a fit.

    Example:
        >>> from jscale import laws, runs
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.read({"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.35, 2.55]})
        >>> ax = plots.predicted((laws.chinchilla, theta), table)
        >>> ax.get_title(loc="left")
        'R² = 0.991 over 2 runs'
    """
    ax = target(ax)
    source = as_source(fitted, table)
    observed, expected = _losses(fitted, source, table)
    both = np.concatenate([observed, expected])
    ends = style.pad_log(float(both.min()), float(both.max()), 0.05)
    ax.plot(ends, ends, color=palette(ax).grey, lw=1.0, label="equal")
    draw_dots(ax, expected, observed, color=palette(ax).sequence[0], label="_runs")
    for which in ("x", "y"):
        style.log_axis(ax, which, style.number_ticks, ends)

    spread = float(np.sum((observed - observed.mean()) ** 2))
    r2 = 1 - float(np.sum((observed - expected) ** 2)) / spread if spread > 0 else np.nan
    ax.set(
        xlabel=source.loss_label("predicted {}"),
        ylabel=source.loss_label("observed {}"),
        title=f"R² = {r2:.3f} over {len(observed):,} runs",
    )
    legend(ax, loc="upper left")
    return ax


def _losses(
    fitted: Fitted, source: Source, table: TableLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Observed and predicted losses (rows,)."""
    if table is not None:
        data = select(table, source.law)
        return data.loss, np.median(source.losses(**data.inputs), axis=0)
    if not isinstance(fitted, Point):
        raise JscaleError(
            "is needed for a posterior and for (law, params): give the runs", argument="table"
        )
    if fitted.residuals_of == "log":
        return fitted.predicted * np.exp(fitted.residuals), fitted.predicted
    return fitted.predicted + fitted.residuals, fitted.predicted


@in_style
def residuals(
    point: Point,
    *,
    along: str = "predicted",
    table: TableLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Residuals in percent along the predicted loss or a column of the table.

    From 24 runs on, medians of up to eight groups of at least eight runs show a trend; the number
    below each is that of its runs.

    Args:
        point: a fit.
        along: "predicted", or a column of the table.
        table: the table that was fitted; not needed along "predicted".
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no table, one without the column, or residuals that are not of the logarithm.

    Example:
        >>> import jax
        >>> from jscale import fit, laws, runs
        >>> from jscale.report import plots
        >>> N, D = [1e8, 3e8, 1e9, 3e9] * 4, [1e10] * 4 + [4e10] * 4 + [2e11] * 4 + [1e12] * 4
        >>> theta = laws.params(laws.chinchilla)
        >>> table = runs.simulate(
        ...     laws.chinchilla, theta, {"N": N, "D": D}, noise=0.005, key=jax.random.key(0)
        ... )
        >>> ax = plots.residuals(fit.point(laws.chinchilla, table, starts=8))
        >>> ax.get_xlabel()
        'Predicted loss (nats per token)'
    """
    ax = target(ax)
    if point.residuals_of != "log":
        raise JscaleError("has residuals of the values, not of the logarithm", argument="point")
    x = _abscissa(point, along, table)
    trend = residual_trend(x, point.residuals)
    colours = palette(ax)
    width = 200 * point.scale
    ax.axhspan(-width, width, color=colours.pale, lw=0, zorder=0, label="±2 robust sd")
    ax.axhline(0, color=colours.grey, lw=0.9)
    draw_dots(ax, trend.x, trend.percent, color=colours.sequence[0], label="_runs")
    highest = max(float(np.abs(trend.percent).max()), width, 1e-9)
    _draw_medians(ax, x, trend.centres, trend.medians, 1.12 * highest)

    if along in _COUNTS or along == "predicted":
        ends = style.pad_log(float(x.min()), float(x.max()), 0.06)
        ticks = {"predicted": style.number_ticks, "C": style.power_ticks}
        style.log_axis(ax, "x", ticks.get(along, style.count_ticks), ends)
    ax.set_ylim(-1.25 * highest, 1.45 * highest)
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: ("+" if value > 0 else "") + significant(value) + "%")
    )
    ax.set(
        xlabel=(
            as_source(point, table).loss_label("predicted {}")
            if along == "predicted"
            else _COUNTS.get(along, along)
        ),
        ylabel="Observed / predicted − 1",
        title=f"{len(x):,} runs",
    )
    legend(ax, loc="upper right", ncols=2)
    return ax


def _abscissa(point: Point, along: str, table: TableLike | None) -> np.ndarray:
    if along == "predicted":
        return point.predicted
    if table is None:
        raise JscaleError(f"is needed for residuals along {along!r}", argument="table")
    runs = as_runs(table)
    if along not in runs:
        raise JscaleError(f"has no column {along!r}", argument="table")
    return np.asarray(runs[along], dtype=np.float64)[point.rows]


def _draw_medians(
    ax: Axes, x: np.ndarray, centres: np.ndarray, medians: np.ndarray, depth: float
) -> None:
    """Medians of groups with the number of runs that are nearest to each."""
    if not len(centres):
        return
    nearest = np.argmin(np.abs(x[:, None] - centres[None]), axis=1)
    counts = np.bincount(nearest, minlength=len(centres))
    drawn = np.flatnonzero(counts >= _LEAST_RUNS)
    if not len(drawn):
        return
    red, grey = palette(ax).red, palette(ax).grey
    style_of_line = {"color": red, "lw": 1.4, "marker": "o", "ms": 4, "zorder": 5}
    ax.plot(centres[drawn], medians[drawn], label="medians", **style_of_line)
    for i in drawn:
        at = (float(centres[i]), -depth)
        ax.annotate(f"{counts[i]:,}", at, ha="center", va="center", fontsize=7.5, color=grey)
