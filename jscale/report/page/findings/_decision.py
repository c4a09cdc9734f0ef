"""The decision: one sentence at the top of the page, and what speaks against relying on it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jscale.report.analysis import Analysis, Forecast
from jscale.report.notation import power_of_ten
from jscale.report.page.findings._findings import findings, unsupported
from jscale.report.page.findings._of_fit import Finding
from jscale.report.page.tables import Value, bits_beyond, count, decimal, ratio


@dataclass(frozen=True)
class Decision:
    """What the page says first.

    Attributes:
        sentence: what to train on the smallest budget, or what more compute gives.
        doubts: subjects of the caveats, the most important first.
    """

    sentence: str
    doubts: tuple[str, ...]


def decision(analysis: Analysis, results: Iterable[Finding] | None = None) -> Decision:
    """The decision of a study.

    Args:
        analysis: of the study.
        results: its findings; None to make them.
    """
    results = findings(analysis) if results is None else list(results)
    doubts = dict.fromkeys(each.lead for each in results if each.tone == "doubt")
    forecast = analysis.forecast
    if forecast is not None and analysis.study.budgets:
        return Decision(_what_to_train(analysis, forecast), tuple(doubts))
    # The next decade, or why there is no plan.
    texts = {each.lead: each.text for each in results}
    sentence = texts.get("The next decade", texts.get("No plan", ""))
    return Decision(sentence, tuple(doubts))


def _what_to_train(analysis: Analysis, forecast: Forecast) -> str:
    """``With 10²⁴ FLOP, train 29B parameters on 570B tokens …``."""
    plans, study = forecast.plans, analysis.study
    budget = power_of_ten(study.budgets[0])
    if not np.isfinite(plans.N.q50[0]):
        return f"With {budget} FLOP, the {study.law_name} law has no optimum in the searched range."
    bits = "" if plans.P is None else f" in {decimal(plans.P, 0, 1).middle} bits"
    size, tokens = count(plans.N, 0).middle, count(plans.D, 0).middle
    train = (
        f"With {budget} FLOP, train {size} parameters on {tokens} tokens{bits} "
        f"({ratio(plans.ratio, 0).middle} tokens per parameter)"
    )
    loss = decimal(plans.loss, 0, 3)
    beyond = bits_beyond(study, plans, 0)
    reserve = f" {beyond[:1].upper()}{beyond[1:]}: {unsupported(study)}." if beyond else ""
    if forecast.new_run_at_plans is None:
        return f"{train}: the law gives a loss of {loss.inline} {study.loss_unit}.{reserve}"
    new = decimal(forecast.new_run_at_plans, 0, 3)
    return f"{train}: such a run is forecast at {_in_unit(new, study.loss_unit)}.{reserve}"


def _in_unit(value: Value, unit: str) -> str:
    """``2.105 nats per token (90%: 2.05 to 2.16)``."""
    return f"{value.middle} {unit} (90%:\u00a0{value.low}\u00a0to\u00a0{value.high})"
