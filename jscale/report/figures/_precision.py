"""Figures of precision: loss against bits, the best number of bits, critical tokens."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from jscale.report.analysis import Band
from jscale.report.figures import _style as style
from jscale.report.figures._marks import (
    DASHED,
    REFERENCE_LABEL,
    REFERENCE_RATIO,
    draw_band,
    draw_runs,
    shade_extrapolation,
)
from jscale.runs.tables import NATS_PER_TOKEN


@style.in_style
def loss_by_bits(
    bits: np.ndarray,
    curves: Mapping[str, Band],
    runs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    unit: str = NATS_PER_TOKEN,
) -> Figure:
    """Loss against bits at one size and amount of data, with the runs that were trained there.

    Args:
        bits: bits of the curves, shape (points,).
        curves: name of the parts whose bits vary → loss.
        runs: the same names → bits and loss of runs, shape (rows,) each.
        unit: unit of the losses.
    """
    figure, axes = style.canvas()
    tops, floors = [], []
    for (name, band), colour in zip(curves.items(), style.SEQUENCE, strict=False):
        draw_band(axes, bits, band, colour, name)
        finite = np.isfinite(band.q50)
        floors.append(min(band.q50[finite].min(), band.q05[np.isfinite(band.q05)].min()))
        if name in runs and len(runs[name][0]):
            axes.scatter(
                *runs[name], s=22, color=colour, edgecolor="white", lw=0.6, zorder=4, label="_runs"
            )
            tops.append(runs[name][1].max())
            floors.append(runs[name][1].min())
        # Below n·gamma bits the law is infinite: the axis ends a little above the loss at 4 bits.
        tops.append(np.interp(4.0, bits[finite], band.q50[finite]))

    style.log_axis(axes, "y", style.number_ticks, style.pad_log(min(floors), max(tops), 0.1))
    axes.set_xlim(0, 16.6)
    axes.xaxis.set_major_locator(FixedLocator([2, 4, 6, 8, 10, 12, 14, 16]))
    axes.xaxis.set_minor_locator(MultipleLocator(1))
    axes.set(xlabel="Bits in training", ylabel=f"Loss ({unit})")
    style.legend_above(figure, axes, columns=1)
    return figure


@style.in_style
def optimal_bits(
    compute: np.ndarray, joint: Band, at_size: Mapping[str, Band], last: float
) -> Figure:
    """The best precision against compute: with the size free, and at given sizes.

    Args:
        compute: FLOP, shape (points,).
        joint: bits when size, data and precision are chosen together.
        at_size: name of a size → bits at that size.
        last: compute of the largest run.
    """
    figure, axes = style.canvas()
    axes.set_xscale("log")
    axes.set_xlim(compute[0], compute[-1])
    style.power_ticks(axes.xaxis)
    draw_band(axes, compute, joint, style.BLUE, "optimal size")
    for (name, band), colour in zip(at_size.items(), style.SEQUENCE[1:], strict=False):
        draw_band(axes, compute, band, colour, name)
    axes.set_ylim(0, 17)
    axes.yaxis.set_major_locator(MultipleLocator(4))
    axes.yaxis.set_minor_locator(MultipleLocator(1))
    shade_extrapolation(axes, last)
    axes.set(xlabel="Training compute C (FLOP)", ylabel="Best precision P* (bits)")
    style.legend_above(figure, axes, columns=3)
    return figure


@style.in_style
def critical_tokens(
    N: np.ndarray, curves: Mapping[float, Band], runs: tuple[np.ndarray, np.ndarray]
) -> Figure:
    """Tokens past which more training makes the quantised model worse, against size.

    Args:
        N: parameters, shape (points,).
        curves: bits after training → critical tokens.
        runs: parameters and tokens of the runs, shape (rows,) each.
    """
    figure, axes = style.canvas()
    reference = REFERENCE_RATIO * N
    ends = np.array([band.ends() for band in curves.values()]).ravel()
    values = np.concatenate([ends[np.isfinite(ends)], reference, runs[1]])
    style.log_axis(axes, "x", style.count_ticks, (N[0], N[-1]))
    style.log_axis(axes, "y", style.count_ticks, style.pad_log(values.min(), values.max(), 0.05))

    shade_extrapolation(axes, runs[0].max())
    draw_runs(axes, *runs)
    axes.plot(N, reference, color=style.GREY, lw=1.1, ls=DASHED, label=REFERENCE_LABEL)
    for (bits, band), colour in zip(curves.items(), style.curve_colours(len(curves)), strict=True):
        draw_band(axes, N, band, colour, f"{bits:g} bits after training")
    axes.set(xlabel="Parameters N", ylabel="Critical tokens")
    style.legend_above(figure, axes)
    return figure
