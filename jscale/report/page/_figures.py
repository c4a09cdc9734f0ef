"""The list of the page's figures.

To add a figure: draw it with a function of ``report/figures``, wrap that in a function here or in
``_figures_*.py`` which takes the :class:`Analysis` and yields a :class:`PageFigure` with title,
alternative text and caption, and add the function to the section of :data:`SECTIONS` it belongs to.
"""

from jscale.report.analysis import Analysis
from jscale.report.page._figures_fit import (
    design,
    held_out,
    loss_of_runs,
    observed_predicted,
    parameter_pairs,
    residuals,
)
from jscale.report.page._figures_forecast import (
    loss_by_compute,
    loss_by_resource,
    optimal_paths,
    size_profiles,
)
from jscale.report.page._figures_precision import (
    critical_tokens,
    degradations,
    kept_shares,
    loss_by_bits,
    optimal_bits,
)
from jscale.report.page._page_figure import FigureMaker, PageFigure

SECTIONS: dict[str, tuple[FigureMaker, ...]] = {
    "runs": (design, loss_of_runs),
    "fit": (observed_predicted, residuals),
    "posterior": (parameter_pairs,),
    "backtest": (held_out,),
    "forecast": (loss_by_compute, optimal_paths, size_profiles, loss_by_resource),
    "precision": (loss_by_bits, optimal_bits, critical_tokens, degradations, kept_shares),
}
"""Section of the page → its figures, in order."""


def page_figures(analysis: Analysis) -> dict[str, list[PageFigure]]:
    """The figures of every section; a section is empty where the analysis has nothing for it."""
    return {
        section: [figure for maker in makers for figure in maker(analysis)]
        for section, makers in SECTIONS.items()
    }
