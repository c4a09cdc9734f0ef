"""Bits in training: loss at equal compute, lines of equal loss, the optimal precision."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale.report.figures import style
from jscale.report.notation import human, number, power_of_ten
from jscale.report.plots._axes import (
    curve_colours,
    draw_band,
    finite_ends,
    in_style,
    legend,
    palette,
    target,
)
from jscale.report.plots._source import Fitted, Source, as_source, band_of

_BITS = np.concatenate([np.arange(3.25, 9.0, 0.25), np.arange(9.0, 16.5, 1.0)])
_SIZES = 61


@in_style
def loss_by_bits(
    fitted: Fitted,
    budgets: ArrayLike,
    *,
    N: float | None = None,
    bits: ArrayLike = _BITS,
    ax: Axes | None = None,
) -> Axes:
    """The least loss at equal compute, ``C = (6 / 16) N D P``, against the training precision.

    With fewer bits the same compute trains a larger model on more tokens. Diamonds are at the
    optimal precision ``P*``. (Figures 1 and 6 of *Scaling Laws for Precision*.)

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with bits in training.
        budgets: FLOP, one or several.
        N: parameters, where the size is given and the budget decides the tokens alone.
        bits: the precisions of the curve, shape (points,).
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law that is not charged for its bits.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.precision)
        >>> ax = plots.loss_by_bits((laws.precision, theta), 1e21, bits=[4, 8, 16])
        >>> ax.get_legend_handles_labels()[1]
        ['10²¹ FLOP, P* = 7.0 bits']
    """
    ax = target(ax)
    source = as_source(fitted)
    _require_charged(source)
    P = np.asarray(bits, dtype=np.float64)
    free, fixed = (("N", "D"), {}) if N is None else (("D",), {"N": N})
    ends = []
    compute = np.atleast_1d(budgets)
    for budget, colour in zip(compute, curve_colours(ax, len(compute)), strict=True):
        curve = band_of(source.plans(np.full(len(P), budget), free, P=P, **fixed)["loss"])
        best = source.plans([budget], (*free, "P"), **fixed)
        optimum, least = float(np.median(best["P"])), float(np.median(best["loss"]))
        label = f"{power_of_ten(float(budget))} FLOP, P* = {optimum:.1f} bits"
        draw_band(ax, P, curve, colour, label)
        ax.plot(
            optimum,
            least,
            marker="D",
            ms=6,
            color=colour,
            mec=palette(ax).edge,
            ls="none",
            zorder=5,
            label="_optimum",
        )
        at_four = float(np.interp(min(4.0, P.max()), P, curve.q50))
        ends += [least, at_four, float(curve.q50[-1])]

    style.log_axis(ax, "y", style.number_ticks, style.pad_log(*finite_ends(np.array(ends)), 0.15))
    _bits_axis(ax, "x", P)
    size = "" if N is None else f", {human(N)} parameters"
    ax.set(xlabel="Bits in training P", ylabel=source.loss_label(), title=f"Equal compute{size}")
    legend(ax)
    return ax


@in_style
def isoloss(
    fitted: Fitted,
    *,
    D: float,
    sizes: tuple[float, float],
    part: str = "P_w",
    bits: tuple[float, float] = (2.0, 16.0),
    ax: Axes | None = None,
) -> Axes:
    """Lines of equal loss over the size and the bits of one part, the others at 16 bits.

    Along a line a model in fewer bits needs more parameters. (Figure 3 of *Scaling Laws for
    Precision*.)

    Args:
        fitted: a fit, a posterior (medians are drawn), or (law, params).
        D: training tokens.
        sizes: smallest and largest number of parameters.
        part: the input that counts the bits: "P_w", "P_a", "P_kv" or another of the law.
        bits: ends of the axis of bits.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without one of the inputs.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.precision)
        >>> ax = plots.isoloss((laws.precision, theta), D=2e10, sizes=(1e8, 1e10))
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('Parameters N', 'Bits of weights in training')
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D", part)
    N, P = np.geomspace(*sizes, _SIZES), np.linspace(*bits, _SIZES)
    columns, rows = (each.ravel() for each in np.meshgrid(N, P))
    losses = np.median(source.losses(N=columns, D=D, **{part: rows}), axis=0)
    losses = np.where(np.isfinite(losses), losses, np.nan).reshape(_SIZES, _SIZES)

    # Lines at equal distances in size along the upper edge: even ones of loss would crowd.
    levels = np.unique(losses[-1, 4:-4:8])
    lines = ax.contour(N, P, losses, levels=levels, cmap=palette(ax).map, linewidths=1.4)
    ax.clabel(lines, fmt=lambda value: number(value, 4), fontsize=7.5, colors=palette(ax).ink)
    style.log_axis(ax, "x", style.count_ticks, sizes)
    _bits_axis(ax, "y", P)
    name = {"P_w": "weights", "P_a": "activations", "P_kv": "the KV cache"}.get(part, part)
    ax.set(
        xlabel="Parameters N",
        ylabel=f"Bits of {name} in training",
        title=f"{source.loss_label('equal {}')}, {human(D)} tokens",
    )
    return ax


@in_style
def optimal_bits(
    fitted: Fitted, budgets: ArrayLike, *, sizes: Sequence[float] = (), ax: Axes | None = None
) -> Axes:
    """The optimal training precision against compute: with the size free, and at given sizes.

    With the size free it does not depend on compute if bits act as effective parameters. At a given
    size it grows with the logarithm of compute. (Figure 6 of *Scaling Laws for Precision*.)

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with bits in training.
        budgets: FLOP, shape (points,), two or more, ascending.
        sizes: parameters of the models of a given size.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law that is not charged for its bits.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.precision)
        >>> ax = plots.optimal_bits((laws.precision, theta), [1e19, 1e21, 1e23])
        >>> [round(float(bits), 2) for bits in ax.lines[0].get_ydata()]
        [7.0, 7.0, 7.0]
    """
    ax = target(ax)
    source = as_source(fitted)
    _require_charged(source)
    compute = np.asarray(budgets, dtype=np.float64)
    joint = band_of(source.plans(compute, ("N", "D", "P"))["P"])
    first, *others = curve_colours(ax, 1 + len(sizes))
    draw_band(ax, compute, joint, first, "optimal size")
    highest = [joint.q95]
    for N, colour in zip(sizes, others, strict=True):
        each = band_of(source.plans(compute, ("D", "P"), N=N)["P"])
        draw_band(ax, compute, each, colour, f"{human(N)} parameters")
        highest.append(each.q95)

    style.log_axis(ax, "x", style.power_ticks, (compute[0], compute[-1]))
    ax.set_ylim(0, max(8.0, 1.1 * finite_ends(*highest)[1]))
    ax.yaxis.set_major_locator(MultipleLocator(2))
    ax.set(xlabel="Training compute C (FLOP)", ylabel="Optimal precision P* (bits)")
    legend(ax)
    return ax


def _require_charged(source: Source) -> None:
    source.require("N", "D")
    if not source.record.charged_bits:
        raise JscaleError(
            f"law {source.record.name!r}: its bits save no training compute, so that no precision "
            "is optimal; expected a law of the bits of weights and activations"
        )


def _bits_axis(ax: Axes, which: str, P: np.ndarray) -> None:
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MultipleLocator(2))
    axis.set_minor_locator(MultipleLocator(1))
    padding = 0.3 if which == "x" else 0.0
    getattr(ax, f"set_{which}lim")(float(P.min()) - padding, float(P.max()) + padding)
