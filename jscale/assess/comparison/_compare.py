"""``compare``: several laws on the same runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from jscale._core.checks import check_count
from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.assess.comparison._nested import NestedTest, nested_tests, pairs
from jscale.assess.comparison._refit import Refit, refit
from jscale.fit import Objective, Squares
from jscale.fit.objective import require_logarithms, resolve
from jscale.laws import LawFunction, describe
from jscale.runs import Data, Runs, select

__all__ = ["Comparison", "Contender", "NestedTest", "compare"]

_EXACT = 1e-20
"""Mean square of the log residuals below which a fit is exact: residuals of 1e-10 are the solver's
own resolution."""
_NOISE = 2.0
"""Standard errors, or units of AICc, by which two laws must differ."""


@dataclass(frozen=True)
class Contender:
    """One law of a comparison.

    Attributes:
        law: its name.
        rank: 1 for the best; None for a law whose fits are not all certified.
        status: how its fits ended, that to all runs first.
        params: parameter → value, fitted to all runs.
        objective: in-sample, all runs.
        log_likelihood: nats, of the losses of all runs.
        aicc: Akaike's criterion with Hurvich and Tsai's correction; infinite where there are too
            few runs for it.
        bic: Schwarz's criterion.
        rmse: root mean square of the log residuals of the held-out runs; None where no run is held
            out.
        relative_error: mean of |predicted / observed - 1| over them.
        bias: mean of their log residuals, observed minus predicted.
    """

    law: str
    rank: int | None
    status: Status
    params: Mapping[str, float]
    objective: float
    log_likelihood: float
    aicc: float
    bic: float
    rmse: float | None
    relative_error: float | None
    bias: float | None


@dataclass(frozen=True)
class Comparison:
    """Laws ranked on the same runs.

    Attributes:
        rows: the laws, best first; those without a certified fit last.
        nested: tests of laws that are special cases of others.
        n_runs: number of runs.
        held_out: rows of the table that are held out, counted from 0; empty for none.
        compute_from: FLOP of the smallest of them; None for none.
        objective_name: what was minimised.
        notes: doubts and remarks.
        table_digest: hash of the table.
    """

    rows: tuple[Contender, ...]
    nested: tuple[NestedTest, ...]
    n_runs: int
    held_out: np.ndarray
    compute_from: float | None
    objective_name: str
    notes: tuple[Note, ...]
    table_digest: str


@dataclass(frozen=True)
class _Fitted:
    """A law's fits: to all runs, the same by squares of the log (the likelihood's), and without the
    held-out runs.
    """

    law: LawFunction
    whole: Refit
    likely: Refit
    part: Refit | None

    @property
    def status(self) -> Status:
        ends = [
            fitted.status for fitted in (self.whole, self.likely, self.part) if fitted is not None
        ]
        return next((status for status in ends if status != Status.converged), Status.converged)

    @property
    def rss(self) -> float:
        return float(np.sum(self.likely.residuals**2))


@in_float64
def compare(
    laws: Sequence[LawFunction],
    table: Runs,
    *,
    holdout: Literal["largest-compute"] | None = "largest-compute",
    share: float = 0.2,
    objective: str | Objective = "huber",
    nested: Sequence[tuple[LawFunction, LawFunction]] = (),
    starts: int = 64,
) -> Comparison:
    """Several laws on the same runs, ranked by their error on the runs with the largest compute.

    Every law is fitted to the runs with less compute and predicts the others. AICc and BIC are of
    the likelihood of log-normal losses with a free scale at its own maximum, the least squares of
    the log loss, whatever the objective; k counts the scale. A law that is another with parameters
    fixed or tied is tested against it by the ratio of these likelihoods, 2 ln(L_large / L_small) =
    n ln(RSS_small / RSS_large), chi-squared with as many degrees of freedom as there are parameters
    fewer. Like the criteria it counts runs as independent.

    Args:
        laws: two or more declared laws.
        table: validated runs; rows marked ``exclude`` are left out.
        holdout: "largest-compute", or None to rank by AICc alone.
        share: of the runs to hold out, above 0 and below 1; runs of equal compute stay together.
        objective: as for :func:`jscale.fit.point`.
        nested: more pairs (special case, general law) to test, of laws in ``laws``.
        starts: number of starting points of each fit.

    Raises:
        JscaleError: fewer than two laws, one of them twice, laws of different quantities, a column
            that one needs is missing, no compute to hold out by, too few runs left, a law that fits
            exactly, a pair that is not nested.

    Source: Hurvich & Tsai 1989 (AICc); Schwarz 1978 (BIC); Wilks 1938 (likelihood ratio).
    """
    goal = resolve(objective)
    check_count(starts)
    data = _data(laws, table)
    first = data[0]
    kept = _training(table, first, holdout, share)
    _check_enough(laws, table, kept)
    tested = pairs(laws, nested)
    fits = [
        _fitted(law, table, d, kept, goal=goal, starts=starts)
        for law, d in zip(laws, data, strict=True)
    ]
    tests, doubts = nested_tests(tested, {f.law: f.likely for f in fits}, len(first))
    out = ~kept
    rows = _ranked([_contender(fitted, first, out) for fitted in fits])
    notes = [note for d in data for note in d.notes]
    notes += [*doubts, *_remarks(rows, {describe(f.law).name: f for f in fits}, out)]
    compute = _compute(table, first)[out] if out.any() else None
    return Comparison(
        rows=rows,
        nested=tests,
        n_runs=len(first),
        held_out=first.rows[out],
        compute_from=None if compute is None else float(compute.min()),
        objective_name=str(goal),
        notes=tuple({(n.code, n.message): n for n in notes}.values()),
        table_digest=table.digest,
    )


def _data(laws: Sequence[LawFunction], table: Runs) -> list[Data]:
    """The runs as each law takes them; all see the same losses."""
    records = [describe(law) for law in laws]
    names = [record.name for record in records]
    if len(names) < 2:
        raise JscaleError(f"compare needs at least two laws, not {len(names)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise JscaleError(f"compare: law {twice[0]!r} is given twice")
    other = next((r for r in records if r.output.column != records[0].output.column), None)
    if other is not None:
        raise JscaleError(
            f"compare: law {names[0]!r} is fitted to {records[0].output.meaning}, law {other.name!r} to "
            f"{other.output.meaning}"
        )
    found = [select(table, law) for law in laws]
    for law, data in zip(laws, found, strict=True):
        require_logarithms(law, table, data, ", since laws are compared by their log residuals")
    return found


def _compute(table: Runs, data: Data) -> np.ndarray:
    if "C" not in table:
        raise JscaleError(
            f"{table.name} has no column 'C' (nor N and D, which give it) to hold out the runs with the largest "
            "compute; compare without a holdout"
        )
    return table["C"][data.rows]


def _training(table: Runs, data: Data, holdout: str | None, share: float) -> np.ndarray:
    """The runs to fit: booleans, shape (rows,)."""
    if holdout is None:
        return np.ones(len(data), dtype=bool)
    if holdout != "largest-compute":
        raise JscaleError(f"holdout must be 'largest-compute' or None, not {holdout!r}")
    if not 0 < share < 1:
        raise JscaleError(
            f"share must be above 0 and below 1, not {share:g}: a holdout leaves runs to fit"
        )
    compute = _compute(table, data)
    count = max(1, round(share * len(data)))
    least = np.sort(compute)[-count]
    return compute < least * (1 - 1e-9)


def _check_enough(laws: Sequence[LawFunction], table: Runs, kept: np.ndarray) -> None:
    """A scale is estimated beside the parameters, so there must be a run more than parameters."""
    for record in map(describe, laws):
        k = len(record.parameters)
        if kept.sum() <= k:
            out = int((~kept).sum())
            held = f"with {out} held out, " if out else ""
            raise JscaleError(
                f"{table.name}: {held}{kept.sum()} of {len(kept)} runs are left to fit; comparing law {record.name!r} "
                f"with its {k} parameters needs at least {k + 1}"
            )


def _fitted(
    law: LawFunction, table: Runs, data: Data, kept: np.ndarray, *, goal: Objective, starts: int
) -> _Fitted:
    every = np.ones(len(data), dtype=bool)
    whole = refit(law, table, data, every, goal, starts=starts)
    squares = Squares("log")
    likely = whole if goal == squares else refit(law, table, data, every, squares, starts=starts)
    part = None if kept.all() else refit(law, table, data, kept, goal, starts=starts)
    found = _Fitted(law, whole, likely, part)
    if found.rss <= _EXACT * len(data):
        raise JscaleError(
            f"law {describe(law).name!r} fits {table.name} exactly: there is no noise to compare laws by"
        )
    return found


def _contender(fitted: _Fitted, data: Data, out: np.ndarray) -> Contender:
    n, k = len(data), len(fitted.whole.params) + 1
    likelihood = -0.5 * n * (math.log(2 * math.pi * fitted.rss / n) + 1) - float(
        np.log(data.loss).sum()
    )
    residual = fitted.part.residuals[out] if fitted.part is not None else None
    return Contender(
        law=describe(fitted.law).name,
        rank=None,
        status=fitted.status,
        params=fitted.whole.params,
        objective=fitted.whole.objective,
        log_likelihood=likelihood,
        aicc=-2 * likelihood + 2 * k + (2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf),
        bic=-2 * likelihood + k * math.log(n),
        rmse=None if residual is None else float(np.sqrt(np.mean(residual**2))),
        relative_error=None if residual is None else float(np.mean(np.abs(np.expm1(-residual)))),
        bias=None if residual is None else float(np.mean(residual)),
    )


def _ranked(rows: list[Contender]) -> tuple[Contender, ...]:
    """Certified laws by held-out error, or by AICc where there is none; then the others."""

    def score(row: Contender) -> float:
        value = row.aicc if row.rmse is None else row.rmse
        return value if math.isfinite(value) else math.inf

    sure = sorted((row for row in rows if row.status == Status.converged), key=score)
    rest = sorted((row for row in rows if row.status != Status.converged), key=score)
    return (*(replace(row, rank=i + 1) for i, row in enumerate(sure)), *rest)


def _remarks(rows: Sequence[Contender], fits: Mapping[str, _Fitted], out: np.ndarray) -> list[Note]:
    found = [
        Note(
            "not-ranked",
            "warning",
            f"law {row.law!r} is not ranked: its fit ended with {row.status}",
            {"law": row.law},
        )
        for row in rows
        if row.rank is None
    ]
    if not rows or rows[0].rank is None:
        return [*found, Note("no-winner", "error", "no law has a certified fit to these runs", {})]
    best = rows[0]
    alike = [
        row.law for row in rows[1:] if row.rank is not None and _gap(best, row, fits, out) < _NOISE
    ]
    if alike:
        by = f"{best.aicc:.4g} of AICc" if best.rmse is None else f"{best.rmse:.3g}"
        measure = (
            "2 units of AICc"
            if best.rmse is None
            else f"two standard errors over {int(out.sum())} held-out runs"
        )
        message = f"{best.law} ({by}) is ahead of {', '.join(alike)} by less than noise: {measure}"
        found.append(Note("within-noise", "warning", message, {"laws": tuple(alike)}))
    likeliest = min((row for row in rows if row.rank is not None), key=lambda row: row.aicc)
    if best.aicc - likeliest.aicc > _NOISE:
        message = (
            f"{best.law} predicts the held-out runs best, but {likeliest.law} describes all runs better "
            f"(AICc lower by {best.aicc - likeliest.aicc:.3g})"
        )
        found.append(Note("criteria-disagree", "info", message, {"aicc": likeliest.law}))
    return found


def _gap(best: Contender, row: Contender, fits: Mapping[str, _Fitted], out: np.ndarray) -> float:
    """How far a law lies behind: the paired difference of squared errors in standard errors, or
    that of AICc.
    """
    ours, theirs = fits[best.law].part, fits[row.law].part
    if ours is None or theirs is None:
        return row.aicc - best.aicc
    behind = theirs.residuals[out] ** 2 - ours.residuals[out] ** 2
    if len(behind) < 2:
        return 0.0
    error = float(np.std(behind, ddof=1)) / math.sqrt(len(behind))
    return float(behind.mean()) / error if error > 0 else 0.0
