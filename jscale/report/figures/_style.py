"""Style of every figure: colours, sizes, axes, ticks and legends.

Nothing here changes pyplot or matplotlib's global settings: a figure is drawn, and later saved,
inside :func:`styled`.
"""

import functools
import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import Colormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from jscale.report.notation import human, number, power_of_ten

P = ParamSpec("P")
T = TypeVar("T")

# Okabe and Ito's colours, which every kind of colour vision can separate.
INK, GREY, LIGHT_GREY, PALE = "#1b1f24", "#57606a", "#b8c0c8", "#eef1f4"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#aa4499",
    "#56b4e9",
)
SEQUENCE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
MAP = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.9, 128)))
"""Viridis without its palest tenth, which is invisible on white."""
_DARK_MAP = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.34, 1.0, 128)))
"""Viridis without its dark third, which is invisible on black."""


@dataclass(frozen=True)
class Palette:
    """Colours of a figure.

    Attributes:
        ink: of text and of what is most important.
        grey: of runs and reference lines.
        pale: of backgrounds of regions.
        edge: between marks.
        sequence: of curves, in order; every kind of colour vision can separate them.
        red: of what failed.
        map: of a quantity, without the end that the background hides.
    """

    ink: str
    grey: str
    pale: str
    edge: str
    sequence: tuple[str, ...]
    red: str
    map: Colormap


LIGHT = Palette(INK, GREY, PALE, "white", SEQUENCE, RED, MAP)
DARK = Palette(
    ink="#e6e9ed",
    grey="#98a2ad",
    pale="#262d35",
    edge="#14181d",
    sequence=("#56b4e9", "#ff8a4c", "#2fc79a", "#d98fd6", "#e69f00", "#f0e442"),
    red="#ff8a4c",
    map=_DARK_MAP,
)

PANEL = (4.7, 3.55)
"""Size in inches of a figure that shares its row; readable on a phone, where it fills the row."""
WIDE, NARROW = (9.6, 4.3), (4.7, 4.3)
MANY = 400
"""Number of marks above which a figure stores them as pixels, to bound the size of the file."""

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "xtick.major.size": 3.5,
    "ytick.major.size": 3.5,
    "xtick.minor.size": 2.0,
    "ytick.minor.size": 2.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "text.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "auto",
    "svg.fonttype": "path",
    "svg.hashsalt": "jscale",
    "savefig.dpi": 150,
}


_DARK_STYLE = {
    "axes.labelcolor": "#e6e9ed",
    "axes.edgecolor": "#98a2ad",
    "grid.color": "#262d35",
    "xtick.color": "#98a2ad",
    "ytick.color": "#98a2ad",
    "xtick.labelcolor": "#e6e9ed",
    "ytick.labelcolor": "#e6e9ed",
    "text.color": "#e6e9ed",
    "figure.facecolor": "#14181d",
    "axes.facecolor": "#14181d",
}
"""What a dark figure has instead."""

DARK_OF = {
    INK: "#e6e9ed",
    GREY: "#98a2ad",
    LIGHT_GREY: "#56606b",
    PALE: "#262d35",
    "#ffffff": "#14181d",
    BLUE: "#56b4e9",
    RED: "#ff8a4c",
    GREEN: "#2fc79a",
    PURPLE: "#d98fd6",
    SKY: "#8ecdf2",
}
"""Colour of the light style → what a picture of the page has instead in a dark page."""


def curve_colours(
    count: int, sequence: Sequence[str] = SEQUENCE, colours: Colormap = MAP
) -> list[Any]:
    """Colours of ``count`` curves: those of the sequence, or of the map where they are too few."""
    if count <= len(sequence):
        return list(sequence[:count])
    return list(colours(np.linspace(0.0, 0.95, count)))


@contextmanager
def styled(dark: bool = False) -> Iterator[None]:
    """The style of the report's figures; the caller's settings are restored afterwards."""
    with matplotlib.style.context(["default", _STYLE, _DARK_STYLE if dark else {}]):
        yield


def in_style(function: Callable[P, T]) -> Callable[P, T]:
    """Run ``function`` inside :func:`styled`."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with styled():
            return function(*args, **kwargs)

    return wrapper


def canvas(
    size: tuple[float, float] = PANEL, rows: int = 1, columns: int = 1, **kwargs: Any
) -> tuple[Figure, Any]:
    """An empty figure and its axes, like ``pyplot.subplots`` without pyplot."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **kwargs)


@in_style
def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes every time."""
    # Laid out once and drawn once: Figure.savefig would do either twice, which is most of its time.
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    figure.dpi = matplotlib.rcParams["savefig.dpi"]
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return adaptive(text[text.index("<svg") :])


def adaptive(picture: str) -> str:
    """SVG text whose colours change where the reader prefers a dark page."""
    darker = DARK_OF | {to_hex(MAP(i)): to_hex(_DARK_MAP(i)) for i in range(MAP.N)}
    rules = [
        f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
        for light, dark in darker.items()
        for part in ("fill", "stroke")
        if f"{part}: {light}" in picture
    ]
    sheet = f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    head = picture.index(">") + 1
    return f"{picture[:head]}{sheet}{picture[head:]}"


def count_ticks(axis: Axis) -> None:
    """Logarithmic axis of a count, with ticks such as 70M and 1.4T."""
    _log_ticks(axis, human)


def power_ticks(axis: Axis) -> None:
    """Logarithmic axis of compute, with ticks such as 10²¹."""
    _log_ticks(axis, power_of_ten)


def number_ticks(axis: Axis) -> None:
    """Logarithmic axis of a number of ordinary size, with ticks such as 2.5 and 20."""
    _log_ticks(axis, number)


def _log_ticks(axis: Axis, text: Callable[[float, int], str], limit: int = 7) -> None:
    """Three to ``limit`` ticks at round numbers with distinct labels, for an axis of any length."""
    low, high = sorted(axis.get_view_interval())
    for multiples in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), _FINE):
        ticks = round_numbers(low, high, multiples)
        if len(ticks) >= 3:
            break
    else:
        ticks = linear_steps(low, high)
    stride = math.ceil(len(ticks) / limit)
    if stride > 1:
        ticks = ticks[(len(ticks) - 1) % stride :: stride]

    def distinct(digits: int) -> bool:
        return len({text(tick, digits) for tick in ticks}) == len(ticks)

    digits = next(filter(distinct, range(2, 7)), 7)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value, digits)))
    axis.set_minor_formatter(NullFormatter())
    if 0.5 < math.log10(high / low) < 7:
        axis.set_minor_locator(LogLocator(subs=tuple(range(2, 10)), numticks=99))
    else:
        axis.set_minor_locator(NullLocator())


_FINE = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0)


def round_numbers(low: float, high: float, multiples: tuple[float, ...]) -> list[float]:
    """The numbers ``m * 10**e`` between two positive ends."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    candidates = (float(f"{m}e{e}") for e in decades for m in multiples)
    return [c for c in candidates if low * (1 - 1e-9) <= c <= high * (1 + 1e-9)]


def linear_steps(low: float, high: float) -> list[float]:
    """Three to six evenly spaced round numbers inside a short interval."""
    quarter = (high - low) / 4
    unit = 10 ** math.floor(math.log10(quarter))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= quarter * 0.75)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def legend_above(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """The legend above the plot, where it cannot hide data."""
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=columns,
        borderaxespad=0.1,
        columnspacing=1.4,
    )


def pad_log(low: float, high: float, share: float = 0.04) -> tuple[float, float]:
    """The ends of a logarithmic axis moved outwards by a share of its length, 3% at least."""
    factor = max((high / low) ** share, 1.03)
    return low / factor, high * factor


def log_axis(
    axes: Axes, which: str, ticks: Callable[[Axis], None], ends: tuple[float, float]
) -> None:
    """Make one axis of ``axes`` logarithmic between two ends, with the given kind of ticks."""
    if which == "x":
        axes.set_xscale("log")
        axes.set_xlim(*ends)
        ticks(axes.xaxis)
    else:
        axes.set_yscale("log")
        axes.set_ylim(*ends)
        ticks(axes.yaxis)
