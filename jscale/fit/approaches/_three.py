"""The three approaches side by side."""

from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.approaches._isoflop import IsoFlop, isoflop
from jscale.fit.approaches._training import TrainingCurves, training_curves
from jscale.fit.optimum import Point, of_number, point
from jscale.laws import chinchilla
from jscale.runs import Runs

_NORMAL = 1.959963984540054
"""Standard errors of a 95% interval."""


@dataclass(frozen=True)
class Exponents:
    """What one approach says of ``N* ~ C**a`` and ``D* ~ C**b``.

    Attributes:
        approach: 1, 2 or 3, as Hoffmann et al. 2022 number them.
        name: "training curves", "isoflop" or "law".
        a: exponent of the size; NaN where the approach cannot be taken.
        a_interval: its 95% interval; infinite where the approach gives none.
        b: exponent of the tokens.
        b_interval: its 95% interval.
        status: how the approach ended.
        why: in words, why it cannot be taken; else empty.
    """

    approach: int
    name: str
    a: float
    a_interval: tuple[float, float]
    b: float
    b_interval: tuple[float, float]
    status: Status
    why: str = ""


@dataclass(frozen=True)
class ThreeApproaches:
    """The approaches in order, with the results behind them, None where an approach cannot be
    taken.
    """

    exponents: tuple[Exponents, ...]
    training: TrainingCurves | None
    isoflop: IsoFlop | None
    law: Point | None
    notes: tuple[Note, ...]


@in_float64
def three_approaches(
    table: Runs,
    *,
    curve: Literal["parabola", "cubic", "law"] = "parabola",
    by: str | None = None,
    run: str | None = None,
    tolerance: float = 0.05,
    draws: int = 0,
    key: jax.Array | None = None,
) -> ThreeApproaches:
    """The exponents of the compute-optimal size and data by Hoffmann's three approaches, with 95%
    intervals.

    Chinchilla's law gives ``a = beta / (alpha + beta)`` and ``b = 1 - a``, with errors from its
    sandwich covariance.

    Args:
        table: validated runs with N, D, C and loss.
        curve: of the isoFLOP valleys.
        by: column of the budgets, as for :func:`isoflop`.
        run: column of the runs, as for :func:`training_curves`.
        tolerance: share by which the compute of one budget may spread.
        draws: resampled tables of the first two approaches; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Raises:
        JscaleError: no approach can be taken; the message is that of the law.
    """
    first, why_first = _attempt(
        lambda k: training_curves(table, by=run, draws=draws, key=k), key, 0
    )
    third, why_third = _attempt(lambda _: point(chinchilla, table), key, 2)
    # The law that was just fitted is the truth of the bias: no second fit.
    truth = third.params if third and third.certificate.converged else None
    law = chinchilla if truth else None
    second, why_second = _attempt(
        lambda k: isoflop(
            table,
            curve=curve,
            law=law,
            params=truth,
            by=by,
            tolerance=tolerance,
            draws=draws,
            key=k,
        ),
        key,
        1,
    )
    if not (first or second or third):
        raise JscaleError(why_third)
    rows = (
        _by_lines(1, "training curves", first, why_first),
        _by_lines(2, "isoflop", second, why_second),
        _by_law(third, why_third),
    )
    notes = tuple(note for result in (first, second, third) if result for note in result.notes)
    return ThreeApproaches(rows, first, second, third, notes)


def _attempt(take, key: jax.Array | None, number: int):
    try:
        return take(None if key is None else jax.random.fold_in(key, number)), ""
    except JscaleError as error:
        return None, str(error)


def _by_lines(
    number: int, name: str, result: TrainingCurves | IsoFlop | None, why: str
) -> Exponents:
    if result is None or result.N is None or result.D is None:
        return _none(number, name, why or "fewer than two budgets have a minimum")
    N, D = result.N, result.D
    return Exponents(number, name, N.exponent, N.interval, D.exponent, D.interval, result.status)


def _by_law(fitted: Point | None, why: str) -> Exponents:
    if fitted is None:
        return _none(3, "law", why)
    names = tuple(fitted.params)
    at = [names.index("alpha"), names.index("beta")]
    alpha, beta = fitted.params["alpha"], fitted.params["beta"]
    slope = np.array([-beta, alpha]) / (alpha + beta) ** 2
    half = _NORMAL * float(np.sqrt(of_number(slope, fitted.covariance[np.ix_(at, at)])))
    a, b = beta / (alpha + beta), alpha / (alpha + beta)
    return Exponents(
        3, "law", a, (a - half, a + half), b, (b - half, b + half), fitted.certificate.status
    )


def _none(number: int, name: str, why: str) -> Exponents:
    everything = (-np.inf, np.inf)
    return Exponents(
        number, name, np.nan, everything, np.nan, everything, Status.no_interior_optimum, why
    )
