"""Where the runs lie: size and data together, levels of every input, unit slips."""

from collections.abc import Iterator

import numpy as np

from jscale._core.notes import Note
from jscale._core.text import enumerated, general, human, plural
from jscale.assess.auditing.checks._registry import check
from jscale.assess.auditing.checks._subject import Subject, rows_evidence
from jscale.laws import describe

_LEAST_RUNS = 3
_RIDGE = 0.15
"""Spread of ln D about a line in ln N, and as a share of the spread of ln N, below which N and D
count as one quantity: fits of Chinchilla's law are collinear there."""
_SPREAD_OF_RUNS = 0.3
_SLIP, _NEAR_SLIP = 3.0, 0.25
"""Decades of a slip of a unit, and how far from a whole number of them it may lie."""
_MOST_SLIPS = 0.2
"""Share of the runs up to which a slip is one, and not another kind of run."""
_FEW_LEVELS = 3


@check(
    ridge="add runs off the line: the same N with 4 times and with a quarter of the tokens, at two "
    "sizes or more; until then read size and data exponents jointly, and forecast along the line"
)
def ridge(subject: Subject) -> Iterator[Note]:
    """N and D that grow together: a ladder at D = 20 N, or along any line."""
    columns = subject.positive("N", "D")
    if columns is None or len(subject) < _LEAST_RUNS:
        return
    n, d = (np.log(column) for column in columns)
    if np.std(n) < 1e-9:
        return
    slope = float(np.cov(n, d, bias=True)[0, 1] / np.var(n))
    off = float(np.std(d - d.mean() - slope * (n - n.mean())))
    if slope <= 0.2 or off > _RIDGE or off > _SPREAD_OF_RUNS * float(np.std(n)):
        return
    ratio = float(np.exp(np.median(d - n)))
    at = [float(np.exp(np.quantile(n, q))) for q in (0.25, 0.75)]
    runs = [
        f"N {human(size)} at D {human(ratio * size / 4)} and {human(ratio * size * 4)}"
        for size in at
    ]
    message = (
        f"all runs lie on one line, D about {general(ratio, 3)} N (within {np.expm1(off):.1%}): "
        "effects of size and of data are not separately identified (a ridge); runs that would "
        f"break it: {', '.join(runs)}"
    )
    evidence = {"tokens_per_parameter": ratio, "slope": slope, "spread": off}
    yield Note("ridge", "error", message, evidence)


@check(
    few_levels="train at three or more values of the input, a factor of three apart or more: two "
    "values fit any exponent"
)
def few_levels(subject: Subject) -> Iterator[Note]:
    """Inputs with two values only, through which every exponent passes."""
    names = ["N", "D"]
    if subject.law is not None:
        names = [each.name for each in describe(subject.law).inputs]
    if len(subject) <= _FEW_LEVELS:
        return
    for name in names:
        values = subject.numbers(name)
        levels = np.unique(values) if values is not None else np.empty(0)
        if len(levels) == 2:
            low, high = map(human, levels.tolist())
            message = f"{name} has two values only, {low} and {high}: its curve is not identified"
            yield Note("few-levels", "warning", message, {"column": name, "levels": len(levels)})


@check(unit_slip="compare the row with its source; multiply it, or mark it in a column 'exclude'")
def unit_slip(subject: Subject) -> Iterator[Note]:
    """Single rows with N or D in thousands, millions or billions, by their tokens a parameter."""
    columns = subject.positive("N", "D")
    if columns is None or len(subject) < _LEAST_RUNS + 2:
        return
    n, d = (np.log10(column) for column in columns)
    slipped = [row for row in range(len(n)) if _is_slip(d - n, row)]
    if not slipped or len(slipped) > _MOST_SLIPS * len(n):
        return
    rows = subject.rows[slipped]
    ratio = float((columns[1] / columns[0])[slipped[0]])
    message = (
        f"{subject.names_of(rows)}: {human(ratio)} tokens a parameter, where the others have "
        f"{human(float(10 ** np.median(d - n)))}: N or D in another unit?"
    )
    yield Note(
        "unit-slip", "error", message, {**rows_evidence(rows), "tokens_per_parameter": ratio}
    )


def _is_slip(log_ratio: np.ndarray, row: int) -> bool:
    """Whether a row leaves the range of the others, and would not by a power of a thousand."""
    low, high = np.delete(log_ratio, row).min(), np.delete(log_ratio, row).max()
    value = log_ratio[row]
    outside = max(value - high, low - value)
    if outside < _SLIP / 2:
        return False
    corrected = value - np.sign(value - high) * _SLIP * np.arange(1, 4)
    return bool(((corrected > low - _NEAR_SLIP) & (corrected < high + _NEAR_SLIP)).any())


@check(
    compute_slip="compare the row with its source: one of N, D and C is in another unit",
)
def compute_slip(subject: Subject) -> Iterator[Note]:
    """Rows whose C differs from 6ND by a power of a thousand where that of others does not."""
    columns = subject.positive("N", "D", "C")
    if columns is None or len(subject) < _LEAST_RUNS:
        return
    n, d, c = (np.log10(column) for column in columns)
    ratio = c - n - d - np.log10(6)
    ratio = ratio - np.median(ratio)
    steps = np.round(ratio / 3)
    slipped = (steps != 0) & (np.abs(ratio - 3 * steps) < _NEAR_SLIP)
    if not slipped.any():
        return
    rows = subject.rows[slipped]
    message = (
        f"C of {subject.names_of(rows)} differs from that of the others, compared with 6ND, by a "
        f"factor of 1e{int(3 * steps[slipped][0])}: one of N, D and C is in another unit"
    )
    yield Note("compute-slip", "error", message, rows_evidence(rows))


@check(
    too_few_runs_for_law="fix or tie parameters (--fix, --tie), choose a law with fewer, or train "
    "more runs"
)
def too_few_runs(subject: Subject) -> Iterator[Note]:
    """Fewer runs than parameters, or hardly more."""
    if subject.law is None:
        return
    record = describe(subject.law)
    runs, parameters = len(subject), len(record.parameters)
    if runs > 1.5 * parameters:
        return
    names = enumerated(record.parameter_names)
    message = (
        f"{plural(runs, 'run')} for the {parameters} parameters of {record.name} ({names}): "
        "errors of the parameters cannot be estimated well"
    )
    severity = "error" if runs < parameters else "warning"
    evidence = {"runs": runs, "parameters": parameters}
    yield Note("too-few-runs-for-law", severity, message, evidence)
