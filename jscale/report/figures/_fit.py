"""Figures that show how well a law fits the runs."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from jscale.report.analysis import ResidualTrend
from jscale.report.figures import _style as style
from jscale.report.notation import significant
from jscale.runs.tables import NATS_PER_TOKEN


@style.in_style
def observed_predicted(
    observed: np.ndarray, predicted: np.ndarray, scale: float, unit: str = NATS_PER_TOKEN
) -> Figure:
    """Observed against predicted loss, with the line of equality.

    A band shows two robust standard deviations.

    Args:
        observed: losses, shape (rows,).
        predicted: losses by the law, shape (rows,).
        scale: robust standard deviation of the log residuals.
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    both = np.append(observed, predicted)
    ends = style.pad_log(both.min(), both.max(), 0.05)
    style.log_axis(axes, "x", style.number_ticks, ends)
    style.log_axis(axes, "y", style.number_ticks, ends)
    line = np.geomspace(*ends, 50)
    width = np.exp(2 * scale)
    axes.fill_between(
        line, line / width, line * width, color=style.PALE, lw=0, label="±2 robust sd"
    )
    axes.plot(line, line, color=style.GREY, lw=0.9, label="equal")
    _dots(axes, predicted, observed)
    axes.set(xlabel=f"Predicted loss ({unit})", ylabel=f"Observed loss ({unit})")
    axes.legend(loc="upper left", borderaxespad=0.2)
    return figure


@style.in_style
def held_out(
    observed: np.ndarray, predicted: np.ndarray, bands: np.ndarray, unit: str = NATS_PER_TOKEN
) -> Figure:
    """Observed loss of held-out runs against their forecasts, with bands.

    Runs outside their band have another colour and mark.

    Args:
        observed: losses, shape (rows,).
        predicted: medians of the forecasts, shape (rows,).
        bands: lower and upper ends of the bands, shape (2, rows).
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    values = np.concatenate([observed, predicted, *bands])
    ends = style.pad_log(values.min(), values.max(), 0.05)
    style.log_axis(axes, "x", style.number_ticks, ends)
    style.log_axis(axes, "y", style.number_ticks, ends)
    axes.plot(ends, ends, color=style.GREY, lw=0.9, label="equal")

    inside = (bands[0] <= observed) & (observed <= bands[1])
    many = len(observed) > style.MANY
    for chosen, colour, mark, words in (
        (inside, style.BLUE, "o", "in"),
        (~inside, style.RED, "D", "outside"),
    ):
        if chosen.any():
            x, y = predicted[chosen], observed[chosen]
            lengths = np.abs(bands[:, chosen] - x)
            axes.errorbar(
                x,
                y,
                xerr=lengths,
                fmt=mark,
                ms=2.5 if many else 3.5,
                lw=0.7,
                alpha=0.5 if many else 0.8,
                color=colour,
                label=f"{words} the band ({chosen.sum():,})",
                rasterized=many,
                zorder=3,
            )
    axes.set(xlabel=f"Forecast loss ({unit})", ylabel=f"Observed loss ({unit})")
    axes.legend(loc="upper left", borderaxespad=0.2)
    return figure


@style.in_style
def residuals(
    trend: ResidualTrend,
    scale: float,
    label: str,
    ticks: Callable[[Axis], None] | None,
) -> Figure:
    """Residuals in percent against a quantity, with medians of groups of runs to show a trend.

    Args:
        trend: of the residuals along predicted loss or along an input of the law.
        scale: robust standard deviation of the residuals.
        label: label of the horizontal axis, with its unit.
        ticks: ticks of a logarithmic axis; None for a linear axis (bits).
    """
    figure, axes = style.canvas()
    x, percent = trend.x, trend.percent
    if ticks is not None:
        style.log_axis(axes, "x", ticks, style.pad_log(x.min(), x.max(), 0.05))
    axes.axhspan(-200 * scale, 200 * scale, color=style.PALE, lw=0, zorder=0, label="±2 robust sd")
    axes.axhline(0, color=style.GREY, lw=0.9)
    _dots(axes, x, percent)
    if len(trend.centres):
        axes.plot(
            trend.centres,
            trend.medians,
            color=style.RED,
            lw=1.4,
            marker="o",
            ms=3.5,
            label="medians of groups",
            zorder=4,
        )
    highest = max(np.abs(percent).max(), 200 * scale)
    if highest > 0:
        # The top is reserved for the legend.
        axes.set_ylim(-1.1 * highest, 1.35 * highest)
    axes.yaxis.set_major_formatter(FuncFormatter(_signed_percent))
    axes.set(xlabel=label, ylabel="Observed / predicted − 1")
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.2)
    return figure


def _signed_percent(value: float, _: object) -> str:
    return ("+" if value > 0 else "") + significant(value) + "%"


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    many = len(x) > style.MANY
    axes.scatter(
        x,
        y,
        s=6 if many else 14,
        lw=0,
        alpha=0.35 if many else 0.65,
        color=style.BLUE,
        rasterized=many,
        zorder=3,
        label="_runs",
    )
