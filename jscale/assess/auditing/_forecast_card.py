"""The ten questions of a forecast, as part of the checklist."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jscale._core.text import general, human, plural
from jscale.assess.auditing.checks import CHECKS, Subject
from jscale.fit import Point, Posterior
from jscale.laws import describe
from jscale.runs import Runs

_BAND = (0.1, 0.5, 0.9)
_QUESTIONS = {
    "target": "1. What is forecast, in which unit, at which point?",
    "value": "2. What is the forecast, with its band?",
    "band": "3. What does the band cover: parameters, noise, misfit?",
    "distance": "4. How many decades beyond the runs is it?",
    "evidence": "5. Which runs support it, with which exclusions?",
    "assumed": "6. Which form is assumed, and which others were compared?",
    "held-out": "7. How well were held-out larger runs forecast?",
    "identified": "8. Is everything that it depends on identified by the runs?",
    "doubts": "9. Which errors and warnings does the audit have?",
    "falsified": "10. Which cheap run would prove it wrong first?",
}


def forecast_answers(
    table: Runs,
    fitted: Point | Posterior | None,
    at: Mapping[str, Any],
    answer: Callable[..., Any],
    missing: str,
) -> list[Any]:
    """The ten questions of a forecast; empty without one.

    Args:
        table: the runs.
        fitted: a fit or posterior of them, or None.
        at: input → number.
        answer: makes an answer from topic, key, question and text.
        missing: text of a question without an answer.
    """
    if not at:
        return []
    known = {} if fitted is None else _known(table, fitted, at)
    return [
        answer("forecast", key, question, known.get(key, missing))
        for key, question in _QUESTIONS.items()
    ]


def _known(table: Runs, fitted: Point | Posterior, at: Mapping[str, Any]) -> dict[str, str]:
    record = describe(fitted.law)
    prediction = fitted.predict(dict(at), key=jax.random.key(0))
    low, middle, high = (float(prediction.quantile(q)[0]) for q in _BAND)
    point = ", ".join(f"{name} = {human(float(value))}" for name, value in at.items())
    subject = Subject(table, fitted.law, fitted, at)
    notes = [n for each in CHECKS for n in each.run(subject)]
    far = [note.message for note in notes if note.code in ("far-forecast", "beyond-runs")]
    others = [note.code for note in notes if note.severity != "info"]
    if isinstance(fitted, Point):
        band = "parameters (sandwich) and noise of one run, no misfit"
        identified = not fitted.certificate.unidentified
    else:
        band = f"parameters and noise by errors {fitted.errors}"
        identified = str(fitted.status) == "converged"
    largest = "not known"
    if "C" in table.columns:
        largest = f"{human(float(table['C'][table.kept].max()))} FLOP"
    return {
        "target": f"{record.output.meaning} ({record.output.unit}) at {point}",
        "value": f"{general(middle, 4)}, 80% band {general(low, 4)} to {general(high, 4)}",
        "band": band,
        "distance": far[0] if far else "inside the range of the runs",
        "evidence": f"{plural(int(table.kept.sum()), 'run')} of {table.name}, "
        f"{int((~table.kept).sum())} left out",
        "assumed": f"{record.name}; others: jscale compare",
        "identified": "yes" if identified else "no",
        "doubts": ", ".join(dict.fromkeys(others)) or "none",
        "falsified": f"a run of ten times the largest compute, {largest}, forecast in the same way",
    }
