"""Plans averaged over the laws of an ensemble, as JSON objects and as text."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jscale._core.errors import JscaleError
from jscale._core.text import listing
from jscale.cli.decisions import text
from jscale.cli.decisions.choice import QUARTER
from jscale.cli.decisions.question import Question, check
from jscale.cli.forecasting import ensembles
from jscale.cli.support import flags, inputs, output, planning
from jscale.cli.support.session import shows_progress

if TYPE_CHECKING:
    from jscale.assess import Ensemble
    from jscale.laws import LawFunction
    from jscale.runs import Runs

_QUANTILES = ("q05", "q50", "q95")
_WIDTH = 80
_MEMBER = ("N_opt", "D_opt", "loss")
"""Quantities of the plan of each law."""


def refuse() -> None:
    """Refuse options without effect on a plan by several laws.

    Raises:
        JscaleError: one of them is given.
    """
    reason = "with --ensemble, whose laws are fitted to RUNS"
    flags.refuse("params", "posterior", reason=reason)
    reason = "with --ensemble, which takes the laws that suit the runs"
    flags.refuse("law", "fix", "tie", reason=reason)
    reason = "with --ensemble, whose laws are fitted by importance sampling"
    flags.refuse("prior", "chains", "warmup", "sampler", reason=reason)
    of_one_law = ("target_loss", "size", "bits", "post_bits", "qat_bits", "speeds", "substitute")
    limits = ("latency", "bandwidth", "memory", "free", "bound", "risk", "level")
    reason = "with --ensemble, which divides a budget between N and D; name one --law"
    flags.refuse(*of_one_law, *limits, reason=reason)


def laws_of(
    table: "Runs", errors: str | None, given: Mapping[str, Any], question: Question
) -> "list[LawFunction]":
    """The laws that suit the runs, each of which divides a budget between N and D.

    Raises:
        JscaleError: there is one alone, or it needs an input that no option gives.
    """
    from jscale.laws import describe

    laws = ensembles.laws_for((), table, errors)
    if "U" in given and not any("U" in describe(law).input_names for law in laws):
        names = listing([describe(law).name for law in laws])
        raise JscaleError(
            f"--unique-tokens: {names}, which suit {table.name}, have no unique tokens"
        )
    if len(laws) == 1:
        raise JscaleError(
            f"--ensemble: of the catalogue only {describe(laws[0]).name} suits the columns of "
            f"{table.name}; leave --ensemble out and name it with --law"
        )
    for law in laws:
        planning.check(law, given=tuple(given))
        check(question, law, None)
    return laws


def ensemble_of(
    laws: "Sequence[LawFunction]",
    table: "Runs",
    errors: str | None,
    settings: inputs.Sampling,
    as_json: bool,
) -> "Ensemble":
    """The laws with their weights, by forecasts of held-out runs."""
    from jscale import assess

    return assess.ensemble(
        laws,
        table,
        errors=errors,
        key=inputs.key_of(settings.seed),
        correct=False,  # of bands of forecasts
        draws=settings.draws,
        progress=shows_progress(as_json),
    )


def plans_of(
    ensemble: "Ensemble", question: Question, given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A plan for each budget: one for all laws, the bands of all, and the plan of each law."""
    return [_plan(ensemble, question, given, budget) for budget in question.budgets]


def _plan(
    ensemble: "Ensemble", question: Question, given: Mapping[str, Any], budget: float
) -> dict[str, Any]:
    import numpy as np

    from jscale import plan
    from jscale._core.status import Status
    from jscale.plan import costs

    units = question.hardware.units(None)
    flop = budget if question.cost == "flop" else budget / units[question.cost]
    served = question.served
    cost = costs.training_flops if served is None else costs.LifetimeCost(served)
    members = [(each.posterior.law, each.posterior.draws) for each in ensemble.members]
    weights = [each.weight for each in ensemble.members]
    best = plan.averaged(members, flop, weights=weights, cost=cost, **given)

    result: dict[str, Any] = {"budget": budget, "C": flop}
    for name, values in best.bands.items():
        result[name] = dict(zip(_QUANTILES, np.asarray(values, float).tolist(), strict=True))
    lost = int(np.sum(best.lost))
    result |= {
        "status": str(Status(int(best.status))),
        "lost": lost,
        "converged": 1 - lost / draws_of(ensemble),
    }
    result["laws"] = [
        {"law": each.name, "weight": float(best.weights[i]), "lost": int(best.lost[i])}
        | {name: float(best.by_law[name][i]) for name in _MEMBER}
        for i, each in enumerate(ensemble.members)
    ]
    result["decision"] = _decision(best, members, given, cost)
    chosen = result["decision"]
    for unit, rate in units.items():
        trained = flop
        if served is not None and unit == "days" and chosen["N"] is not None:
            trained = 6 * chosen["N"] * chosen["D"]
        result[unit] = dict.fromkeys(_QUANTILES, trained * rate)
        chosen[unit] = trained * rate
    result["decades"] = _decades(ensemble, result)
    return result


def _decades(ensemble: "Ensemble", plan: Mapping[str, Any]) -> dict[str, float | None]:
    member = ensemble.members[0].posterior
    request = planning.PlanRequest(member.law, {}, ranges=ensemble.ranges)
    return planning.decades_of(request, plan)


def _decision(
    best: Any,
    members: Sequence[tuple[Any, Mapping[str, Any]]],
    given: Mapping[str, Any],
    cost: Any,
) -> dict[str, Any]:
    """The plan to carry out, its expected loss and regret, and what 25% in size cost."""
    import numpy as np

    from jscale.laws import describe

    chosen: dict[str, Any] = {"N": None, "D": None, "loss": None, "by": "averaged", "quarter": None}
    if not np.isfinite(best.N):
        return chosen
    N, budget, loss = float(best.N), float(best.budget), float(best.loss)

    def expected(size: float) -> float:
        """The mean over the laws that have a weight, and over the draws that count."""
        tokens, total = float(cost.tokens(budget, size)), 0.0
        for (law, draws), weight, known in zip(members, best.weights, best.known, strict=True):
            if weight > 0:
                own = {name: given[name] for name in describe(law).input_names if name in given}
                losses = np.asarray(law(N=size, D=tokens, **own, **draws), float)
                total += float(weight) * losses[np.asarray(known)].mean()
        return total

    middle = expected(N)
    sizes = [(1 - QUARTER) * N, (1 + QUARTER) * N]
    if all(float(cost.tokens(budget, size)) > 0 for size in sizes):
        chosen["quarter"] = max(expected(size) - middle for size in sizes)
    return chosen | {
        "N": N,
        "D": float(best.D),
        "C": budget,
        "loss": loss,
        "regret": {"nats": float(best.regret)},
        "inputs": dict(given),
    }


def notes(ensemble: "Ensemble", plans: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What the weights rest on, and how far the plans lie beyond the runs."""
    ratios = []
    for each in plans:
        chosen = each["decision"]
        ratio = float("nan") if chosen["N"] is None else chosen["D"] / chosen["N"]
        ratios.append({**each, "D_over_N": {"q50": ratio}})
    return [*ensemble.notes, *planning.distance_notes(ratios, ensemble.ranges)]


def name_of(ensemble: "Ensemble") -> str:
    """The laws, that with the largest weight first: ``coupled + chinchilla``."""
    return " + ".join(ensemble.law_weights)


def draws_of(ensemble: "Ensemble") -> int:
    """Number of draws of all laws."""
    return sum(len(next(iter(each.posterior.draws.values()))) for each in ensemble.members)


def show(payload: Mapping[str, Any]) -> None:
    """Print the plan of each law with its weight, and what the weights come from."""
    from jscale.report.notation import power_of_ten

    formats = text.formats_of()
    for plan in payload["plans"]:
        rows = [
            (each["law"], f"{each['weight']:.0%}", *(formats[name](each[name]) for name in _MEMBER))
            for each in plan["laws"]
        ]
        title = f"by law, {power_of_ten(plan['C'])} FLOP: weights and medians"
        headers = ("law, errors", "weight", *(text.TITLES[name] for name in _MEMBER))
        output.show(output.table(headers, rows, title=title, right="lrrrr", narrow=True))
    words = ensembles.weights_text(payload["ensemble"])
    output.show(textwrap.fill(words, _WIDTH, break_long_words=False, break_on_hyphens=False))
