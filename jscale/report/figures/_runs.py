"""Figures of the runs themselves."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from jscale.report.figures import _style as style
from jscale.report.figures._marks import DASHED, REFERENCE_LABEL, REFERENCE_RATIO
from jscale.report.notation import power_of_ten
from jscale.runs.tables import NATS_PER_TOKEN


@style.in_style
def design(
    N: np.ndarray,
    D: np.ndarray,
    loss: np.ndarray,
    excluded: tuple[np.ndarray, np.ndarray] | None = None,
    unit: str = NATS_PER_TOKEN,
) -> Figure:
    """Where the runs lie in size and data, coloured by loss, between lines of equal compute.

    Args:
        N: parameters, shape (rows,).
        D: tokens, shape (rows,).
        loss: shape (rows,).
        excluded: parameters and tokens of the excluded runs, drawn as crosses where no run was
            fitted, so that they hide none.
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    excluded_N, excluded_D = excluded if excluded is not None else (N[:0], D[:0])
    all_N, all_D = np.append(N, excluded_N), np.append(D, excluded_D)
    x_ends, y_ends = (style.pad_log(v.min(), v.max(), 0.06) for v in (all_N, all_D))
    style.log_axis(axes, "x", style.count_ticks, x_ends)
    style.log_axis(axes, "y", style.count_ticks, y_ends)
    axes.grid(visible=False)

    _draw_equal_compute(axes, x_ends, y_ends)
    line = np.array(x_ends)
    ratio = REFERENCE_RATIO * line
    axes.plot(line, ratio, color=style.GREY, lw=1.0, ls=DASHED, label=REFERENCE_LABEL)
    runs = _draw_by_loss(axes, N, D, loss)
    alone = ~_at_places_of(excluded_N, excluded_D, N, D)
    if alone.any():
        _draw_excluded(axes, excluded_N[alone], excluded_D[alone])

    bar = figure.colorbar(runs, ax=axes, pad=0.02, aspect=28)
    bar.set_label(f"Loss ({unit})")
    assert bar.solids is not None
    bar.solids.set(rasterized=False, edgecolor="face")  # colours that a dark page changes
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    axes.set(xlabel="Parameters N", ylabel="Training tokens D")
    style.legend_above(figure, axes)
    return figure


def _draw_by_loss(axes: Axes, N: np.ndarray, D: np.ndarray, loss: np.ndarray) -> PathCollection:
    many = len(N) > style.MANY
    return axes.scatter(
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


def _at_places_of(
    N: np.ndarray, D: np.ndarray, other_N: np.ndarray, other_D: np.ndarray
) -> np.ndarray:
    """Which of some runs (rows,) have the size and data of one of others."""
    places = set(zip(other_N.tolist(), other_D.tolist(), strict=True))
    return np.array([place in places for place in zip(N.tolist(), D.tolist(), strict=True)], bool)


def _draw_excluded(axes: Axes, N: np.ndarray, D: np.ndarray) -> None:
    axes.scatter(
        N,
        D,
        marker="x",
        s=22,
        lw=1.1,
        color=style.RED,
        zorder=1,
        label="excluded",
        rasterized=len(N) > style.MANY,
    )


def _draw_equal_compute(
    axes: Axes, x_ends: tuple[float, float], y_ends: tuple[float, float]
) -> None:
    """Thin lines of equal ``6ND``, about one every decade, labelled at the lower right."""
    low, high = (math.log10(6 * x * y) for x, y in zip(x_ends, y_ends, strict=True))
    step = max(1, round((high - low) / 6))
    for exponent in range(math.ceil(low), math.floor(high) + 1, step):
        product = 10.0**exponent / 6
        x = np.array([max(x_ends[0], product / y_ends[1]), min(x_ends[1], product / y_ends[0])])
        axes.plot(x, product / x, color=style.LIGHT_GREY, lw=0.7, zorder=1, label="_equal compute")
        at_edge = x[1] >= x_ends[1] * (1 - 1e-9)
        axes.annotate(
            power_of_ten(10.0**exponent),
            (x[1], product / x[1]),
            xytext=(-2, 3) if at_edge else (3, 4),
            textcoords="offset points",
            ha="right" if at_edge else "left",
            fontsize=7.0,
            color=style.GREY,
            zorder=2,
        )


@style.in_style
def loss_by_resource(
    x: np.ndarray,
    loss: np.ndarray,
    label: str,
    compute: bool = False,
    unit: str = NATS_PER_TOKEN,
) -> Figure:
    """Loss of the runs against the only input of the law.

    Args:
        x: the resource, shape (rows,).
        loss: shape (rows,).
        label: label of the horizontal axis, with its unit.
        compute: whether ``x`` is FLOP rather than a count.
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    ends = style.pad_log(x.min(), x.max(), 0.06)
    style.log_axis(axes, "x", style.power_ticks if compute else style.count_ticks, ends)
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(loss.min(), loss.max(), 0.06))
    many = len(x) > style.MANY
    axes.scatter(x, loss, s=9 if many else 20, lw=0, alpha=0.7, color=style.BLUE, rasterized=many)
    axes.set(xlabel=label, ylabel=f"Loss ({unit})")
    return figure
