"""The tables of plans: what to train at each budget, at any other, and critical tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jscale.report.analysis import Analysis, FittedStudy, OptimalPath
from jscale.report.notation import percent, power_of_ten
from jscale.report.page.tables._values import Value, count, decimal, ratio

MIN_DECADES_OUTSIDE = 0.05
"""Decades outside the runs below which a plan counts as inside: 12%."""


@dataclass(frozen=True)
class PlanRow:
    """The plan for one budget, as text.

    Attributes:
        budget: FLOP.
        N: parameters.
        D: tokens.
        ratio: tokens per parameter.
        P: bits; None where they were not chosen.
        loss: the law's value.
        new_run: loss of a new run; None where it is not known.
        outside: decades outside the runs, and bits outside theirs.
        tone: "good", "plain", "doubt" or "bad", by the decades and bits.
        unsolved: share of the draws without an optimum; empty where all have one.
    """

    budget: str
    N: Value
    D: Value
    ratio: Value
    P: Value | None
    loss: Value
    new_run: Value | None
    outside: str
    tone: str
    unsolved: str


@dataclass(frozen=True)
class Stop:
    """One of the budgets for which plans were computed in advance.

    Attributes:
        row: the plan.
        position: its place in the row of stops, from 1.
        chosen: whether it is shown at first.
        label: below the row of stops; empty for most.
    """

    row: PlanRow
    position: int
    chosen: bool
    label: str


@dataclass(frozen=True)
class CriticalRow:
    """Critical tokens of the model of a plan, as text.

    Attributes:
        budget: FLOP of the plan.
        N: its parameters.
        D: its tokens.
        bits: after training.
        full: critical tokens of training in full precision.
        best: the same of training in P* bits; None where these were not chosen.
        verdict: whether the plan trains on more; empty where it does not.
    """

    budget: str
    N: str
    D: str
    bits: str
    full: Value
    best: Value | None
    verdict: str


def plan_rows(analysis: Analysis) -> list[PlanRow]:
    """A row for each budget; empty without a forecast."""
    forecast = analysis.forecast
    if forecast is None:
        return []
    new = forecast.new_run_at_plans
    return [
        _plan_row(
            analysis.study,
            forecast.plans,
            i,
            outside,
            None if new is None else decimal(new, i, 3),
        )
        for i, outside in enumerate(forecast.decades_outside)
    ]


def stops(analysis: Analysis) -> list[Stop]:
    """The plans at round numbers of compute and at the budgets; empty without a forecast."""
    forecast = analysis.forecast
    if forecast is None or not len(forecast.stops.compute):
        return []
    path = forecast.stops
    first = analysis.study.budgets[0] if analysis.study.budgets else forecast.decade.compute[1]
    chosen = int(np.argmin(np.abs(np.log(path.compute / first))))
    decades = np.log10(path.compute)
    whole = np.isclose(decades, decades.round())
    return [
        Stop(
            row=_plan_row(analysis.study, path, i, outside),
            position=i + 1,
            chosen=i == chosen,
            label=power_of_ten(path.compute[i]) if whole[i] else "",
        )
        for i, outside in enumerate(forecast.stop_decades)
    ]


def critical_rows(analysis: Analysis) -> list[CriticalRow]:
    """Critical tokens of the plan's model, a row for each budget and bits after training."""
    forecast, precision = analysis.forecast, analysis.precision
    if forecast is None or precision is None or precision.critical is None:
        return []
    plans, critical, rows = forecast.plans, precision.critical, []
    for i, budget in enumerate(analysis.study.budgets):
        for bits, full in critical.at_plans.items():
            best = critical.at_best.get(bits)
            own = full if best is None else best
            rows.append(
                CriticalRow(
                    budget=power_of_ten(budget),
                    N=count(plans.N, i).middle,
                    D=count(plans.D, i).middle,
                    bits=f"{bits:g}",
                    full=count(full, i),
                    best=None if best is None else count(best, i),
                    verdict="exceeded" if own.q50[i] < plans.D.q50[i] else "",
                )
            )
    return rows


def bits_beyond(study: FittedStudy, plans: OptimalPath, i: int) -> str:
    """``3.8 bits, below the 8 to 16 bits of the runs``; empty where a plan's bits lie inside."""
    if plans.P is None or not (beyond := study.beyond_bits(float(plans.P.q50[i]))):
        return ""
    return f"{decimal(plans.P, i, 1).middle} bits, {beyond}"


def _plan_row(
    study: FittedStudy,
    plans: OptimalPath,
    i: int,
    outside: Mapping[str, float],
    new_run: Value | None = None,
) -> PlanRow:
    quantity, decades = max(outside.items(), key=lambda pair: pair[1])
    beyond = [] if decades < MIN_DECADES_OUTSIDE else [f"{decades:.1f} decades in {quantity}"]
    tone = _tone(decades)
    if bits := bits_beyond(study, plans, i):
        beyond.append(bits)
        tone = "bad" if tone == "bad" else "doubt"
    solved = float(plans.solved[i])
    return PlanRow(
        budget=power_of_ten(float(plans.compute[i])),
        N=count(plans.N, i),
        D=count(plans.D, i),
        ratio=ratio(plans.ratio, i),
        P=None if plans.P is None else decimal(plans.P, i, 1),
        loss=decimal(plans.loss, i, 3),
        new_run=new_run,
        outside="; ".join(beyond) or "inside",
        tone=tone,
        unsolved=percent(1 - solved) if solved < 1 else "",
    )


def _tone(decades: float) -> str:
    """Colour of the badge: the further outside the runs, the stronger the warning."""
    if decades < MIN_DECADES_OUTSIDE:
        return "good"
    if decades <= 1:
        return "plain"
    return "doubt" if decades <= 2 else "bad"
