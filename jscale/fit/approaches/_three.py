"""The three approaches side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import jax
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.notes import Note
from jscale._core.scope import in_float64
from jscale._core.status import Status
from jscale.fit.approaches._isoflop import IsoFlop, isoflop
from jscale.fit.approaches._training import TrainingCurves, training_curves
from jscale.fit.optimum import Point, delta_method_variance, point
from jscale.laws import chinchilla
from jscale.runs import TableLike, as_runs

_NORMAL = 1.959963984540054
"""Standard errors of a 95% interval."""

T = TypeVar("T")


@dataclass(frozen=True)
class Exponents:
    """The exponents of ``N* ~ C**a`` and ``D* ~ C**b`` by one approach.

    Attributes:
        approach: 1, 2 or 3, as Hoffmann et al. 2022 number them.
        name: "training curves", "isoflop" or "law".
        a: exponent of the size; NaN where the approach is not possible.
        a_interval: its 95% interval; infinite where the approach gives none.
        b: exponent of the tokens.
        b_interval: its 95% interval.
        status: how the approach ended.
        why: the reason why it is not possible; else empty.
    """

    approach: int
    name: str
    a: float
    a_interval: tuple[float, float]
    b: float
    b_interval: tuple[float, float]
    status: Status
    why: str = ""


@dataclass(frozen=True, eq=False)
class ThreeApproaches:
    """The approaches in order, with their results.

    Attributes:
        exponents: of each approach.
        training: result of the first approach; None where it is not possible.
        isoflop: result of the second.
        law: the fit of Chinchilla's law.
        notes: warnings and remarks of all three.
    """

    exponents: tuple[Exponents, ...]
    training: TrainingCurves | None
    isoflop: IsoFlop | None
    law: Point | None
    notes: tuple[Note, ...]


@in_float64
def three_approaches(
    table: TableLike,
    *,
    curve: Literal["parabola", "cubic", "law"] = "parabola",
    by: str | None = None,
    run: str | None = None,
    tolerance: float = 0.05,
    draws: int = 0,
    key: jax.Array | None = None,
) -> ThreeApproaches:
    """The exponents of the compute-optimal size and data by Hoffmann's three approaches.

    Each has a 95% interval. Chinchilla's law gives ``a = beta / (alpha + beta)`` and ``b = 1 - a``,
    with errors from its sandwich covariance.

    Args:
        table: validated runs with N, D, C and loss.
        curve: of the isoFLOP valleys.
        by: column of the budgets, as for :func:`isoflop`.
        run: column of the runs, as for :func:`training_curves`.
        tolerance: share by which the compute of one budget may spread.
        draws: resampled tables of the first two approaches; 0 for none.
        key: a JAX random key, with ``draws`` only.

    Returns:
        Exponents, intervals and a status for each approach, with the results behind them.

    Raises:
        JscaleError: no approach is possible; the message is that of the law.

    Example:
        >>> import numpy as np
        >>> from jscale import fit, laws, runs
        >>> C = np.repeat([1e19, 1e20, 1e21], 7)
        >>> N = 0.1 * C**0.5 * np.tile(np.geomspace(0.25, 4, 7), 3)
        >>> loss = laws.chinchilla(N, C / (6 * N), **laws.params(laws.chinchilla))
        >>> table = runs.read({"N": N, "D": C / (6 * N), "loss": loss})
        >>> for row in fit.three_approaches(table).exponents:
        ...     print(row.approach, row.name, f"{row.a:.2f}", row.status)
        1 training curves nan no_interior_optimum
        2 isoflop 0.46 converged
        3 law 0.46 converged
    """
    table = as_runs(table)
    training, no_training = _attempt(
        lambda k: training_curves(table, by=run, draws=draws, key=k), key, 0
    )
    law_fit, no_law = _attempt(lambda _: point(chinchilla, table), key, 2)

    # The law that was just fitted is the truth for the bias, so that it is not fitted again.
    certified = law_fit is not None and law_fit.certificate.converged
    budgets, no_budgets = _attempt(
        lambda k: isoflop(
            table,
            curve=curve,
            law=chinchilla if certified else None,
            params=law_fit.params if law_fit and certified else None,
            by=by,
            tolerance=tolerance,
            draws=draws,
            key=k,
        ),
        key,
        1,
    )
    results = (training, budgets, law_fit)
    if not any(results):
        raise JscaleError(no_law)

    rows = (
        _by_lines(1, "training curves", training, no_training),
        _by_lines(2, "isoflop", budgets, no_budgets),
        _by_law(law_fit, no_law),
    )
    notes = tuple(note for result in results if result for note in result.notes)
    return ThreeApproaches(rows, training, budgets, law_fit, notes)


def _attempt(
    approach: Callable[[jax.Array | None], T], key: jax.Array | None, number: int
) -> tuple[T | None, str]:
    """The result of an approach, or None and the reason; each has a key of its own."""
    try:
        return approach(None if key is None else jax.random.fold_in(key, number)), ""
    except JscaleError as error:
        return None, str(error)


def _by_lines(
    number: int, name: str, result: TrainingCurves | IsoFlop | None, reason: str
) -> Exponents:
    if result is None or result.N is None or result.D is None:
        return _impossible(number, name, reason or "fewer than two budgets have a minimum")
    N, D = result.N, result.D
    return Exponents(number, name, N.exponent, N.interval, D.exponent, D.interval, result.status)


def _by_law(fitted: Point | None, reason: str) -> Exponents:
    if fitted is None:
        return _impossible(3, "law", reason)

    alpha, beta = fitted.params["alpha"], fitted.params["beta"]
    names = tuple(fitted.params)
    at = [names.index("alpha"), names.index("beta")]
    gradient = np.array([-beta, alpha]) / (alpha + beta) ** 2
    variance = delta_method_variance(gradient, fitted.covariance[np.ix_(at, at)])
    half_width = _NORMAL * float(np.sqrt(variance))
    a, b = beta / (alpha + beta), alpha / (alpha + beta)
    return Exponents(
        approach=3,
        name="law",
        a=a,
        a_interval=(a - half_width, a + half_width),
        b=b,
        b_interval=(b - half_width, b + half_width),
        status=fitted.certificate.status,
    )


def _impossible(number: int, name: str, reason: str) -> Exponents:
    everything = (-np.inf, np.inf)
    status = Status.no_interior_optimum
    return Exponents(number, name, np.nan, everything, np.nan, everything, status, reason)
