"""Forecasts of held-out runs: what was predicted, and how often the bands held."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.assess import Backtest
from jscale.report.figures import style
from jscale.report.plots._axes import finite_ends, in_style, legend, palette, target
from jscale.report.plots._source import loss_label

_BANDS = {0.5: ("q25", "q75"), 0.8: ("q10", "q90"), 0.95: ("q025", "q975")}


@in_style
def backtest(
    result: Backtest, *, law: str | None = None, level: float = 0.8, ax: Axes | None = None
) -> Axes:
    """Observed against forecast losses of held-out runs, with their bands.

    Runs outside their band have another colour and mark; the title counts them.

    Args:
        result: of :func:`jscale.assess.backtest`.
        law: name of a law in it; the first if not given.
        level: of the bands: 0.5, 0.8 or 0.95.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such law or level.

    Example:
        >>> import jax
        >>> from jscale import assess, runs
        >>> from jscale.report import plots
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> N, loss = [1e8, 2e8, 4e8, 8e8, 2e9], [3.6, 3.4, 3.2, 3.1, 3.0]
        >>> table = runs.read({"N": N, "D": [1e10] * 5, "loss": loss})
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.6])
        >>> plots.backtest(result).get_xlabel()
        'Forecast loss (nats per token)'
    """
    ax = target(ax)
    name = result.laws[0].law if law is None else result.of(law).law
    rows = [row for row in result.rows if row.law == name]
    low, high = (np.array([getattr(row, end) for row in rows]) for end in _ends(level))
    observed = np.array([row.loss for row in rows])
    forecast = np.array([row.predicted for row in rows])
    ends = style.pad_log(*finite_ends(observed, forecast, low, high))
    colours = palette(ax)
    ax.plot(ends, ends, color=colours.grey, lw=1.0, label="equal")

    held = (low <= observed) & (observed <= high)
    for chosen, colour, mark, words in (
        (held, colours.sequence[0], "o", "in the band"),
        (~held, colours.red, "D", "outside"),
    ):
        if chosen.any():
            ax.errorbar(
                forecast[chosen],
                observed[chosen],
                xerr=np.maximum([(forecast - low)[chosen], (high - forecast)[chosen]], 0.0),
                fmt=mark,
                ms=3.5,
                lw=0.8,
                alpha=0.85,
                color=colour,
                label=f"{words} ({chosen.sum():,})",
                zorder=3,
            )
    for which in ("x", "y"):
        style.log_axis(ax, which, style.number_ticks, ends)
    ax.set(
        xlabel=loss_label("forecast loss", result.loss_unit),
        ylabel=loss_label("observed loss", result.loss_unit),
        title=f"{name}: {level:.0%} bands held {held.sum():,} of {len(rows):,}",
    )
    legend(ax, loc="upper left")
    return ax


def _ends(level: float) -> tuple[str, str]:
    if level not in _BANDS:
        levels = ", ".join(f"{each:g}" for each in _BANDS)
        raise JscaleError(f"must be one of {levels}, not {shown(level)}", argument="level")
    return _BANDS[level]


@in_style
def coverage_by_distance(
    result: Backtest, *, law: str | None = None, ax: Axes | None = None
) -> Axes:
    """The share of held-out runs inside their bands, by decades beyond the fitted runs.

    Bars are 95% intervals of the shares, which count runs of one cluster as one where they agree;
    dashed lines are the nominal levels.

    Args:
        result: of :func:`jscale.assess.backtest`.
        law: name of a law in it; the first if not given.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such law.

    Example:
        >>> import jax
        >>> from jscale import assess, runs
        >>> from jscale.report import plots
        >>> def forecast(training, new, key):
        ...     return jax.random.choice(key, training["loss"], (200, len(new)))
        >>> past = assess.Forecaster("the past", forecast)
        >>> N, loss = [1e8, 2e8, 4e8, 8e8, 2e9], [3.6, 3.4, 3.2, 3.1, 3.0]
        >>> table = runs.read({"N": N, "D": [1e10] * 5, "loss": loss})
        >>> result = assess.backtest(past, table, key=jax.random.key(0), cuts=[0.6])
        >>> plots.coverage_by_distance(result).get_ylabel()
        'Share of runs in their band'
    """
    ax = target(ax)
    scores = result.laws[0] if law is None else result.of(law)
    groups = scores.distances
    sequence = palette(ax).sequence
    for i, colour in zip(range(len(_BANDS)), sequence, strict=False):
        bands = [group.bands[i] for group in groups]
        x = np.arange(len(groups)) + 0.16 * (i - 1)
        share = np.array([band.coverage for band in bands])
        # A share of 0 or 1 lies at the end of its interval.
        bars = np.abs([share - [band.low for band in bands], [band.high for band in bands] - share])
        level = bands[0].level
        ax.errorbar(x, share, yerr=bars, fmt="o", ms=5, color=colour, lw=1.2, label=f"{level:.0%}")
        ax.axhline(level, color=colour, lw=0.9, ls="--", zorder=1, label="_nominal")
    labels = [f"{group.label}\n{group.count:,} forecasts" for group in groups]
    ax.set_xticks(range(len(groups)), labels)
    ax.set(
        xlim=(-0.6, len(groups) - 0.4),
        ylim=(-0.02, 1.02),
        xlabel="Decades beyond the fitted runs",
        ylabel="Share of runs in their band",
        title=scores.law,
    )
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    legend(ax, title="bands", loc="lower left")
    return ax
