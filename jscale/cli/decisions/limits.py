"""Plans with limits and ranges, by the general optimiser."""

from collections.abc import Mapping
from typing import Any

from jscale.cli.decisions.question import Question
from jscale.cli.support import planning


def with_limits(
    request: planning.PlanRequest,
    question: Question,
    *,
    budget: float | None,
    target: float | None,
) -> dict[str, Any]:
    """The plan of a budget in FLOP, or the cheapest of a target, under limits and ranges.

    As :func:`~jscale.cli.support.planning.at_budget`, with ``binding``: each limit or range that
    holds the plan in half of the draws or more, with what one more unit of it saves.
    """
    from jscale import plan

    variables = _variables(request, question)
    cost, law = planning.cost_of(request), request.law
    weight_bits = question.bits_in_use(request.bits)
    limits = _limits(question, weight_bits)
    functions = [(function, "<=", bound) for _, _, function, bound in limits]
    if target is None:
        objective, first = law, (cost, "<=", budget)
    else:
        objective, first = cost, (law, "<=", target)

    def optimise(_: Any, params: Any, __: Any) -> dict[str, Any]:
        best = plan.solve(objective, variables, params=params, constraints=[first, *functions])
        other = best.objective if target is not None else best.constraints[0]
        loss = best.objective if target is None else best.constraints[0]
        values = {"N_opt": best.values["N"], "D_opt": best.values["D"], "loss": loss}
        values["D_over_N"] = values["D_opt"] / values["N_opt"]
        if "P" in best.values:
            values["P_opt"] = best.values["P"]
        others = {name: best.values[name] for name in best.values if name not in ("N", "D", "P")}
        held = {
            "multipliers": best.multipliers,
            "bounds": best.bound_multipliers,
            "side": {name: side.astype(loss.dtype) for name, side in best.side.items()},
        }
        values |= {"cost": other, "trained": planning.training_flop(values)}
        return {"values": values, "others": others, "held": held, "status": best.status}

    bands = plan.bands(optimise, law, request.params, budget or target)
    values = bands.values
    result: dict[str, Any] = {
        name: planning.quantiles(value) for name, value in values["values"].items()
    }
    result["others"] = {name: float(value[1]) for name, value in values["others"].items()}
    result["C"] = result["cost"]["q50"] if target is not None else budget
    if target is not None:
        result["target_loss"] = target
    result |= planning.status(values["status"], bands)
    result["binding"] = _binding(values["held"], limits, target is None)
    if limits:
        result["weight_bits"] = weight_bits
    result["decades"] = planning.decades_of(request, result)
    return result


def for_all_draws(request: planning.PlanRequest, question: Question) -> dict[str, Any]:
    """The ranges and limits as arguments of :func:`jscale.plan.robust`."""
    limits = _limits(question, question.bits_in_use(request.bits))
    constraints = [(function, "<=", bound) for _, _, function, bound in limits]
    given = set() if request.bits is None else {"P"}
    free = {*request.free, *question.free, *question.bounds} - given
    bounds = {name: ends for name, ends in question.bounds.items() if name in free}
    return {"free": free, "bounds": bounds, "constraints": constraints}


def allowed(question: Question, bits: float, N: float, D: float) -> bool:
    """Whether a size and tokens obey the limits on the weights in use, of so many bits."""
    from jscale.plan.risk import obeys

    ranges = {name: ends for name, ends in question.bounds.items() if name in ("N", "D")}
    limits = [(function, "<=", bound) for _, _, function, bound in _limits(question, bits)]
    return bool(obeys({"N": N, "D": D}, ranges, limits))


def _variables(request: planning.PlanRequest, question: Question) -> dict[str, Any]:
    """Variable → its range, or its value."""
    from jscale import plan

    chosen = {*request.free, *question.free, *question.bounds}
    variables: dict[str, Any] = {
        name: value for name, value in request.fixed.items() if name not in chosen
    }
    if request.bits is not None:
        chosen.discard("P")
        variables["P"] = request.bits
    for name in sorted(chosen):
        variables[name] = plan.Free(*question.bounds.get(name, (None, None)))
    return variables


def _limits(question: Question, bits: float) -> list[tuple[str, str, Any, float]]:
    """Flag, unit, function and bound of each limit on the weights in use, of so many bits."""
    from jscale.plan import costs

    bandwidth = question.bandwidth
    limits: list[tuple[str, str, Any, float]] = []
    if question.latency is not None:
        assert bandwidth is not None

        def seconds(N: Any) -> Any:
            return costs.decode_seconds(N, bandwidth=bandwidth, bits=bits)

        limits.append(("--latency", "second", seconds, question.latency))
    if question.memory is not None:

        def weights(N: Any) -> Any:
            return costs.weight_bytes(N, bits)

        limits.append(("--memory", "byte", weights, question.memory))
    return limits


def _binding(
    held: Mapping[str, Any], limits: list[tuple[str, str, Any, float]], saves_loss: bool
) -> list[dict[str, Any]]:
    """The limits and bounds that hold the median plan, and what one more unit of them saves."""
    saved = "nats" if saves_loss else "FLOP"
    binding = []
    for (flag, unit, _, bound), value in zip(limits, held["multipliers"][1:], strict=True):
        if float(value[1]) > 0:
            saves = {"saves": planning.quantiles(value), "unit": f"{saved} per {unit}"}
            binding.append({"limit": flag, "bound": bound, **saves})
    for name, side in held["side"].items():
        if sign := int(side[1]):
            saves = {
                "saves": planning.quantiles(held["bounds"][name]),
                "unit": f"{saved} per unit of {name}",
            }
            end = "upper" if sign > 0 else "lower"
            binding.append({"limit": f"--bound {name}", "bound": end, **saves})
    return binding
