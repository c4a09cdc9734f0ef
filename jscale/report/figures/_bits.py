"""Figures of precision: what bits cost in loss, how many are best, and when more data begins to
hurt.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from jscale.report.analysis import Band
from jscale.report.figures import _style as style
from jscale.report.figures._plan import _points, draw_band, shade_beyond
from jscale.report.figures._runs import CHINCHILLA_RATIO


@style.in_style
def loss_by_bits(
    bits: np.ndarray, curves: Mapping[str, Band], runs: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Figure:
    """Loss against bits at one size and amount of data, with the runs that were trained there.

    Args:
        bits: of the curves, shape (points,).
        curves: what is in so many bits → loss.
        runs: the same names → bits and loss of runs, shape (rows,) each.
    """
    figure, axes = style.canvas()
    tops, floors = [], []
    for (name, band), colour in zip(curves.items(), style.SEQUENCE, strict=False):
        draw_band(axes, bits, band, colour, name)
        seen = band.q50[np.isfinite(band.q50)]
        floors.append(min(seen.min(), band.q05[np.isfinite(band.q05)].min()))
        if name in runs and len(runs[name][0]):
            axes.scatter(
                *runs[name], s=22, color=colour, edgecolor="white", lw=0.6, zorder=4, label="_runs"
            )
            tops.append(runs[name][1].max())
            floors.append(runs[name][1].min())
        # Below n·gamma bits the law is infinite: the axis ends a little above what four bits cost.
        tops.append(np.interp(4.0, bits[np.isfinite(band.q50)], seen))
    style.log_axis(axes, "y", style.number_ticks, style.pad_log(min(floors), max(tops), 0.1))
    axes.set_xlim(0, 16.6)
    axes.xaxis.set_major_locator(FixedLocator([2, 4, 6, 8, 10, 12, 14, 16]))
    axes.xaxis.set_minor_locator(MultipleLocator(1))
    axes.set(xlabel="Bits in training", ylabel="Loss (nats per token)")
    style.legend_above(figure, axes, columns=1)
    return figure


@style.in_style
def optimal_bits(
    compute: np.ndarray, joint: Band, at_size: Mapping[str, Band], last: float
) -> Figure:
    """The best precision against compute: with size free, and at sizes that are given.

    Args:
        compute: FLOP, shape (points,).
        joint: bits when size, data and precision are chosen together.
        at_size: name of a size → bits when the size is given.
        last: compute of the largest run.
    """
    figure, axes = style.canvas()
    axes.set_xscale("log")
    axes.set_xlim(compute[0], compute[-1])
    style.power_ticks(axes.xaxis)
    draw_band(axes, compute, joint, style.BLUE, "size chosen too")
    for (name, band), colour in zip(at_size.items(), style.SEQUENCE[1:], strict=False):
        draw_band(axes, compute, band, colour, name)
    axes.set_ylim(0, 17)
    axes.yaxis.set_major_locator(MultipleLocator(4))
    axes.yaxis.set_minor_locator(MultipleLocator(1))
    shade_beyond(axes, last)
    axes.set(xlabel="Training compute C (FLOP)", ylabel="Best precision P* (bits)")
    style.legend_above(figure, axes, columns=3)
    return figure


@style.in_style
def critical(
    N: np.ndarray, curves: Mapping[float, Band], runs: tuple[np.ndarray, np.ndarray]
) -> Figure:
    """Tokens beyond which more training makes the quantised model worse, against size, for several
    precisions.

    Args:
        N: parameters, shape (points,).
        curves: bits after training → critical tokens.
        runs: parameters and tokens of the runs, shape (rows,) each.
    """
    figure, axes = style.canvas()
    twenty = CHINCHILLA_RATIO * N
    ends = np.array([band.ends() for band in curves.values()]).ravel()
    every = np.concatenate([ends[np.isfinite(ends)], twenty, runs[1]])
    style.log_axis(axes, "x", style.count_ticks, (N[0], N[-1]))
    style.log_axis(axes, "y", style.count_ticks, style.pad_log(every.min(), every.max(), 0.05))
    shade_beyond(axes, runs[0].max())
    _points(axes, *runs)
    axes.plot(N, twenty, color=style.SOFT, lw=1.1, ls=(0, (4, 3)), label="20 tokens per parameter")
    for (bits, band), colour in zip(curves.items(), style.SEQUENCE, strict=False):
        draw_band(axes, N, band, colour, f"{bits:g} bits after training")
    axes.set(xlabel="Parameters N", ylabel="Critical tokens")
    style.legend_above(figure, axes)
    return figure
