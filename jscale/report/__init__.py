"""What people look at: numbers in words, figures, and a report in one HTML file."""

from typing import TYPE_CHECKING, Any

from jscale.report import tables

if TYPE_CHECKING:
    from jscale.report._figures_sensitivity import sensitivity as sensitivity_figure
    from jscale.report._figures_sensitivity import write_sensitivity
    from jscale.report._figures_uncertainty import coverage as coverage_figure
    from jscale.report._figures_uncertainty import profile as profile_figure
    from jscale.report._figures_uncertainty import write_coverage, write_profile
    from jscale.report._write import write

__all__ = [
    "coverage_figure", "profile_figure", "sensitivity_figure", "tables", "write", "write_coverage", "write_profile",
    "write_sensitivity",
]  # fmt: skip

_UNCERTAINTY = {
    "coverage_figure": "coverage", "profile_figure": "profile", "write_coverage": "write_coverage",
    "write_profile": "write_profile",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Figures and templates load with the first report, so that a front end may use ``tables`` for nothing.
    if name == "write":
        from jscale.report._write import write

        return write
    if name == "sensitivity_figure":
        from jscale.report._figures_sensitivity import sensitivity

        return sensitivity
    if name == "write_sensitivity":
        from jscale.report._figures_sensitivity import write_sensitivity

        return write_sensitivity
    if name in _UNCERTAINTY:
        from jscale.report import _figures_uncertainty

        return getattr(_figures_uncertainty, _UNCERTAINTY[name])
    raise AttributeError(f"module 'jscale.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
