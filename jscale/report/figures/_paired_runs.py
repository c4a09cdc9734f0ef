"""Figures of pairs of runs that differ in bits alone: loss added, parameters kept."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from jscale.report.analysis import Degradation, KeptShare
from jscale.report.figures import _style as style
from jscale.report.figures._marks import draw_band
from jscale.report.notation import human
from jscale.runs.tables import NATS_PER_TOKEN

_DECADES = 4.0
"""Length of the axis of added loss: smaller values are noise compared with the largest."""
_HEIGHT = 2.9


def _panels(count: int, narrow: bool) -> tuple[Figure, list[Axes]]:
    """Panels side by side, or one above the other on a phone, with a shared vertical axis."""
    rows, columns = (count, 1) if narrow else (1, count)
    width = style.PANEL[0] if narrow or count == 1 else style.WIDE[0]
    size = (width, _HEIGHT * rows + 0.4 if narrow else style.PANEL[1])
    figure, axes = style.canvas(size, rows, columns, sharey=True, squeeze=False)
    return figure, list(axes.ravel())


@style.in_style
def degradations(
    sizes: Sequence[Degradation], narrow: bool = False, unit: str = NATS_PER_TOKEN
) -> Figure:
    """Loss added by quantising after training, against tokens.

    A panel for each size and a colour for each precision.

    Args:
        sizes: at least one.
        narrow: panels one above the other.
        unit: unit of the losses.
    """
    figure, panels = _panels(len(sizes), narrow)
    top = _largest_added_loss(sizes)
    bits = sorted({P for each in sizes for P in each.curves})
    colours = dict(zip(bits, [*style.SEQUENCE, *[style.GREY] * len(bits)], strict=False))
    first, last = min(each.D[0] for each in sizes), max(each.D[-1] for each in sizes)
    ends = style.pad_log(first, last, 0.02)

    for axes, each in zip(panels, sizes, strict=True):
        for P, curve in each.curves.items():
            draw_band(axes, each.D, curve, colours[P], f"{P:g} bits after training")
            axes.scatter(
                *each.runs[P],
                s=16,
                color=colours[P],
                edgecolor="white",
                lw=0.5,
                zorder=4,
                label="_runs",
            )
        style.log_axis(axes, "x", style.count_ticks, ends)
        style.log_axis(axes, "y", style.number_ticks, (top / 10**_DECADES, top * 1.6))
        axes.set_title(f"{human(each.N)} parameters")
        axes.set_xlabel("Training tokens D")
        if narrow or axes is panels[0]:
            axes.set_ylabel(f"Loss added ({unit})")
    style.legend_above(figure, _most_labels(panels), columns=2 if narrow else 3)
    return figure


def _largest_added_loss(sizes: Sequence[Degradation]) -> float:
    runs = np.concatenate([added for each in sizes for _, added in each.runs.values()])
    curves = np.concatenate([curve.q50 for each in sizes for curve in each.curves.values()])
    return max(float(runs.max()), float(curves[np.isfinite(curves)].max()), 1e-12)


@style.in_style
def kept_shares(parts: Mapping[str, KeptShare], narrow: bool = False) -> Figure:
    """Share of parameters that stays effective, against bits in training.

    A panel for each part of the model that is alone in few bits.

    Args:
        parts: name of the part → its share; at least one.
        narrow: panels one above the other.
    """
    figure, panels = _panels(len(parts), narrow)
    sizes = sorted({N for share in parts.values() for N in share.runs})
    for axes, (name, share) in zip(panels, parts.items(), strict=True):
        draw_band(axes, share.bits, share.curve, style.RED, "law")
        _draw_sizes(axes, share, sizes)
        axes.axhline(1.0, color=style.LIGHT_GREY, lw=0.9, zorder=1, label="_full precision")
        last = max((float(bits.max()) for bits, _ in share.runs.values()), default=8.0)
        axes.set(xlim=(1, last + 1), ylim=(0, 1.5), title=name, xlabel="Bits in training")
        axes.xaxis.set_major_locator(FixedLocator([2, 3, 4, 6, 8, 12, 16]))
        axes.yaxis.set_major_locator(MultipleLocator(0.25))
        if narrow or axes is panels[0]:
            axes.set_ylabel("Share of parameters kept")
    style.legend_above(figure, _most_labels(panels), columns=2 if narrow else 5)
    return figure


def _draw_sizes(axes: Axes, share: KeptShare, sizes: Sequence[float]) -> None:
    """The runs of each size in its colour, shifted so that dots at whole bits do not overlap."""
    colours = [style.MAP(x) for x in np.linspace(0.1, 1.0, len(sizes))]
    for i, (N, colour) in enumerate(zip(sizes, colours, strict=True)):
        bits, values = share.runs.get(N, (np.empty(0), np.empty(0)))
        shift = 0.12 * (i - (len(sizes) - 1) / 2)
        axes.scatter(
            bits + shift,
            values,
            s=15,
            color=colour,
            edgecolor="white",
            lw=0.4,
            zorder=4,
            label=f"{human(N)} parameters",
        )


def _most_labels(panels: Sequence[Axes]) -> Axes:
    """The panel with the most labels for the legend."""
    return max(panels, key=lambda axes: len(axes.get_legend_handles_labels()[1]))
