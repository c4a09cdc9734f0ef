"""The table of plans: what to train at each budget."""

from dataclasses import dataclass

from jscale.report.analysis import Analysis, OptimalPath
from jscale.report.notation import fixed, human, percent, power_of_ten
from jscale.report.page.tables._values import Value, count, count_digits, decimal, ratio, ratio_text

MIN_DECADES_OUTSIDE = 0.05
"""Decades outside the runs below which a plan counts as inside: 12%."""


@dataclass(frozen=True)
class PointPlan:
    """A plan by the point estimate, as text.

    Attributes:
        N: parameters.
        D: tokens.
        ratio: tokens per parameter.
        P: bits; empty where they were not chosen.
        loss: its loss.
    """

    N: str
    D: str
    ratio: str
    P: str
    loss: str


@dataclass(frozen=True)
class PlanRow:
    """The plan for one budget, as text.

    Attributes:
        budget: FLOP.
        N: parameters.
        D: tokens.
        ratio: tokens per parameter.
        P: bits; None where they were not chosen.
        loss: its loss.
        critical: heading, such as the bits after training, and the critical tokens.
        point: the same plan by the point estimate.
        outside: decades outside the runs.
        tone: "good", "plain", "doubt" or "bad", by the decades.
        unsolved: share of the draws without an optimum; empty where all have one.
    """

    budget: str
    N: Value
    D: Value
    ratio: Value
    P: Value | None
    loss: Value
    critical: list[tuple[str, Value]]
    point: PointPlan
    outside: str
    tone: str
    unsolved: str


def plan_rows(analysis: Analysis) -> list[PlanRow]:
    """A row for each budget; empty without a forecast."""
    if analysis.forecast is None:
        return []
    return [_plan_row(analysis, i) for i in range(len(analysis.study.budgets))]


def _plan_row(analysis: Analysis, i: int) -> PlanRow:
    forecast, precision = analysis.forecast, analysis.precision
    assert forecast is not None
    plans = forecast.plans
    limits: list[tuple[str, Value]] = []
    if precision is not None and precision.critical is not None:
        critical = precision.critical
        for bits, tokens in critical.at_plans.items():
            trained = ", trained in full precision" if critical.at_best else ""
            limits.append((f"{bits:g} bits{trained}", count(tokens, i)))
            if bits in critical.at_best:
                label = f"{bits:g} bits, trained in P* bits"
                limits.append((label, count(critical.at_best[bits], i)))
    quantity, decades = max(forecast.decades_outside[i].items(), key=lambda pair: pair[1])
    inside = decades < MIN_DECADES_OUTSIDE
    solved = float(plans.solved[i])
    return PlanRow(
        budget=power_of_ten(analysis.study.budgets[i]),
        N=count(plans.N, i),
        D=count(plans.D, i),
        ratio=ratio(plans.ratio, i),
        P=None if plans.P is None else decimal(plans.P, i, 1),
        loss=decimal(plans.loss, i, 3),
        critical=limits,
        point=_point_plan(plans, i),
        outside="inside" if inside else f"{decades:.1f} decades in {quantity}",
        tone=_tone(decades),
        unsolved=percent(1 - solved) if solved < 1 else "",
    )


def _tone(decades: float) -> str:
    """Colour of the badge: the further outside the runs, the stronger the warning."""
    if decades < MIN_DECADES_OUTSIDE:
        return "good"
    if decades <= 1:
        return "plain"
    return "doubt" if decades <= 2 else "bad"


def _point_plan(plans: OptimalPath, i: int) -> PointPlan:
    return PointPlan(
        N=human(plans.N.point[i], count_digits(plans.N, i)),
        D=human(plans.D.point[i], count_digits(plans.D, i)),
        ratio=ratio_text(plans.ratio.point[i]),
        P="" if plans.P is None else fixed(plans.P.point[i], 1),
        loss=fixed(plans.loss.point[i], 3),
    )
