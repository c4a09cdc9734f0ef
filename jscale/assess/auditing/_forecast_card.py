"""The ten questions of a forecast, as part of the checklist."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.text import general, human, plural
from jscale.assess.auditing._audit import check_all, requested
from jscale.assess.auditing.checks import Subject
from jscale.fit import Point, Posterior
from jscale.fit.predictions import quantities
from jscale.laws import LawFunction, describe
from jscale.runs import Runs

_BAND = (0.1, 0.5, 0.9)
_STEP = 10.0
"""Compute of a run that proves a far forecast wrong, over the largest so far."""
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
        at: input → number, of one forecast.
        answer: makes an answer from topic, key, question and text.
        missing: text of a question without an answer.

    Raises:
        JscaleError: an input is missing or impossible, or there are several forecasts.
    """
    if not at:
        return []
    known = {} if fitted is None else _known(table, fitted, at)
    return [
        answer("forecast", key, question, known.get(key) or missing)
        for key, question in _QUESTIONS.items()
    ]


def _known(table: Runs, fitted: Point | Posterior, at: Mapping[str, Any]) -> dict[str, str | None]:
    record = describe(fitted.law)
    inputs = requested(fitted.law, at)
    points = len(next(iter(inputs.values())))
    if points > 1:
        message = f": {points} forecasts; expected one, which the card of a checklist is of"
        raise JscaleError(message, argument="at")
    prediction = fitted.predict(inputs, key=jax.random.key(0))
    low, middle, high = (float(prediction.quantile(q)[0]) for q in _BAND)
    point = ", ".join(f"{name} = {human(float(value[0]))}" for name, value in inputs.items())
    subject = Subject(table, fitted.law, fitted, inputs)
    notes = check_all(subject)
    others = [note.code for note in notes if note.severity != "info"]
    if isinstance(fitted, Point):
        band = "parameters (sandwich) and noise of one run, no misfit"
        identified = not fitted.certificate.unidentified
    else:
        band = f"parameters and noise by errors {fitted.errors}"
        identified = str(fitted.status) == "converged"
    return {
        "target": f"{record.output.meaning} ({unit_of(table, fitted)}) at {point}",
        "value": f"{general(middle, 4)}, 80% band {general(low, 4)} to {general(high, 4)}",
        "band": band,
        "distance": _distance(subject, notes),
        "evidence": f"{plural(int(table.kept.sum()), 'run')} of {table.name}, "
        f"{int((~table.kept).sum())} left out",
        "assumed": f"{record.name}; others: jscale compare",
        "identified": "yes" if identified else "no",
        "doubts": ", ".join(dict.fromkeys(others)) or "none",
        "falsified": _falsifying_run(table, fitted.law, inputs),
    }


def unit_of(table: Runs, fitted: Point | Posterior) -> str:
    """The unit of what a law gives: losses have that of the table."""
    output = describe(fitted.law).output
    return table.loss_unit if output.column == "loss" else output.unit


def _distance(subject: Subject, notes: Sequence[Note]) -> str | None:
    """How far from the runs the forecast is; None where their ranges are not known."""
    far = [note.message for note in notes if note.code in ("far-forecast", "beyond-runs")]
    if far:
        return far[0]
    return "inside the range of the runs" if subject.ranges else None


def _falsifying_run(table: Runs, law: LawFunction, inputs: Mapping[str, np.ndarray]) -> str | None:
    """The first run that can prove the forecast wrong; None if compute is not known.

    It has at most ten times the largest compute so far, and no more than the forecast.
    """
    compute = quantities(law, inputs).get("C")
    if compute is None or "C" not in table.columns:
        return None
    largest, wanted = float(table["C"][table.kept].max()), float(compute[0])
    if not (np.isfinite([largest, wanted]).all() and largest > 0 and wanted > 0):
        return None
    if wanted <= largest:
        return f"the run itself, {human(wanted)} FLOP: no more than the largest has"
    if wanted <= _STEP**2 * largest:
        between = float(np.sqrt(largest * wanted))
        return f"a run half of the way there, {human(between)} FLOP, forecast in the same way"
    return f"a run of ten times the largest compute, {human(_STEP * largest)} FLOP, forecast alike"
