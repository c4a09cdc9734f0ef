"""The headline findings as sentences."""

from collections.abc import Mapping

import numpy as np

from jscale.report.analysis import (
    FULL_BITS,
    Analysis,
    Band,
    CriticalCurves,
    FittedStudy,
    Forecast,
)
from jscale.report.analysis.forecast import Returns
from jscale.report.notation import human, listing, number, plain, power_of_ten
from jscale.report.page.findings._of_fit import (
    Finding,
    backtest_result,
    better_law,
    certificate,
    fit_quality,
    identified_parameters,
    posterior_doubts,
    residual_doubts,
    sampling,
)
from jscale.report.page.tables import (
    MIN_DECADES_OUTSIDE,
    bits_beyond,
    count,
    decimal,
    ratio,
    value,
)

_TONES = {"doubt": 0, "plain": 1, "good": 2}
_OF = {
    "P_w": "of the weights",
    "P_a": "of the activations",
    "P_kv": "of the KV cache",
    "P_post": "after training",
}
"""Bits of what."""


def findings(analysis: Analysis) -> list[Finding]:
    """All findings: first the doubts, those first that would change a decision the most."""
    study = analysis.study
    correction = analysis.forecast.correction if analysis.forecast is not None else None
    results = backtest_result(analysis.held_out, correction)
    results += [certificate(study.point.certificate), *sampling(study)]
    results += better_law(analysis)
    results += residual_doubts(analysis.doubts)
    results += _forecast_findings(analysis)
    results += posterior_doubts(study)
    results += _precision_findings(analysis)
    results += [identified_parameters(analysis), fit_quality(analysis)]
    return sorted(results, key=lambda finding: _TONES[finding.tone])


def _forecast_findings(analysis: Analysis) -> list[Finding]:
    study, forecast = analysis.study, analysis.forecast
    if forecast is not None:
        return [
            next_decade(forecast, study.loss_unit),
            size_and_data(forecast),
            *largest_run(study, forecast),
            marginal_returns(forecast.returns, study.loss_unit),
            *extrapolation(study, forecast),
            *_without_new_runs(forecast),
        ]
    if analysis.resource is not None:
        return [_single_resource(analysis)]
    return [_no_plan(study)]


def next_decade(forecast: Forecast, loss_unit: str) -> Finding:
    """The gain from ten times the compute of the largest run."""
    start, end = (power_of_ten(compute, 2) for compute in forecast.decade.compute)
    loss = forecast.decade.loss
    text = (
        f"Ten times the compute of the largest run, from {start} to {end} FLOP, spent optimally, "
        f"lowers the loss from {decimal(loss, 0, 3).middle} to {decimal(loss, 1, 3).inline} "
        f"{loss_unit}, by {decimal(forecast.gain, 0, 3).inline}."
    )
    return Finding("The next decade", text)


def size_and_data(forecast: Forecast) -> Finding:
    """How compute divides between parameters and tokens."""
    compute = power_of_ten(forecast.decade.compute[1], 2)
    text = (
        "The compute-optimal size grows as compute to the power "
        f"{decimal(forecast.growth, 0).inline}, tokens as the remainder; at {compute} FLOP the "
        f"optimum has {ratio(forecast.decade.ratio, 1).inline} tokens per parameter."
    )
    return Finding("Size and data", text)


def largest_run(study: FittedStudy, forecast: Forecast) -> list[Finding]:
    """Whether the run with the most compute is undertrained or overtrained for it.

    Empty where bits are planned too: the optimum has others than the run.
    """
    if forecast.decade.P is not None or not {"N", "D"} <= set(study.data.inputs):
        return []
    N, D = (float(study.data.inputs[name][study.largest]) for name in ("N", "D"))
    own, optimum = D / N, forecast.decade.ratio
    verdict = "within the band of the compute-optimal"
    if own < optimum.q05[0]:
        verdict = "undertrained for its compute: fewer than the compute-optimal"
    elif own > optimum.q95[0]:
        verdict = "overtrained for its compute: more than the compute-optimal"
    text = (
        f"The run with the most compute, {human(N)} parameters on {human(D)} tokens, has "
        f"{number(own, 2)} tokens per parameter, {verdict} "
        f"{ratio(optimum, 0).inline}."
    )
    return [Finding("Largest run", text)]


def marginal_returns(returns: Returns, loss_unit: str) -> Finding:
    """What other inputs than those of the largest run would save or cost."""
    words = {"N": "twice the parameters", "D": "twice the tokens"}
    for name, bits in returns.others.items():
        words.setdefault(name, f"{human(bits)} bits {_OF.get(name, f'as {plain(name)}')}")
    changes = [
        f"by {decimal(change, 0).inline} with {words[name]}"
        for name, change in returns.changes.items()
    ]
    text = (
        f"Compared with the run with the most compute ({human(returns.N)} parameters, "
        f"{human(returns.D)} tokens), the law's loss in {loss_unit} changes {listing(changes)}."
    )
    share = returns.per_flop
    if share.q05[0] > 0 and np.isfinite(share.q95[0]):
        text += (
            " The next FLOP, spent on tokens, lowers the loss by "
            f"{value(share, 0, lambda x: number(x, 2)).inline} times as much as on parameters."
        )
    return Finding("Marginal returns", text)


def extrapolation(study: FittedStudy, forecast: Forecast) -> list[Finding]:
    """How far outside the runs the plans are; empty without budgets."""
    if not study.budgets:
        return []

    plans = []
    for i, budget in enumerate(study.budgets):
        decades = forecast.decades_outside[i]
        outside = [
            f"{value:.1f} in {quantity}"
            for quantity, value in decades.items()
            if value >= MIN_DECADES_OUTSIDE
        ]
        if bits := bits_beyond(study, forecast.plans, i):
            outside.append(bits)
        if outside:
            plans.append(f"{power_of_ten(budget)} FLOP: {listing(outside)}")

    if not plans:
        text = "Every plan lies within the range of the runs, in compute, size and data."
        return [Finding("Extrapolation", text, "good")]
    text = f"Decades outside the runs. {'; '.join(plans)}."
    if forecast.plans.loss.has_width:
        text += " The bands assume that the law holds there; they do not cover a change of regime."
    return [Finding("Extrapolation", text, "doubt")]


def _without_new_runs(forecast: Forecast) -> list[Finding]:
    """Why there are no bands of new runs, where something lacks for them."""
    if not forecast.new_run_lacks:
        return []
    text = f"There are no bands of new runs: their scatter depends on {forecast.new_run_lacks}."
    return [Finding("New runs", text, "doubt")]


def _single_resource(analysis: Analysis) -> Finding:
    curve, study = analysis.resource, analysis.study
    assert curve is not None
    largest = study.data.inputs[curve.resource].max()
    size = power_of_ten(largest, 2) if curve.resource == "C" else human(largest)
    text = (
        f"Ten times the largest run's {size} {study.record.inputs[0].unit} lowers the loss by "
        f"{decimal(curve.gain, 0).inline} {study.loss_unit}."
    )
    return Finding("The next decade", text)


def _no_plan(study: FittedStudy) -> Finding:
    law = f"the {study.law_name} law"
    if study.plans_size_and_data:
        text = (
            f"By {law}, no budget has an optimum: the best size is the end of the searched range."
        )
        return Finding("No plan", text, "doubt")
    text = f"{law[:1].upper()}{law[1:]} does not divide compute between parameters and tokens."
    return Finding("No plan", text)


def _precision_findings(analysis: Analysis) -> list[Finding]:
    study, forecast, precision = analysis.study, analysis.forecast, analysis.precision
    if forecast is None or precision is None:
        return []

    results = []
    plans = forecast.plans if study.budgets else forecast.decade
    bits = plans.P
    if bits is not None and np.isfinite(bits.q50).any():
        where = f" at {power_of_ten(study.budgets[-1])} FLOP" if study.budgets else ""
        text = (
            "With cost proportional to bits, the best training precision is "
            f"{decimal(bits, -1, 1).inline} bits{where}."
        )
        beyond = bits_beyond(study, plans, len(plans.compute) - 1)
        if beyond:
            text += f" {beyond[:1].upper()}{beyond[1:]}: {unsupported(study)}."
        results.append(Finding("Precision", text, "doubt" if beyond else "plain"))
    elif study.training_bits:
        if study.record.charged_bits:
            reason = "With cost proportional to bits, this law has no best training precision"
        else:
            reason = "Fewer bits of the weights alone save no training compute (6·N·D)"
        text = f"{reason}; the plans are in {FULL_BITS:g} bits."
        results.append(Finding("Precision", text, "doubt"))
    if precision.critical is not None and study.budgets:
        results.append(_critical_tokens(study, forecast, precision.critical))
    elif "P_post" in study.record.bit_inputs and not study.varies_post_bits:
        text = (
            "No critical tokens: the runs do not differ in P_post, their bits after training, so "
            "that they do not measure what quantisation after training costs."
        )
        results.append(Finding("Too much data", text))
    return results


def unsupported(study: FittedStudy) -> str:
    """Where bits come from that lie outside those of the runs, as the end of a sentence."""
    source = "the law" if study.posterior is None else "the law and its prior"
    return f"no run supports this number, which comes from {source}"


def _critical_tokens(study: FittedStudy, forecast: Forecast, critical: CriticalCurves) -> Finding:
    """The critical tokens at the largest plan, and whether the plan exceeds them."""
    plans = forecast.plans
    text = (
        f"A model of {count(plans.N, -1).middle} parameters that is trained in full precision and "
        f"then quantised gets worse {_past(critical.at_plans)}"
    )
    if critical.at_best and plans.P is not None:
        bits = decimal(plans.P, -1, 1).middle
        text += f"; trained in {bits} bits, {_past(critical.at_best)}"
    text += "."

    of_plan = sorted((critical.at_best or critical.at_plans).items())
    exceeded = [f"{bits:g}" for bits, band in of_plan if band.q50[-1] < plans.D.q50[-1]]
    if not exceeded:
        return Finding("Too much data", text)
    text += (
        f" The plan for {power_of_ten(study.budgets[-1])} FLOP trains on "
        f"{count(plans.D, -1).middle} tokens: quantised to {listing(exceeded)} bits, the model "
        "would be better with less data."
    )
    return Finding("Too much data", text, "doubt")


def _past(limits: Mapping[float, Band]) -> str:
    """``past 15M tokens at 3 bits and at no number of them at 6 bits``, for the largest plan."""
    finite = {bits: band for bits, band in sorted(limits.items()) if np.isfinite(band.q50[-1])}
    tokens = [f"{count(band, -1).inline} tokens at {bits:g} bits" for bits, band in finite.items()]
    never = listing([f"{bits:g}" for bits in sorted(limits) if bits not in finite])
    parts = [f"past {listing(tokens)}"] * bool(tokens)
    parts += [f"at no number of tokens at {never} bits"] * bool(never)
    return " and ".join(parts)
