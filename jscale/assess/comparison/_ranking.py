"""The rows of a comparison, their ranks, and notes about the ranking."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jscale._core.notes import Note
from jscale._core.status import Status
from jscale.assess.comparison._subset import SubsetFit
from jscale.laws import LawFunction, describe
from jscale.runs import Data

_NOISE = 2.0
"""Standard errors, or units of AICc, by which two laws must differ."""


@dataclass(frozen=True)
class Contender:
    """One law of a comparison.

    Attributes:
        law: its name.
        rank: 1 for the best; None for a law whose fits are not all certified.
        status: the first status, of its fits to all runs and to the training runs, that is not
            ``converged``.
        params: parameter → value, fitted to all runs.
        objective: in-sample, all runs.
        log_likelihood: nats, of the losses of all runs.
        aicc: Akaike's criterion with Hurvich and Tsai's correction; infinite if there are too few
            runs for it.
        bic: Schwarz's criterion.
        rmse: root mean square of the log residuals of the held-out runs; None where no run is held
            out.
        relative_error: mean of |predicted / observed - 1| over the held-out runs.
        bias: mean of the log residuals of the held-out runs, observed minus predicted.
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
class LawFits:
    """The fits of a law.

    Attributes:
        law: the law.
        overall: to all runs.
        squares: to all runs by squares of the log loss, for the likelihood.
        training: to the runs that are not held out; None without a holdout.
    """

    law: LawFunction
    overall: SubsetFit
    squares: SubsetFit
    training: SubsetFit | None

    @property
    def status(self) -> Status:
        """The first status that is not ``converged``."""
        fits = [self.overall, self.squares]
        if self.training is not None:
            fits.append(self.training)
        failures = [fit.status for fit in fits if fit.status != Status.converged]
        return failures[0] if failures else Status.converged

    @property
    def rss(self) -> float:
        """Residual sum of squares of the log loss."""
        return float(np.sum(self.squares.residuals**2))


def contender(fits: LawFits, data: Data, held_out: np.ndarray) -> Contender:
    """The row of a law, without its rank."""
    n, k = len(data), len(fits.overall.params) + 1
    log_likelihood = -0.5 * n * (math.log(2 * math.pi * fits.rss / n) + 1) - float(
        np.log(data.loss).sum()
    )
    correction = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
    row = Contender(
        law=describe(fits.law).name,
        rank=None,
        status=fits.status,
        params=fits.overall.params,
        objective=fits.overall.objective,
        log_likelihood=log_likelihood,
        aicc=-2 * log_likelihood + 2 * k + correction,
        bic=-2 * log_likelihood + k * math.log(n),
        rmse=None,
        relative_error=None,
        bias=None,
    )
    if fits.training is None:
        return row

    residual = fits.training.residuals[held_out]
    return replace(
        row,
        rmse=float(np.sqrt(np.mean(residual**2))),
        relative_error=float(np.mean(np.abs(np.expm1(-residual)))),
        bias=float(np.mean(residual)),
    )


def ranked(rows: Sequence[Contender]) -> tuple[Contender, ...]:
    """Certified laws by held-out error, or by AICc without a holdout; then the others."""

    def score(row: Contender) -> float:
        value = row.aicc if row.rmse is None else row.rmse
        return value if math.isfinite(value) else math.inf

    ordered = sorted(rows, key=score)
    certified = [row for row in ordered if row.status == Status.converged]
    others = [row for row in ordered if row.status != Status.converged]
    return (*(replace(row, rank=i) for i, row in enumerate(certified, 1)), *others)


def ranking_notes(
    rows: Sequence[Contender], fits: Mapping[str, LawFits], held_out: np.ndarray
) -> list[Note]:
    """Notes: laws without a rank, differences within noise, criteria that disagree."""
    notes = [_not_ranked(row) for row in rows if row.rank is None]
    certified = [row for row in rows if row.rank is not None]
    if not certified:
        message = "no law has a certified fit to these runs"
        return [*notes, Note("no-winner", "error", message, {})]

    best, *others = certified
    close = [row.law for row in others if _margin(best, row, fits, held_out) < _NOISE]
    if close:
        notes.append(_within_noise(best, close, int(held_out.sum())))

    least_aicc = min(certified, key=lambda row: row.aicc)
    if best.aicc - least_aicc.aicc > _NOISE:
        message = (
            f"{best.law} predicts the held-out runs best, but {least_aicc.law} describes all runs "
            f"better (AICc lower by {best.aicc - least_aicc.aicc:.3g})"
        )
        notes.append(Note("criteria-disagree", "info", message, {"aicc": least_aicc.law}))
    return notes


def _not_ranked(row: Contender) -> Note:
    message = f"law {row.law!r} is not ranked: its fit ended with {row.status}"
    return Note("not-ranked", "warning", message, {"law": row.law})


def _within_noise(best: Contender, close: Sequence[str], n_held_out: int) -> Note:
    if best.rmse is None:
        score, noise = f"{best.aicc:.4g} of AICc", "2 units of AICc"
    else:
        score, noise = f"{best.rmse:.3g}", f"two standard errors over {n_held_out} held-out runs"
    message = f"{best.law} ({score}) is ahead of {', '.join(close)} by less than noise: {noise}"
    return Note("within-noise", "warning", message, {"laws": tuple(close)})


def _margin(
    best: Contender, row: Contender, fits: Mapping[str, LawFits], held_out: np.ndarray
) -> float:
    """The margin of the best law over another.

    The paired difference of their squared errors in standard errors, or that of AICc.
    """
    best_fit, other_fit = fits[best.law].training, fits[row.law].training
    if best_fit is None or other_fit is None:
        return row.aicc - best.aicc
    difference = other_fit.residuals[held_out] ** 2 - best_fit.residuals[held_out] ** 2
    if len(difference) < 2:
        return 0.0
    error = float(np.std(difference, ddof=1)) / math.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0
