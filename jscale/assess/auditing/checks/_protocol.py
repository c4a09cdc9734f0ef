"""How the runs were made and evaluated: tokenizers, contexts, learning rates, metrics."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import general, plural, quote, quoted_names
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject
from jscale.runs.tables import OUTCOMES, fold, outcome_names

_TOKENIZERS = ("tokenizer", "tokeniser", "vocab", "vocabsize", "nvocab", "bpe")
_CONTEXTS = (
    *("context", "contextlength", "ctx", "ctxlen", "nctx", "seqlen", "sequencelength", "blocksize"),
    *("evalcontext", "evalctx", "evalset", "evaldataset", "valset", "testset", "validationset"),
    *("stride", "evalstride"),
)
_PROTOCOLS = (
    *("schedule", "lrschedule", "decay", "optimizer", "optimiser", "dataset", "corpus", "trainset"),
    *("datamix", "mixture", "precisiontype", "hparams", "paramcount", "arch", "architecture"),
)
_LONG_WARMUP = 0.2
"""Share of a training run that its warm-up may take before it costs loss (Porian et al. 2024)."""
_SIZES_FOR_TUNING = 10.0
"""Ratio of sizes from which on one learning rate is not the best one for all."""
_PILED = 0.2
_LEAST_RUNS = 5
_CONTAMINATED = ("contaminat", "leakage", "testleak", "testoverlap", "overlapwithtest")
_CLEANED = ("decontaminat", "uncontaminat")
_YES = ("yes", "y", "true", "t", "1", "contaminated", "leaked")
"""Texts of a run that saw test data; any other text says nothing of it."""


@check(
    mixed_tokenizers="fit each tokenizer by itself (--group-by), or convert losses to bits per "
    "byte (--bytes-per-token): losses per token of two tokenizers do not compare",
    mixed_evaluations="evaluate all runs alike, or fit each part by itself: --group-by COLUMN",
    mixed_protocols="fit each part by itself (--group-by COLUMN), or keep one: --where",
)
def mixed(subject: Subject) -> Iterator[Note]:
    """Several tokenizers, evaluations or ways of training under one law."""
    kinds = (
        ("mixed-tokenizers", _TOKENIZERS, "tokenizers or vocabularies"),
        ("mixed-evaluations", _CONTEXTS, "evaluation contexts or sets"),
        ("mixed-protocols", _PROTOCOLS, "ways of training"),
    )
    split_by = [n.evidence.get("column") for n in subject.table.notes if n.code == "text-splits"]
    for code, words, what in kinds:
        for name in subject.extras(*words):
            if fold(name) not in words or subject.is_input(name) or name in split_by:
                continue
            levels = sorted(set(subject.labels(name).tolist()) - {"", "nan"})
            if 2 <= len(levels) <= len(subject) / 2 and not _follows_size(subject, name):
                message = (
                    f"column {quote(name)} has {len(levels)} values ({quoted_names(levels, 4)}): "
                    f"several {what} under one law"
                )
                yield Note(code, "warning", message, {"column": name, "values": tuple(levels[:20])})


def _follows_size(subject: Subject, name: str) -> bool:
    """Whether a label is the same for all runs of one size, as the width of a model is."""
    n, labels = subject.numbers("N"), subject.labels(name)
    if n is None:
        return False
    sizes, label_of = np.unique(n), {}
    for size in sizes.tolist():
        label_of[size] = set(labels[n == size].tolist())
    repeated = len(sizes) < len(n)
    return repeated and all(len(of_size) == 1 for of_size in label_of.values())


@check(
    one_learning_rate="tune the learning rate at the smallest and the largest size, or scale it "
    "(steplaw): one rate for all sizes steepens the exponent of the optimal size",
    long_warmup="shorten the warm-up to a tenth of the shortest run: a long one raises the loss of "
    "small models, and with it the exponent of the optimal size",
)
def untuned(subject: Subject) -> Iterator[Note]:
    """One learning rate for all sizes, or a warm-up that fills small runs: Porian's signature."""
    n = subject.positive("N")
    if n is None or len(subject) < _LEAST_RUNS:
        return
    for name in subject.extras("lr", "learningrate", kinds="f"):
        values = subject.numbers(name)
        spread = float(n[0].max() / n[0].min())
        if values is None or fold(name) not in _RATES or subject.is_input(name):
            continue
        if len(np.unique(values)) == 1 and spread >= _SIZES_FOR_TUNING:
            message = (
                f"all runs have the learning rate {general(float(values[0]), 3)} (column "
                f"{quote(name)}), over sizes that differ {general(spread, 2)} times"
            )
            yield Note("one-learning-rate", "warning", message, {"column": name, "sizes": spread})
    share, name = _warmup_share(subject)
    if share is not None and share.max() > _LONG_WARMUP:
        message = (
            f"the warm-up (column {quote(name)}) is up to {min(share.max(), 9.99):.0%} of a run, "
            f"in {plural(int((share > _LONG_WARMUP).sum()), 'run')} more than {_LONG_WARMUP:.0%}"
        )
        yield Note("long-warmup", "warning", message, {"largest_share": float(share.max())})


_RATES = ("lr", "learningrate", "peaklr", "maxlr", "peaklearningrate")
_STEPS = ("steps", "trainsteps", "totalsteps", "numsteps", "nsteps", "iterations", "maxsteps")


def _warmup_share(subject: Subject) -> tuple[np.ndarray | None, str]:
    """The share (n,) of each run that is its warm-up, and the column that says so."""
    for name in subject.extras("warmup", kinds="f"):
        values = subject.numbers(name)
        if values is None or not (values >= 0).all():
            continue
        if (
            any(word in fold(name) for word in ("token", "tok"))
            and subject.numbers("D") is not None
        ):
            return values / subject.numbers("D"), name
        if any(word in fold(name) for word in ("share", "ratio", "frac")) or values.max() < 1:
            return values, name
        for steps in subject.extras(*_STEPS, kinds="f"):
            total = subject.numbers(steps)
            if fold(steps) in _STEPS and total is not None and (total > 0).all():
                return values / total, name
    return None, ""


@check(
    thresholded_metric="fit a metric that is continuous in the model, such as the loss of the "
    "answer; a score that starts at its floor makes any forecast a guess"
)
def thresholded(subject: Subject) -> Iterator[Note]:
    """Scores that pile up at their floor: accuracy, exact match and other thresholded metrics."""
    scores = {name for outcome in ("score", "error") for name in outcome_names(outcome)}
    for name in subject.table.extras:
        is_score = name in OUTCOMES & {"score", "error"} or fold(name) in scores
        is_score |= any(
            word in fold(name) for word in ("accuracy", "exactmatch", "passat", "passrate")
        )
        values = subject.numbers(name)
        if not is_score or values is None or len(values) < _LEAST_RUNS or not np.ptp(values):
            continue
        ends = (float(values.min()), float(values.max()))
        shares = [float(np.mean(np.abs(values - end) < 1e-3)) for end in ends]
        worst = int(np.argmax(shares))
        if shares[worst] > _PILED and shares[worst] * len(values) >= 3:
            message = (
                f"{shares[worst]:.0%} of column {quote(name)} is at {general(ends[worst], 3)}: a "
                "thresholded metric, whose rise says little about the model"
            )
            yield Note(
                "thresholded-metric", "warning", message, {"column": name, "share": shares[worst]}
            )


@check(
    contamination="leave the contaminated runs or items out, or compare adjusted scores "
    "(assess.decontaminated)"
)
def contamination(subject: Subject) -> Iterator[Note]:
    """Columns that mark test data in the training data."""
    for name in subject.extras(*_CONTAMINATED):
        if any(word in fold(name) for word in _CLEANED):
            continue
        values = subject.table.columns[name][subject.rows]
        if values.dtype.kind == "f":
            marked = np.nan_to_num(values) > 0
        else:
            marked = np.isin(np.char.lower(values.astype(str)), _YES)
        if marked.any():
            message = (
                f"column {quote(name)}: {int(marked.sum())} of {len(values)} runs saw test data in "
                "training; their scores are too good"
            )
            evidence = {"column": name, "count": int(marked.sum())}
            yield Note("contamination", "warning", message, evidence)
