"""Figures of a posterior."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from jscale.report.figures import _style as style
from jscale.report.notation import MINUS, mathtext, number

MOST_PAIRED = 6
STRONG = 0.95
"""Correlation at which two parameters are said to move together."""
_CELLS = 48
_SMOOTH = 2.2
_SHARES = (0.9, 0.5)


@style.in_style
def pairs(draws: Mapping[str, np.ndarray], point: Mapping[str, float]) -> Figure:
    """Densities of every pair of parameters (regions of 50% and 90%) and of each one, correlations
    above the diagonal.

    Args:
        draws: parameter → draws of shape (n,), two parameters or more.
        point: parameter → its point estimate.
    """
    names = list(draws)
    k = len(names)
    size = min(9.6, 1.2 + 1.55 * k)
    figure, grid = style.canvas((size, size * 0.92), k, k, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.0, hspace=0.0)  # pyright: ignore
    scales = {name: _unit(values) for name, values in draws.items()}
    shown = {name: values / 10.0 ** scales[name] for name, values in draws.items()}
    limits = {name: _limits(values) for name, values in shown.items()}
    strength = correlations(draws)
    at = {name: point[name] / 10.0 ** scales[name] for name in names}
    for i, vertical in enumerate(names):
        for j, across in enumerate(names):
            axes = grid[i, j]
            if j > i:
                _correlation(axes, strength[i, j])
                continue
            if i == j:
                _marginal(axes, shown[across], at[across], limits[across])
            else:
                _region(axes, (shown[across], shown[vertical]), (limits[across], limits[vertical]))
                axes.plot(at[across], at[vertical], marker="+", ms=8, mew=1.4, color=style.RED)
            _edges(
                axes,
                (i, j, k),
                (_label(across, scales[across]), _label(vertical, scales[vertical])),
            )
    return figure


def most_correlated(draws: Mapping[str, np.ndarray], most: int = MOST_PAIRED) -> list[str]:
    """The parameters to pair: all of them up to ``most``, else those with the strongest
    correlations,
        in order.

    Args:
        draws: parameter → draws of shape (n,).
        most: how many to choose.
    """
    names = list(draws)
    if len(names) <= most:
        return names
    strength = np.abs(correlations(draws))
    chosen: list[int] = []
    for flat in np.argsort(-np.triu(strength, 1), axis=None, kind="stable"):
        for i in np.unravel_index(flat, strength.shape):
            if i not in chosen and len(chosen) < most:
                chosen.append(int(i))
    return [names[i] for i in sorted(chosen)]


def correlations(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Correlation matrix (k, k) of the draws, of logarithms where a parameter is positive; 0 for a
    constant.
    """
    columns = [np.log(v) if (v > 0).all() else v for v in draws.values()]
    centred = np.stack([c - c.mean() for c in columns])
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit = centred / np.where(length > 0, length, 1.0)
    return unit @ unit.T


def _unit(values: np.ndarray) -> int:
    """The power of ten in which to show a parameter, so that its ticks stay short."""
    exponent = int(np.floor(np.log10(max(np.abs(np.quantile(values, [0.05, 0.95])).max(), 1e-300))))
    return exponent if exponent >= 4 or exponent <= -3 else 0


def _label(name: str, exponent: int) -> str:
    return f"{mathtext(name)} ($10^{{{exponent}}}$)" if exponent else mathtext(name)


def _limits(values: np.ndarray) -> tuple[float, float]:
    # The tails beyond 99% would leave the body of a skew parameter in a corner.
    low, high = np.quantile(values, [0.005, 0.995])
    pad = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return float(low - pad), float(high + pad)


def _correlation(axes: Axes, value: float) -> None:
    axes.set_axis_off()
    # Rounded towards zero: a correlation of 0.999 must not read as 1.
    shown = np.trunc(value * 100) / 100 + 0.0  # no negative zero
    weight, colour = ("bold", style.INK) if abs(value) > STRONG else ("normal", style.SOFT)
    axes.text(
        0.5,
        0.5,
        f"{shown:.2f}".replace("-", MINUS),
        ha="center",
        va="center",
        transform=axes.transAxes,
        fontsize=11,
        color=colour,
        fontweight=weight,
    )


def _marginal(axes: Axes, values: np.ndarray, point: float, limits: tuple[float, float]) -> None:
    axes.hist(
        values, bins=40, range=limits, color=style.SKY, histtype="stepfilled", alpha=0.55, lw=0
    )
    axes.axvline(point, color=style.RED, lw=1.2)
    axes.set_xlim(*limits)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def _region(
    axes: Axes,
    values: tuple[np.ndarray, np.ndarray],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    counts, *edges = np.histogram2d(*values, bins=_CELLS, range=limits)
    density = smooth(counts)
    levels = [level_of(density, share) for share in _SHARES]
    middles = [0.5 * (e[1:] + e[:-1]) for e in edges]
    if 0 < levels[0] < levels[1] < density.max():
        colours = (style.SKY, style.BLUE)
        axes.contourf(
            *middles, density.T, levels=[*levels, density.max()], colors=colours, alpha=0.45
        )
        axes.contour(*middles, density.T, levels=levels, colors=[style.BLUE], linewidths=0.7)
    else:  # too few or degenerate draws for a density
        axes.scatter(*values, s=4, lw=0, alpha=0.4, color=style.BLUE, rasterized=True)
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def smooth(counts: np.ndarray) -> np.ndarray:
    """A grid of counts under a Gaussian of 2.2 cells, whose total stays the same away from the
    edges.
    """
    reach = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (reach / _SMOOTH) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, kernel, mode="same")
    return counts


def level_of(density: np.ndarray, share: float) -> float:
    """The density above which ``share`` of the total lies."""
    ordered = np.sort(density, axis=None)[::-1]
    total = np.cumsum(ordered)
    return float(ordered[np.searchsorted(total, share * total[-1])])


def _edges(axes: Axes, place: tuple[int, int, int], labels: tuple[str, str]) -> None:
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
