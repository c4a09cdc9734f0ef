"""The page's figures of a grid search: valleys, heat maps and fronts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated
from jscale.plan import GridResult
from jscale.plan.reductions import Reduced
from jscale.report import plots
from jscale.report.notation import plain
from jscale.report.page._page_figure import PageFigure

Grid = GridResult | Sequence[Reduced] | None
"""A grid search, or some of its results."""


def grid_figures(cells: Grid) -> list[PageFigure]:
    """A figure of every result that has one; none without a search.

    Raises:
        JscaleError: no result has a figure.
    """
    if cells is None:
        return []
    results = list(cells.results.values()) if isinstance(cells, GridResult) else list(cells)
    figures = [figure for each in results for figure in _figure(each)]
    if not figures:
        has = enumerated(each.name for each in results) or "none"
        raise JscaleError(
            f"has no result with a figure (it has: {has}); expected Front, or Marginal with one or "
            "two kept axes (jscale grid --front, --keep)",
            argument="grid",
        )
    return figures


def _figure(reduced: Reduced) -> Iterator[PageFigure]:
    kept = " and ".join(plain(name) for name in reduced.dims)
    if reduced.dims == ("point",):
        first, second, *_ = reduced.values
        words = f"{plain(first)} and {plain(second)}"
        yield _page_figure(
            lambda ax: plots.grid_front(reduced, ax=ax),
            f"Trade-off of {words}",
            f"Pareto front of {words}, {np.size(reduced[first]):,} points of the grid.",
            "No point of the grid is better in one without being worse in the other.",
        )
    elif "value" in reduced.values and "rank" not in reduced.dims and len(reduced.dims) in (1, 2):
        draw = plots.grid_valley if len(reduced.dims) == 1 else plots.grid_heat_map
        yield _page_figure(
            lambda ax: draw(reduced, ax=ax),
            f"Smallest value by {kept}",
            f"The smallest value of the grid search at every {kept}.",
            "Everything else is at its best; the ring is the smallest of all.",
        )


def _page_figure(draw: Callable[[Axes], Axes], title: str, alt: str, caption: str) -> PageFigure:
    figure = draw(plots.axes()).figure.get_figure(root=True)
    assert isinstance(figure, Figure)
    return PageFigure(figure, title, alt, caption)
