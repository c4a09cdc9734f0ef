"""Where the runs lie: size and data together, levels of every input, unit slips."""

from collections.abc import Iterator
from dataclasses import dataclass

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
_LEAST_SLOPE = 0.2
"""Slope of ln D in ln N, up or down, from which on the two change together."""
_SLOPE_OF_LADDERS = 0.05
"""Difference of a slope to 1, or of one to -1, that rounding and noise make."""
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
    line = _line(subject)
    if line is None or line.slope <= _LEAST_SLOPE:
        return
    runs = []
    for size in np.quantile(line.log_n, (0.25, 0.75)):
        tokens = np.exp(line.at(size))
        runs.append(f"N {human(np.exp(size))} at D {human(tokens / 4)} and {human(tokens * 4)}")
    message = (
        f"all runs lie on one line, D about {line} (within {np.expm1(line.spread):.1%}): "
        "effects of size and of data are not separately identified (a ridge); runs that would "
        f"break it: {', '.join(runs)}"
    )
    evidence = {"slope": line.slope, "spread": line.spread}
    if line.is_one_ratio:
        evidence["tokens_per_parameter"] = float(np.exp(line.at(0.0)))
    yield Note("ridge", "error", message, evidence)


@check(
    one_budget="train the same sizes at a second compute, four times as large or more: a single "
    "valley shows where its minimum lies, and not how the loss falls with compute"
)
def one_budget(subject: Subject) -> Iterator[Note]:
    """More parameters for fewer tokens along one line: a single isoFLOP budget."""
    line = _line(subject)
    if line is None or line.slope >= -_LEAST_SLOPE:
        return
    compute = 6 * float(np.exp(line.log_n.mean() + line.intercept))
    where = f"one compute of about {human(compute)} FLOP (6ND)"
    if abs(line.slope + 1) > _SLOPE_OF_LADDERS:
        where = f"one line, D about {line}"
    message = (
        f"all runs lie on {where}: size and data are told apart by the curvature of one valley, "
        "and the floor by nothing"
    )
    yield Note("one-budget", "warning", message, {"slope": line.slope, "spread": line.spread})


@dataclass(frozen=True)
class _Line:
    """A line through the runs: ln D as a straight function of ln N.

    Attributes:
        log_n: (n,) ln N of the runs.
        intercept: ln D at the mean of ``log_n``.
        slope: of ln D in ln N.
        spread: standard deviation of ln D about the line.
    """

    log_n: np.ndarray
    intercept: float
    slope: float
    spread: float

    @property
    def is_one_ratio(self) -> bool:
        """Whether tokens a parameter are the same along the line."""
        return abs(self.slope - 1) < _SLOPE_OF_LADDERS

    def at(self, log_n: float) -> float:
        """The value of ln D at ln N."""
        slope = 1.0 if self.is_one_ratio else self.slope
        return self.intercept + slope * (log_n - float(self.log_n.mean()))

    def __str__(self) -> str:
        power = "N" if self.is_one_ratio else f"N^{general(self.slope, 2)}"
        return f"{general(float(np.exp(self.at(0.0))), 3)} {power}"


def _line(subject: Subject) -> _Line | None:
    """The line on which all runs lie, where they do."""
    columns = subject.positive("N", "D")
    if columns is None or len(subject) < _LEAST_RUNS:
        return None
    n, d = (np.log(column) for column in columns)
    if np.std(n) < 1e-9:
        return None
    slope = float(np.cov(n, d, bias=True)[0, 1] / np.var(n))
    spread = float(np.std(d - d.mean() - slope * (n - n.mean())))
    if spread > _RIDGE or spread > _SPREAD_OF_RUNS * float(np.std(n)):
        return None
    return _Line(n, float(d.mean()), slope, spread)


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
    """Rows with N or D in thousands, millions or billions, by their tokens a parameter."""
    columns = subject.positive("N", "D")
    if columns is None or len(subject) < _LEAST_RUNS + 2:
        return
    n, d = (np.log10(column) for column in columns)
    slipped = np.flatnonzero(_slips(d - n))
    if not 0 < len(slipped) <= _MOST_SLIPS * len(n):
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


def _slips(log_ratio: np.ndarray) -> np.ndarray:
    """Which rows (n,) leave the range of the others, and would not by a power of a thousand.

    The others are those around the median, as far as no gap of such a factor parts them, so that
    several slips do not hide one another.

    Args:
        log_ratio: (n,) decimal logarithms of the tokens a parameter.
    """
    ordered = np.sort(log_ratio)
    gaps = np.flatnonzero(np.diff(ordered) >= _SLIP / 2) + 1
    parts = np.split(ordered, gaps)
    others = parts[int(np.searchsorted(gaps, len(ordered) // 2, side="right"))]
    low, high = others[0], others[-1]
    outside = (log_ratio > high) | (log_ratio < low)
    steps = np.sign(log_ratio - high)[:, None] * _SLIP * np.arange(1, 4)
    corrected = log_ratio[:, None] - steps
    returns = (corrected > low - _NEAR_SLIP) & (corrected < high + _NEAR_SLIP)
    return outside & returns.any(axis=1)


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
