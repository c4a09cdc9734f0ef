"""What N and C count: embeddings, active parameters, forward passes, attention."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import quote
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject
from jscale.runs.tables import fold

_DRIFT = 0.1
"""Change of ln C/6ND over the sizes below which it is a matter of rounding."""
_EMBEDDING_SHARE = 0.1
_KNOWN_FACTORS = {
    1 / 3: "forward passes alone are 2ND",
    1 / 2: "multiply-adds, not FLOP, are 3ND",
    4 / 3: "recomputing activations makes 8ND",
    2.0: "a factor 2 of multiply-adds counted twice makes 12ND",
}
_TOTAL = ("totalparam", "ntotal", "paramstotal")
_ACTIVE = ("activeparam", "nactive", "paramsactive")
_NON_EMBEDDING = ("nonemb", "noembed", "nnv", "nonvocab")
_VOCABULARY = ("vocabsize", "nvocab", "vocab")
_WIDTH = ("dmodel", "hiddensize", "embeddim", "nembd", "width", "modeldim")


@check(
    compute_drifts="say what N counts in a column n_kind, and give C by one formula: C = 6ND with "
    "N without embeddings misses their compute in small models, attention grows with context",
    compute_factor="divide C by the factor, or leave the column out: jscale computes 6ND",
)
def compute_against_6nd(subject: Subject) -> Iterator[Note]:
    """C against 6ND: a factor, or a drift with the size."""
    columns = subject.positive("N", "D", "C")
    if columns is None or len(subject) < 3:
        return
    n, d, c = (np.log(column) for column in columns)
    ratio = c - np.log(6) - n - d
    slope = float(np.cov(n, ratio, bias=True)[0, 1] / max(np.var(n), 1e-12))
    drift = slope * float(np.ptp(n))
    rest = float(np.std(ratio - ratio.mean() - slope * (n - n.mean())))
    at_ends = np.exp(ratio.mean() + slope * (np.array([n.min(), n.max()]) - n.mean()))
    evidence = {"at_smallest": float(at_ends[0]), "at_largest": float(at_ends[1])}
    if abs(drift) > max(_DRIFT, 4 * rest):
        message = (
            f"C is {at_ends[0]:.2f} times 6ND at the smallest N and {at_ends[1]:.2f} times at the "
            "largest: N or C counts something that does not grow with N (embeddings, attention)"
        )
        yield Note("compute-drifts", "warning", message, evidence)
        return
    middle = float(np.exp(np.median(ratio)))
    for factor, reason in _KNOWN_FACTORS.items():
        if abs(np.log(middle / factor)) < 0.03 and np.std(ratio) < 0.05:
            message = f"C is {middle:.3g} times 6ND in all runs: {reason}"
            yield Note("compute-factor", "warning", message, {"factor": middle})


@check(
    embeddings="fit with N without embeddings and with all parameters, and say which in n_kind: "
    "the exponent of the optimal size differs by 0.1 and more where small models are in the table"
)
def embeddings(subject: Subject) -> Iterator[Note]:
    """The share of embeddings in the size of small models."""
    n = subject.positive("N")
    if n is None:
        return
    share, source = _embedding_share(subject, n[0])
    if share is None or share.max() < _EMBEDDING_SHARE:
        return
    if share.max() > 1.5 or np.ptp(share) < 0.02:
        return
    message = (
        f"embeddings are {share.max():.0%} of the parameters of the smallest model and "
        f"{share.min():.0%} of those of the largest ({source}): exponents depend on what N counts"
    )
    evidence = {"largest_share": float(share.max()), "smallest_share": float(share.min())}
    yield Note("embeddings", "warning", message, evidence)


def _embedding_share(subject: Subject, n: np.ndarray) -> tuple[np.ndarray | None, str]:
    """The share (n,) of embeddings in all parameters, and what it comes from."""
    for name in subject.extras(*_NON_EMBEDDING, kinds="f"):
        values = subject.numbers(name)
        if values is not None and (values > 0).all() and np.median(values / n) < 0.999:
            return np.clip(1 - values / n, 0.0, None), f"column {quote(name)}"
    vocabulary = _first(subject, _VOCABULARY)
    width = _first(subject, _WIDTH)
    if vocabulary is None or width is None or not (vocabulary > 256).all():
        return None, ""
    return vocabulary * width / n, "vocabulary times width"


def _first(subject: Subject, words: tuple[str, ...]) -> np.ndarray | None:
    for name in subject.extras(*words, kinds="f"):
        if fold(name) in words and (values := subject.numbers(name)) is not None:
            return values
    return None


@check(
    active_and_total="name the one that the law means: --column 'N=active params'; laws of dense "
    "models take active parameters, laws of experts have inputs for both"
)
def active_and_total(subject: Subject) -> Iterator[Note]:
    """Active and total parameters side by side, of which N can be one only."""
    n = subject.positive("N")
    if n is None:
        return
    header = fold(subject.table.headers.get("N", "N"))
    for words, other in ((_TOTAL, "total"), (_ACTIVE, "active")):
        for name in subject.extras(*words, kinds="f"):
            values = subject.numbers(name)
            if values is None or subject.is_input(name) or np.allclose(values, n[0], rtol=0.01):
                continue
            factor = float(np.median(values / n[0]))
            which = "active" if other == "total" else "total"
            size = f"N is read from {quote(subject.table.headers['N'])}" if header != "n" else "N"
            message = (
                f"{size} and column {quote(name)} has {factor:.3g} times as many: "
                f"{other} parameters stand beside N, which should be the {which} ones"
            )
            yield Note("active-and-total", "warning", message, {"column": name, "ratio": factor})


@check(
    tokens_per_character="compute tokens from characters again: a tokenizer makes 0.2 to 0.4 "
    "tokens of a character of English text"
)
def tokens_per_character(subject: Subject) -> Iterator[Note]:
    """Tokens that do not fit the characters or bytes that they come from."""
    d = subject.positive("D")
    for name in subject.extras("characters", "nchars", "numchars", "numbytes", "nbytes", kinds="f"):
        values = subject.numbers(name)
        if d is None or values is None or not (values > 0).all():
            continue
        ratio = float(np.median(d[0] / values))
        if not 0.1 < ratio < 1.1:
            message = f"D is {ratio:.3g} tokens for one of column {quote(name)}: a unit is off"
            yield Note("tokens-per-character", "error", message, {"column": name, "ratio": ratio})
