"""Hoffmann's second approach: the bottom of the loss over size at each budget, and power laws
through them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.approaches import _bias, _draws, _remarks
from jscale.fit.approaches._bias import Bias
from jscale.fit.approaches._budgets import Group, group
from jscale.fit.approaches._flags import UNBRACKETED, diagnose
from jscale.fit.approaches._powerlaw import LEVEL, PowerLaw, line, power_law
from jscale.fit.approaches._results import Budget, Lines
from jscale.fit.approaches._valleys import CURVES, Bottom, bottoms, prepare
from jscale.fit.optimum import point
from jscale.laws import LawFunction, chinchilla, describe
from jscale.runs import Runs

ENOUGH = 3
"""Budgets that a headline needs: two are a line without scatter."""


@dataclass(frozen=True)
class IsoFlop:
    """The second approach on a table.

    Attributes:
        curve: "parabola", "cubic", "law" or "akima".
        budgets: in order of compute.
        fits: "all" (every budget whose curve has a minimum), "unflagged", and both again weighted
            by the budgets' errors ("all-weighted", "unflagged-weighted").
        headline: which of the unweighted fits to quote: "unflagged" where it has three budgets.
        shape: exponents (alpha, beta) that the law-shaped valleys share; None for other curves.
        bias: what the curve does to valleys of the law on this grid; None where it was not
            computed.
        corrected: the headline with every minimum moved back by its bias; None without a bias.
        draws: (draws, budgets) ln N*, NaN where a draw has no minimum; None without resampling.
        status: ``converged`` when three unflagged budgets stand behind the headline.
        notes: doubts and remarks.
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
        """N*(C) through the draws' medians, of budgets with a minimum in at least half of the
        draws.

        The estimate of Porian et al. 2024, with the interval of the exponents over the draws.

        Raises:
            JscaleError: nothing was drawn.
        """
        if self.draws is None:
            raise JscaleError(
                "the medians are those of draws: ask isoflop for draws=1000 with a key"
            )
        used = np.isfinite(self.draws).mean(axis=0) >= 0.5
        sampled = self.draws[:, used]
        C = np.array([b.C for b in self.budgets])[used]
        found = power_law(C, np.exp(np.nanmedian(sampled, axis=0)))
        return None if found is None else _drawn(found, _draws.exponents(np.log(C), sampled))

    def __repr__(self) -> str:
        return f"<IsoFlop {self.curve}: {len(self.budgets)} budgets, {self.headline}: N {self.N}; {self.status}>"


@in_float64
def isoflop(
    table: Runs,
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
    """The compute-optimal size at every budget of a table, and ``N* = G C**a``, ``D* = H C**b``
    through them.

    At each budget a curve is fitted to the losses over ln N by least squares; its minimum is N*,
    and D* holds the compute. Curves: a parabola or a cubic; "law", the slice of Chinchilla's law
    ``E + P N**-alpha + Q N**beta`` with exponents that all budgets share and E, P, Q of each;
    "akima", which runs through the log losses (Porian et al. 2024). Errors are sandwich estimates
    (HC2), or come from draws. A parabola is biased where the valley leans, by about ``(alpha -
    beta) / 10`` times the squared half width in ln N: ``bias`` computes it for the runs' own sizes.

    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.2.

    Args:
        table: validated runs with N, D, C and loss; rows marked ``exclude`` are left out.
        curve: through the losses of a budget.
        law: law of N and D that is taken for the truth to compute the bias; None for no bias.
        params: its parameters; None to fit it to the table.
        by: column whose equal values make a budget; None for compute that is equal within
            ``tolerance``.
        tolerance: share by which the compute of one budget may spread.
        resample: what the draws draw: "rows" of each budget, or "noise" of the size ``loss_se``.
        draws: number of resampled tables for errors and intervals; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Raises:
        JscaleError: a column is missing, text or empty; an unknown curve; no budget with runs
            enough for the law-shaped valley; draws, key, law or params that do not make sense.
    """
    if curve not in CURVES:
        raise JscaleError(f"no curve {curve!r}; expected one of {', '.join(CURVES)}")
    _draws.check(resample, draws, key, curve)
    groups = group(table, by, tolerance)
    fitter = prepare(curve, groups, [g.loss for g in groups])
    sampled = None if key is None else _draws.draw(fitter, groups, resample, draws, key)
    budgets = tuple(
        _budget(curve, g, bottom, None if sampled is None else sampled[:, i])
        for i, (g, bottom) in enumerate(zip(groups, bottoms(fitter, groups), strict=True))
    )
    fits = _fits(budgets, sampled)
    headline = "unflagged" if (line_ := fits["unflagged"].N) and line_.points >= ENOUGH else "all"
    used = _usable(budgets, headline)
    bias, told = _bias_of(law, params, curve, table, groups, used=used)
    notes = (
        *_remarks.of_budgets(budgets),
        *_remarks.of_fits(fits, headline, ENOUGH, budgets, curve),
        *_influence(budgets, used, fits[headline].N),
        *_remarks.of_shape(fitter),
        *told,
    )
    return IsoFlop(
        curve=curve,
        budgets=budgets,
        fits=fits,
        headline=headline,
        shape=None if fitter.shape is None else (fitter.shape.alpha, fitter.shape.beta),
        bias=bias,
        corrected=None
        if bias is None
        else _lines(budgets, used & np.isfinite(bias.log_N), shift=bias.log_N),
        draws=sampled,
        status=_status(budgets, headline, fitter.shape is None or fitter.shape.settled),
        notes=notes,
    )


def _budget(curve: str, g: Group, bottom: Bottom | None, sampled: np.ndarray | None) -> Budget:
    status, flags = diagnose(curve, g, bottom)
    at = bottom or Bottom(np.nan, np.inf, np.nan, np.nan, np.inf)
    error = at.stderr
    if sampled is not None:
        there = np.isfinite(sampled)
        error = float(sampled[there].std(ddof=1)) if there.mean() >= 0.5 else np.inf
        if there.mean() < 0.5 and bottom is not None and UNBRACKETED not in flags:
            flags = (*flags, UNBRACKETED)
    ends = (float(g.N[0]), float(g.N[-1]))
    sizes = float(np.exp(at.log_N)), float(np.exp(g.log_product - at.log_N))
    return Budget(
        g.C,
        len(g.N),
        ends,
        *sizes,
        at.loss,
        error,
        at.curvature,
        at.curvature_stderr,
        flags,
        status,
        g.rows,
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
    chosen = [b for b, u in zip(budgets, used, strict=True) if u]
    move = np.exp(np.zeros(len(chosen)) if shift is None else shift[used])
    errors = np.array([b.log_stderr for b in chosen]) if weighted else None
    if errors is not None and not (np.isfinite(errors) & (errors > 0)).all():
        return Lines(None, None)  # a budget without an error has no weight to give
    C = np.array([b.C for b in chosen])
    return Lines(
        power_law(C, np.array([b.N_opt for b in chosen]) / move, errors),
        power_law(C, np.array([b.D_opt for b in chosen]) * move, errors),
    )


def _fits(budgets: Sequence[Budget], sampled: np.ndarray | None) -> dict[str, Lines]:
    fits = {}
    for which in ("all", "unflagged"):
        used = _usable(budgets, which)
        fits[which] = _lines(budgets, used)
        if sampled is not None:
            fits[which] = _by_draws(fits[which], budgets, sampled, used)
        finite = used & np.array([np.isfinite(b.log_stderr) and b.log_stderr > 0 for b in budgets])
        fits[f"{which}-weighted"] = _lines(budgets, finite, weighted=True)
    return fits


def _influence(
    budgets: Sequence[Budget], used: np.ndarray, fitted: PowerLaw | None
) -> tuple[Note, ...]:
    if fitted is None:
        return ()
    C, N = np.array([(b.C, b.N_opt) for b in budgets])[used].T
    return _remarks.of_influence(C, np.log(N), fitted.stderr)


def _by_draws(
    lines: Lines, budgets: Sequence[Budget], sampled: np.ndarray, used: np.ndarray
) -> Lines:
    """The same power laws with errors and intervals from the draws."""
    if lines.N is None or lines.D is None:
        return lines
    log_C = np.log([b.C for b in budgets])[used]
    log_product = np.log([b.N_opt * b.D_opt for b in budgets])[used]
    values = sampled[:, used]
    return Lines(
        _drawn(lines.N, _draws.exponents(log_C, values)),
        _drawn(lines.D, _draws.exponents(log_C, log_product - values)),
    )


def _drawn(fitted: PowerLaw, exponents: np.ndarray) -> PowerLaw:
    """A power law with the error and interval of exponents (draws,), NaN where a draw has none."""
    exponents = exponents[np.isfinite(exponents)]
    if len(exponents) < 2:
        return replace(fitted, stderr=np.inf, interval=(-np.inf, np.inf))
    low, high = np.percentile(exponents, 50 * np.array([1 - LEVEL, 1 + LEVEL])).tolist()
    return replace(fitted, stderr=float(exponents.std(ddof=1)), interval=(low, high))


def _bias_of(
    law: LawFunction | None,
    params: Mapping[str, float] | None,
    curve: str,
    table: Runs,
    groups: Sequence[Group],
    *,
    used: np.ndarray,
) -> tuple[Bias | None, tuple[Note, ...]]:
    if law is None:
        if params is not None:
            raise JscaleError("params belong to a law, and law is None")
        return None, ()
    _bias.require_slices(law)
    told: tuple[Note, ...] = ()
    if params is None:
        if int(table.kept.sum()) < len(describe(law).parameters):
            return None, (
                _remarks.no_bias(describe(law).name, "there are fewer runs than parameters"),
            )
        fitted = point(law, table)
        params = fitted.params
        if not fitted.certificate.converged:
            told = (_remarks.uncertified(describe(law).name, fitted.certificate.status),)
    elif set(params) != set(describe(law).parameter_names):
        raise JscaleError(
            f"law {describe(law).name!r} needs the parameters {', '.join(describe(law).parameter_names)}"
        )
    truth, seen = _bias.minima(law, params, curve, table, groups)
    difference = seen - truth
    there = used & np.isfinite(difference)
    log_coefficient, exponent = np.nan, np.nan
    if there.sum() > 1:
        log_coefficient, exponent = line(
            np.log([g.C for g in groups])[there], difference[there]
        ).tolist()
    return Bias(law, params, truth, difference, exponent, log_coefficient), told


def _status(budgets: Sequence[Budget], headline: str, settled: bool) -> Status:
    if not any(b.status == Status.converged for b in budgets):
        return Status.no_interior_optimum
    return Status.converged if headline == "unflagged" and settled else Status.not_converged
