"""Figures of the runs themselves."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale.report.figures import _style as style
from jscale.report.notation import power_of_ten

CHINCHILLA_RATIO = 20.0
"""Tokens per parameter that the field quotes as compute-optimal; drawn for orientation, never used."""


@style.in_style
def design(
    N: np.ndarray,
    D: np.ndarray,
    loss: np.ndarray,
    excluded: tuple[np.ndarray, np.ndarray] | None = None,
) -> Figure:
    """Where the runs lie in size and data, coloured by loss, between lines of equal compute.

    Args:
        N: parameters, shape (rows,).
        D: tokens, shape (rows,).
        loss: nats per token, shape (rows,).
        excluded: parameters and tokens of the excluded runs, drawn as crosses.
    """
    figure, axes = style.canvas()
    out_N, out_D = excluded if excluded is not None else (N[:0], D[:0])
    every_N, every_D = np.append(N, out_N), np.append(D, out_D)
    x_ends, y_ends = (style.pad_log(v.min(), v.max(), 0.06) for v in (every_N, every_D))
    style.log_axis(axes, "x", style.count_ticks, x_ends)
    style.log_axis(axes, "y", style.count_ticks, y_ends)
    axes.grid(visible=False)
    _equal_compute(axes, x_ends, y_ends)
    line = np.array(x_ends)
    axes.plot(
        line,
        CHINCHILLA_RATIO * line,
        color=style.SOFT,
        lw=1.0,
        ls=(0, (4, 3)),
        label="20 tokens per parameter",
    )
    many = len(N) > style.MANY
    marks = axes.scatter(
        N,
        D,
        c=loss,
        cmap=style.MAP,
        s=9 if many else 20,
        lw=0 if many else 0.4,
        edgecolor="white",
        zorder=3,
        rasterized=many,
        label="_runs",
    )
    if len(out_N):
        axes.scatter(
            out_N,
            out_D,
            marker="x",
            s=22,
            lw=1.1,
            color=style.RED,
            zorder=1,
            label="excluded",
            rasterized=len(out_N) > style.MANY,
        )
    bar = figure.colorbar(marks, ax=axes, pad=0.02, aspect=28)
    bar.set_label("Loss (nats per token)")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    axes.set(xlabel="Parameters N", ylabel="Training tokens D")
    style.legend_above(figure, axes)
    return figure


def _equal_compute(axes: Axes, x_ends: tuple[float, float], y_ends: tuple[float, float]) -> None:
    """Thin lines of equal ``6ND``, one every decade or so, labelled where they leave the plot at
    its lower right.
    """
    low, high = (math.log10(6 * x * y) for x, y in zip(x_ends, y_ends, strict=True))
    for exponent in range(math.ceil(low), math.floor(high) + 1, max(1, round((high - low) / 6))):
        product = 10.0**exponent / 6
        x = np.array([max(x_ends[0], product / y_ends[1]), min(x_ends[1], product / y_ends[0])])
        axes.plot(x, product / x, color=style.FAINT, lw=0.7, zorder=1, label="_equal compute")
        at_edge = x[1] >= x_ends[1] * (1 - 1e-9)
        axes.annotate(
            power_of_ten(10.0**exponent),
            (x[1], product / x[1]),
            xytext=(-2, 3) if at_edge else (3, 4),
            textcoords="offset points",
            ha="right" if at_edge else "left",
            fontsize=7.0,
            color=style.SOFT,
            zorder=2,
        )


@style.in_style
def single(x: np.ndarray, loss: np.ndarray, label: str, compute: bool = False) -> Figure:
    """Loss of the runs against the one resource that the law knows.

    Args:
        x: the resource, shape (rows,).
        loss: nats per token, shape (rows,).
        label: of the horizontal axis, with its unit.
        compute: whether ``x`` is FLOP rather than a count.
    """
    figure, axes = style.canvas()
    ends = style.pad_log(x.min(), x.max(), 0.06)
    style.log_axis(axes, "x", style.power_ticks if compute else style.count_ticks, ends)
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(loss.min(), loss.max(), 0.06))
    many = len(x) > style.MANY
    axes.scatter(x, loss, s=9 if many else 20, lw=0, alpha=0.7, color=style.BLUE, rasterized=many)
    axes.set(xlabel=label, ylabel="Loss (nats per token)")
    return figure
