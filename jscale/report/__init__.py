"""Numbers as text, figures, and a report in one HTML file."""

from typing import TYPE_CHECKING

from jscale._core.lazy import lazy_names
from jscale.report.notation import numbers as tables

if TYPE_CHECKING:
    from jscale.report import plots
    from jscale.report.figures import coverage as coverage_figure
    from jscale.report.figures import profile as profile_figure
    from jscale.report.figures import ranks as ranks_figure
    from jscale.report.figures import sensitivity as sensitivity_figure
    from jscale.report.figures import write_coverage, write_profile, write_ranks, write_sensitivity
    from jscale.report.page import write

__all__ = [
    "coverage_figure",
    "plots",
    "profile_figure",
    "ranks_figure",
    "sensitivity_figure",
    "tables",
    "write",
    "write_coverage",
    "write_profile",
    "write_ranks",
    "write_sensitivity",
]

# Matplotlib and the templates load with the first figure or report.
__getattr__ = lazy_names(
    __name__,
    {
        "coverage_figure": "jscale.report.figures:coverage",
        "plots": "jscale.report.plots",
        "profile_figure": "jscale.report.figures:profile",
        "ranks_figure": "jscale.report.figures:ranks",
        "sensitivity_figure": "jscale.report.figures:sensitivity",
        "write": "jscale.report.page",
        "write_coverage": "jscale.report.figures",
        "write_profile": "jscale.report.figures",
        "write_ranks": "jscale.report.figures",
        "write_sensitivity": "jscale.report.figures",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
