"""Plans for a question, as JSON objects with bands."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli.decisions import choice
from jscale.cli.decisions.limits import with_limits
from jscale.cli.decisions.question import Question, speed_cost
from jscale.cli.support import planning

if TYPE_CHECKING:
    from jscale._core.notes import Note

_SMALL_MEMORY = 1e6
"""Bytes below which a limit is more likely a number of another unit."""
_UNLIMITED = 1e30
"""Parameters and tokens at which every law is at its floor."""


@dataclass(frozen=True)
class Case:
    """One precision to plan in.

    Attributes:
        request: law, parameters, bits and cost.
        units: dollars and days per FLOP, where known.
    """

    request: planning.PlanRequest
    units: Mapping[str, float]


def cases_of(request: planning.PlanRequest, question: Question) -> list[Case]:
    """The precisions to choose from, each with its cost.

    Where the device has a peak for each precision, the FLOP are those of ``6 N D``: fewer bits take
    less time for the same FLOP.
    """
    from jscale.plan import costs

    formats: list[float | None] = [*question.formats]
    if not formats:
        one_given = request.bits is not None
        formats = [request.bits] if one_given else [*question.hardware.formats] or [None]
    cost = None
    if question.served is not None:
        cost = costs.LifetimeCost(question.served)
    elif question.speeds:
        cost = speed_cost(question.speeds)
    elif question.hardware.formats:
        cost = costs.training_flops
    cases = []
    for bits in formats:
        one = replace(request, bits=bits, cost=cost)
        cases.append(Case(one, question.hardware.units(bits)))
    return cases


def answers(request: planning.PlanRequest, question: Question) -> list[dict[str, Any]]:
    """A plan for each budget and each target, the best of its precisions."""
    cases = cases_of(request, question)
    plans = [_best(cases, question, budget=budget) for budget in question.budgets]
    plans += [_best(cases, question, target=target) for target in question.targets]
    return plans


def _best(
    cases: list[Case],
    question: Question,
    *,
    budget: float | None = None,
    target: float | None = None,
) -> dict[str, Any]:
    """The plan of the precision with the least median loss, or the least median cost."""
    plans = []
    for case in cases:
        if question.is_general:
            flop = None if budget is None else _flop(budget, case, question)
            plan = with_limits(case.request, question, budget=flop, target=target)
        elif target is not None:
            plan = planning.at_target(case.request, target)
        else:
            assert budget is not None
            plan = planning.at_budget(case.request, _flop(budget, case, question))
        plans.append(_priced(plan, case, question))

    def rank(plan: dict[str, Any]) -> float:
        if target is None:
            value = plan["loss"]["q50"]
        else:
            value = plan.get("dollars", plan.get("days", {"q50": plan["C"]}))["q50"]
        return value if math.isfinite(value) else math.inf

    best = min(plans, key=rank)
    case = cases[plans.index(best)]
    if len(plans) > 1:
        kept = ("C", "N_opt", "D_opt", "loss", "dollars", "days", "status", "converged", "lost")
        best["formats"] = [
            {"bits": each.request.bits} | {name: plan[name] for name in kept if name in plan}
            for each, plan in zip(cases, plans, strict=True)
        ]
    if target is not None:
        _check_reached(case.request, target, best)
    if budget is not None:
        best["budget"] = budget
    best["decision"] = choice.decision(case.request, case.units, question, best)
    if question.substitute:
        best["substitutes"] = choice.substitutes(case.request, best["decision"])
    return best


def _check_reached(request: planning.PlanRequest, target: float, plan: Mapping[str, Any]) -> None:
    """Check that a plan reaches a loss in some draw.

    Raises:
        JscaleError: none does.
    """
    import numpy as np

    if plan["converged"] > 0:
        return
    limit = {"N": _UNLIMITED, "D": _UNLIMITED, "inputs": dict(request.inputs)}
    floor = float(np.nanmin(np.asarray(choice.losses(request, limit), float)))
    if not floor < target:
        raise JscaleError(
            f"--target-loss {target:g}: below {floor:.6g}, the least loss of the law at any size; "
            "expected above it"
        )
    raise JscaleError(
        f"--target-loss {target:g}: no plan within the given values, ranges and limits reaches it"
    )


def finite_draws(
    draws: Mapping[str, Any],
) -> "tuple[dict[str, Any], tuple[Note, ...]]":
    """The draws whose parameters are all finite, and a note that counts the others.

    Raises:
        JscaleError: there is no such draw.
    """
    import numpy as np

    from jscale._core.notes import Note

    arrays = {name: np.asarray(values) for name, values in draws.items()}
    finite = np.logical_and.reduce([np.isfinite(values) for values in arrays.values()])
    lost = int(np.sum(~finite))
    if not lost:
        return dict(draws), ()
    if lost == finite.size:
        raise JscaleError("--posterior: none of the draws is finite")
    message = f"{lost:,} of {finite.size:,} draws are not finite: plans leave them out"
    note = Note("lost-draws", "warning", message, {"lost": lost, "draws": int(finite.size)})
    return {name: values[finite] for name, values in arrays.items()}, (note,)


def notes(question: Question) -> "list[Note]":
    """What the prices and limits of a question give reason to doubt."""
    return [*_price_notes(question), *_memory_notes(question)]


def _price_notes(question: Question) -> "list[Note]":
    """A note where dollars hold the FLOP of serving, which are priced as those of training."""
    from jscale._core.notes import Note

    priced = question.hardware.has_rate and question.hardware.price is not None
    if question.served is None or not priced:
        return []
    message = (
        "dollars are those of training and of serving, both at --price-per-hour, --mfu and --peak; "
        "serving mostly makes less use of its devices than training"
    )
    return [Note("price-of-serving", "warning", message, {"served": question.served})]


def _memory_notes(question: Question) -> "list[Note]":
    """A note where the weights have so few bytes that gigabytes may have been meant."""
    from jscale._core.notes import Note

    if question.memory is None or question.memory >= _SMALL_MEMORY:
        return []
    size = f"{question.memory:g}"
    message = f"--memory is {size} bytes, below 1 MB: gigabytes are written as {size}GB"
    return [Note("small-memory", "warning", message, {"bytes": question.memory})]


def _flop(budget: float, case: Case, question: Question) -> float:
    """A budget in FLOP."""
    return budget if question.cost == "flop" else budget / case.units[question.cost]


def _priced(plan: dict[str, Any], case: Case, question: Question) -> dict[str, Any]:
    """The plan with its dollars and days, and its distance from the runs by training compute.

    Days are those of training; dollars those of training and serving.
    """
    constant = dict.fromkeys(("q05", "q50", "q95"), plan["C"])
    cost = plan.get("cost", constant)
    trained = plan.pop("trained", cost)
    if question.served is None:
        trained = cost
    for unit, rate in case.units.items():
        flop = trained if unit == "days" else cost
        plan[unit] = {name: value * rate for name, value in flop.items()}
    if question.served is not None:
        plan["decades"] = planning.decades_of(case.request, {**plan, "C": trained["q50"]})
    return plan
