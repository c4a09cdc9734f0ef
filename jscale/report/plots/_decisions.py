"""What to know next: the value of information, next runs, and plans judged by larger runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, MaxNLocator

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, shown
from jscale.plan import NextRuns, PerfectInformation
from jscale.report.figures import style
from jscale.report.notation import mathtext, number, power_of_ten
from jscale.report.plots._axes import (
    curve_colours,
    draw_dots,
    finite_ends,
    in_style,
    legend,
    palette,
    target,
)
from jscale.runs import TableLike, as_runs

_CASE = ("data", "budget", "error", "regret")
_LEAST_REGRET = 1e-4
"""Nats below which regrets are drawn at one place."""


@in_style
def information_value(known: PerfectInformation, *, ax: Axes | None = None) -> Axes:
    """What knowing each parameter would save a plan, the most valuable first.

    The line is the value of knowing all of them: the plan's expected regret. Parameters that are
    correlated say much of the same, so the bars may have a larger sum.

    Args:
        known: of :func:`jscale.plan.perfect_information`.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: not the result of that function.

    Example:
        >>> from jscale import laws, plan
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> doubt = [[1e-3, 0, 0, 0, 0], [0, 1e3, 0, 0, 0], [0, 0, 1e4, 0, 0], [0, 0, 0, 1e-5, 0],
        ...     [0, 0, 0, 0, 1e-5]]
        >>> known = plan.perfect_information(laws.chinchilla, theta, 1e24, covariance=doubt)
        >>> ax = plots.information_value(known)
        >>> [text.get_text() for text in ax.get_yticklabels()][0]
        '$B$'
    """
    ax = target(ax)
    if not isinstance(known, PerfectInformation):
        raise JscaleError(
            f"must be the result of plan.perfect_information, not {type(known).__name__}",
            argument="known",
        )
    names = sorted(known.nats, key=lambda name: -known.nats[name])
    colours = palette(ax)
    places = np.arange(len(names))
    ax.barh(places, [known.nats[name] for name in names], color=colours.sequence[0], height=0.6)
    label = f"all: {number(known.regret, 2)} nats"
    ax.axvline(known.regret, color=colours.red, lw=1.4, label=label)
    ax.set_yticks(places, [mathtext(name) for name in names])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: number(value, 2))
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="Expected regret saved (nats per token)", ylabel="Parameter known")
    legend(ax, loc="lower right")
    return ax


@in_style
def next_runs(chosen: NextRuns, *, table: TableLike | None = None, ax: Axes | None = None) -> Axes:
    """The runs to do next, numbered in their order, by tokens and size.

    The colour is the plan's expected regret after a run; the title has it before and after all.

    Args:
        chosen: of :func:`jscale.plan.next_runs`, runs with N and D.
        table: the runs that are there, as grey dots.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: not the result of that function, no runs, or runs without N or D.

    Example:
        >>> from jscale import laws, plan
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> doubt = [[0.01, 0, 0, 0, 0], [0, 1e4, 0, 0, 0], [0, 0, 1e4, 0, 0], [0, 0, 0, 1e-3, 0],
        ...     [0, 0, 0, 0, 1e-3]]
        >>> grid = plan.run_grid([1e8, 1e9], [2e9, 2e10, 2e11], most=1e21)
        >>> best = plan.next_runs(laws.chinchilla, theta, grid, covariance=doubt, noise=0.01,
        ...     budget=2e21, plan_budget=1e23, most=2, stop_at_saving=False)
        >>> ax = plots.next_runs(best)
        >>> [text.get_text() for text in ax.texts]
        ['1', '2']
    """
    ax = target(ax)
    N, D = _coordinates(chosen)
    colours = palette(ax)
    drawn = [N], [D]
    if table is not None:
        runs = as_runs(table)
        there = tuple(np.asarray(runs[name], np.float64)[runs.kept] for name in ("N", "D"))
        draw_dots(ax, there[1], there[0], label="runs that are there")
        drawn = [N, there[0]], [D, there[1]]
    after = chosen.regret[1:]
    known = bool(np.isfinite(after).all())
    marks: dict[str, Any] = {"s": 150, "edgecolor": colours.edge, "lw": 1.0, "zorder": 5}
    marks |= {"c": after, "cmap": colours.map} if known else {"c": colours.sequence[0]}
    dots = ax.scatter(D, N, label="_next", **marks)
    for i, (x, y) in enumerate(zip(D, N, strict=True)):
        place: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 6, "fontsize": 8}
        edge = [withStroke(linewidth=2, foreground="#14181d")]
        ax.text(x, y, str(i + 1), color="white", path_effects=edge, **place)
    for which, values in (("y", drawn[0]), ("x", drawn[1])):
        style.log_axis(ax, which, style.count_ticks, style.pad_log(*finite_ends(*values), 0.08))
    title = f"{len(N)} runs, cost {power_of_ten(float(chosen.cost.sum()))}"
    if known:
        bar = ax.figure.colorbar(dots, ax=ax, pad=0.02)
        bar.set_label("Expected regret after the run (nats)")
        title += f": {number(chosen.regret[0], 2)} to {number(chosen.regret[-1], 2)} nats"
    ax.set(xlabel="Tokens D", ylabel="Parameters N", title=title)
    legend(ax)
    return ax


@in_style
def held_out_regret(cases: Sequence[Mapping[str, Any]], *, ax: Axes | None = None) -> Axes:
    """The regret of plans from small runs, measured on larger runs that were held out.

    A line a case, a mark a plan. The tick is the residual error of the valley that the regrets were
    read from; regrets below 0.0001 nats are drawn there.

    Args:
        cases: each with ``data`` (a name), ``budget`` (FLOP), ``error`` (nats) and ``regret``, plan
            → nats, as ``benchmarks/held_out_plans.py`` makes them.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no case, one without a key, or a regret that is not finite.

    Example:
        >>> from jscale.report import plots
        >>> regret = {"point fit": 0.002, "least expected loss": 0.0022}
        >>> case = {"data": "Llama 3", "budget": 1e22, "error": 0.0009, "regret": regret}
        >>> plots.held_out_regret([case]).get_yticklabels()[0].get_text()
        'Llama 3, 10²² FLOP'
    """
    ax = target(ax)
    listed = [_case(case, i) for i, case in enumerate(cases)]
    if not listed:
        raise JscaleError("is empty; expected at least one case", argument="cases")
    names = list(dict.fromkeys(name for case in listed for name in case["regret"]))
    colours = curve_colours(ax, len(names))
    grey = palette(ax).grey
    places = np.arange(len(listed), dtype=float)
    errors = [max(case["error"], _LEAST_REGRET) for case in listed]
    ax.plot(errors, places, marker="|", ms=14, mew=1.6, color=grey, ls="none", label="error")
    drawn = [np.asarray(errors)]
    shift = np.linspace(-0.18, 0.18, len(names)) if len(names) > 1 else [0.0]
    for name, colour, mark, up in zip(names, colours, "osD^v<", shift, strict=False):
        rows = [i for i, case in enumerate(listed) if name in case["regret"]]
        values = np.maximum([listed[i]["regret"][name] for i in rows], _LEAST_REGRET)
        ax.plot(values, places[rows] + up, marker=mark, ms=5.5, color=colour, ls="none", label=name)
        drawn.append(values)
    style.log_axis(ax, "x", style.number_ticks, style.pad_log(*finite_ends(*drawn), 0.06))
    labels = [f"{case['data']}, {power_of_ten(case['budget'])} FLOP" for case in listed]
    ax.set_yticks(list(places), labels)
    ax.yaxis.set_minor_locator(FixedLocator([]))
    ax.invert_yaxis()
    ax.set(xlabel="Regret on held-out runs (nats per token)")
    legend(ax)
    return ax


def _coordinates(chosen: Any) -> tuple[np.ndarray, np.ndarray]:
    """Size and tokens of the runs.

    Raises:
        JscaleError: not runs to do next, none, or without N or D.
    """
    if not isinstance(chosen, NextRuns):
        raise JscaleError(
            f"must be the result of plan.next_runs, not {type(chosen).__name__}", argument="chosen"
        )
    if not len(chosen.index):
        raise JscaleError(f"has no runs: {chosen.stop}", argument="chosen")
    missing = [name for name in ("N", "D") if name not in chosen.inputs]
    if missing:
        raise JscaleError(f"has runs without {enumerated(missing)}", argument="chosen")
    N, D = (np.asarray(chosen.inputs[name], np.float64) for name in ("N", "D"))
    return N, D


def _case(case: Any, i: int) -> Mapping[str, Any]:
    """A case with all that is drawn.

    Raises:
        JscaleError: a key is missing, or a number is not finite.
    """
    missing = [key for key in _CASE if not isinstance(case, Mapping) or key not in case]
    if missing:
        raise JscaleError(f"[{i}] lacks {enumerated(missing)}", argument="cases")
    numbers = {"error": case["error"], **case["regret"]}
    for name, value in numbers.items():
        if not np.isfinite(value):
            raise JscaleError(f"[{i}]: {name} is {shown(value)}; expected nats", argument="cases")
    return case
