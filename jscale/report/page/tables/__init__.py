"""Tables, badges and tiles of the page, as text."""

from jscale.report.page.tables._plans import (
    MIN_DECADES_OUTSIDE,
    CriticalRow,
    PlanRow,
    Stop,
    critical_rows,
    plan_rows,
    stops,
)
from jscale.report.page.tables._provenance import provenance, software
from jscale.report.page.tables._tables import (
    backtest_caption,
    backtest_rows,
    badges,
    checklist_rows,
    column_rows,
    ensemble_caption,
    ensemble_rows,
    excluded_rows,
    law_rows,
    noise_rows,
    notes,
    parameter_rows,
    tiles,
)
from jscale.report.page.tables._values import Value, count, count_digits, decimal, ratio, ratio_text

__all__ = [
    "MIN_DECADES_OUTSIDE",
    "CriticalRow",
    "PlanRow",
    "Stop",
    "Value",
    "backtest_caption",
    "backtest_rows",
    "badges",
    "checklist_rows",
    "column_rows",
    "count",
    "count_digits",
    "critical_rows",
    "decimal",
    "ensemble_caption",
    "ensemble_rows",
    "excluded_rows",
    "law_rows",
    "noise_rows",
    "notes",
    "parameter_rows",
    "plan_rows",
    "provenance",
    "ratio",
    "ratio_text",
    "software",
    "stops",
    "tiles",
]
