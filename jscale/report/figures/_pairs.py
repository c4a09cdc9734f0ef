"""Figures of pairs of runs that differ in bits alone: degradation after training, shares of
parameters in training.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

from jscale.report.analysis import Degradation, Share
from jscale.report.figures import _style as style
from jscale.report.figures._plan import draw_band
from jscale.report.notation import human

_DECADES = 4.0
"""Length of the axis of degradation: what is smaller is noise beside the largest."""
_HEIGHT = 2.9


def _panels(count: int, narrow: bool) -> tuple[Figure, list[Axes]]:
    """Panels side by side, or one above the other on a phone; their vertical axes are shared."""
    rows, columns = (count, 1) if narrow else (1, count)
    width = style.PANEL[0] if narrow or count == 1 else style.WIDE[0]
    size = (width, _HEIGHT * rows + 0.4 if narrow else style.PANEL[1])
    figure, axes = style.canvas(size, rows, columns, sharey=True, squeeze=False)
    return figure, list(axes.ravel())


@style.in_style
def degradation(found: Sequence[Degradation], narrow: bool = False) -> Figure:
    """Loss added by quantising after training against tokens, a panel for each size, a colour for
    each
    precision.

    Args:
        found: at least one size.
        narrow: panels one above the other.
    """
    figure, panels = _panels(len(found), narrow)
    every = np.concatenate([added for one in found for _, added in one.runs.values()])
    curves = np.concatenate([curve.q50 for one in found for curve in one.curves.values()])
    top = max(float(every.max()), float(curves[np.isfinite(curves)].max()), 1e-12)
    bits = sorted({P for one in found for P in one.curves})
    colours = dict(zip(bits, [*style.SEQUENCE, *[style.SOFT] * len(bits)], strict=False))
    ends = style.pad_log(min(one.D[0] for one in found), max(one.D[-1] for one in found), 0.02)
    for axes, one in zip(panels, found, strict=True):
        for P, curve in one.curves.items():
            draw_band(axes, one.D, curve, colours[P], f"{P:g} bits after training")
            axes.scatter(
                *one.runs[P],
                s=16,
                color=colours[P],
                edgecolor="white",
                lw=0.5,
                zorder=4,
                label="_runs",
            )
        style.log_axis(axes, "x", style.count_ticks, ends)
        style.log_axis(axes, "y", style.number_ticks, (top / 10**_DECADES, top * 1.6))
        axes.set_title(f"{human(one.N)} parameters")
        axes.set_xlabel("Training tokens D")
        if narrow or axes is panels[0]:
            axes.set_ylabel("Loss added (nats per token)")
    style.legend_above(figure, _fullest(panels), columns=2 if narrow else 3)
    return figure


@style.in_style
def kept_shares(found: Mapping[str, Share], narrow: bool = False) -> Figure:
    """Share of parameters that stays effective against bits in training, a panel for each part that
    is
    alone in them.

    Args:
        found: what is in few bits → its share; at least one.
        narrow: panels one above the other.
    """
    figure, panels = _panels(len(found), narrow)
    sizes = sorted({N for one in found.values() for N in one.runs})
    colours = [style.MAP(x) for x in np.linspace(0.1, 1.0, len(sizes))]
    for axes, (name, one) in zip(panels, found.items(), strict=True):
        draw_band(axes, one.bits, one.curve, style.RED, "law")
        for N, colour in zip(sizes, colours, strict=True):
            at, share = one.runs.get(N, (np.empty(0), np.empty(0)))
            # Sizes stand beside each other, or their dots would hide one another at whole bits.
            shift = 0.12 * (sizes.index(N) - (len(sizes) - 1) / 2)
            axes.scatter(
                at + shift,
                share,
                s=15,
                color=colour,
                edgecolor="white",
                lw=0.4,
                zorder=4,
                label=f"{human(N)} parameters",
            )
        axes.axhline(1.0, color=style.FAINT, lw=0.9, zorder=1, label="_full precision")
        last = max((float(at.max()) for at, _ in one.runs.values()), default=8.0)
        axes.set(xlim=(1, last + 1), ylim=(0, 1.5), title=name, xlabel="Bits in training")
        axes.xaxis.set_major_locator(FixedLocator([2, 3, 4, 6, 8, 12, 16]))
        axes.yaxis.set_major_locator(MultipleLocator(0.25))
        if narrow or axes is panels[0]:
            axes.set_ylabel("Share of parameters kept")
    style.legend_above(figure, _fullest(panels), columns=2 if narrow else 5)
    return figure


def _fullest(panels: Sequence[Axes]) -> Axes:
    """The panel with the most to name."""
    return max(panels, key=lambda axes: len(axes.get_legend_handles_labels()[1]))
