"""What :func:`jscale.plan.grid` collects from the points of a grid, several in one pass.

:class:`Best` and :class:`Top` find points, :class:`Marginal` a valley or a heat map, :class:`Front`
the trade-off between quantities; :class:`Count`, :class:`Moments`, :class:`Quantiles`,
:class:`Histogram` and :class:`ProbabilityBest` describe them. :class:`Custom` takes three functions
of your own.
"""

from jscale.plan.reductions._cells import Count, Marginal, Moments
from jscale.plan.reductions._custom import Custom
from jscale.plan.reductions._draws import Histogram, ProbabilityBest, Quantiles
from jscale.plan.reductions._front import Front
from jscale.plan.reductions._protocol import (
    Evaluate,
    GridView,
    Place,
    Reduction,
    State,
    Tile,
    row_minima,
)
from jscale.plan.reductions._ranked import Best, Top
from jscale.plan.reductions._reduced import Reduced
from jscale.plan.reductions._space import Space, divide

__all__ = [
    "Best",
    "Count",
    "Custom",
    "Evaluate",
    "Front",
    "GridView",
    "Histogram",
    "Marginal",
    "Moments",
    "Place",
    "ProbabilityBest",
    "Quantiles",
    "Reduced",
    "Reduction",
    "Space",
    "State",
    "Tile",
    "Top",
    "divide",
    "row_minima",
]
