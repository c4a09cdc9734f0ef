"""Hoffmann's second approach: the least loss over size at each budget, and power laws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale._core.text import enumerated, shown
from jscale.fit.approaches import _notes
from jscale.fit.approaches._bias import Bias, biased_minima, require_valleys
from jscale.fit.approaches._budgets import Budget, BudgetRuns, group_by_budget
from jscale.fit.approaches._draws import check_draws, draw_minima, exponents
from jscale.fit.approaches._flags import UNBRACKETED, diagnose
from jscale.fit.approaches._powerlaw import (
    MIN_BUDGETS,
    Lines,
    PowerLaw,
    fit_line,
    fit_power_law,
    with_drawn_errors,
)
from jscale.fit.approaches._valleys import CURVES, ValleyMinimum, valley_fitter, valley_minima
from jscale.fit.optimum import point
from jscale.laws import LawFunction, chinchilla, describe
from jscale.runs import Runs, TableLike, as_runs

_MIN_SHARE = 0.5
"""Share of the draws in which a budget must have a minimum."""


@dataclass(frozen=True, eq=False)
class IsoFlop:
    """The second approach on a table.

    Attributes:
        curve: "parabola", "cubic", "law" or "akima".
        budgets: in order of compute.
        fits: "all" (every budget whose curve has a minimum), "unflagged", and both again weighted
            by the budgets' errors ("all-weighted", "unflagged-weighted").
        headline: which of the unweighted fits to quote: "unflagged" where it has three budgets.
        shape: exponents (alpha, beta) that the law-shaped valleys share; None for other curves.
        bias: of the curve on valleys of the law at these sizes; None where it was not computed.
        corrected: the headline with the bias of every minimum subtracted; None without a bias.
        draws: (draws, budgets) ln N*, NaN where a draw has no minimum; None without resampling.
        status: ``converged`` when three unflagged budgets support the headline.
        notes: warnings and remarks.
    """

    curve: str
    budgets: tuple[Budget, ...]
    fits: Mapping[str, Lines]
    headline: str
    shape: tuple[float, float] | None
    bias: Bias | None
    corrected: Lines | None
    draws: np.ndarray | None
    status: Status
    notes: tuple[Note, ...]

    @property
    def N(self) -> PowerLaw | None:
        """The headline's N*(C)."""
        return self.fits[self.headline].N

    @property
    def D(self) -> PowerLaw | None:
        """The headline's D*(C)."""
        return self.fits[self.headline].D

    def through_medians(self) -> PowerLaw | None:
        """N*(C) through the medians of the draws.

        Budgets with a minimum in fewer than half of the draws are left out. The estimate of Porian
        et al. 2024, with the interval of the exponents over the draws.

        Raises:
            JscaleError: the analysis has no draws.
        """
        if self.draws is None:
            raise JscaleError(
                "there are no draws to take medians of; call isoflop with draws=1000 and a key"
            )
        used = np.isfinite(self.draws).mean(axis=0) >= _MIN_SHARE
        drawn = self.draws[:, used]
        C = np.array([b.C for b in self.budgets])[used]
        fitted = fit_power_law(C, np.exp(np.nanmedian(drawn, axis=0)))
        return None if fitted is None else with_drawn_errors(fitted, exponents(np.log(C), drawn))

    def __repr__(self) -> str:
        line = f"{self.headline}: N {self.N}"
        return f"<IsoFlop {self.curve}: {len(self.budgets)} budgets, {line}; {self.status}>"


@in_float64
def isoflop(
    table: TableLike,
    *,
    curve: Literal["parabola", "cubic", "law", "akima"] = "parabola",
    law: LawFunction | None = chinchilla,
    params: Mapping[str, float] | None = None,
    by: str | None = None,
    tolerance: float = 0.05,
    resample: Literal["rows", "noise"] = "rows",
    draws: int = 0,
    key: jax.Array | None = None,
) -> IsoFlop:
    """The compute-optimal size at every budget of a table, and power laws in compute through them.

    At each budget a curve is fitted to the losses over ln N by least squares; its minimum is N*,
    and D* has the same compute. The power laws are ``N* = G C**a`` and ``D* = H C**b``. Curves: a
    parabola or a cubic; "law", the slice of Chinchilla's law ``E + P N**-alpha + Q N**beta`` with
    exponents that all budgets share and E, P, Q of each; "akima", which goes through the log losses
    (Porian et al. 2024). Errors are sandwich estimates (HC2), or come from draws. A parabola is
    biased where the valley is asymmetric, by about ``(alpha - beta) / 10`` times the squared half
    width in ln N: ``bias`` computes it for the runs' own sizes.

    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.2.

    Args:
        table: validated runs with N, D, C and loss; rows marked ``exclude`` are left out.
        curve: through the losses of a budget.
        law: law of N and D that is taken for the truth to compute the bias; None for no bias.
        params: its parameters; None to fit it to the table.
        by: column whose equal values make a budget; None for compute that is equal within
            ``tolerance``.
        tolerance: share by which the compute of one budget may spread.
        resample: what is drawn: "rows" of each budget, or "noise" of the size ``loss_se``.
        draws: number of resampled tables for errors and intervals; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Returns:
        The budgets, the power laws, the bias, a status and notes.

    Raises:
        JscaleError: a column is missing, text or empty; an unknown curve; no budget with enough
            runs for the law-shaped valley; draws, key, law or params that are not possible.

    Example:
        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> C = np.repeat([1e19, 1e20, 1e21], 7)
        >>> N = 0.1 * C**0.5 * np.tile(np.geomspace(0.25, 4, 7), 3)
        >>> theta = laws.params(laws.chinchilla)
        >>> loss = laws.chinchilla(N, C / (6 * N), **theta)
        >>> table = runs.read({"N": N, "D": C / (6 * N), "loss": loss})
        >>> result = fit.isoflop(table, law=None)
        >>> print(f"{result.N.exponent:.2f}", result.status)
        0.46 converged
    """
    table = as_runs(table)
    if curve not in CURVES:
        raise JscaleError(f"no curve {shown(curve)}; expected one of {enumerated(CURVES)}")
    check_draws(resample, draws, key, curve)
    groups = group_by_budget(table, by, tolerance)

    # The minima, from the runs and from draws of them.
    fitter = valley_fitter(curve, groups, [g.loss for g in groups])
    drawn = None if key is None else draw_minima(fitter, groups, resample, draws, key)
    budgets = tuple(
        _budget(curve, g, minimum, None if drawn is None else drawn[:, i])
        for i, (g, minimum) in enumerate(zip(groups, valley_minima(fitter, groups), strict=True))
    )

    # Power laws through them.
    fits = _power_laws(budgets, drawn)
    unflagged = fits["unflagged"].N
    headline = "unflagged" if unflagged and unflagged.points >= MIN_BUDGETS else "all"
    used = _usable(budgets, headline)

    bias, bias_notes = _bias(law, params, curve, table, groups, used=used)
    corrected = None
    if bias is not None:
        corrected = _lines(budgets, used & np.isfinite(bias.log_N), shift=bias.log_N)

    notes = (
        *_notes.budget_notes(budgets),
        *_notes.fit_notes(fits, headline, budgets, curve),
        *_influence(budgets, used, fits[headline].N),
        *_notes.shape_notes(fitter),
        *bias_notes,
    )
    return IsoFlop(
        curve=curve,
        budgets=budgets,
        fits=fits,
        headline=headline,
        shape=None if fitter.shape is None else (fitter.shape.alpha, fitter.shape.beta),
        bias=bias,
        corrected=corrected,
        draws=drawn,
        status=_status(budgets, headline, fitter.shape is None or fitter.shape.converged),
        notes=notes,
    )


def _budget(
    curve: str, runs: BudgetRuns, minimum: ValleyMinimum | None, drawn: np.ndarray | None
) -> Budget:
    """The result for one budget; ``drawn`` is ln N* (draws,), or None."""
    status, flags = diagnose(curve, runs, minimum)
    lowest = minimum or ValleyMinimum()
    error = lowest.stderr
    if drawn is not None:
        valid = np.isfinite(drawn)
        has_minimum = valid.mean() >= _MIN_SHARE
        error = float(drawn[valid].std(ddof=1)) if has_minimum else np.inf
        if not has_minimum and minimum is not None and UNBRACKETED not in flags:
            flags = (*flags, UNBRACKETED)

    return Budget(
        C=runs.C,
        n_runs=len(runs.N),
        N_range=(float(runs.N[0]), float(runs.N[-1])),
        N_opt=float(np.exp(lowest.log_N)),
        D_opt=float(np.exp(runs.log_product - lowest.log_N)),
        loss=lowest.loss,
        log_stderr=error,
        curvature=lowest.curvature,
        curvature_stderr=lowest.curvature_stderr,
        flags=flags,
        status=status,
        rows=runs.rows,
    )


def _usable(budgets: Sequence[Budget], which: str) -> np.ndarray:
    """The budgets (budgets,) of a fit: booleans."""
    return np.array([np.isfinite(b.N_opt) and (which == "all" or not b.flags) for b in budgets])


def _lines(
    budgets: Sequence[Budget],
    used: np.ndarray,
    *,
    weighted: bool = False,
    shift: np.ndarray | None = None,
) -> Lines:
    """Power laws through the budgets ``used`` (booleans), after ``shift`` of ln N*."""
    chosen = [b for b, is_used in zip(budgets, used, strict=True) if is_used]
    factor = np.exp(np.zeros(len(chosen)) if shift is None else shift[used])
    errors = np.array([b.log_stderr for b in chosen]) if weighted else None
    # A budget without an error has no weight.
    if errors is not None and not (np.isfinite(errors) & (errors > 0)).all():
        return Lines(None, None)

    C = np.array([b.C for b in chosen])
    return Lines(
        fit_power_law(C, np.array([b.N_opt for b in chosen]) / factor, errors),
        fit_power_law(C, np.array([b.D_opt for b in chosen]) * factor, errors),
    )


def _power_laws(budgets: Sequence[Budget], drawn: np.ndarray | None) -> dict[str, Lines]:
    """All and unflagged budgets, without and with weights by their errors."""
    fits = {}
    for which in ("all", "unflagged"):
        used = _usable(budgets, which)
        fits[which] = _lines(budgets, used)
        if drawn is not None:
            fits[which] = _with_draws(fits[which], budgets, drawn, used)
        finite = np.array([np.isfinite(b.log_stderr) and b.log_stderr > 0 for b in budgets])
        fits[f"{which}-weighted"] = _lines(budgets, used & finite, weighted=True)
    return fits


def _influence(
    budgets: Sequence[Budget], used: np.ndarray, fitted: PowerLaw | None
) -> tuple[Note, ...]:
    if fitted is None:
        return ()
    C, N = np.array([(b.C, b.N_opt) for b in budgets])[used].T
    return _notes.influence_notes(C, np.log(N), fitted.stderr)


def _with_draws(
    lines: Lines, budgets: Sequence[Budget], drawn: np.ndarray, used: np.ndarray
) -> Lines:
    """The same power laws with errors and intervals from draws (draws, budgets) of ln N*."""
    if lines.N is None or lines.D is None:
        return lines
    log_C = np.log([b.C for b in budgets])[used]
    log_product = np.log([b.N_opt * b.D_opt for b in budgets])[used]
    log_N = drawn[:, used]
    return Lines(
        with_drawn_errors(lines.N, exponents(log_C, log_N)),
        with_drawn_errors(lines.D, exponents(log_C, log_product - log_N)),
    )


def _bias(
    law: LawFunction | None,
    params: Mapping[str, float] | None,
    curve: str,
    table: Runs,
    groups: Sequence[BudgetRuns],
    *,
    used: np.ndarray,
) -> tuple[Bias | None, tuple[Note, ...]]:
    """The bias of the curve, if a law is given and can be fitted, and notes."""
    if law is None:
        if params is not None:
            raise JscaleError("belong to a law, and law is None", argument="params")
        return None, ()

    require_valleys(law)
    names, notes = describe(law).parameter_names, ()
    if params is None:
        if int(table.kept.sum()) < len(names):
            reason = "there are fewer runs than parameters"
            return None, (_notes.no_bias_note(describe(law).name, reason),)
        fitted = point(law, table)
        params, status = fitted.params, fitted.certificate.status
        if not fitted.certificate.converged:
            notes = (_notes.uncertified_bias_note(describe(law).name, status),)
    elif set(params) != set(names):
        raise JscaleError(f"law {describe(law).name!r} needs the parameters {enumerated(names)}")

    truth, minima = biased_minima(law, params, curve, table, groups)
    difference = minima - truth
    valid = used & np.isfinite(difference)
    log_coefficient, exponent = np.nan, np.nan
    if valid.sum() > 1:
        log_C = np.log([g.C for g in groups])[valid]
        log_coefficient, exponent = fit_line(log_C, difference[valid]).tolist()
    return Bias(law, params, truth, difference, exponent, log_coefficient), notes


def _status(budgets: Sequence[Budget], headline: str, converged: bool) -> Status:
    if not any(b.status == Status.converged for b in budgets):
        return Status.no_interior_optimum
    return Status.converged if headline == "unflagged" and converged else Status.not_converged
