"""The headline findings in plain language."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from jscale._core.status import Status
from jscale.report.analysis import FULL_BITS, Band, Curve, Forecast, Precision, Study
from jscale.report.figures import STRONG, correlations
from jscale.report.notation import (
    decimals,
    fixed,
    human,
    listing,
    number,
    percent,
    plain,
    plural,
    power_of_ten,
)

Tone = Literal["plain", "good", "doubt"]

_LOOSE = 3.0
"""Ratio of the ends of a 90% interval beyond which a parameter is said to be hardly known."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        lead: two or three words that say what it is about.
        text: the sentence or two.
        tone: "good" and "doubt" are marked.
    """

    lead: str
    text: str
    tone: Tone = "plain"


def findings(
    study: Study, forecast: Forecast | None, curve: Curve | None, precision: Precision | None
) -> list[Finding]:
    """All findings, the most important ones first."""
    found = [fit_quality(study), certificate(study), *_mixing(study)]
    if forecast is not None:
        found += [next_decade(forecast), split(forecast), *filter(None, [reach(study, forecast)])]
    elif curve is not None:
        found.append(_one_resource(study, curve))
    else:
        found.append(_no_plan(study))
    if precision is not None and forecast is not None:
        found += _precision(study, forecast, precision)
    return [*found, *separation(study)]


def interval(band: Band, index: int = 0, places: int | None = None) -> str:
    """``0.103 (90%: 0.097 to 0.109)``, or the number alone where there are no draws."""
    middle, low, high = (float(b[index]) for b in (band.q50, band.q05, band.q95))
    if places is None:
        places = decimals(high - low, 2, 5) if high > low else 3
    return _with_ends(fixed(middle, places), fixed(low, places), fixed(high, places), high > low)


def counts(band: Band, index: int = 0) -> str:
    """``97B (90%: 66B to 140B)``."""
    middle, low, high = (float(b[index]) for b in (band.q50, band.q05, band.q95))
    digits = digits_of(middle, low, high)
    return _with_ends(human(middle, digits), human(low, digits), human(high, digits), high > low)


def digits_of(middle: float, low: float, high: float) -> int:
    """Significant digits that a number with this 90% interval deserves."""
    return 2 if high - low > 0.1 * abs(middle) else 3


def _with_ends(middle: str, low: str, high: str, spread: bool) -> str:
    return f"{middle} (90%:\u00a0{low}\u00a0to\u00a0{high})" if spread else middle


def fit_quality(study: Study) -> Finding:
    """Which law, how many runs, how close."""
    point = study.point
    spread = float(np.sqrt(np.mean(point.residuals**2)))
    worst = int(np.argmax(np.abs(point.residuals)))
    row = int(point.rows[worst]) + 1
    text = (
        f"The law {study.law_name} describes {plural(point.n_runs, 'run')} with a typical miss of "
        f"{percent(point.scale)} of the loss (robust standard deviation; root mean square {percent(spread)}). "
        f"The worst run, row {row}, lies {percent(abs(float(np.expm1(point.residuals[worst]))))} "
        f"{'above' if point.residuals[worst] > 0 else 'below'} it."
    )
    return Finding("Fit", text)


def certificate(study: Study) -> Finding:
    """Whether the optimum can be believed, in a sentence."""
    c = study.point.certificate
    agree = f"{round(c.agreement * c.starts)} of {c.starts} starting points"
    if c.status == Status.converged:
        second = (
            "and a second method finds it too"
            if c.second_method
            else "although a second method stopped short of it"
        )
        return Finding("Certificate", f"The optimum is certain: {agree} reach it {second}.", "good")
    if c.status == Status.collinear_design:
        text = f"{agree} reach the same fit, but these runs cannot separate all parameters: many others fit as well."
    elif c.status == Status.at_bound:
        edge = "its range" if len(c.at_bound) == 1 else "their ranges"
        text = f"{agree} reach the same fit, which drives {listing(_shown(c.at_bound))} to the edge of {edge}."
    else:
        text = (
            f"The fit did not converge ({agree} agree): the numbers below are not to be relied on."
        )
    return Finding("Certificate", text[:1].upper() + text[1:], "doubt")


def _mixing(study: Study) -> list[Finding]:
    if study.posterior is None or study.posterior.status == Status.converged:
        return []
    return [
        Finding(
            "Posterior",
            "The chains have not mixed: the intervals below are not to be relied on.",
            "doubt",
        )
    ]


def next_decade(forecast: Forecast) -> Finding:
    """What ten times the compute of the largest run buys."""
    start, end = forecast.decade.compute
    loss = forecast.decade.loss
    text = (
        f"Ten times the compute of the largest run, from {power_of_ten(start, 2)} to {power_of_ten(end, 2)} FLOP, used "
        f"optimally, takes the loss from {fixed(loss.q50[0], 3)} to {interval(loss, 1, 3)} nats per token: "
        f"{interval(forecast.gain, 0, 3)} less."
    )
    return Finding("The next decade", text)


def split(forecast: Forecast) -> Finding:
    """How compute divides between parameters and tokens."""
    a, ratio = forecast.growth, forecast.decade.ratio
    middle, low, high = (human(float(b[1]), 2) for b in (ratio.q50, ratio.q05, ratio.q95))
    text = (
        f"Compute-optimal size grows as the power {interval(a, 0, 2)} of compute, tokens as the remainder, with "
        f"{_with_ends(middle, low, high, ratio.has_width)} "
        f"tokens per parameter at {power_of_ten(forecast.decade.compute[1], 2)} FLOP."
    )
    return Finding("Size and data", text)


def reach(study: Study, forecast: Forecast) -> Finding | None:
    """How far beyond the runs the plans are; None without budgets."""
    if not study.budgets:
        return None
    parts = []
    for i, budget in enumerate(study.budgets):
        if far := [
            f"{decades:.1f} in {what}"
            for what, decades in beyond(study, forecast, i).items()
            if decades >= LEAST_BEYOND
        ]:
            parts.append(f"{power_of_ten(budget)} FLOP: {listing(far)}")
    if not parts:
        return Finding(
            "Reach", "Every plan lies within the runs, in compute as in size and data.", "good"
        )
    bands = (
        " The bands hold if the law itself does: they know nothing of a change of regime."
        * forecast.plans.loss.has_width
    )
    return Finding("Reach", f"Decades beyond the runs. {'; '.join(parts)}.{bands}", "doubt")


LEAST_BEYOND = 0.05
"""Decades outside the runs below which a plan counts as inside: 12%."""


def beyond(study: Study, forecast: Forecast, i: int) -> dict[str, float]:
    """What of the plan for a budget lies outside the runs → by how many factors of ten; 0 for what
    lies inside.
    """
    assert study.compute is not None
    N, D, plans = study.data.inputs["N"], study.data.inputs["D"], forecast.plans
    planned = {
        "compute": (plans.compute[i], study.compute),
        "size": (plans.N.q50[i], N),
        "data": (plans.D.q50[i], D),
        "tokens per parameter": (plans.ratio.q50[i], D / N),
    }
    return {
        what: float(np.nan_to_num(max(0.0, np.log10(x / seen.max()), np.log10(seen.min() / x))))
        for what, (x, seen) in planned.items()
    }


def _one_resource(study: Study, curve: Curve) -> Finding:
    last = study.data.inputs[curve.resource].max()
    unit = study.record.inputs[0].unit
    size = power_of_ten(last, 2) if curve.resource == "C" else human(last)
    return Finding(
        "The next decade",
        f"Ten times the largest run's {size} {unit} lowers the loss by {interval(curve.gain)} nats per token.",
    )


def _no_plan(study: Study) -> Finding:
    if study.plans_size_and_data:
        text = f"By the law {study.law_name} no budget has an optimum: the best size is the end of what was searched."
        return Finding("No plan", text, "doubt")
    return Finding(
        "No plan",
        f"The law {study.law_name} does not say how to share compute between parameters and tokens.",
    )


def _precision(study: Study, forecast: Forecast, precision: Precision) -> list[Finding]:
    found = []
    P = forecast.plans.P if study.budgets else forecast.decade.P
    if P is not None and np.isfinite(P.q50).any():
        where = f" at {power_of_ten(study.budgets[-1])} FLOP" if study.budgets else ""
        text = f"Where cost is proportional to bits, the best training precision is {interval(P, -1, 1)} bits{where}."
        found.append(Finding("Precision", text))
    elif study.training_bits:
        text = "At a cost proportional to bits this law has no best training precision; the plans here are in 16 bits."
        found.append(Finding("Precision", text, "doubt"))
    if precision.critical is not None and study.budgets:
        found.append(_overtraining(study, forecast, precision.critical.at_plans))
    return found


def _overtraining(study: Study, forecast: Forecast, at_plans: dict[float, Band]) -> Finding:
    parts = [
        f"{counts(tokens, -1)} tokens in {bits:g} bits" for bits, tokens in sorted(at_plans.items())
    ]
    size, data = float(forecast.plans.N.q50[-1]), float(forecast.plans.D.q50[-1])
    short = [bits for bits, tokens in sorted(at_plans.items()) if tokens.q50[-1] < data]
    verdict = (
        f" The plan for {power_of_ten(study.budgets[-1])} FLOP trains on {human(data)}: "
        f"quantised to {listing([f'{b:g}' for b in short])} bits, it would have been better with less data."
        if short
        else ""
    )
    model = f"A model of {human(size)} parameters in {FULL_BITS:g} bits, quantised after training,"
    text = f"{model} gets worse beyond {listing(parts)}."
    return Finding("Too much data", text + verdict, "doubt" if short else "plain")


def separation(study: Study) -> list[Finding]:
    """What the runs cannot tell apart."""
    sentences, together = [], []
    names = study.record.parameter_names
    if unidentified := study.point.certificate.unidentified:
        sentences.append(f"The runs do not determine {listing(_shown(unidentified))} separately.")
    matrix = correlations(study.draws) if study.draws is not None else _point_correlations(study)
    pairs = [
        (abs(matrix[i, j]), i, j)
        for i in range(len(names))
        for j in range(i)
        if abs(matrix[i, j]) > STRONG
    ]
    for strength, i, j in sorted(pairs, reverse=True)[:3]:
        # Rounded down: 0.999 must not read as 1.
        together.append(
            f"{plain(names[j])} and {plain(names[i])} ({np.floor(strength * 1000) / 1000:.3g})"
        )
    if together:
        sentences.append(
            f"These move together, so that none means much alone (correlations): {listing(together)}."
        )
    for name, draws in (study.draws or {}).items():
        low, high = np.quantile(np.abs(draws), [0.05, 0.95])
        if low > 0 and high / low > _LOOSE and not sentences_name(sentences, name):
            sentences.append(
                f"{plain(name)} is known only within a factor of {number(high / low, 2)} "
                f"({human(low)} to {human(high)})."
            )
    for name, values in study.data.inputs.items():
        if values.min() == values.max():
            sentences.append(
                f"{name} is {human(float(values[0]))} in every run: what it does is not in these runs."
            )
    if not sentences:
        return [Finding("Separation", "The runs tell all parameters apart.", "good")]
    return [Finding("What the runs cannot separate", " ".join(sentences), "doubt")]


def sentences_name(sentences: list[str], name: str) -> bool:
    """Whether a parameter has been spoken of already."""
    return any(plain(name) in s.replace(",", " ").replace(":", " ").split() for s in sentences)


def _shown(names: tuple[str, ...]) -> list[str]:
    return [plain(name) for name in names]


def _point_correlations(study: Study) -> np.ndarray:
    covariance = np.asarray(study.point.covariance)
    sd = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(covariance / np.outer(sd, sd))
