"""Plans for a question, as JSON objects with bands."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli.decisions.limits import with_limits
from jscale.cli.decisions.question import Question
from jscale.cli.support import planning

if TYPE_CHECKING:
    from jscale._core.notes import Note

_QUARTER = 0.25
"""Share of the size by which a decision may be off."""
_FACTORS = (0.25, 0.5, 2.0, 4.0)
"""Other sizes that reach the loss of a plan."""
_UNLIMITED = 1e30
"""Parameters and tokens at which every law is at its floor."""
_WIDEST = 60.0
"""Search of the tokens of another size, in the logarithm of their ratio."""


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

    formats = list(question.formats) or question.hardware.formats or [request.bits]
    cost = None
    if question.served is not None:
        cost = costs.LifetimeCost(question.served)
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
    best["decision"] = decision(case.request, question, best)
    if question.substitute:
        best["substitutes"] = substitutes(case.request, best["decision"])
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
    floor = float(np.nanmin(np.asarray(_losses(request, limit), float)))
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


def _flop(budget: float, case: Case, question: Question) -> float:
    """A budget in FLOP."""
    return budget if question.cost == "flop" else budget / case.units[question.cost]


def _priced(plan: dict[str, Any], case: Case, question: Question) -> dict[str, Any]:
    """The plan with its dollars and days, and its distance from the runs by training compute."""
    cost = plan.get("cost", dict.fromkeys(("q05", "q50", "q95"), plan["C"]))
    for unit, rate in case.units.items():
        plan[unit] = {name: value * rate for name, value in cost.items()}
    if question.served is not None:
        trained = 6 * plan["N_opt"]["q50"] * plan["D_opt"]["q50"]
        plan["decades"] = planning.decades_of(case.request, {**plan, "C": trained})
    return plan


def decision(
    request: planning.PlanRequest, question: Question, plan: Mapping[str, Any]
) -> dict[str, Any]:
    """One plan to carry out: N, D, P, expected loss, and the loss that 25% in size cost.

    The median size, with the tokens that the budget pays for, or with ``risk`` the best plan for
    all draws together.
    """
    if not math.isfinite(plan["N_opt"]["q50"]):
        return {"N": None, "D": None, "loss": None, "by": "median", "quarter": None}
    target = plan.get("target_loss")
    by_probability = target is not None and question.level is not None
    if question.risk is not None or by_probability:
        chosen = _for_all_draws(request, question, plan["C"], target)
    else:
        chosen = {"N": plan["N_opt"]["q50"], "D": plan["D_opt"]["q50"], "by": "median"}
        if "P_opt" in plan:
            chosen["P"] = plan["P_opt"]["q50"]
    if chosen["N"] is None:
        return chosen | {"loss": None, "quarter": None}
    chosen["inputs"] = dict(request.inputs) | plan.get("others", {})
    chosen["loss"] = expected_loss(request, chosen)
    chosen["quarter"] = _quarter(request, chosen)
    return chosen


def _for_all_draws(
    request: planning.PlanRequest, question: Question, budget: float, target: float | None
) -> dict[str, Any]:
    """The plan of least risk, or the cheapest that reaches a loss with a probability."""
    from jscale import plan
    from jscale._core.status import Status, is_optimum

    settings = {"free": request.free, "cost": request.cost, **request.fixed}
    law, draws, level = request.law, request.params, question.level or 0.9
    if target is not None:
        best = plan.assured(law, draws, target, level, **settings)
        words = {"by": "assured", "level": level}
    else:
        risk: Any = question.risk
        best = plan.robust(law, draws, budget, risk=risk, level=level, **settings)
        words = {"by": risk} | ({} if risk == "mean" else {"level": level})
    if not bool(is_optimum(best.status)):
        return {"N": None, "D": None, **words, "status": str(Status(int(best.status)))}
    chosen = {"N": float(best.N), "D": float(best.D), **words, "lost": int(best.lost)}
    chosen["C"] = float(best.budget)
    if best.P is not None:
        chosen["P"] = float(best.P)
    if target is None:
        chosen |= {"risk_value": float(best.value), **_regret(request, chosen)}
    return chosen


def _regret(request: planning.PlanRequest, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The expected regret of a plan, in nats and in FLOP."""
    from jscale import plan

    names = [name for name in ("N", "D", "P") if name in chosen]
    fixed = {name: value for name, value in request.fixed.items() if name not in ("N", "D")}
    free = {"N", "D", *request.free}
    if "P" not in free:
        names = ["N", "D"]
    plans: dict[str, Any] = {name: [chosen[name]] for name in names}
    settings = {"free": free, "cost": request.cost, **fixed}
    found = plan.regret(request.law, request.params, plans, **settings)
    return {"regret": {"nats": float(found.nats[0]), "flops": float(found.flops[0])}}


def expected_loss(request: planning.PlanRequest, design: Mapping[str, Any]) -> float:
    """The mean loss of a design over the draws; NaN draws are left out."""
    import numpy as np

    losses = np.asarray(_losses(request, design), float)
    kept = losses[np.isfinite(losses)]
    return float(kept.mean()) if kept.size else math.nan


def _losses(request: planning.PlanRequest, design: Mapping[str, Any]) -> Any:
    from jscale.laws import describe

    values = {name: design[name] for name in ("N", "D", "P") if design.get(name) is not None}
    values |= design.get("inputs", {})
    if (bits := values.pop("P", None)) is not None:
        names = [name for name in describe(request.law).bit_inputs if name != "P_post"]
        values = dict.fromkeys(names, bits) | values
    return request.law(**values, **request.params)


def _quarter(request: planning.PlanRequest, chosen: Mapping[str, Any]) -> float | None:
    """The larger increase of the expected loss at 25% more or fewer parameters, at equal cost.

    None where one of them leaves no tokens.
    """
    from jscale.plan import costs

    cost = request.cost or costs.training_flops
    bits = chosen.get("P") if cost.needs_bits else None
    budget = cost.flops(chosen["N"], chosen["D"], bits)
    increases = []
    for factor in (1 - _QUARTER, 1 + _QUARTER):
        size = factor * chosen["N"]
        tokens = float(cost.tokens(budget, size, bits))
        if tokens <= 0:
            return None
        other = {**chosen, "N": size, "D": tokens}
        increases.append(expected_loss(request, other) - chosen["loss"])
    return max(increases)


def substitutes(
    request: planning.PlanRequest, chosen: Mapping[str, Any]
) -> list[dict[str, float | None]]:
    """Other sizes with the expected loss of a plan: the tokens that they need, and their compute.

    No tokens (None) where the size does not reach the loss.
    """
    if chosen["N"] is None:
        raise JscaleError("--substitute: there is no plan whose loss other sizes could reach")
    rows = []
    for factor in _FACTORS:
        size = factor * chosen["N"]
        tokens = _tokens_for(request, chosen, size)
        ratio = None if tokens is None else size * tokens / (chosen["N"] * chosen["D"])
        rows.append({"N": size, "D": tokens, "compute_ratio": ratio})
    return rows


def _tokens_for(
    request: planning.PlanRequest, chosen: Mapping[str, Any], size: float
) -> float | None:
    """The tokens at which a size has the expected loss of a plan, by bisection."""

    def excess(log_ratio: float) -> float:
        other = {**chosen, "N": size, "D": chosen["D"] * math.exp(log_ratio)}
        return expected_loss(request, other) - chosen["loss"]

    low, high = -_WIDEST, _WIDEST
    if not excess(high) < 0 < excess(low):
        return None
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if excess(middle) < 0 else (middle, high)
    return chosen["D"] * math.exp(high)
