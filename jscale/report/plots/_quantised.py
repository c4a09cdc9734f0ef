"""Quantisation after training: loss added, critical tokens, training against serving bits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import FixedLocator, NullLocator

from jscale._core.errors import JscaleError
from jscale.report.analysis import FULL_BITS, matched_pairs
from jscale.report.figures import style
from jscale.report.notation import human, number
from jscale.report.plots._axes import (
    curve_colours,
    draw_band,
    draw_dots,
    finite_ends,
    in_style,
    legend,
    palette,
    target,
)
from jscale.report.plots._source import Fitted, Source, as_source, band_of
from jscale.runs import TableLike, as_runs, select

_POINTS = 61
_DECADES = 4.0
"""Length of the axis of added loss: less is noise compared with the most."""
_REFERENCE_RATIO = 20.0
_GAMMA = 0.3
"""Power of the loss above the least, by which colours are shared out."""


@in_style
def degradation(
    fitted: Fitted,
    *,
    N: float,
    post_bits: Sequence[float] = (3, 4, 6),
    ratios: tuple[float, float] = (1.0, 1e5),
    table: TableLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Loss that quantisation adds, against tokens per parameter, with the critical tokens.

    A curve for each number of bits after training, of models trained in 16 bits. Diamonds are at
    ``D_crit``, past which more tokens make the quantised model worse. (Figures 1 and 2 of *Scaling
    Laws for Precision*.)

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with ``N``, ``D`` and ``P_post``.
        N: parameters.
        post_bits: bits after training.
        ratios: ends of the axis, tokens per parameter.
        table: runs whose quantised copies are drawn as dots: those of the size nearest to N.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without one of the inputs.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.precision)
        >>> ax = plots.degradation((laws.precision, theta), N=1e9, post_bits=[4])
        >>> ax.get_legend_handles_labels()[1]
        ['4 bits, critical at 294.6B tokens']
    """
    ax = target(ax)
    source = as_source(fitted, table)
    source.require("N", "D", "P_post")
    ratio = np.geomspace(*ratios, _POINTS)
    full = source.losses(N=N, D=ratio * N)
    tops = []
    for bits, colour in zip(post_bits, curve_colours(ax, len(post_bits)), strict=True):
        added = band_of(source.losses(N=N, D=ratio * N, P_post=bits) - full)
        critical = float(np.median(source.critical([N], bits)))
        label = f"{bits:g} bits"
        if np.isfinite(critical):
            label = f"{label}, critical at {human(critical, 4)} tokens"
        draw_band(ax, ratio, added, colour, label)
        _mark_critical(ax, source, critical, N=N, bits=bits, colour=colour)
        tops.append(float(added.q50.max()))
        if table is not None:
            tops += _draw_quantised_runs(ax, table, source, N=N, bits=bits, colour=colour)

    style.log_axis(ax, "x", style.number_ticks, ratios)
    top = max(tops)
    style.log_axis(ax, "y", style.number_ticks, (top / 10**_DECADES, top * 2))
    ax.set(
        xlabel="Tokens per parameter D/N",
        ylabel=source.loss_label("{} added"),
        title=f"{human(N)} parameters",
    )
    legend(ax, loc="upper left")
    return ax


def _mark_critical(
    ax: Axes, source: Source, critical: float, *, N: float, bits: float, colour: str
) -> None:
    if not np.isfinite(critical):
        return
    added = source.losses(N=N, D=[critical], P_post=bits) - source.losses(N=N, D=[critical])
    at = float(np.median(added))
    ax.plot(
        critical / N,
        at,
        marker="D",
        ms=6,
        color=colour,
        mec=palette(ax).edge,
        ls="none",
        zorder=5,
        label="_critical",
    )


def _draw_quantised_runs(
    ax: Axes, table: TableLike, source: Source, *, N: float, bits: float, colour: str
) -> list[float]:
    """The quantised runs of the size nearest to N, and the largest loss that they add."""
    runs = as_runs(table)
    data = select(runs, source.law)
    trained = np.stack([data.inputs[name] for name in source.training_bits], axis=1)
    post, full = data.inputs["P_post"], (trained >= FULL_BITS).all(axis=1)
    row, before = matched_pairs(
        runs, data, trained, full & (post == bits), full & (post >= FULL_BITS)
    )
    if not len(row):
        return []
    sizes = data.inputs["N"][row]
    nearest = sizes[np.argmin(np.abs(np.log(sizes / N)))]
    row, before = row[sizes == nearest], before[sizes == nearest]
    added = data.loss[row] - before
    draw_dots(ax, data.inputs["D"][row] / nearest, added, color=colour, label="_runs")
    return [float(added.max())]


@in_style
def critical_tokens(
    fitted: Fitted,
    sizes: tuple[float, float],
    *,
    post_bits: Sequence[float] = (3, 4, 6),
    table: TableLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Tokens past which more pretraining makes a quantised model worse, against its size.

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with ``N``, ``D`` and ``P_post``.
        sizes: smallest and largest number of parameters.
        post_bits: bits after training.
        table: runs to draw as dots.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without one of the inputs.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.precision)
        >>> ax = plots.critical_tokens((laws.precision, theta), (1e8, 1e11), post_bits=[4])
        >>> ax.get_legend_handles_labels()[1]
        ['20 tokens per parameter', '4 bits after training']
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D", "P_post")
    N = np.geomspace(*sizes, 25)
    bands = {bits: band_of(source.critical(N, bits)) for bits in post_bits}
    colours = palette(ax)
    reference = _REFERENCE_RATIO * N
    ends = [reference, *(each.q50 for each in bands.values())]
    if table is not None:
        data = select(table, source.law)
        draw_dots(ax, data.inputs["N"], data.inputs["D"])
        ends.append(data.inputs["D"])

    ax.plot(N, reference, color=colours.grey, lw=1.1, ls="--", label="20 tokens per parameter")
    sequence = curve_colours(ax, len(bands))
    for (bits, each), colour in zip(bands.items(), sequence, strict=True):
        draw_band(ax, N, each, colour, f"{bits:g} bits after training")
    style.log_axis(ax, "x", style.count_ticks, sizes)
    style.log_axis(ax, "y", style.count_ticks, style.pad_log(*finite_ends(*ends)))
    ax.set(xlabel="Parameters N", ylabel="Critical tokens")
    legend(ax)
    return ax


@in_style
def train_post(
    fitted: Fitted,
    *,
    N: float,
    D: float,
    bits: Sequence[float] = tuple(range(3, 17)),
    ax: Axes | None = None,
) -> Axes:
    """Loss of every pair of bits in training and after it, as a heat map.

    A ring marks the best training precision for each precision after training; a square without
    colour is a pair with more bits after training than in it, or one whose loss is infinite. (The
    unified law of *Scaling Laws for Precision*, section 5.)

    Args:
        fitted: a fit, a posterior (medians are drawn), or (law, params), of a law with bits in
            training and ``P_post``.
        N: parameters.
        D: training tokens.
        bits: the numbers of bits on both axes, evenly spaced.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without one of the inputs, or fewer than two numbers of bits.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> law, theta = laws.precision_robust, laws.params(laws.precision)
        >>> theta |= {"C_w": 1.0, "C_a": 1.0, "C_kv": 1.0}
        >>> ax = plots.train_post((law, theta), N=1e9, D=2e10, bits=[4, 8, 12])
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('Bits in training', 'Bits after training')
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D", "P_post")
    grid = np.asarray(bits, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2:
        raise JscaleError("must be two numbers of bits or more, evenly spaced", argument="bits")
    trained, post = (each.ravel() for each in np.meshgrid(grid, grid))
    losses = np.median(
        source.losses(N=N, D=D, P_post=post, **dict.fromkeys(source.training_bits, trained)), axis=0
    )
    losses = np.where((post <= trained) & np.isfinite(losses), losses, np.nan)
    cells = losses.reshape(len(grid), len(grid))

    half = 0.5 * float(grid[1] - grid[0])
    extent = (grid[0] - half, grid[-1] + half)
    # The loss rises steeply towards few bits: equal steps of its root share the colours out.
    shades = PowerNorm(_GAMMA, vmin=float(np.nanmin(cells)), vmax=float(np.nanmax(cells)))
    image = ax.imshow(
        cells,
        origin="lower",
        extent=(*extent, *extent),
        cmap=palette(ax).map,
        norm=shades,
        aspect="auto",
    )
    solved = np.isfinite(cells).any(axis=1)
    best = np.nanargmin(cells[solved], axis=1)
    ax.plot(
        grid[best],
        grid[solved],
        marker="o",
        mfc="none",
        mec=palette(ax).red,
        mew=1.6,
        ms=8,
        ls="none",
        label="best in training",
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label(source.loss_label())
    ax.grid(visible=False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(list(grid)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: number(value))
    ax.set(
        xlabel="Bits in training",
        ylabel="Bits after training",
        title=f"{human(N)} parameters, {human(D)} tokens",
    )
    legend(ax, loc="upper left")
    return ax
