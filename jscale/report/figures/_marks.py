"""Marks that several figures share: bands, runs, and the region past the runs."""

import numpy as np
from matplotlib.axes import Axes

from jscale.report.analysis import Band
from jscale.report.figures import _style as style

REFERENCE_RATIO = 20.0
"""Tokens per parameter that the field quotes as compute-optimal; a reference line in figures."""
REFERENCE_LABEL = f"{REFERENCE_RATIO:g} tokens per parameter"
DASHED = (0, (4, 3))


def draw_band(axes: Axes, x: np.ndarray, band: Band, colour: str, label: str) -> None:
    """The median with its 50% and 90% intervals; without draws the line of the point estimate."""
    if band.has_width:
        axes.fill_between(x, band.q05, band.q95, color=colour, alpha=0.16, lw=0, label="_90%")
        axes.fill_between(x, band.q25, band.q75, color=colour, alpha=0.26, lw=0, label="_50%")
    axes.plot(x, band.q50, color=colour, lw=1.7, label=label, zorder=3)


def draw_runs(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """The runs as pale dots behind the curves; many runs become pixels."""
    many = len(x) > style.MANY
    axes.scatter(
        x,
        y,
        s=6 if many else 12,
        lw=0,
        alpha=0.25 if many else 0.45,
        color=style.GREY,
        label="runs",
        rasterized=many,
        zorder=2,
    )


def shade_extrapolation(axes: Axes, last: float) -> None:
    """Grey background where the horizontal axis extends past the runs.

    Args:
        axes: with its final horizontal limits.
        last: largest value of the runs.
    """
    low, high = axes.get_xlim()
    if last >= high:
        return
    axes.axvspan(max(last, low), high, color=style.PALE, lw=0, zorder=0, label="_extrapolation")
    axes.axvline(last, color=style.LIGHT_GREY, lw=0.9, zorder=1)
    axes.annotate(
        "beyond the runs →",
        (last, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -3),
        textcoords="offset points",
        va="top",
        fontsize=7.5,
        color=style.GREY,
    )
