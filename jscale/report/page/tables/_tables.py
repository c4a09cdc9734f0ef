"""Tables, badges and tiles of the runs, the fit, the posterior and the backtest, as text."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess import ForecastScores, HeldOutRun, checklist
from jscale.assess.auditing import Answer, further_doubts
from jscale.fit.bayes import ESS_WARNING, RHAT_WARNING
from jscale.fit.optimum import AGREEING_STARTS, COLLINEAR, GRADIENT
from jscale.report.analysis import Analysis, FittedStudy
from jscale.report.notation import (
    MISSING,
    fixed,
    human,
    markup,
    number,
    percent,
    plural,
    power_of_ten,
    with_powers,
)
from jscale.report.page.tables._values import Value, decimal

_MAX_EXCLUDED = 40
"""Excluded runs that are listed one by one."""
_MAX_FORECAST = 12
"""Runs forecast by an ensemble that are listed one by one."""
_SEVERITIES = {"error": 0, "warning": 1, "info": 2}


def tiles(analysis: Analysis) -> list[tuple[str, Value, str]]:
    """The numbers at the top: label, number, meaning."""
    study, point = analysis.study, analysis.study.point
    rows = [
        ("Runs", Value(f"{point.n_runs:,}"), f"of {len(study.table):,} in {study.table.name}"),
        (
            "Typical residual",
            Value(percent(point.scale)),
            f"robust sd of the log residuals; root mean square {percent(analysis.residuals.rms)}",
        ),
    ]
    for band in analysis.irreducible.values():
        rows.append(("Irreducible loss", decimal(band, 0), study.loss_unit))
    if (forecast := analysis.forecast) is not None:
        rows.append(("Size exponent", decimal(forecast.growth, 0), "N* grows as this power of C"))
        rows.append(("Gain of 10× compute", decimal(forecast.gain, 0, 3), study.loss_unit))
    return rows


def column_rows(analysis: Analysis) -> list[tuple[str, str, str, str, str]]:
    """Name as HTML, unit, minimum, median and maximum of the columns of the fitted runs."""
    rows = []
    for column in analysis.columns:
        single_letter = len(column.name.partition("_")[0]) == 1
        symbol = markup(column.name) if single_letter else escape(column.name)
        numbers = (column.minimum, column.median, column.maximum)
        low, middle, high = (_column_number(column.name, x) for x in numbers)
        rows.append((symbol, column.unit, low, middle, high))
    return rows


def _column_number(name: str, x: float) -> str:
    if name == "C":
        return power_of_ten(x)
    return number(x, 4) if name == "loss" else human(x)


def excluded_rows(study: FittedStudy) -> tuple[list[tuple[int, str, str]], int]:
    """Row number, name and reason of the listed excluded runs, and the number of the others."""
    excluded = np.flatnonzero(~study.table.kept)

    def text(column: str, row: int) -> str:
        return str(study.table[column][row]) if column in study.table else ""

    listed = [
        (int(row) + 1, text("run_id", row), text("reason", row)) for row in excluded[:_MAX_EXCLUDED]
    ]
    return listed, max(0, len(excluded) - _MAX_EXCLUDED)


def parameter_rows(study: FittedStudy) -> list[dict[str, Any]]:
    """The parameters with standard errors, and their posterior where there is one."""
    rows = []
    loss_unit = study.loss_unit.replace(" per ", "/")
    for parameter in study.record.parameters:
        name = parameter.name
        estimate, error = float(study.point.params[name]), float(study.point.stderr[name])
        known = bool(np.isfinite(error))
        summary = None if study.posterior is None else study.posterior.summary[name]
        rows.append(
            {
                "symbol": markup(name),
                "name": name,
                "meaning": parameter.role.meaning,
                "unit": parameter.unit.replace("nats/token", loss_unit),
                "point": number(estimate, 5),
                "error": number(error, 2) if known else MISSING,
                "measured": _measured(estimate, error),
                "share": percent(abs(error / estimate)) if estimate and known else MISSING,
                "posterior": None if summary is None else posterior_cells(summary),
            }
        )
    return rows


def _measured(estimate: float, error: float) -> str:
    """An estimate to the two leading digits of its standard error: ``0.2929 ± 0.0081``."""
    is_plain = 1e-3 <= abs(estimate) < 1e6 and 1e-6 <= error < 1e6
    if not is_plain:
        return f"{number(estimate, 5)} ± {number(error, 2) if np.isfinite(error) else MISSING}"
    places = max(0, 1 - math.floor(math.log10(error)))
    return f"{fixed(estimate, places)} ± {fixed(error, places)}"


def noise_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """The noise parameters of the posterior, like the rows of the other parameters."""
    return [
        {"symbol": markup(name), "name": name, "posterior": posterior_cells(summary)}
        for name, summary in analysis.noise.items()
    ]


def posterior_cells(summary: Mapping[str, float]) -> dict[str, Any]:
    """One parameter's posterior as text, with marks where its chains did not converge."""
    sizes = [summary[part] for part in ("ess_bulk", "ess_tail") if part in summary]
    ess = float(np.min(sizes)) if sizes else None  # of bulk or tails, or NaN if one is
    rhat = summary.get("rhat")
    return {
        **{key: number(float(summary[key]), 4) for key in ("mean", "q05", "q50", "q95")},
        "sd": number(float(summary["sd"]), 2),
        "ess": MISSING if ess is None else f"{ess:,.0f}",
        "rhat": MISSING if rhat is None else f"{rhat:.3f}",
        # A NaN fails every comparison and is marked too.
        "ess_doubt": ess is not None and not ess >= ESS_WARNING,
        "rhat_doubt": rhat is not None and not rhat < RHAT_WARNING,
    }


def backtest_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """Forecasts of held-out runs, a row for each cut and one for all; empty without any.

    Which, runs fitted, runs forecast, bias, error, coverage of three bands, width of the 80% band.
    """
    forecasts = analysis.held_out
    if forecasts is None or forecasts.result is None:
        return []
    result = forecasts.result
    (law,) = result.laws
    rows = [
        _backtest_row(scores, f"{cut.fitted:,}")
        for scores, cut in zip(law.cuts, result.cuts, strict=True)
    ]
    return rows if len(rows) == 1 else [*rows, _backtest_row(law.summary, "")]


def _backtest_row(scores: ForecastScores, fitted: str) -> tuple[str, ...]:
    return (
        with_powers(scores.label),
        fitted,
        f"{scores.count:,}",
        percent(scores.bias),
        percent(scores.rmsle),
        *(f"{band.coverage:.0%}" for band in scores.bands),
        percent(scores.bands[1].width),
    )


def law_rows(analysis: Analysis) -> list[tuple[str, str, bool]]:
    """Laws of the same inputs: name, weight, whether it is the report's; empty without weights."""
    forecasts = analysis.held_out
    if forecasts is None:
        return []
    own = analysis.study.record.name
    return [(law, f"{weight:.0%}", law == own) for law, weight in forecasts.law_weights.items()]


def backtest_caption(analysis: Analysis) -> str:
    """What was fitted and forecast, and with which errors."""
    study = analysis.study
    if study.posterior is None:
        how = "the point fit, with bands as wide as the residuals of the fitted runs"
    else:
        priors = " and its own priors" if study.posterior.priors else ""
        how = f"the law with the errors {study.posterior.errors}{priors}, by importance sampling"
    return f"Runs that were not fitted, forecast by {how}"


def ensemble_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """The runs with the most compute that an ensemble forecast; empty without an ensemble.

    Size, tokens, observed loss, forecast, 80% band, 95% band, the narrower band that holds it.
    """
    forecasts = analysis.held_out
    if forecasts is None or forecasts.ensemble is None or forecasts.ensemble_table is None:
        return []
    result, table = forecasts.ensemble, forecasts.ensemble_table
    rows = sorted(result.rows, key=lambda row: -row.C)[:_MAX_FORECAST]
    return [
        (
            *(human(float(table[name][row.row - 1])) for name in ("N", "D")),
            f"{row.loss:.3f}",
            f"{row.predicted:.3f}",
            f"{row.q10:.3f} to {row.q90:.3f}",
            f"{row.q025:.3f} to {row.q975:.3f}",
            _held_by(row),
        )
        for row in rows
    ]


def _held_by(row: HeldOutRun) -> str:
    bands = (("80%", row.q10, row.q90), ("95%", row.q025, row.q975))
    return next((name for name, low, high in bands if low <= row.loss <= high), "none")


def ensemble_caption(analysis: Analysis) -> str:
    """Which runs were forecast from which, by which laws, and how their bands were made."""
    result = None if analysis.held_out is None else analysis.held_out.ensemble
    if result is None:
        return ""
    (law,), (cut,) = result.laws, result.cuts
    bits = " in 16 bits" if analysis.study.record.bit_inputs else ""
    correction = [note.message for note in result.notes if note.code == "corrected-bands"]
    how = correction[0].partition(": ")[2] if correction else "bands are not corrected"
    _, inner, outer = law.summary.bands
    smaller = plural(cut.fitted, "smaller run")
    return (
        f"Runs{bits} with the most compute, forecast from the {smaller} by the {law.law}: "
        f"{inner.held} of {inner.count} are in their 80% bands, {outer.held} in their 95% bands; "
        f"{how.partition(': ')[2] or how}"
    )


def badges(study: FittedStudy) -> list[tuple[str, str, str, str]]:
    """The certificate: question, tone, answer, meaning."""
    result = study.point.certificate
    statuses = {
        Status.converged: ("good", "yes"),
        Status.collinear_design: ("doubt", "collinear design"),
        Status.at_bound: ("doubt", "at a bound"),
    }
    status_tone, status = statuses.get(result.status, ("bad", "no"))
    agreeing = f"{round(result.agreement * result.starts)} of {result.starts}"
    second_tone, second = ("good", "agrees") if result.second_method else ("doubt", "stopped short")
    raw = f"in centred coordinates; {_scientific(result.condition_raw)} in raw ones"
    enough = result.agreement >= AGREEING_STARTS
    flat = result.gradient_norm < GRADIENT
    separable = result.condition < COLLINEAR
    return [
        ("Converged", status_tone, status, "status of the fit"),
        ("Agreeing starts", "good" if enough else "bad", agreeing, "reach the same minimum"),
        (
            "Gradient",
            "good" if flat else "bad",
            _scientific(result.gradient_norm),
            "relative norm at the optimum",
        ),
        (
            "Condition number",
            "good" if separable else "doubt",
            _scientific(result.condition),
            raw,
        ),
        ("Second optimiser", second_tone, second, "BFGS from up to three starts"),
    ]


def _scientific(x: float) -> str:
    return number(x, 2) if 1e-2 <= x < 1e4 else power_of_ten(x, 2)


def notes(study: FittedStudy) -> list[tuple[str, str, str]]:
    """Every note once, errors first: severity, source, message."""
    sources: list[tuple[str, Iterable[Note]]] = [
        ("runs", study.table.notes),
        ("fit", study.point.notes),
    ]
    if study.posterior is not None:
        sources.append(("posterior", study.posterior.notes))
    sources.append(("audit", further_doubts(study.point, study.table)))

    unique: dict[tuple[str, str], tuple[str, str, str]] = {}
    for source, group in sources:
        for note in group:
            entry = note.severity, source, with_powers(note.message)
            unique.setdefault((note.code, note.message), entry)
    return sorted(unique.values(), key=lambda entry: _SEVERITIES.get(entry[0], 3))


def checklist_rows(study: FittedStudy) -> tuple[Answer, ...]:
    """The questions of a scaling study with the answers that are known."""
    return checklist(study.table, study.point).answers
