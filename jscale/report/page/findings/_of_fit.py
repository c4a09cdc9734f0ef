"""Findings about the fit: its quality, its certificate, the sampler, what the data identify."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess.backtesting import MIN_EFFECTIVE
from jscale.report.analysis import Analysis, FittedStudy, HeldOutForecasts, ResidualDoubts
from jscale.report.notation import human, listing, number, percent, plain, plural, with_powers

if TYPE_CHECKING:
    from jscale.assess import BandCorrection
    from jscale.fit import Certificate

Tone = Literal["plain", "good", "doubt"]

FORECAST_ERRORS = (
    "Errors of forecasts are usually larger: over 21 public tables, the root mean square error of "
    "held-out larger runs was 0.4 to 4.6 times that of the fitted runs (median 1.5)."
)
"""Why neither number is the error of a forecast."""
MIXING = ("high-rhat", "low-ess", "divergences")
"""Codes of the notes that say that the chains have not mixed."""


CLEAR_WEIGHT = 2 / 3
"""Weight of another law from which on the choice of the report's law is doubtful."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        lead: its subject, in two or three words.
        text: one sentence or two.
        tone: "good" and "doubt" are marked on the page.
    """

    lead: str
    text: str
    tone: Tone = "plain"


def fit_quality(analysis: Analysis) -> Finding:
    """Which law, how many runs, how large the residuals are."""
    study, residuals = analysis.study, analysis.residuals
    point = study.point
    side = "above" if residuals.largest > 0 else "below"
    text = (
        f"The {study.law_name} law fits {plural(point.n_runs, 'run')} with residuals of "
        f"{percent(point.scale)} of the loss (robust standard deviation; root mean square "
        f"{percent(residuals.rms)}). The largest residual is that of row {residuals.largest_row}, "
        f"{percent(abs(residuals.largest))} {side} the law. {FORECAST_ERRORS}"
    )
    return Finding("Fit", text)


def certificate(result: "Certificate") -> Finding:
    """Whether the optimum is certain, in a sentence."""
    agreeing = round(result.agreement * result.starts)
    starts = (
        f"All {result.starts}" if agreeing == result.starts else f"{agreeing} of {result.starts}"
    )

    if result.status == Status.converged:
        scope = "(this does not say that the law is right)"
        if result.second_method:
            text = f"{starts} starts and a second optimiser reach the same minimum {scope}."
        else:
            text = (
                f"{starts} starts reach the same minimum {scope}; a second optimiser stopped short "
                "of it."
            )
        return Finding("Certificate", text, "good")

    if result.status == Status.collinear_design:
        text = (
            f"{starts} starts reach the same minimum, but the data do not identify all parameters: "
            "many other values fit as well."
        )
    elif result.status == Status.at_bound:
        bound = "its bound" if len(result.at_bound) == 1 else "their bounds"
        names = listing(_symbols(result.at_bound))
        text = f"{starts} starts reach the same minimum, with {names} at {bound}."
    else:
        text = (
            f"The fit did not converge ({agreeing} of {result.starts} starts agree): do not rely "
            "on the numbers below."
        )
    return Finding("Certificate", text, "doubt")


def sampling(study: FittedStudy) -> list[Finding]:
    """A warning where the chains did not mix; else empty."""
    if study.posterior is None:
        return []
    reasons = [_sentence(note.message) for note in _warnings(study) if note.code in MIXING]
    if study.posterior.status != Status.converged:
        reasons.insert(0, "The chains did not converge: do not rely on the intervals below.")
    return [Finding("Posterior", " ".join(reasons), "doubt")] if reasons else []


def posterior_doubts(study: FittedStudy) -> list[Finding]:
    """The other warnings of the posterior, such as priors that decide; each a finding."""
    others = [note for note in _warnings(study) if note.code not in MIXING]
    return [Finding("Posterior", _sentence(note.message), "doubt") for note in others]


def residual_doubts(tests: ResidualDoubts) -> list[Finding]:
    """Largest runs that lie off the law, and trends of the residuals; empty without either."""
    leads = {"largest-runs-off": "Largest runs", "lack-of-fit": "Lack of fit"}
    return [
        Finding(leads[note.code], _sentence(with_powers(note.message)), "doubt")
        for note in tests.notes
    ]


def backtest_result(
    forecasts: HeldOutForecasts | None, correction: "BandCorrection | None" = None
) -> list[Finding]:
    """Whether the bands held the runs that were not fitted; empty where nothing was forecast.

    Args:
        forecasts: of held-out runs.
        correction: by which bands of the report are widened; None where they are not.
    """
    if forecasts is None:
        return []
    if forecasts.result is None:
        return [Finding("Backtest", f"No forecast of held-out runs. {_sentence(forecasts.reason)}")]

    (law,) = forecasts.result.laws
    bands = law.summary.bands
    text = f"{law.verdict}."
    change = "" if correction is None else _widening(correction)
    if not law.failed:
        text += change
        tone = "good" if bands[1].effective >= MIN_EFFECTIVE and not bands[1].verdict else "plain"
        return [Finding("Backtest", text, tone)]
    if bands[2].verdict and not bands[1].verdict:
        text += f" 95% bands held {bands[2].coverage:.0%}: {bands[2].verdict}."
    text += change or (
        " Forecasts beyond the runs are less certain than the bands of this report say."
    )
    return [Finding("Backtest", text, "doubt")]


def _widening(correction: "BandCorrection") -> str:
    """By how much the bands of the losses are wider, in a sentence."""
    edge, decade = (max(1.0, float(correction.factor(decades))) for decades in (0.0, 1.0))
    return (
        f" The bands of losses in this report are widened accordingly: {edge:.2f} times at the "
        f"edge of the runs, {decade:.2f} times one decade of compute beyond them."
    )


def better_law(analysis: Analysis) -> list[Finding]:
    """Another law that forecasts held-out runs better; empty where the report's is the best."""
    forecasts, own = analysis.held_out, analysis.study.record.name
    if forecasts is None or not forecasts.law_weights:
        return []
    best, weight = next(iter(forecasts.law_weights.items()))
    if best == own:
        return []
    share = f"{weight:.0%} of the weight, {own} {forecasts.law_weights[own]:.0%}"
    text = (
        f"{forecasts.held_out:,} forecasts of held-out runs favour the law {best}: with the errors "
        f"of this report it has {share}. See 'jscale report --law {best}', or 'jscale predict' "
        "without --law, which weighs laws."
    )
    return [Finding("Law", text, "doubt" if weight >= CLEAR_WEIGHT else "plain")]


def _warnings(study: FittedStudy) -> list[Note]:
    """Warnings and errors of the posterior that the runs and the fit do not have, each once."""
    if study.posterior is None:
        return []
    known = {note.message for note in (*study.table.notes, *study.data.notes)}
    notes = (*study.posterior.notes, *study.posterior.disagreement(study.point))
    return [note for note in notes if note.severity != "info" and note.message not in known]


def _sentence(message: str) -> str:
    """A message as a sentence; names such as α and D/N keep their letters."""
    first = message.partition(" ")[0]
    start = message[:1].upper() if first.isalpha() and len(first) > 1 else message[:1]
    return f"{start}{message[1:]}" + ("" if message.endswith(".") else ".")


def identified_parameters(analysis: Analysis) -> Finding:
    """Parameters that the data do not identify, or only jointly, and inputs that never vary."""
    result = analysis.identification
    sentences = []
    named: set[str] = set()
    if result.unidentified:
        names = listing(_symbols(result.unidentified))
        sentences.append(f"The data do not identify {names} separately.")
        named.update(result.unidentified)

    if result.collinear:
        # Rounded down: a correlation of 0.9996 must not read as 1.
        pairs = [
            f"{listing(_symbols(pair.names))} ({np.floor(pair.correlation * 1000) / 1000:.3g})"
            for pair in result.collinear
        ]
        sentences.append(
            "These parameters are nearly collinear; interpret them jointly (correlations): "
            f"{listing(pairs)}."
        )
        named.update(name for pair in result.collinear for name in pair.names)

    for name, (low, high) in result.wide.items():
        if name not in named:
            sentences.append(
                f"The 90% interval of {plain(name)} spans a factor of {number(high / low, 2)} "
                f"({human(low)} to {human(high)})."
            )
    for name, constant in result.constant.items():
        sentences.append(
            f"{name} is {human(constant)} in every run, so its effect cannot be estimated."
        )
    if not sentences:
        return Finding("Identification", "The data identify all parameters.", "good")
    return Finding("Identification", " ".join(sentences), "doubt")


def _symbols(names: Iterable[str]) -> list[str]:
    return [plain(name) for name in names]
