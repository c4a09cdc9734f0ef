"""Size, data and compute: contours of loss, valleys at equal compute, the optimal path."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.fit import IsoFlop, ThreeApproaches
from jscale.laws import chinchilla
from jscale.report.figures import style
from jscale.report.notation import number, power_of_ten
from jscale.report.plots._axes import (
    draw_band,
    draw_dots,
    finite_ends,
    in_style,
    legend,
    palette,
    target,
)
from jscale.report.plots._source import Fitted, as_source, band_of, loss_label
from jscale.runs import TableLike, as_runs, select

_CELLS = 81
_RATIO = 20.0
_RATIO_LABEL = "20 tokens per parameter"
_QUANTITIES = {
    "N": "Optimal parameters N*",
    "D": "Optimal tokens D*",
    "D/N": "Optimal tokens per parameter",
}


@in_style
def loss_contours(
    fitted: Fitted,
    *,
    sizes: tuple[float, float],
    tokens: tuple[float, float],
    table: TableLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Lines of equal loss over size and data, with runs, lines of equal compute and the frontier.

    The frontier is the compute-optimal path. (Figure 4 of Hoffmann et al. 2022.)

    Args:
        fitted: a fit, a posterior (medians are drawn), or (law, params), of a law with N and D.
        sizes: smallest and largest number of parameters.
        tokens: smallest and largest number of tokens.
        table: runs to draw as dots.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without N or D.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> ax = plots.loss_contours(
        ...     (laws.chinchilla, theta), sizes=(1e8, 1e11), tokens=(1e9, 1e13)
        ... )
        >>> ax.get_legend_handles_labels()[1]
        ['equal compute', 'compute-optimal']
    """
    ax = target(ax)
    source = as_source(fitted, table)
    source.require("N", "D")
    N, D = np.geomspace(*sizes, _CELLS), np.geomspace(*tokens, _CELLS)
    columns, rows = (each.ravel() for each in np.meshgrid(N, D))
    losses = np.median(source.losses(N=columns, D=rows), axis=0).reshape(_CELLS, _CELLS)

    # Levels along the diagonal, where both resources grow.
    levels = np.unique(np.diagonal(losses)[4:-3:6])
    lines = ax.contour(N, D, losses, levels=levels, cmap=palette(ax).map, linewidths=1.4)
    colours = palette(ax)
    ax.clabel(lines, fmt=lambda value: number(value, 3), fontsize=7.5, colors=colours.ink)
    _draw_equal_compute(ax, sizes, tokens)

    compute = np.geomspace(6 * sizes[0] * tokens[0], 6 * sizes[1] * tokens[1], 33)
    path = source.plans(compute, ("N", "D"))
    best_N, best_D = (np.nanmedian(path[name], axis=0) for name in ("N", "D"))
    ax.plot(best_N, best_D, color=colours.red, lw=2.0, label="compute-optimal", zorder=4)
    if table is not None:
        data = select(table, source.law)
        draw_dots(ax, data.inputs["N"], data.inputs["D"], color=colours.ink)
    style.log_axis(ax, "x", style.count_ticks, sizes)
    style.log_axis(ax, "y", style.count_ticks, tokens)
    ax.grid(visible=False)
    ax.set(xlabel="Parameters N", ylabel="Training tokens D", title=source.loss_label())
    legend(ax, loc="upper left")
    return ax


def _draw_equal_compute(ax: Axes, sizes: tuple[float, float], tokens: tuple[float, float]) -> None:
    """Lines of equal ``6ND``, at most seven, labelled where they leave the plot."""
    low, high = (np.log10(6 * sizes[i] * tokens[i]) for i in (0, 1))
    step = max(1, round((high - low) / 6))
    for i, exponent in enumerate(range(int(np.ceil(low)), int(np.floor(high)) + 1, step)):
        product = 10.0**exponent / 6
        x = np.array([max(sizes[0], product / tokens[1]), min(sizes[1], product / tokens[0])])
        label = "equal compute" if i == 0 else "_equal compute"
        grey = palette(ax).grey
        ax.plot(x, product / x, color=grey, lw=0.8, ls=":", label=label, zorder=2)
        ax.annotate(
            power_of_ten(10.0**exponent),
            (x[1], product / x[1]),
            xytext=(-2, 4),
            textcoords="offset points",
            ha="right",
            fontsize=7.0,
            color=grey,
        )


@in_style
def valleys(result: IsoFlop, table: TableLike, *, ax: Axes | None = None) -> Axes:
    """Loss against size at each budget, with the minima of the curves and their errors.

    Near its minimum every curve is ``loss + curvature / 2 ln(N / N*)**2``, which is drawn.
    Budgets whose minimum is extrapolated have an open mark. (Figure 3 of Hoffmann et al. 2022.)

    Args:
        result: of :func:`jscale.fit.isoflop`.
        table: the table that it was made from.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no budget has a minimum.

    Example:
        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> from jscale.report import plots
        >>> C = np.repeat([1e19, 1e20], 5)
        >>> N = 0.1 * C**0.5 * np.tile([0.25, 0.5, 1, 2, 4], 2)
        >>> loss = laws.chinchilla(N, C / (6 * N), **laws.params(laws.chinchilla))
        >>> table = runs.read({"N": N, "D": C / (6 * N), "loss": loss})
        >>> ax = plots.valleys(fit.isoflop(table, law=None), table)
        >>> ax.get_legend_handles_labels()[1]
        ['10¹⁹ FLOP', '10²⁰ FLOP', 'minimum']
    """
    ax = target(ax)
    runs = as_runs(table)
    budgets = [budget for budget in result.budgets if np.isfinite(budget.N_opt)]
    if not budgets:
        raise JscaleError(
            "has no budget with a minimum: there is nothing to draw", argument="result"
        )
    colours = palette(ax).map(np.linspace(0.0, 0.95, len(budgets)))
    sizes, losses = [], []
    for i, (budget, colour) in enumerate(zip(budgets, colours, strict=True)):
        N, loss = (np.asarray(runs[name])[budget.rows] for name in ("N", "loss"))
        draw_dots(ax, N, loss, color=colour, label="_runs")
        line = np.geomspace(N.min(), N.max(), 61)
        curve = budget.loss + budget.curvature / 2 * np.log(line / budget.N_opt) ** 2
        ax.plot(line, curve, color=colour, lw=1.5, label=f"{power_of_ten(budget.C)} FLOP")
        inside = budget.N_range[0] <= budget.N_opt <= budget.N_range[1]
        error = budget.log_stderr if np.isfinite(budget.log_stderr) else 0.0
        ends = budget.N_opt * np.exp(np.array([-2.0, 2.0]) * error)
        ax.errorbar(
            budget.N_opt,
            budget.loss,
            xerr=np.abs(ends - budget.N_opt)[:, None],
            fmt="v",
            ms=7,
            color=palette(ax).red,
            mfc=palette(ax).red if inside else "none",
            elinewidth=1.0,
            label="minimum" if i == len(budgets) - 1 else "_minimum",
            zorder=5,
        )
        sizes += [N.min(), N.max(), budget.N_opt]
        losses += [loss.min(), loss.max(), budget.loss]

    style.log_axis(ax, "x", style.count_ticks, style.pad_log(*finite_ends(np.array(sizes))))
    style.log_axis(ax, "y", style.number_ticks, style.pad_log(*finite_ends(np.array(losses))))
    ax.set(xlabel="Parameters N", ylabel=loss_label("loss", runs.loss_unit))
    legend(ax, ncols=2, fontsize=7.5)
    return ax


@in_style
def allocation(
    fitted: Fitted,
    budgets: ArrayLike,
    *,
    of: str = "N",
    table: TableLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The compute-optimal size, data or tokens per parameter against compute, with the 20:1 line.

    Args:
        fitted: a fit, a posterior, or (law, params), of a law with N and D.
        budgets: FLOP, shape (points,), two or more, ascending.
        of: "N", "D" or "D/N".
        table: runs to draw as dots, with their compute.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: another quantity, or a law without N or D.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> ax = plots.allocation((laws.chinchilla, theta), [1e20, 1e22, 1e24], of="D/N")
        >>> ax.get_ylabel()
        'Optimal tokens per parameter'
    """
    ax = target(ax)
    if of not in _QUANTITIES:
        names = ", ".join(_QUANTITIES)
        raise JscaleError(f"must be one of {names}, not {shown(of)}", argument="of")
    source = as_source(fitted)
    source.require("N", "D")
    compute = np.asarray(budgets, dtype=np.float64)
    solved = source.plans(compute, ("N", "D"))
    best = band_of(solved["D"] / solved["N"] if of == "D/N" else solved[of])

    size = np.sqrt(compute / (6 * _RATIO))
    reference = {"N": size, "D": _RATIO * size, "D/N": np.full_like(size, _RATIO)}[of]
    drawn = [best.q05, best.q95, reference]
    if table is not None:
        runs = as_runs(table)
        rows = select(runs, source.law).rows
        N, D, C = (np.asarray(runs[name])[rows] for name in ("N", "D", "C"))
        values = {"N": N, "D": D, "D/N": D / N}[of]
        draw_dots(ax, C, values)
        drawn.append(values)
    colours = palette(ax)
    ax.plot(compute, reference, color=colours.grey, lw=1.1, ls="--", label=_RATIO_LABEL)
    draw_band(ax, compute, best, colours.sequence[0], "compute-optimal")
    ticks = style.number_ticks if of == "D/N" else style.count_ticks
    style.log_axis(ax, "x", style.power_ticks, (compute[0], compute[-1]))
    style.log_axis(ax, "y", ticks, style.pad_log(*finite_ends(*drawn), 0.06))
    ax.set(xlabel="Training compute C (FLOP)", ylabel=_QUANTITIES[of])
    legend(ax)
    return ax


@in_style
def approaches(
    result: ThreeApproaches, budgets: Sequence[float], *, ax: Axes | None = None
) -> Axes:
    """The optimal size against compute by Hoffmann's three approaches, side by side.

    Points are those behind each line: the largest-compute sizes of the training curves, the minima
    of the valleys. The legend has each exponent with its 95% interval.

    Args:
        result: of :func:`jscale.fit.three_approaches`.
        budgets: smallest and largest compute of the lines, FLOP.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no approach gives a line.

    Example:
        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> from jscale.report import plots
        >>> C = np.repeat([1e19, 1e20, 1e21], 7)
        >>> N = 0.1 * C**0.5 * np.tile(np.geomspace(0.25, 4, 7), 3)
        >>> loss = laws.chinchilla(N, C / (6 * N), **laws.params(laws.chinchilla))
        >>> table = runs.read({"N": N, "D": C / (6 * N), "loss": loss})
        >>> ax = plots.approaches(fit.three_approaches(table), (1e18, 1e24))
        >>> [text.split(":")[0] for text in ax.get_legend_handles_labels()[1]]
        ['2 isoflop', '3 law', '20 tokens per parameter']
    """
    ax = target(ax)
    compute = np.geomspace(budgets[0], budgets[-1], 25)
    colours = palette(ax)
    drawn = [np.sqrt(compute / (6 * _RATIO))]
    marks = ("o", "v", "s")
    for row, colour, mark in zip(result.exponents, colours.sequence, marks, strict=False):
        if not np.isfinite(row.a):
            continue
        line, points = _approach(result, row.approach, compute)
        low, high = row.a_interval
        label = f"{row.approach} {row.name}: a = {row.a:.3f} ({low:.3f} to {high:.3f})"
        ax.plot(compute, line, color=colour, lw=1.7, label=label)
        ax.plot(*points, color=colour, marker=mark, ms=4.5, ls="none", label="_points")
        drawn += [line, points[1]]
    if len(drawn) == 1:
        raise JscaleError(
            "has no approach with an exponent: there is nothing to draw", argument="result"
        )

    ax.plot(compute, drawn[0], color=colours.grey, lw=1.1, ls="--", label=_RATIO_LABEL)
    style.log_axis(ax, "x", style.power_ticks, (compute[0], compute[-1]))
    style.log_axis(ax, "y", style.count_ticks, style.pad_log(*finite_ends(*drawn), 0.04))
    ax.set(xlabel="Training compute C (FLOP)", ylabel="Optimal parameters N*")
    legend(ax, loc="upper left", fontsize=7.5)
    return ax


def _approach(
    result: ThreeApproaches, number_: int, compute: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """N* along ``compute``, and the points (compute, N*) behind the line."""
    nothing = np.empty(0), np.empty(0)
    if number_ == 1 and result.training is not None and result.training.N is not None:
        return result.training.N.at(compute), (result.training.C, result.training.N_opt)
    if number_ == 2 and result.isoflop is not None and result.isoflop.N is not None:
        minima = [(b.C, b.N_opt) for b in result.isoflop.budgets if np.isfinite(b.N_opt)]
        return result.isoflop.N.at(compute), (*np.array(minima).T,)  # pyright: ignore
    assert result.law is not None
    source = as_source((chinchilla, result.law.params))
    return source.plans(compute, ("N", "D"))["N"][0], nothing
