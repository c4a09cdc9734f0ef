"""Tables, badges and tiles of the page, as text."""

from jscale.report.page.tables._plans import MIN_DECADES_OUTSIDE, PlanRow, plan_rows
from jscale.report.page.tables._tables import (
    backtest_caption,
    backtest_rows,
    badges,
    checklist_rows,
    column_rows,
    ensemble_caption,
    ensemble_rows,
    excluded_rows,
    noise_rows,
    notes,
    parameter_rows,
    provenance,
    tiles,
)
from jscale.report.page.tables._values import Value, count, count_digits, decimal, ratio, ratio_text

__all__ = [
    "MIN_DECADES_OUTSIDE",
    "PlanRow",
    "Value",
    "backtest_caption",
    "backtest_rows",
    "badges",
    "checklist_rows",
    "column_rows",
    "count",
    "count_digits",
    "decimal",
    "ensemble_caption",
    "ensemble_rows",
    "excluded_rows",
    "noise_rows",
    "notes",
    "parameter_rows",
    "plan_rows",
    "provenance",
    "ratio",
    "ratio_text",
    "tiles",
]
