"""Plans with bands as JSON objects: the output of ``jscale plan`` and ``jscale report``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import enumerated, general, human, listing

if TYPE_CHECKING:
    from jscale._core.notes import Note
    from jscale.laws import LawFunction

_QUANTILES = ("q05", "q50", "q95")
_SAME_RATIO = 0.01
"""Decades of D/N that count as none: sizes are rounded."""
_REPORTED = ("N_opt", "D_opt", "P_opt", "loss", "D_over_N")


@dataclass(frozen=True)
class PlanRequest:
    """A law with parameters, and which of size, data and bits the plan chooses.

    Attributes:
        law: the law.
        params: parameter → value or draws.
        bits: training precision in bits; None to optimise it, or where the law has none.
        size: number of parameters; None to optimise it.
        post_bits: bits after training at which to compute the critical tokens.
        ranges: quantity → smallest and largest value over the runs; empty where not known.
        cost: of :mod:`jscale.plan.costs`; None for that of training.
        inputs: other inputs of the law at given values, such as unique tokens U.
    """

    law: "LawFunction"
    params: Mapping[str, Any]
    bits: float | None = None
    size: float | None = None
    post_bits: Sequence[float] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    cost: Any = None
    inputs: Mapping[str, float] = field(default_factory=dict)

    @property
    def free(self) -> tuple[str, ...]:
        """Inputs that the plan optimises."""
        free = ("D",) if self.size is not None else ("N", "D")
        by_bits = charges_bits(self.law) and (self.cost is None or self.cost.needs_bits)
        return (*free, "P") if by_bits and self.bits is None else free

    @property
    def fixed(self) -> dict[str, Any]:
        """Inputs at given values."""
        inputs = {"N": self.size, "P": self.bits}
        given = {name: value for name, value in inputs.items() if value is not None}
        return given | dict(self.inputs)


def has_bits(law: "LawFunction") -> bool:
    """Whether a law has a training precision."""
    from jscale.laws import describe

    return any(name != "P_post" for name in describe(law).bit_inputs)


def charges_bits(law: "LawFunction") -> bool:
    """Whether fewer bits of training cost less compute: not those of the weights alone."""
    from jscale.laws import describe

    return bool(describe(law).charged_bits)


def cost_of(request: PlanRequest) -> Any:
    """What a plan spends: the cost that was given, or that of training by its bits."""
    from jscale.plan import costs

    if request.cost is not None:
        return request.cost
    scaled = charges_bits(request.law)
    return costs.precision_scaled_flops if scaled else costs.training_flops


def training_flop(values: Mapping[str, Any]) -> Any:
    """``6 N D`` of a plan, FLOP."""
    return 6.0 * values["N_opt"] * values["D_opt"]


def notes(request: PlanRequest, plans: Sequence[Mapping[str, Any]]) -> "list[Note]":
    """How far plans lie beyond the runs, also in bits, and what their bits cost."""
    beyond = [*distance_notes(plans, request.ranges), *_bits_note(request, plans)]
    return [*beyond, *_post_bits_note(request), *_cost_note(request, plans)]


def _post_bits_note(request: PlanRequest) -> "list[Note]":
    """A warning where critical tokens are wanted and no run was quantised after training."""
    from jscale._core.notes import Note
    from jscale.runs.reading import OFF_BITS

    low, high = request.ranges.get("P_post", (0.0, math.inf))
    if not request.post_bits or low < high:
        return []
    words = "no run was quantised after training"
    if low < OFF_BITS:
        words = f"P_post is {general(low, 3)} in all runs"
    message = (
        f"{words}: the runs do not identify what quantisation after training costs, and the "
        "critical tokens rest on the priors of its parameters, or on values that were fixed"
    )
    return [Note("post-bits-unidentified", "warning", message, {"P_post": (low, high)})]


def _bits_note(request: PlanRequest, plans: Sequence[Mapping[str, Any]]) -> "list[Note]":
    """A warning where planned bits lie below or above those of the runs."""
    from jscale._core.notes import Note
    from jscale.fit.predictions import beyond_bits, bit_range

    ends = bit_range(request.law, request.ranges)
    planned = [(plan["C"], plan["P_opt"]["q50"]) for plan in plans if "P_opt" in plan]
    outside = [(budget, bits, beyond_bits(bits, ends)) for budget, bits in planned]
    outside = [each for each in outside if each[2]]
    if not outside:
        return []
    parts = [f"{bits:.1f} bits at {human(C)} FLOP, {where}" for C, bits, where in outside]
    message = f"{'; '.join(parts)}: no run supports such bits, only the law and its priors"
    evidence = {"bits": {f"{C:g}": bits for C, bits, _ in outside}, "runs": ends}
    return [Note("bits-beyond-runs", "warning", message, evidence)]


def _cost_note(request: PlanRequest, plans: Sequence[Mapping[str, Any]]) -> "list[Note]":
    """A note where the law has bits of the weights alone, whose plans are charged 6 N D."""
    from jscale._core.notes import Note
    from jscale.laws import describe

    law = request.law
    if not has_bits(law) or charges_bits(law):
        return []
    names = enumerated([name for name in describe(law).bit_inputs if name != "P_post"])
    medians = {plan["P_opt"]["q50"] for plan in plans if "P_opt" in plan}
    planned = sorted(filter(math.isfinite, medians))
    words = f"{enumerated([general(bits, 4) for bits in planned])} bits"
    message = (
        f"fewer bits of {names} alone save no training compute, so that plans are charged 6 N D: "
        f"planned in {words if planned else 'full precision'}; choose other bits with --bits"
    )
    evidence = {"inputs": names, "bits": planned}
    return [Note("compute-of-bits", "warning", message, evidence)]


def check(
    law: "LawFunction",
    bits: float | None = None,
    post_bits: Sequence[float] = (),
    given: Sequence[str] = (),
) -> None:
    """Validate a request before anything is sampled for it.

    Args:
        law: that the plan is of.
        bits: of training.
        post_bits: after training.
        given: other inputs that have a value, or a range to choose it from.

    Raises:
        JscaleError: the law does not divide a budget between size and data, or has no such bits.
    """
    from jscale.laws import describe

    record = describe(law)
    if missing := {"N", "D"} - set(record.input_names):
        names = " and ".join(sorted(missing, reverse=True))
        raise JscaleError(
            f"law {record.name!r} has no input {names}: a plan divides a budget between N and D"
        )
    known = ("N", "D", *given)
    if others := [i.name for i in record.inputs if i.default is None and i.name not in known]:
        raise JscaleError(
            f"law {record.name!r} also needs {enumerated(others)}, which a plan does not choose"
        )
    if bits is not None and not has_bits(law):
        raise JscaleError(f"--bits: law {record.name!r} has no training precision")
    if post_bits and "P_post" not in record.bit_inputs:
        raise JscaleError(f"--post-bits: law {record.name!r} has no bits after training, P_post")


def at_budget(request: PlanRequest, budget: float) -> dict[str, Any]:
    """The plan for a budget in FLOP, as :func:`at_budgets`."""
    (result,) = at_budgets(request, [budget])
    return result


def at_budgets(request: PlanRequest, budgets: Sequence[float]) -> list[dict[str, Any]]:
    """The plans for budgets in FLOP: 5%, 50% and 95% quantiles over the draws.

    With one set of parameters the three quantiles are equal.
    """
    from jscale import plan

    results = []
    for budget, bands in zip(budgets, _with_bands(request, plan.optimal, budgets), strict=True):
        result = {"C": budget, **{name: band for name, band in bands.items() if name != "cost"}}
        result["decades"] = decades_of(request, result)
        if request.post_bits:
            result |= _critical_of_plan(request, result)
        results.append(result)
    return results


def at_target(request: PlanRequest, loss: float) -> dict[str, Any]:
    """The cheapest plan that reaches a loss, as :func:`at_budget`; ``C`` is its median cost."""
    from jscale import plan

    (result,) = _with_bands(request, plan.cheapest, [loss])
    result = {"target_loss": loss, "C": result["cost"]["q50"], **result}
    result["decades"] = decades_of(request, result)
    return result


def _with_bands(
    request: PlanRequest, solve: Callable[..., Any], numbers: Sequence[float]
) -> list[dict[str, Any]]:
    """Bands of ``solve(law, params, number)`` for every number, and the status of each.

    In chunks as the report's curves, whose compiled search serves here too.
    """
    import numpy as np

    from jscale.plan.gridsearch import in_chunks
    from jscale.plan.risk import bands_of

    def optimise(params: Any, point: Any) -> dict[str, Any]:
        best = solve(
            request.law,
            params,
            point["number"],
            free=request.free,
            cost=request.cost,
            **request.fixed,
        )
        values = {"N_opt": best.N_opt, "D_opt": best.D_opt, "P_opt": best.P_opt, "loss": best.loss}
        values["D_over_N"] = best.D_opt / best.N_opt
        values["cost"] = best.budget
        if request.cost is not None:
            values["trained"] = training_flop(values)
        return {**values, "status": best.status}

    draws = np.broadcast_arrays(*map(np.atleast_1d, request.params.values()))
    params = dict(zip(request.params, draws, strict=True))
    solved = in_chunks(optimise, params, {"number": np.asarray(numbers, float)})
    bands = bands_of(solved, len(draws[0]))
    named = [name for name in (*_REPORTED, "cost", "trained") if name in solved]
    return [
        {name: quantiles(bands.values[name][:, i]) for name in named}
        | status(bands.values["status"], bands, i)
        for i in range(len(numbers))
    ]


def decades_of(request: PlanRequest, plan: Mapping[str, Any]) -> dict[str, float | None]:
    """By how many factors of ten a plan lies beyond the runs, by its medians.

    Positive above the largest run, negative below the smallest, 0 inside; None where the runs are
    not known, or there is no plan.
    """
    from jscale.fit.predictions import RESOURCES, signed_decades

    planned = {"N": plan["N_opt"]["q50"], "D": plan["D_opt"]["q50"], "C": plan["C"]}
    if not math.isfinite(planned["N"]):
        return dict.fromkeys(RESOURCES)
    return {
        name: signed_decades(planned[name], request.ranges[name])
        if name in request.ranges
        else None
        for name in RESOURCES
    }


def distance_notes(
    plans: Sequence[Mapping[str, Any]], ranges: Mapping[str, tuple[float, float]]
) -> "list[Note]":
    """A note on plans beyond the runs: a warning from one decade on, else a remark.

    Args:
        plans: as :func:`at_budget` returns them.
        ranges: quantity → smallest and largest value over the runs; empty where not known.
    """
    from jscale.fit.predictions import RATIO, beyond_runs_note, signed_decades

    beyond = []
    for plan in plans:
        distances = {name: d for name, d in plan["decades"].items() if d}
        ratio = plan["D_over_N"]["q50"]
        if RATIO in ranges and math.isfinite(ratio):
            distance = signed_decades(ratio, ranges[RATIO])
            distances |= {RATIO: distance} if abs(distance) > _SAME_RATIO else {}
        if distances:
            beyond.append((max(map(abs, distances.values())), plan["C"], distances))
    if not beyond:
        return []

    farthest, budget, distances = max(beyond, key=lambda entry: entry[0])
    parts = [
        f"{general(abs(d), 2)} decades {'above' if d > 0 else 'below'} in {name}"
        for name, d in distances.items()
    ]
    lead = "the plan lies beyond the runs"
    if len(plans) > 1:
        lead = f"{len(beyond)} of {len(plans)} plans beyond the runs, the farthest"
    statement = f"{lead} at {general(budget, 3)} FLOP: {listing(parts)}"
    evidence = {"decades": {f"{plan['C']:g}": plan["decades"] for plan in plans}}
    return [beyond_runs_note(statement, farthest, evidence)]


def at_size(request: PlanRequest) -> dict[str, Any]:
    """The critical tokens of a model of a given size, without a budget."""
    return {"N": request.size, "D_crit": _critical(request, request.size, request.bits)}


def _critical_of_plan(request: PlanRequest, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The critical tokens of one model of the plan's median size.

    ``D_crit`` is of training in the bits that were given, else in full precision, as
    :func:`jscale.plan.critical_tokens` and the report have it; ``D_crit_at_P_opt`` of training in
    the median of the planned bits.
    """
    size = plan["N_opt"]["q50"]
    result = {"D_crit": _critical(request, size, request.bits)}
    if "P_opt" in plan and "P" in request.free:
        result["D_crit_at_P_opt"] = _critical(request, size, plan["P_opt"]["q50"])
    return result


def _critical(request: PlanRequest, size: float | None, bits: float | None) -> dict[str, Any]:
    """Bits after training → quantiles of the tokens past which more data raises the loss.

    ``P_train`` is the training precision; None for full precision, or a law without one.
    """
    from jscale import plan

    given = {} if bits is None else {"P": bits}
    inputs: dict[str, Any] = {**request.fixed, **given, "N": size}

    def tokens(law: Any, params: Any, post_bits: float) -> Any:
        return plan.critical_tokens(law, params, P_post=post_bits, **inputs)

    critical = {}
    for post_bits in request.post_bits:
        if size is None or not all(map(math.isfinite, (size, *given.values()))):
            found: dict[str, Any] = dict.fromkeys(_QUANTILES, math.nan)
            found |= {"status": "no_interior_optimum", "converged": 0.0, "lost": 1}
        else:
            bands = plan.bands(tokens, request.law, request.params, post_bits)
            found = quantiles(bands.values.D_crit) | status(bands.values.status, bands)
        critical[f"{post_bits:g}"] = {**found, "P_train": bits}
    return critical


def quantiles(values: Any) -> dict[str, float]:
    """The 5%, 50% and 95% quantiles by name."""
    return dict(zip(_QUANTILES, values.tolist(), strict=True))


def status(code: Any, bands: Any, entry: Any = ()) -> dict[str, Any]:
    """The outcome, the share of draws with an optimum, and how many have none and are left out.

    Args:
        code: of the outcome.
        bands: whose draws are counted.
        entry: index into arrays of several plans.
    """
    from jscale._core.status import Status

    return {
        "status": str(Status(int(code[entry]))),
        "converged": float(bands.converged[entry]),
        "lost": int(bands.lost[entry]),
    }


def default_budgets(compute: Any) -> list[float]:
    """One, two and three decades beyond the largest run, as powers of ten.

    Args:
        compute: FLOP of every run, shape (rows,).

    Raises:
        JscaleError: there is no run.
    """
    import numpy as np

    if not len(compute):
        raise JscaleError("the runs have no compute: give --budget")
    nearest = round(float(np.log10(np.max(compute))))
    return [float(f"1e{nearest + decades}") for decades in (1, 2, 3)]
