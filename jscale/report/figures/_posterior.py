"""Figures of a posterior."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jscale.report.analysis import STRONG_CORRELATION, DrawRange
from jscale.report.figures import _style as style
from jscale.report.notation import MINUS, mathtext, number

_CELLS = 48
_SMOOTH_CELLS = 2.2
_SHARES = (0.9, 0.5)


@style.in_style
def pairs(
    draws: Mapping[str, np.ndarray],
    ranges: Mapping[str, DrawRange],
    point: Mapping[str, float],
    correlations: np.ndarray,
) -> Figure:
    """Densities of every pair of parameters and of each one, correlations above the diagonal.

    The filled regions hold 50% and 90% of the draws.

    Args:
        draws: parameter → draws of shape (n,), two parameters or more.
        ranges: parameter → ranges of its draws.
        point: parameter → its point estimate.
        correlations: of the draws, shape (k, k).
    """
    names = list(draws)
    k = len(names)
    size = min(9.6, 1.2 + 1.55 * k)
    figure, grid = style.canvas((size, size * 0.92), k, k, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.0, hspace=0.0)  # pyright: ignore

    # Each parameter in a power of ten that keeps its ticks short.
    powers = {name: _power_of_ten(ranges[name]) for name in names}
    scaled = {name: values / 10.0 ** powers[name] for name, values in draws.items()}
    limits = {name: _limits(ranges[name], powers[name]) for name in names}
    labels = {name: _label(name, powers[name]) for name in names}
    at = {name: point[name] / 10.0 ** powers[name] for name in names}

    for i, vertical in enumerate(names):
        for j, across in enumerate(names):
            axes = grid[i, j]
            if j > i:
                _write_correlation(axes, correlations[i, j])
                continue
            if i == j:
                _draw_marginal(axes, scaled[across], at[across], limits[across])
            else:
                values = (scaled[across], scaled[vertical])
                _draw_region(axes, values, (limits[across], limits[vertical]))
                axes.plot(at[across], at[vertical], marker="+", ms=8, mew=1.4, color=style.RED)
            _label_edges(axes, (i, j, k), (labels[across], labels[vertical]))
    return figure


def _power_of_ten(ranges: DrawRange) -> int:
    """The power of ten by which to divide a parameter, 0 where its ticks are short as they are."""
    largest = max(*np.abs(ranges.interval), 1e-300)
    exponent = int(np.floor(np.log10(largest)))
    return exponent if exponent >= 4 or exponent <= -3 else 0


def _label(name: str, exponent: int) -> str:
    return f"{mathtext(name)} ($10^{{{exponent}}}$)" if exponent else mathtext(name)


def _limits(ranges: DrawRange, power: int) -> tuple[float, float]:
    # With its tails, a skew parameter would be squeezed into a corner.
    low, high = (end / 10.0**power for end in ranges.limits)
    pad = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return float(low - pad), float(high + pad)


def _write_correlation(axes: Axes, value: float) -> None:
    axes.set_axis_off()
    # Rounded towards zero: a correlation of 0.999 must not read as 1.
    # Adding 0 turns a negative zero into zero.
    rounded = np.trunc(value * 100) / 100 + 0.0
    weight, colour = (
        ("bold", style.INK) if abs(value) > STRONG_CORRELATION else ("normal", style.GREY)
    )
    axes.text(
        0.5,
        0.5,
        f"{rounded:.2f}".replace("-", MINUS),
        ha="center",
        va="center",
        transform=axes.transAxes,
        fontsize=11,
        color=colour,
        fontweight=weight,
    )


def _draw_marginal(
    axes: Axes, values: np.ndarray, point: float, limits: tuple[float, float]
) -> None:
    axes.hist(
        values, bins=40, range=limits, color=style.SKY, histtype="stepfilled", alpha=0.55, lw=0
    )
    axes.axvline(point, color=style.RED, lw=1.2)
    axes.set_xlim(*limits)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def _draw_region(
    axes: Axes,
    values: tuple[np.ndarray, np.ndarray],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    counts, *edges = np.histogram2d(*values, bins=_CELLS, range=limits)
    density = smooth(counts)
    levels = [level_of(density, share) for share in _SHARES]
    centres = [0.5 * (e[1:] + e[:-1]) for e in edges]
    if 0 < levels[0] < levels[1] < density.max():
        colours = (style.SKY, style.BLUE)
        axes.contourf(
            *centres, density.T, levels=[*levels, density.max()], colors=colours, alpha=0.45
        )
        axes.contour(*centres, density.T, levels=levels, colors=[style.BLUE], linewidths=0.7)
    else:
        # Too few or degenerate draws for a density.
        axes.scatter(*values, s=4, lw=0, alpha=0.4, color=style.BLUE, rasterized=True)
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def smooth(counts: np.ndarray) -> np.ndarray:
    """A grid of counts smoothed by a Gaussian of 2.2 cells, which keeps totals off the edges."""
    offsets = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (offsets / _SMOOTH_CELLS) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, kernel, mode="same")
    return counts


def level_of(density: np.ndarray, share: float) -> float:
    """The density above which ``share`` of the total lies."""
    descending = np.sort(density, axis=None)[::-1]
    total = np.cumsum(descending)
    return float(descending[np.searchsorted(total, share * total[-1])])


def _label_edges(axes: Axes, place: tuple[int, int, int], labels: tuple[str, str]) -> None:
    i, j, k = place
    formatter = FuncFormatter(lambda value, _: number(value))
    axes.xaxis.set_major_locator(MaxNLocator(3, prune="both"))
    axes.xaxis.set_major_formatter(formatter)
    if i != j:
        axes.yaxis.set_major_locator(MaxNLocator(3, prune="both"))
        axes.yaxis.set_major_formatter(formatter)
    axes.tick_params(labelsize=8, labelbottom=i == k - 1, labelleft=j == 0 and i > 0)
    if i == k - 1:
        axes.set_xlabel(labels[0], fontsize=10)
    if j == 0 and i > 0:
        axes.set_ylabel(labels[1], fontsize=10)
