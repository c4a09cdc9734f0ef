"""The tables, badges and tiles of the page, as text."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

import jscale
from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.fit.bayes import ESS_DOUBT, RHAT_DOUBT
from jscale.fit.optimum import AGREEING_STARTS, COLLINEAR, GRADIENT
from jscale.report.analysis import Band, Forecast, Path, Precision, Study, band, stacked
from jscale.report.notation import (
    MISSING,
    decimals,
    fixed,
    human,
    markup,
    mathml,
    number,
    percent,
    plural,
    power_of_ten,
)
from jscale.report.page._findings import LEAST_BEYOND, beyond, digits_of

_LISTED = 40
"""Excluded runs that are listed one by one."""
QUESTIONS = ("Converged", "Starts that agree", "Gradient", "Condition", "Second method")


@dataclass(frozen=True)
class Value:
    """A number with the ends of its 90% interval, as text; ``ends`` is empty where there are no
    draws.
    """

    middle: str
    ends: str = ""


def count(found: Band, index: int) -> Value:
    """A count such as 97B with two or three digits, as its interval deserves."""
    return value(found, index, lambda x: human(x, _digits(found, index)))


def _digits(found: Band, index: int) -> int:
    return digits_of(*(float(b[index]) for b in (found.q50, found.q05, found.q95)))


def value(found: Band, index: int, show: Any) -> Value:
    """One point of a band as text, by the given formatter."""
    middle, low, high = (float(b[index]) for b in (found.q50, found.q05, found.q95))
    return Value(show(middle), f"{show(low)} – {show(high)}" if high > low else "")


def precise(found: Band, index: int) -> Value:
    """A number near 1 with as many decimal places as its interval deserves."""
    return value(found, index, lambda x: fixed(x, _places(found, index)))


def _places(found: Band, index: int) -> int:
    width = float(found.q95[index] - found.q05[index])
    return decimals(width, 2, 5) if width > 0 else 3


def tiles(study: Study, forecast: Forecast | None) -> list[tuple[str, Value, str]]:
    """The four numbers at the top: label, number, what it means."""
    point = study.point
    found = [("Runs", Value(f"{point.n_runs:,}"), f"of {len(study.table):,} in {study.table.name}")]
    found.append(("Typical miss", Value(percent(point.scale)), "robust sd of the log residuals"))
    for parameter in study.record.parameters:
        if parameter.role.name == "irreducible loss":
            values = stacked(study)[parameter.name][:, None]
            found.append(("Irreducible loss", precise(band(values), 0), "nats per token"))
    if forecast is not None:
        found.append(("Size exponent", precise(forecast.growth, 0), "N* grows as this power of C"))
        found.append(
            (
                "10× compute buys",
                value(forecast.gain, 0, lambda x: fixed(x, 3)),
                "nats per token less",
            )
        )
    return found


def plan_rows(
    study: Study, forecast: Forecast | None, precision: Precision | None
) -> list[dict[str, Any]]:
    """One row a budget: what to train, what it reaches, how far out it is."""
    if forecast is None:
        return []
    plans = forecast.plans
    critical = (
        precision.critical.at_plans
        if precision is not None and precision.critical is not None
        else {}
    )
    rows = []
    for i, budget in enumerate(study.budgets):
        what, decades = max(beyond(study, forecast, i).items(), key=lambda pair: pair[1])
        rows.append(
            {
                "budget": power_of_ten(budget),
                "N": count(plans.N, i),
                "D": count(plans.D, i),
                "ratio": value(plans.ratio, i, _ratio),
                "P": value(plans.P, i, lambda x: fixed(x, 1)) if plans.P is not None else None,
                "loss": value(plans.loss, i, lambda x: fixed(x, 3)),
                "critical": [(f"{bits:g}", count(tokens, i)) for bits, tokens in critical.items()],
                "point": _point_plan(plans, i),
                "beyond": f"{decades:.1f} decades in {what}"
                if decades >= LEAST_BEYOND
                else "inside",
                "tone": _tone(decades),
                "unsolved": percent(1 - float(plans.solved[i])) if plans.solved[i] < 1 else "",
            }
        )
    return rows


def _tone(decades: float) -> str:
    return (
        "good"
        if decades < LEAST_BEYOND
        else "plain"
        if decades <= 1
        else "doubt"
        if decades <= 2
        else "bad"
    )


def _point_plan(plans: Path, i: int) -> dict[str, str]:
    return {
        "N": human(plans.N.point[i], _digits(plans.N, i)),
        "D": human(plans.D.point[i], _digits(plans.D, i)),
        "ratio": _ratio(plans.ratio.point[i]),
        "P": fixed(plans.P.point[i], 1) if plans.P is not None else "",
        "loss": fixed(plans.loss.point[i], 3),
    }


def _ratio(tokens_per_parameter: float) -> str:
    return human(tokens_per_parameter, 2 if tokens_per_parameter < 100 else 3)


def column_rows(study: Study) -> list[tuple[str, str, str, str, str]]:
    """Name as HTML, unit, smallest, median and largest of what the runs hold."""
    columns: list[tuple[str, str, np.ndarray]] = []
    units = {
        "N": "parameters",
        "D": "tokens",
        "C": "FLOP",
        "loss": "nats per token",
        "loss_se": "nats per token",
    }
    names = [*("N", "D", "C"), *study.record.input_names, *("loss", "loss_se")]
    for name in dict.fromkeys(names):
        values = study.data.inputs.get(name, study.column(name))
        if values is not None:
            unit = next(
                (i.unit for i in study.record.inputs if i.name == name), units.get(name, "")
            )
            columns.append((name, unit, values))
    held = {name: values for name, _, values in columns}
    if "N" in held and "D" in held:
        place = 1 + [name for name, *_ in columns].index("D")
        columns.insert(place, ("D/N", "tokens per parameter", held["D"] / held["N"]))
    rows = []
    for name, unit, values in columns:
        symbol = markup(name) if len(name.partition("_")[0]) == 1 else escape(name)
        least, middle, most = (_shown(name, float(f(values))) for f in (np.min, np.median, np.max))
        rows.append((symbol, unit, least, middle, most))
    return rows


def _shown(name: str, value_: float) -> str:
    if name == "C":
        return power_of_ten(value_)
    return number(value_, 4) if name == "loss" else human(value_)


def excluded_rows(study: Study) -> tuple[list[tuple[int, str, str]], int]:
    """Row number, name and reason of the excluded runs that are listed, and how many more there
    are.
    """
    out = np.flatnonzero(~study.table.kept)

    def text(column: str, row: int) -> str:
        return str(study.table[column][row]) if column in study.table else ""

    return [(int(r) + 1, text("run_id", r), text("reason", r)) for r in out[:_LISTED]], max(
        0, len(out) - _LISTED
    )


def parameter_rows(study: Study) -> list[dict[str, Any]]:
    """The parameters with standard errors, and their posterior where there is one."""
    rows = []
    for parameter in study.record.parameters:
        name = parameter.name
        value_, error = float(study.point.params[name]), float(study.point.stderr[name])
        summary = study.posterior.summary[name] if study.posterior is not None else None
        rows.append(
            {
                "symbol": markup(name),
                "name": name,
                "meaning": parameter.role.meaning,
                "unit": parameter.unit,
                "point": number(value_, 5),
                "error": number(error, 2) if np.isfinite(error) else MISSING,
                "share": percent(abs(error / value_)) if value_ and np.isfinite(error) else MISSING,
                "posterior": None if summary is None else posterior_cells(summary),
            }
        )
    return rows


def noise_rows(study: Study) -> list[dict[str, Any]]:
    """The noise parameters of the posterior, as the table shows the others."""
    if study.posterior is None:
        return []
    rows = []
    for name, draws in study.posterior.noise.items():
        draws = np.asarray(draws)
        q05, q50, q95 = (float(q) for q in np.quantile(draws, [0.05, 0.5, 0.95]))
        here = {
            "mean": float(draws.mean()),
            "sd": float(draws.std(ddof=1)),
            "q05": q05,
            "q50": q50,
            "q95": q95,
        }
        rows.append(
            {
                "symbol": markup(name),
                "name": name,
                "posterior": posterior_cells({**here, **study.posterior.summary.get(name, {})}),
            }
        )
    return rows


def posterior_cells(summary: Any) -> dict[str, Any]:
    """One parameter's posterior as text, with marks where its chains have not mixed."""
    ess, rhat = summary.get("ess_bulk"), summary.get("rhat")
    return {
        **{key: number(float(summary[key]), 4) for key in ("mean", "q05", "q50", "q95")},
        "sd": number(float(summary["sd"]), 2),
        "ess": MISSING if ess is None else f"{ess:,.0f}",
        "rhat": MISSING if rhat is None else f"{rhat:.3f}",
        "ess_doubt": ess is not None and not ess >= ESS_DOUBT,
        "rhat_doubt": rhat is not None and not rhat <= RHAT_DOUBT,
    }


def badges(study: Study) -> list[tuple[str, str, str]]:
    """The certificate, in the order of :data:`QUESTIONS`: tone, answer, what it means."""
    c = study.point.certificate
    ended = {
        Status.converged: ("good", "yes"),
        Status.collinear_design: ("doubt", "collinear design"),
        Status.at_bound: ("doubt", "at a bound"),
    }
    second = ("good", "agrees") if c.second_method else ("doubt", "stopped short")
    starts = f"{round(c.agreement * c.starts)} of {c.starts}"
    condition = f"in centred coordinates; {_tiny(c.condition_raw)} in raw ones"
    return [
        (*ended.get(c.status, ("bad", "no")), "how the solver ended"),
        ("good" if c.agreement >= AGREEING_STARTS else "bad", starts, "reach this very optimum"),
        (
            "good" if c.gradient_norm < GRADIENT else "bad",
            _tiny(c.gradient_norm),
            "relative norm at the optimum",
        ),
        ("good" if c.condition < COLLINEAR else "doubt", _tiny(c.condition), condition),
        (second[0], second[1], "L-BFGS from a start of its own"),
    ]


def _tiny(value_: float) -> str:
    return number(value_, 2) if 1e-2 <= value_ < 1e4 else power_of_ten(value_, 2)


def notes(study: Study) -> list[tuple[str, str, str]]:
    """Every note once: severity, where it comes from, message."""
    sources: list[tuple[str, Iterable[Note]]] = [
        ("runs", study.table.notes),
        ("fit", study.point.notes),
    ]
    if study.posterior is not None:
        sources.append(("posterior", study.posterior.notes))
    seen: dict[tuple[str, str], tuple[str, str, str]] = {}
    for source, found in sources:
        for note in found:
            seen.setdefault((note.code, note.message), (note.severity, source, note.message))
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(seen.values(), key=lambda entry: order.get(entry[0], 3))


def provenance(study: Study, forecast: Forecast | None) -> list[tuple[str, str]]:
    """How the report was made."""
    point, record = study.point, study.record
    rows = [
        ("Runs", f"{study.table.name}; SHA-256 of the content {study.table.digest[:16]}…"),
        ("Law", f"{record.name}; {record.source}"),
        (
            "Fit",
            f"{point.objective_name} = {point.objective:.8g}, {plural(point.certificate.starts, 'start')}",
        ),
    ]
    if (posterior := study.posterior) is not None:
        chains, divergences = (
            plural(posterior.chains, "chain"),
            plural(posterior.divergences, "divergence"),
        )
        count, ended = (
            len(next(iter(posterior.draws.values()))),
            str(posterior.status).replace("_", " "),
        )
        seconds = f"{posterior.seconds:.1f} s"
        rows.append(
            ("Posterior", f"NUTS, {chains}, {count:,} draws, {divergences}, {seconds}; {ended}")
        )
        rows.append(("Intervals", "medians as lines, 50% and 90% credible intervals as bands"))
    if forecast is not None:
        rule = "(6/16)·N·D·P" if study.training_bits else "6·N·D"
        bits = "; a run counts the wider of its weights and activations" * bool(study.training_bits)
        rows.append(("Compute", f"C = {rule} FLOP{bits}"))
    return [*rows, ("Made with", f"jscale {jscale.__version__}")]


def formulas(study: Study) -> list[str]:
    """The law as MathML, abbreviations last."""
    value_ = {"loss change": "delta"}.get(study.record.output.name, "L")
    return [
        mathml(study.record.formula, value_),
        *(mathml(text, name) for name, text in study.record.definitions),
    ]
