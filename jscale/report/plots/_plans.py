"""Plans: the cost of a wrong size, expected regret, and what more size or tokens save."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from jscale import plan
from jscale._core.checks import check_number
from jscale._core.errors import JscaleError
from jscale._core.text import shown
from jscale.plan.gridsearch import in_chunks
from jscale.report.analysis import FULL_BITS
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

_POINTS = 81
_DRAWS = 400
_FACTOR = 8.0
"""Sizes this much smaller and larger than the best one are drawn."""
_QUARTER = 0.25
"""The share of the size that is shaded: what a decision may be off by."""
_PERCENT = 0.01
_SIZE = "size of the draw"

Named = Mapping[str, jax.Array]


@in_style
def wrong_size(
    fitted: Fitted, budgets: Sequence[float], *, factor: float = _FACTOR, ax: Axes | None = None
) -> Axes:
    """What a wrong size costs: loss above the optimum of the same compute, against the size.

    The size is relative to the optimum of each draw; 25% to both sides are shaded. Curves of two
    budgets that lie on one another say that the cost does not grow with compute.

    Args:
        fitted: a fit, a posterior, or (law, params), of a law of N and D; bits are 16.
        budgets: compute, FLOP, one curve each.
        factor: how much smaller and larger than the best the sizes are, above 1.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without N or D, no budget, or one that is not above 0.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> ax = plots.wrong_size((laws.chinchilla, theta), [1e22, 1e24])
        >>> ax.get_legend_handles_labels()[1]
        ['10²² FLOP', '10²⁴ FLOP', '25% off']
    """
    ax = target(ax)
    source = as_source(fitted)
    ratio = np.geomspace(1 / _above_one(factor), factor, _POINTS)
    tops = []
    compute = _budgets(budgets)
    for C, colour in zip(compute, curve_colours(ax, len(compute)), strict=True):
        draws, best = _optima(source, C)
        band = band_of(_excess(source, draws | {_SIZE: best["N"]}, C, ratio, best["loss"]))
        draw_band(ax, ratio, band, colour, f"{power_of_ten(C)} FLOP")
        tops.append(band.q95)
    span: dict[str, Any] = {"color": palette(ax).grey, "alpha": 0.15, "lw": 0, "zorder": 0}
    ax.axvspan(1 - _QUARTER, 1 + _QUARTER, label=f"{_QUARTER:.0%} off", **span)
    style.log_axis(ax, "x", style.number_ticks, (ratio[0], ratio[-1]))
    ax.set_ylim(0, finite_ends(*tops)[1])
    ax.set(xlabel="Size relative to the best one", ylabel=source.loss_label("{} above the best"))
    legend(ax)
    return ax


@in_style
def expected_regret(
    fitted: Fitted,
    budget: float,
    *,
    sizes: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The regret of every size for one budget: its loss above each draw's own optimum.

    The line is the mean over the draws, which the size of least expected loss makes least (ring,
    and the title); bands hold 50% and 90% of the draws.

    Args:
        fitted: a posterior or a bootstrap, or (law, draws), of a law of N and D; bits are 16.
        budget: compute, FLOP.
        sizes: smallest and largest size; a factor of 8 about the draws' best ones if not given.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without N or D, or a number that is not above 0.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> draws = laws.params(laws.chinchilla) | {"alpha": [0.33, 0.34, 0.35]}
        >>> ax = plots.expected_regret((laws.chinchilla, draws), 1e24)
        >>> ax.get_ylabel()
        'Regret (nats per token)'
    """
    ax = target(ax)
    source = as_source(fitted)
    (C,) = _budgets([budget])
    draws, best = _optima(source, C)
    if sizes is None:
        low, high = finite_ends(best["N"])
        sizes = low / _FACTOR**0.5, high * _FACTOR**0.5
    N = np.geomspace(*sizes, _POINTS)
    alike = {_SIZE: np.ones_like(best["N"])}
    regrets = _excess(source, draws | alike, C, N, best["loss"])
    colours = palette(ax)
    mean = regrets.mean(axis=0)
    band = band_of(regrets)
    for low, high, alpha in ((band.q05, band.q95, 0.18), (band.q25, band.q75, 0.28)):
        if band.has_width:
            ax.fill_between(N, low, high, color=colours.sequence[0], alpha=alpha, lw=0)
    ax.plot(N, mean, color=colours.sequence[0], lw=1.7, label="mean over draws", zorder=3)
    place = int(np.argmin(mean))
    marks: dict[str, Any] = {"marker": "o", "mfc": "none", "mew": 1.6, "ms": 8, "ls": "none"}
    ax.plot(N[place], mean[place], mec=colours.red, label="least expected loss", **marks)
    style.log_axis(ax, "x", style.count_ticks, (N[0], N[-1]))
    ax.set_ylim(0, finite_ends(band.q95)[1])
    ax.set(
        xlabel="Parameters N",
        ylabel=source.loss_label("regret"),
        title=f"{power_of_ten(C)} FLOP: {human(N[place], 3)}, expected regret "
        f"{number(mean[place], 2)}",
    )
    legend(ax)
    return ax


@in_style
def marginal_value(
    fitted: Fitted, *, N: float, tokens: tuple[float, float], ax: Axes | None = None
) -> Axes:
    """What one percent more compute saves, spent on size or on tokens, against the tokens.

    To the left of the crossing tokens save more: the model is undertrained for its compute. The
    dotted line is at the crossing, where the model is compute-optimal.

    Args:
        fitted: a fit, a posterior, or (law, params), of a law of N and D; bits are 16.
        N: parameters.
        tokens: ends of the axis.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: a law without N or D, or a number that is not above 0.

    Example:
        >>> from jscale import laws
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> ax = plots.marginal_value((laws.chinchilla, theta), N=7e10, tokens=(1e11, 1e14))
        >>> ax.get_legend_handles_labels()[1]
        ['spent on size', 'spent on tokens']
    """
    ax = target(ax)
    source = as_source(fitted)
    source.require("N", "D")
    size = float(check_number("N", N, above=0.0))
    first, last = (float(check_number("tokens", end, above=0.0)) for end in tokens)
    D = np.geomspace(first, last, _POINTS)
    held = dict.fromkeys(source.record.bit_inputs, FULL_BITS)

    def saved(theta: Named, point: Named) -> dict[str, jax.Array]:
        at: dict[str, Any] = {**held, "N": size, "D": point["D"]}
        returns = plan.marginal_returns(source.law, dict(theta), at, cost=plan.costs.training_flops)
        return {name: returns.per_cost[name] * returns.cost * _PERCENT for name in ("N", "D")}

    values = in_chunks(saved, source.thinned(_DRAWS), {"D": D})
    for name, words, colour in zip("ND", ("size", "tokens"), palette(ax).sequence, strict=False):
        draw_band(ax, D, band_of(values[name]), colour, f"spent on {words}")
    gap = np.log(np.median(values["D"], axis=0)) - np.log(np.median(values["N"], axis=0))
    title = f"{human(size)} parameters"
    if gap[0] > 0 > gap[-1]:
        crossing = float(np.exp(np.interp(0.0, -gap, np.log(D))))
        ax.axvline(crossing, color=palette(ax).grey, lw=1.0, ls=":", label="_crossing")
        title += f", compute-optimal at {human(crossing)} tokens"
    style.log_axis(ax, "x", style.count_ticks, (D[0], D[-1]))
    ends = style.pad_log(*finite_ends(values["N"], values["D"]))
    style.log_axis(ax, "y", style.number_ticks, ends)
    label = source.loss_label("{} saved by 1% more compute")
    ax.set(xlabel="Tokens D", ylabel=label, title=title)
    legend(ax)
    return ax


def _above_one(factor: float) -> float:
    value = float(check_number("factor", factor, above=0.0))
    if not value > 1:
        raise JscaleError(f"must be above 1, not {shown(factor)}", argument="factor")
    return value


def _budgets(budgets: ArrayLike) -> np.ndarray:
    """Budgets as an array (curves,).

    Raises:
        JscaleError: none, or one that is not above 0.
    """
    compute = np.atleast_1d(np.asarray(check_number("budgets", budgets, above=0.0), np.float64))
    if not compute.size:
        raise JscaleError("is empty; expected at least one number of FLOP", argument="budgets")
    return compute


def _optima(source: Source, C: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The draws that have an optimum, and its size and loss, (draws,).

    Raises:
        JscaleError: no draw has one.
    """
    source.require("N", "D")
    held = dict.fromkeys(source.record.bit_inputs, FULL_BITS)

    def solve(theta: Named, point: Named) -> dict[str, jax.Array]:
        given: dict[str, Any] = dict(held)
        best = plan.optimal(
            source.law, theta, point["budget"], cost=plan.costs.training_flops, **given
        )
        return {"N": best.N_opt, "loss": best.loss}

    draws = source.thinned(_DRAWS)
    solved = in_chunks(solve, draws, {"budget": np.array([C])})
    known = np.isfinite(solved["loss"][:, 0])
    if not known.any():
        raise JscaleError(
            f"law {source.record.name!r} has no optimal size at {C:.4g} FLOP in any of the draws"
        )
    best = {name: values[known, 0] for name, values in solved.items()}
    return {name: values[known] for name, values in draws.items()}, best


def _excess(
    source: Source,
    draws: Mapping[str, np.ndarray],
    C: float,
    factors: np.ndarray,
    least: np.ndarray,
) -> np.ndarray:
    """The loss at a budget above the least one (draws,), of a size of each draw times factors."""
    held = dict.fromkeys(source.record.bit_inputs, FULL_BITS)

    def loss(theta: Named, point: Named) -> dict[str, jax.Array]:
        N = point["factor"] * theta[_SIZE]
        values = {name: value for name, value in theta.items() if name != _SIZE}
        return {"loss": source.law(N=N, D=C / (6 * N), **held, **values)}

    return in_chunks(loss, draws, {"factor": factors})["loss"] - least[:, None]
