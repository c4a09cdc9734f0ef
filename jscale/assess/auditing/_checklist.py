"""``checklist``: the questions that a scaling study should answer, filled from what is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jscale import __version__
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, general, human, inline, plural
from jscale.assess.auditing._forecast_card import forecast_answers, unit_of
from jscale.assess.auditing._setup import QUESTIONS, read_setup, template
from jscale.fit import Point, Posterior
from jscale.laws import describe
from jscale.runs import Runs, TableLike, as_runs

MISSING = "MISSING"
"""Answer to a question that only the user can answer."""
_MOST_REASONS = 5


@dataclass(frozen=True)
class Answer:
    """A question of the checklist with its answer.

    Attributes:
        topic: "hypothesis", "training", "data", "fit" or "forecast".
        key: short name of the question; a key of ``setup.toml`` for those that the user answers.
        question: a sentence.
        answer: a text; "MISSING" where nobody has answered.
    """

    topic: str
    key: str
    question: str
    answer: str

    @property
    def is_missing(self) -> bool:
        """Whether nobody has answered."""
        return self.answer == MISSING


@dataclass(frozen=True, eq=False)
class Checklist:
    """The questions that a scaling study should answer.

    Attributes:
        answers: of every question, in order.
    """

    answers: tuple[Answer, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the questions without an answer."""
        return tuple(each.key for each in self.answers if each.is_missing)

    @property
    def template(self) -> str:
        """A ``setup.toml`` with every question that only the user can answer."""
        return template()

    def __repr__(self) -> str:
        answered = len(self.answers) - len(self.missing)
        return f"<Checklist: {answered} of {plural(len(self.answers), 'question')} answered>"


@in_float64
def checklist(
    table: TableLike,
    fitted: Point | Posterior | None = None,
    *,
    setup: Mapping[str, Any] | str | Path | None = None,
    at: Mapping[str, Any] | None = None,
) -> Checklist:
    """The questions that a scaling study should answer, filled from what is known.

    What the table and the fit know is filled in; what only those who trained the runs know comes
    from ``setup.toml`` beside the table, and is ``MISSING`` where nobody has written it down. The
    topics are those of Li et al. 2025, "(Mis)Fitting" (arXiv 2502.18969), in our words, and a card
    of the forecast.

    Args:
        table: validated runs, or what :func:`jscale.runs.read` takes.
        fitted: a fit, or posterior draws, of the table; None for a study without a law.
        setup: answers by key, or the path of a file of TOML; None for ``setup.toml`` beside the
            table, if it is there.
        at: requested forecast, input → number; of one point.

    Raises:
        JscaleError: the table is not valid, the setup has an unknown key, or the forecast is of
            several points, or has a missing, unknown or impossible input.

    Example:
        >>> from jscale import assess, runs
        >>> table = runs.read({"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.5, 2.75]})
        >>> study = assess.checklist(table, setup={"tokenizer": "GPT-2, 50,257 tokens"})
        >>> "tokenizer" in study.missing, "optimizer" in study.missing
        (False, True)
    """
    table = as_runs(table)
    written = read_setup(setup, table.source)
    answers = [
        *_hypothesis(table, fitted),
        *(
            Answer("training", key, question, written.get(key, MISSING))
            for key, question in QUESTIONS.items()
        ),
        *_data(table),
        *_fit(fitted),
        *forecast_answers(table, fitted, dict(at or {}), Answer, MISSING),
    ]
    return Checklist(tuple(answers))


def _hypothesis(table: Runs, fitted: Point | Posterior | None) -> list[Answer]:
    questions = {
        "form": "Which form does the law have?",
        "variables": "Which variables does it relate, in which units?",
        "fitted": "Which parameters are fitted?",
        "reason": "Where does the form come from?",
    }
    if fitted is None:
        answers = dict.fromkeys(questions, MISSING)
    else:
        record = describe(fitted.law)
        inputs = [f"{each.name} ({each.unit})" for each in record.inputs]
        unit = unit_of(table, fitted)
        answers = {
            "form": f"{record.name}: {record.formula}",
            "variables": f"{', '.join(inputs)} → {record.output.meaning} ({unit})",
            "fitted": enumerated(record.parameter_names),
            "reason": record.source or MISSING,
        }
    return [Answer("hypothesis", key, q, answers[key]) for key, q in questions.items()]


def _data(table: Runs) -> list[Answer]:
    kept = table.kept
    ranges = []
    for name in ("N", "D", "C", "loss"):
        values = table.columns.get(name)
        if values is not None and values.dtype.kind == "f" and np.isfinite(values[kept]).any():
            known = values[kept][np.isfinite(values[kept])]
            levels = plural(len(np.unique(known)), "value")
            ranges.append(f"{name} {human(known.min())} to {human(known.max())} ({levels})")
    derived = [note.message for note in table.notes if note.code.startswith("derived-")]
    seeds = len(np.unique(table.columns["seed"][kept])) if "seed" in table.columns else 0
    return [
        Answer(
            "data",
            "runs",
            "How many runs, over which range?",
            f"{plural(int(kept.sum()), 'run')}: {'; '.join(ranges)}",
        ),
        Answer("data", "exclusions", "Which runs are left out, and why?", _exclusions(table)),
        Answer("data", "loss", "What is the loss, in which unit?", table.loss_unit),
        Answer(
            "data",
            "derived",
            "Which quantities were computed, not recorded?",
            "; ".join(derived) or "none",
        ),
        Answer(
            "data",
            "seeds",
            "How many seeds, and how large is their noise?",
            plural(seeds, "seed") if seeds else MISSING,
        ),
        Answer(
            "data",
            "content",
            "Which data exactly?",
            f"{table.name}, SHA-256 of the content {table.digest[:16]}…",
        ),
    ]


def _exclusions(table: Runs) -> str:
    excluded = ~table.kept
    if not excluded.any():
        return "none"
    text = plural(int(excluded.sum()), "row")
    if "reason" in table.columns:
        reasons = [r for r in np.unique(table.columns["reason"][excluded]).tolist() if r]
        if reasons:
            text += f": {'; '.join(inline(r, 80) for r in reasons[:_MOST_REASONS])}"
            return text + (" …" if len(reasons) > _MOST_REASONS else "")
    return f"{text}: {MISSING} reasons"


def _fit(fitted: Point | Posterior | None) -> list[Answer]:
    questions = {
        "objective": "What was minimised or sampled?",
        "algorithm": "By which algorithm, from which starting points?",
        "convergence": "Did it converge, and are all parameters identified?",
        "goodness": "How well does the law fit the runs?",
        "uncertainty": "How were uncertainties estimated?",
        "versions": "With which software and seed?",
    }
    if fitted is None:
        answers = dict.fromkeys(questions, MISSING)
    else:
        answers = _of_point(fitted) if isinstance(fitted, Point) else _of_posterior(fitted)
    return [Answer("fit", key, question, answers[key]) for key, question in questions.items()]


def _of_point(point: Point) -> dict[str, str]:
    certificate = point.certificate
    unidentified = enumerated(certificate.unidentified) if certificate.unidentified else "none"
    kind = "log loss" if point.residuals_of == "log" else "the loss"
    return {
        "objective": f"{point.objective_name} = {general(point.objective, 6)}, weights: "
        f"{point.weights or 'none'}",
        "algorithm": f"Newton descents from {plural(certificate.starts, 'start')} spread over the "
        "declared ranges, then BFGS as a second optimiser",
        "convergence": f"{certificate.status}: {certificate.agreement:.0%} of starts agree; not "
        f"identified: {unidentified}",
        "goodness": f"residuals of {kind} scatter by {general(point.scale, 3)} over "
        f"{plural(point.n_runs, 'run')}",
        "uncertainty": "sandwich standard errors of independent runs",
        "versions": f"jscale {__version__}; no random numbers",
    }


def _of_posterior(posterior: Posterior) -> dict[str, str]:
    priors = ", ".join(f"{name} ~ {prior}" for name, prior in posterior.priors.items())
    draws = len(next(iter(posterior.draws.values())))
    seed = " ".join(map(str, posterior.seed)) if posterior.seed else MISSING
    return {
        "objective": f"posterior with errors {posterior.errors}; priors {priors or 'of the law'}",
        "algorithm": f"{posterior.sampler}, {plural(draws, 'draw')}",
        "convergence": str(posterior.status).replace("_", " "),
        "goodness": f"noise: {', '.join(posterior.noise)}",
        "uncertainty": "posterior draws",
        "versions": f"jscale {posterior.version or __version__}, random key {seed}",
    }
