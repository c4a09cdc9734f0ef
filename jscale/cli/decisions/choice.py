"""One plan to carry out for a question, and other sizes that are as good."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale.cli.decisions import limits
from jscale.cli.decisions.question import Question
from jscale.cli.support import planning

if TYPE_CHECKING:
    from jscale.plan import RobustPlan

QUARTER = 0.25
"""Share of the size by which a decision may be off."""
_FACTORS = (0.25, 0.5, 2.0, 4.0)
"""Other sizes that reach the loss of a plan."""
_WIDEST = 60.0
"""Search of the tokens of another size, in the logarithm of their ratio."""
_ROUNDING = 1e-6
"""Relative distance at which tokens count as within their bound."""
_LEVEL = 0.9
"""By default the worst tenth of the draws counts for a risk."""


def decision(
    request: planning.PlanRequest,
    units: Mapping[str, float],
    question: Question,
    plan: Mapping[str, Any],
) -> dict[str, Any]:
    """One plan to carry out: N, D, P, its cost, its expected loss, and what 25% in size cost.

    The median size, with the tokens that the budget pays for, or with which the expected loss is
    the target; with ``risk`` or ``level`` the best plan for all draws together.
    """
    if not math.isfinite(plan["N_opt"]["q50"]):
        return {"N": None, "D": None, "loss": None, "by": "median", "quarter": None}
    target = plan.get("target_loss")
    if question.risk is not None and target is None:
        chosen = _of_least_risk(request, question, question.level or _LEVEL, plan["C"])
    elif target is not None and question.level is not None:
        chosen = _assured(request, target, question.level)
    else:
        chosen = _at_median_size(request, question, plan)
    if chosen["N"] is None:
        return chosen | {"loss": None, "quarter": None}
    chosen["loss"] = expected_loss(request, chosen)
    chosen |= _quarter(request, question, chosen)
    if question.qat_bits is not None:
        chosen["qat"] = _qat_split(chosen, question.qat_bits)
    trained = 6 * chosen["N"] * chosen["D"] if question.served is not None else chosen["C"]
    for unit, rate in units.items():
        chosen[unit] = rate * (trained if unit == "days" else chosen["C"])
    return chosen


def _qat_split(chosen: Mapping[str, Any], bits: float) -> dict[str, Any]:
    """The tokens of full precision and of quantisation-aware training."""
    from jscale import plan
    from jscale._core.status import Status

    split = plan.qat_split(chosen["N"], chosen["D"], bits)
    names = ("share", "D_full", "D_quantised")
    numbers = {name: float(getattr(split, name)) for name in names}
    return {"P_w": bits, **numbers, "status": str(Status(int(split.status)))}


def _at_median_size(
    request: planning.PlanRequest, question: Question, plan: Mapping[str, Any]
) -> dict[str, Any]:
    """The median size and bits, with tokens that spend the budget or reach the target."""
    cost, target = planning.cost_of(request), plan.get("target_loss")
    chosen: dict[str, Any] = {"N": plan["N_opt"]["q50"], "D": plan["D_opt"]["q50"], "by": "median"}
    if "P_opt" in plan:
        chosen["P"] = plan["P_opt"]["q50"]
    chosen["inputs"] = dict(request.inputs) | plan.get("others", {})
    bits = chosen.get("P") if cost.needs_bits else None
    if target is None:
        spent = plan["cost"]["q50"] if "cost" in plan else plan["C"]
        tokens = float(cost.tokens(spent, chosen["N"], bits))
    else:
        tokens = _tokens_for(request, chosen, chosen["N"], target)
        _, most = question.bounds.get("D", (None, None))
        if tokens is None or tokens > (most or math.inf) * (1 + _ROUNDING):
            missed = "no tokens bring the median size to this mean loss"
            missed += "" if question.is_general else "; give --level"
            return {"N": None, "D": None, "by": "median", "status": missed}
    return chosen | {"D": tokens, "C": float(cost.flops(chosen["N"], tokens, bits))}


def _assured(request: planning.PlanRequest, target: float, level: float) -> dict[str, Any]:
    """The cheapest plan that reaches a loss with a probability."""
    from jscale import plan

    settings = {"free": request.free, "cost": request.cost, **request.fixed}
    best = plan.assured(request.law, request.params, target, level, **settings)
    return _one_plan(request, best, {"by": "assured", "level": level})


def _of_least_risk(
    request: planning.PlanRequest, question: Question, level: float, budget: float
) -> dict[str, Any]:
    """The plan of least risk, and its expected regret."""
    from jscale import plan

    risk: Any = question.risk
    settings: dict[str, Any] = {"free": request.free, "cost": request.cost, **request.fixed}
    if question.is_general:
        settings |= limits.for_all_draws(request, question)
    best = plan.robust(request.law, request.params, budget, risk=risk, level=level, **settings)
    words = {"by": risk} | ({} if risk == "mean" else {"level": level})
    chosen = _one_plan(request, best, words)
    if chosen["N"] is None:
        return chosen
    chosen["risk_value"] = float(best.value)
    if not question.is_general:
        return chosen | _regret(request, chosen)
    return chosen | {"regret": {"nats": float(best.regret)}}


def _one_plan(
    request: planning.PlanRequest, best: "RobustPlan", words: dict[str, Any]
) -> dict[str, Any]:
    """One plan for all draws as a JSON object, with ``words`` on how it was chosen."""
    from jscale._core.status import Status, is_optimum

    if not bool(is_optimum(best.status)):
        return {"N": None, "D": None, **words, "status": str(Status(int(best.status)))}
    chosen = {"N": float(best.N), "D": float(best.D), **words, "lost": int(best.lost)}
    chosen |= {"C": float(best.budget), "inputs": dict(request.inputs)}
    return chosen if best.P is None else chosen | {"P": float(best.P)}


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
    regret = plan.regret(request.law, request.params, plans, **settings)
    return {"regret": {"nats": float(regret.nats[0]), "flops": float(regret.flops[0])}}


def expected_loss(request: planning.PlanRequest, design: Mapping[str, Any]) -> float:
    """The mean loss of a design over the draws; NaN draws are left out."""
    import numpy as np

    each = np.asarray(losses(request, design), float)
    kept = each[np.isfinite(each)]
    return float(kept.mean()) if kept.size else math.nan


def losses(request: planning.PlanRequest, design: Mapping[str, Any]) -> Any:
    """The loss of a design in every draw."""
    from jscale.laws import describe

    values = {name: design[name] for name in ("N", "D", "P") if design.get(name) is not None}
    values |= design.get("inputs", {})
    if (bits := values.pop("P", None)) is not None:
        names = [name for name in describe(request.law).bit_inputs if name != "P_post"]
        values = dict.fromkeys(names, bits) | values
    return request.law(**values, **request.params)


def _quarter(
    request: planning.PlanRequest, question: Question, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """The larger increase of the expected loss at 25% more or fewer parameters, at equal cost.

    ``quarter`` is None where one of them leaves no tokens, or limits allow none of them.
    ``quarter_side`` says whether they allow ``both``, or ``smaller`` or ``larger`` ones alone.
    """
    cost = planning.cost_of(request)
    bits = chosen.get("P") if cost.needs_bits else None
    budget = cost.flops(chosen["N"], chosen["D"], bits)
    in_use = question.bits_in_use(request.bits)
    increases = {}
    for side, factor in (("smaller", 1 - QUARTER), ("larger", 1 + QUARTER)):
        size = factor * chosen["N"]
        tokens = float(cost.tokens(budget, size, bits))
        if tokens <= 0:
            return {"quarter": None, "quarter_side": None}
        if question.is_general and not limits.allowed(question, in_use, size, tokens):
            continue
        other = {**chosen, "N": size, "D": tokens}
        increases[side] = expected_loss(request, other) - chosen["loss"]
    if not increases:
        return {"quarter": None, "quarter_side": None}
    side = "both" if len(increases) == 2 else next(iter(increases))
    return {"quarter": max(increases.values()), "quarter_side": side}


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
        tokens = _tokens_for(request, chosen, size, chosen["loss"])
        ratio = None if tokens is None else size * tokens / (chosen["N"] * chosen["D"])
        rows.append({"N": size, "D": tokens, "compute_ratio": ratio})
    return rows


def _tokens_for(
    request: planning.PlanRequest, chosen: Mapping[str, Any], size: float, loss: float
) -> float | None:
    """The tokens at which a size has an expected loss, by bisection; None where it has none."""

    def excess(log_ratio: float) -> float:
        other = {**chosen, "N": size, "D": chosen["D"] * math.exp(log_ratio)}
        return expected_loss(request, other) - loss

    low, high = -_WIDEST, _WIDEST
    if not excess(high) < 0 < excess(low):
        return None
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if excess(middle) < 0 else (middle, high)
    return chosen["D"] * math.exp(high)
