"""Results of a grid search: a valley, a heat map and a Pareto front."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import PowerNorm
from matplotlib.ticker import FixedLocator, NullLocator

from jscale._core.errors import JscaleError
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.plan import GridResult
from jscale.plan.reductions import Reduced
from jscale.report.figures import style
from jscale.report.notation import human, number, plain
from jscale.report.plots._axes import finite_ends, in_style, palette, target

_LABELS = {
    "C": "Compute C (FLOP)",
    "D": "Tokens D",
    "N": "Parameters N",
    "P": "Bits P",
    "flops": "Compute (FLOP)",
}
_LOGARITHMIC = 8.0
"""Ratio of the ends from which on an axis of positive numbers is logarithmic."""
_LARGE, _COMPUTE = 1e4, 1e16
"""Numbers from which on ticks are written as 20K, and as powers of ten."""
_FEW_TICKS = 12
_GAMMA = 0.3
"""Power of the value above the least, by which colours are shared out."""
_LINES = 8


@in_style
def grid_valley(
    cells: GridResult | Reduced, *, label: str = "Smallest value", ax: Axes | None = None
) -> Axes:
    """The smallest value along one kept axis of a grid: an isoFLOP valley.

    A ring marks the smallest of all, which the title states. Where no point is feasible, the line
    has a gap.

    Args:
        cells: a result of :func:`jscale.plan.grid`, or the ``Marginal`` of it, with one kept axis.
        label: of the axis of values.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such result, or several.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> from jscale.report import plots
        >>> axes = {"N": np.geomspace(1e8, 1e10, 5), "D": np.geomspace(1e9, 1e11, 5)}
        >>> valley = plan.reductions.Marginal(keep=("N",))
        >>> cells = plan.grid(lambda N, D: N**-0.3 + D**-0.3, axes, reduce=[valley])
        >>> plots.grid_valley(cells, label="Loss").get_xlabel()
        'Parameters N'
    """
    ax = target(ax)
    reduced = _marginal(cells, 1)
    (name,) = reduced.dims
    places, values = _places(reduced, name), np.asarray(reduced["value"], np.float64)
    colours = palette(ax)
    many = len(values) > style.MANY
    ax.plot(
        places,
        values,
        color=colours.sequence[0],
        marker=None if many else "o",
        ms=3.5,
        label="_valley",
    )
    best = int(np.nanargmin(values))
    _ring(ax, places[best], values[best])
    _scale(ax, "x", reduced, name)
    title = _title(reduced, values[best], {name: best})
    ax.set(xlabel=_label(name), ylabel=label, title=title)
    return ax


@in_style
def grid_heat_map(
    cells: GridResult | Reduced,
    *,
    x: str | None = None,
    label: str = "Smallest value",
    lines: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The smallest value along two kept axes of a grid.

    A ring marks the smallest of all, which the title states; cells without a feasible point have no
    colour.

    Args:
        cells: a result of :func:`jscale.plan.grid`, or the ``Marginal`` of it, with two kept axes.
        x: the kept axis that is drawn to the right; the first one if not given.
        label: of the values.
        lines: whether to draw lines of equal value, too.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such result, several, or no such axis.

    Example:
        >>> import numpy as np
        >>> from jscale import plan
        >>> from jscale.report import plots
        >>> axes = {"N": np.geomspace(1e8, 1e10, 5), "P": [4.0, 8.0, 16.0]}
        >>> map = plan.reductions.Marginal(keep=("N", "P"))
        >>> cells = plan.grid(lambda N, P: N**-0.3 + 2.0**-P, axes, reduce=[map])
        >>> ax = plots.grid_heat_map(cells)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('Parameters N', 'Bits P')
    """
    ax = target(ax)
    reduced = _marginal(cells, 2)
    across, up = _across(reduced, x)
    values = np.asarray(reduced["value"], np.float64)
    if reduced.dims[0] == across:
        values = values.T

    columns, rows = _places(reduced, across), _places(reduced, up)
    # Values rise steeply away from the best: equal steps of a root share the colours out.
    shades = PowerNorm(_GAMMA, vmin=float(np.nanmin(values)), vmax=float(np.nanmax(values)))
    edges = _edges(columns, _is_log(columns)), _edges(rows, _is_log(rows))
    colours = palette(ax)
    mesh = ax.pcolormesh(
        *edges, np.ma.masked_invalid(values), cmap=colours.map, norm=shades, rasterized=True
    )
    if lines:
        # Levels share out the cells: even ones would crowd where values change fast.
        levels = np.unique(np.nanquantile(values, np.linspace(0.05, 0.95, _LINES)))
        drawn = ax.contour(columns, rows, values, levels=levels, colors=colours.edge, linewidths=1)
        ax.clabel(drawn, fmt=lambda value: number(value, 4), fontsize=7.5)
    row, column = np.unravel_index(np.nanargmin(values), values.shape)
    _ring(ax, columns[column], rows[row])

    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.set_label(label)
    ax.grid(visible=False)
    _scale(ax, "x", reduced, across, edges[0])
    _scale(ax, "y", reduced, up, edges[1])
    title = _title(reduced, values[row, column], {across: int(column), up: int(row)})
    ax.set(xlabel=_label(across), ylabel=_label(up), title=title)
    return ax


@in_style
def grid_front(
    cells: GridResult | Reduced,
    *,
    x: str | None = None,
    y: str | None = None,
    colour: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The Pareto front of a grid: the least of one quantity at each value of the other.

    Args:
        cells: a result of :func:`jscale.plan.grid`, or the ``Front`` of it.
        x: the quantity to the right; the first one of the front if not given.
        y: the quantity upwards; the second one if not given.
        colour: what the colour of a point shows, such as a third quantity or an axis: ``"P"``.
        ax: axes to draw on; new ones if not given.

    Returns:
        The axes.

    Raises:
        JscaleError: no such result, several, or no such quantity.

    Example:
        >>> import numpy as np
        >>> from jscale import laws, plan
        >>> from jscale.report import plots
        >>> theta = laws.params(laws.chinchilla)
        >>> axes = {"N": np.geomspace(1e8, 1e10, 9), "D": np.geomspace(1e9, 1e11, 9)}
        >>> objective = {"loss": laws.chinchilla, "flops": "6 * N * D"}
        >>> front = plan.reductions.Front(("flops", "loss"))
        >>> cells = plan.grid(objective, axes, params=theta, reduce=[front])
        >>> ax = plots.grid_front(cells, colour="N")
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('Compute (FLOP)', 'Loss')
    """
    ax = target(ax)
    reduced = _result(cells, lambda each: each.dims == ("point",), "front")
    first, second, *_ = reduced.values
    across, up = x or first, y or second
    columns, rows = (np.asarray(reduced[name], np.float64) for name in (across, up))
    colours = palette(ax)
    order = np.argsort(columns, kind="stable")
    if np.all(np.diff(rows[order]) <= 0):
        steps = {"color": colours.sequence[0], "drawstyle": "steps-post", "lw": 1.2}
        ax.plot(columns[order], rows[order], label="_front", **steps)
    marks: dict[str, Any] = {"c": colours.sequence[0]}
    if colour is not None:
        shade = np.asarray(reduced[colour], np.float64)
        logarithmic = _is_log(shade)
        marks = {"c": np.log10(shade) if logarithmic else shade, "cmap": colours.map}
    many = len(columns) > style.MANY
    dots = ax.scatter(
        columns,
        rows,
        s=6 if many else 14,
        lw=0,
        zorder=3,
        rasterized=many,
        label="_points",
        **marks,
    )
    if colour is not None:
        bar = ax.figure.colorbar(dots, ax=ax, pad=0.02)
        bar.set_label(_label(colour))
        if logarithmic:
            bar.ax.yaxis.set_major_formatter(lambda value, _: human(10**value, 2))
    for which, values in (("x", columns), ("y", rows)):
        _numeric_scale(ax, which, values, values)
    ax.set(xlabel=_label(across), ylabel=_label(up))
    return ax


def _marginal(cells: Any, kept: int) -> Reduced:
    """The smallest values along ``kept`` axes."""
    words = {1: "Marginal with one kept axis", 2: "Marginal with two kept axes"}[kept]

    def suits(each: Reduced) -> bool:
        return "value" in each.values and len(each.dims) == kept and "rank" not in each.dims

    reduced = _result(cells, suits, words)
    if not np.isfinite(np.asarray(reduced["value"], np.float64)).any():
        raise JscaleError(f"the result {reduced.name!r} has no finite value: nothing to draw")
    return reduced


def _result(cells: Any, suits: Callable[[Reduced], bool], words: str) -> Reduced:
    """The one result that suits a figure.

    Raises:
        JscaleError: no result of a grid, none that suits, or several.
    """
    if isinstance(cells, GridResult):
        known = list(cells.results.values())
    elif isinstance(cells, Reduced):
        known = [cells]
    else:
        raise JscaleError(
            f"must be a result of plan.grid or one of its reductions, not {type(cells).__name__}",
            argument="cells",
        )
    fitting = [each for each in known if suits(each)]
    if len(fitting) != 1:
        has = enumerated(each.name for each in fitting or known)
        kind = "several results that fit: give one, such as cells[name]" if fitting else "none"
        raise JscaleError(
            f"must have a {words}, but has {kind} (there is: {has})", argument="cells"
        )
    return fitting[0]


def _across(reduced: Reduced, x: str | None) -> tuple[str, str]:
    """The kept axis to the right, and the other one."""
    first, second = reduced.dims
    if x is not None and x not in reduced.dims:
        hint = did_you_mean(x, reduced.dims)
        raise JscaleError(f"must be one of {first}, {second}, not {shown(x)}{hint}", argument="x")
    return (first, second) if x in (None, first) else (second, first)


def _places(reduced: Reduced, name: str) -> np.ndarray:
    """Where the entries of an axis are drawn: at their numbers, or side by side."""
    labels = _labels(reduced, name)
    if labels.dtype.kind in "US":
        return np.arange(len(labels), dtype=np.float64)
    return labels.astype(np.float64)


def _labels(reduced: Reduced, name: str) -> np.ndarray:
    size = np.shape(reduced["value"])[reduced.dims.index(name)]
    return np.asarray(reduced.coords[name][1] if name in reduced.coords else np.arange(size))


def _is_log(values: np.ndarray) -> bool:
    """Whether positive values span so much that their logarithms are drawn."""
    usable = values[np.isfinite(values)]
    return bool(usable.size and usable.min() > 0 and usable.max() > _LOGARITHMIC * usable.min())


def _edges(places: np.ndarray, logarithmic: bool) -> np.ndarray:
    """The edges of cells halfway between their places, (places + 1,)."""
    if len(places) == 1:
        factor = np.array([0.9, 1.1])
        return places * factor if logarithmic else places + 5 * (factor - 1)
    inner = np.log(places) if logarithmic else places
    middle = 0.5 * (inner[1:] + inner[:-1])
    edges = np.concatenate([[2 * inner[0] - middle[0]], middle, [2 * inner[-1] - middle[-1]]])
    return np.exp(edges) if logarithmic else edges


def _scale(
    ax: Axes, which: str, reduced: Reduced, name: str, ends: np.ndarray | None = None
) -> None:
    """The scale and ticks of a kept axis, whose cells have ``ends``."""
    labels, places = _labels(reduced, name), _places(reduced, name)
    if labels.dtype.kind in "US":
        _axis(ax, which).set_ticks(list(places), list(labels))
        return
    _numeric_scale(ax, which, places, places if ends is None else ends)
    if not _is_log(places) and len(places) <= _FEW_TICKS:
        axis = _axis(ax, which)
        axis.set_major_locator(FixedLocator(list(places)))
        axis.set_minor_locator(NullLocator())


def _numeric_scale(ax: Axes, which: str, places: np.ndarray, ends: np.ndarray) -> None:
    """A logarithmic scale of numbers that span much; ticks such as 7B, or 10²¹ for compute."""
    if _is_log(places):
        low, high = finite_ends(ends)
        if ends is places:
            low, high = style.pad_log(low, high)
        ticks = style.number_ticks
        if high > _LARGE:
            ticks = style.count_ticks if high < _COMPUTE else style.power_ticks
        style.log_axis(ax, which, ticks, (low, high))
        return
    finite = places[np.isfinite(places)]
    if finite.size and np.abs(finite).max() > _LARGE:
        _axis(ax, which).set_major_formatter(lambda value, _: human(value, 3))


def _axis(ax: Axes, which: str) -> Axis:
    return ax.xaxis if which == "x" else ax.yaxis


def _label(name: str) -> str:
    """The label of an axis by its name."""
    words = _LABELS.get(name)
    if words is None and name.startswith("P_"):
        return f"Bits {plain(name)}"
    words = words or plain(name)
    return words[:1].upper() + words[1:] if len(words) > 2 else words


def _title(reduced: Reduced, value: float, entries: dict[str, int]) -> str:
    """The smallest value and where it is: ``smallest 2.8496 at P = 7``."""
    places = []
    for name, entry in entries.items():
        place = _labels(reduced, name)[entry]
        places.append(f"{plain(name)} = {place if isinstance(place, str) else human(place, 3)}")
    return f"smallest {number(value, 5)} at {', '.join(places)}"


def _ring(ax: Axes, x: float, y: float) -> None:
    """A ring about the best cell or point."""
    marks: dict[str, Any] = {"marker": "o", "mfc": "none", "mew": 1.6, "ms": 8, "ls": "none"}
    ax.plot(x, y, mec=palette(ax).red, zorder=5, clip_on=False, label="_smallest", **marks)
