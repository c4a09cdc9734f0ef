"""Figures of what more compute buys: loss, size and data along the compute-optimal path."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale.report.analysis import Band, Profile
from jscale.report.figures import _style as style
from jscale.report.figures._runs import CHINCHILLA_RATIO
from jscale.report.notation import fixed, power_of_ten

_FLOOR_MARGIN = 0.5
"""The floor is drawn when it lengthens the axis by less than this share."""
_APART = 0.35
"""Decades between budgets below which only the first has its loss written beside it."""


def draw_band(axes: Axes, x: np.ndarray, band: Band, colour: str, label: str) -> None:
    """The median of a band with its 50% and 90% intervals; without draws the line of the point
    estimate.
    """
    if band.has_width:
        axes.fill_between(x, band.q05, band.q95, color=colour, alpha=0.16, lw=0, label="_90%")
        axes.fill_between(x, band.q25, band.q75, color=colour, alpha=0.26, lw=0, label="_50%")
    axes.plot(x, band.q50, color=colour, lw=1.7, label=label, zorder=3)


def shade_beyond(axes: Axes, last: float, word: str = "beyond the runs") -> None:
    """Grey where the horizontal axis leaves the runs behind."""
    low, high = axes.get_xlim()
    if last >= high:
        return
    axes.axvspan(max(last, low), high, color=style.PALE, lw=0, zorder=0, label="_beyond")
    axes.axvline(last, color=style.FAINT, lw=0.9, zorder=1)
    axes.annotate(
        f"{word} →",
        (last, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -3),
        textcoords="offset points",
        va="top",
        fontsize=7.5,
        color=style.SOFT,
    )


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    many = len(x) > style.MANY
    axes.scatter(
        x,
        y,
        s=6 if many else 12,
        lw=0,
        alpha=0.25 if many else 0.45,
        color=style.SOFT,
        label="runs",
        rasterized=many,
        zorder=2,
    )


@style.in_style
def forecast(
    compute: np.ndarray,
    loss: Band,
    runs: tuple[np.ndarray, np.ndarray],
    *,
    marks: tuple[np.ndarray, Band] | None = None,
    floor: float | None = None,
    label: str = "Training compute C (FLOP)",
    path: str = "compute-optimal",
    compute_axis: bool = True,
    size: tuple[float, float] = style.WIDE,
) -> Figure:
    """Loss against compute along the optimal path, with the runs, from the smallest of them to
    beyond
    the largest.

    Args:
        compute: FLOP along the path, shape (points,).
        loss: nats per token along it.
        runs: compute and loss of the runs, shape (rows,) each.
        marks: budgets to point out, with the loss there.
        floor: loss that no compute removes.
        label: of the horizontal axis.
        path: what the line is called.
        compute_axis: whether the horizontal axis is FLOP rather than a count.
        size: of the figure in inches.
    """
    figure, axes = style.canvas(size)
    low, high = loss.ends()
    low, high = min(low, runs[1].min()), max(high, runs[1].max())
    shows_floor = (
        floor is not None
        and 0 < floor < low
        and np.log(low / floor) < _FLOOR_MARGIN * np.log(high / low)
    )
    low = floor if floor is not None and shows_floor else low
    style.log_axis(
        axes,
        "x",
        style.power_ticks if compute_axis else style.count_ticks,
        (compute[0], compute[-1]),
    )
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(low, high, 0.05))
    shade_beyond(axes, runs[0].max())
    draw_band(
        axes, compute, loss, style.BLUE, path + (", 50% and 90% bands" if loss.has_width else "")
    )
    _points(axes, *runs)
    if floor is not None and shows_floor:
        axes.axhline(
            floor,
            color=style.GREEN,
            lw=1.1,
            ls=(0, (1, 2)),
            label=f"irreducible loss, {floor:.3g}",
            zorder=2,
        )
    if marks is not None:
        _mark(axes, *marks)
    axes.set(xlabel=label, ylabel="Loss (nats per token)")
    if size[0] >= style.WIDE[0]:
        axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.94), borderaxespad=0.2)
    else:
        style.legend_above(figure, axes)
    return figure


def _mark(axes: Axes, budgets: np.ndarray, loss: Band) -> None:
    axes.errorbar(
        budgets,
        loss.q50,
        yerr=(loss.q50 - loss.q05, loss.q95 - loss.q50),
        fmt="o",
        ms=4.5,
        color=style.RED,
        ecolor=style.RED,
        elinewidth=1.2,
        capsize=2.5,
        zorder=4,
        label="budgets",
    )
    taken: list[float] = []
    bottom, top = axes.get_ylim()
    for budget, middle, low, high in sorted(
        zip(budgets, loss.q50, loss.q05, loss.q95, strict=True)
    ):
        if not np.isfinite(middle) or any(
            abs(np.log10(budget / other)) < _APART for other in taken
        ):
            continue
        taken.append(budget)
        below = np.log(high / bottom) > 0.85 * np.log(
            top / bottom
        )  # no room above a bar that reaches the top
        axes.annotate(
            fixed(middle, 3),
            (budget, low if below else high),
            xytext=(0, -12 if below else 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=style.RED,
        )


@style.in_style
def path(
    compute: np.ndarray,
    band: Band,
    name: str,
    *,
    runs: tuple[np.ndarray, np.ndarray],
    other: tuple[str, np.ndarray] | None = None,
    label: str = "Training compute C (FLOP)",
) -> Figure:
    """The optimal size, data or their ratio against compute, with the runs and the 20:1 line.

    Args:
        compute: FLOP along the path, shape (points,).
        band: of ``name`` along it.
        name: "N", "D" or "D/N".
        runs: compute of the runs and the same quantity, shape (rows,) each.
        other: name and values (points,) of a second path, drawn as a dashed line.
        label: of the horizontal axis.
    """
    figure, axes = style.canvas()
    # With 6ND = C and D = 20 N, N is the square root of C / 120.
    size = np.sqrt(compute / (6 * CHINCHILLA_RATIO))
    twenty = {"N": size, "D": CHINCHILLA_RATIO * size, "D/N": np.full_like(size, CHINCHILLA_RATIO)}[
        name
    ]
    values = np.concatenate(
        [band.ends(), (twenty.min(), twenty.max()), runs[1], other[1] if other else []]
    )
    values = values[np.isfinite(values)]
    style.log_axis(axes, "x", style.power_ticks, (compute[0], compute[-1]))
    ticks = style.number_ticks if name == "D/N" else style.count_ticks
    style.log_axis(axes, "y", ticks, style.pad_log(values.min(), values.max(), 0.06))
    shade_beyond(axes, runs[0].max())
    draw_band(
        axes,
        compute,
        band,
        style.BLUE,
        "optimum, 50% and 90% bands" if band.has_width else "optimum",
    )
    _points(axes, *runs)
    axes.plot(
        compute,
        twenty,
        color=style.SOFT,
        lw=1.1,
        ls=(0, (4, 3)),
        label="20 tokens per parameter",
        zorder=2,
    )
    if other is not None:
        axes.plot(
            compute, other[1], color=style.RED, lw=1.4, ls=(0, (6, 2)), label=other[0], zorder=3
        )
    what = {
        "N": "Optimal parameters N*",
        "D": "Optimal tokens D*",
        "D/N": "Tokens per parameter D*/N*",
    }[name]
    axes.set(xlabel=label, ylabel=what)
    style.legend_above(figure, axes)
    return figure


@style.in_style
def profiles(curves: Sequence[Profile]) -> Figure:
    """Loss against size at given budgets, with the best size and its 90% interval.

    Args:
        curves: one a budget, at least one.
    """
    figure, axes = style.canvas()
    sizes = np.concatenate([curve.N for curve in curves])
    losses = np.array([curve.loss.ends() for curve in curves])
    style.log_axis(axes, "x", style.count_ticks, (sizes.min(), sizes.max()))
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(losses.min(), losses.max(), 0.05))
    for curve, colour in zip(curves, style.SEQUENCE, strict=False):
        draw_band(axes, curve.N, curve.loss, colour, f"{power_of_ten(curve.budget)} FLOP")
        best, low, high = (float(q[0]) for q in (curve.best.q50, curve.best.q05, curve.best.q95))
        axes.errorbar(
            best,
            curve.least.q50[0],
            xerr=[[best - low], [high - best]],
            fmt="o",
            ms=4.5,
            color=colour,
            mec="white",
            mew=0.6,
            elinewidth=1.2,
            capsize=2.5,
            zorder=4,
        )
    axes.set(xlabel="Parameters N", ylabel="Loss (nats per token)")
    style.legend_above(figure, axes, columns=4)
    return figure
