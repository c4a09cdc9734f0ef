"""Axes to draw on, light or dark, and the files that they are saved to."""

import functools
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from jscale._core.errors import JscaleError
from jscale.report.analysis import Band
from jscale.report.figures import style, write_figure

P = ParamSpec("P")
T = TypeVar("T")

_WIDTH, _HEIGHT = 5.6, 4.0
_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the brightness of a colour."""


def axes(*, dark: bool = False, size: tuple[float, float] = (_WIDTH, _HEIGHT)) -> Axes:
    """Empty axes in the style of the report, light or dark.

    Every function of this module draws on axes that it is given as ``ax``; it takes the colours
    that suit their background. Axes of your own figure serve as well.

    Args:
        dark: a dark background.
        size: of the figure in inches.

    Example:
        >>> from jscale.report import plots
        >>> ax = plots.axes(dark=True)
        >>> ax.get_facecolor()[0] < 0.1
        True
    """
    with style.styled(dark):
        return Figure(figsize=size, layout="constrained").subplots()


def save(ax: Axes, path: str | os.PathLike[str]) -> None:
    """Write the figure of some axes to a .png, .pdf or .svg file; the write is atomic.

    The same figure gives the same bytes: the file has no date.

    Args:
        ax: the axes, as a function of this module returns them.
        path: path of the file.

    Raises:
        JscaleError: another kind of file, or a path that cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from jscale.report import plots
        >>> plots.save(plots.axes(), "empty.svg")
        >>> Path("empty.svg").read_text(encoding="utf-8")[:5]
        '<?xml'
    """
    figure = ax.figure.get_figure(root=True)
    assert isinstance(figure, Figure)
    write_figure(path, lambda: figure, dark=is_dark(ax))


def is_dark(ax: Axes) -> bool:
    """Whether the background of the axes is dark."""
    return float(np.dot(_LUMA, to_rgb(ax.get_facecolor()))) < 0.5


def palette(ax: Axes) -> style.Palette:
    """The colours that suit the background of the axes."""
    return style.DARK if is_dark(ax) else style.LIGHT


def curve_colours(ax: Axes, count: int) -> list[Any]:
    """Colours of ``count`` curves that suit the background of the axes."""
    colours = palette(ax)
    return style.curve_colours(count, colours.sequence, colours.map)


def target(ax: Axes | None) -> Axes:
    """The axes to draw on: those given, or new ones.

    Raises:
        JscaleError: what is given is no axes.
    """
    drawn_on = axes() if ax is None else ax
    if not isinstance(drawn_on, Axes):
        raise JscaleError(
            f"must be matplotlib axes, not {type(ax).__name__}: plots.axes() makes some, and a "
            "subplot of your own figure is one",
            argument="ax",
        )
    return drawn_on


def in_style(function: Callable[P, T]) -> Callable[P, T]:
    """Run ``function(..., ax=...)`` in the style that suits the background of its axes."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        ax = kwargs.get("ax")
        with style.styled(isinstance(ax, Axes) and is_dark(ax)):
            return function(*args, **kwargs)

    return wrapper


def draw_band(ax: Axes, x: np.ndarray, band: Band, colour: str, label: str) -> None:
    """The median with its 50% and 90% intervals; without draws the line of the point."""
    if band.has_width:
        ax.fill_between(x, band.q05, band.q95, color=colour, alpha=0.18, lw=0, label="_90%")
        ax.fill_between(x, band.q25, band.q75, color=colour, alpha=0.28, lw=0, label="_50%")
    ax.plot(x, band.q50, color=colour, label=label, lw=1.7, zorder=3)


def draw_dots(ax: Axes, x: np.ndarray, y: np.ndarray, **marks: Any) -> None:
    """Runs as dots; many of them become pixels."""
    many = len(x) > style.MANY
    defaults = {
        "s": 7 if many else 16,
        "color": palette(ax).grey,
        "alpha": 0.4 if many else 0.75,
        "lw": 0.0 if many else 0.5,
        "edgecolor": palette(ax).edge,
        "label": "runs",
        "zorder": 4,
        "rasterized": many,
    }
    ax.scatter(x, y, **defaults | marks)


def legend(ax: Axes, **options: Any) -> None:
    """The legend where it hides the fewest data, if anything has a label."""
    if ax.get_legend_handles_labels()[1]:
        plain = {"loc": "best", "borderaxespad": 0.4, "frameon": True, "framealpha": 0.85}
        frame = {"facecolor": ax.get_facecolor(), "edgecolor": "none"}
        ax.legend(**plain | frame | options)


def finite_ends(*values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite positive value.

    Raises:
        JscaleError: there is none.
    """
    flat = np.concatenate([np.ravel(np.asarray(each, dtype=np.float64)) for each in values])
    usable = flat[np.isfinite(flat) & (flat > 0)]
    if not usable.size:
        raise JscaleError("no finite value above 0: there is nothing to draw")
    return float(usable.min()), float(usable.max())
