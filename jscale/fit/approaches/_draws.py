"""The minima of valleys whose runs are resampled."""

from collections.abc import Sequence

import jax
import numpy as np

from jscale._core.arrays import standard_normal
from jscale._core.checks import check_key
from jscale._core.errors import Argument, JscaleError
from jscale._core.text import shown
from jscale.fit.approaches._budgets import BudgetRuns
from jscale.fit.approaches._powerlaw import fit_line
from jscale.fit.approaches._valleys import SIZES, ValleyFitter

RESAMPLE = ("rows", "noise")


def check_draws(resample: str, draws: int, key: jax.Array | None, kind: str) -> None:
    """Validate the arguments of a resampling.

    Raises:
        JscaleError: draws without a key or the reverse, an unknown way to draw, or one that the
            curve does not allow.
    """
    if resample not in RESAMPLE:
        raise JscaleError(f"no resampling {shown(resample)}; expected one of {', '.join(RESAMPLE)}")
    if draws < 0 or draws == 1:
        raise JscaleError(f"must be 0 for none, or at least 2, not {draws}", argument="draws")
    if bool(draws) != (key is not None):
        message = "and key belong together: draws=1000, key=jax.random.key(seed)"
        raise JscaleError(message, argument="draws")
    if key is not None:
        check_key(key)
    if draws and kind == "akima" and resample == "rows":
        raise JscaleError(
            "Akima's curve goes through all its points: draw 'noise' from the column loss_se, "
            "not 'rows'"
        )


def draw_minima(
    fitter: ValleyFitter, groups: Sequence[BudgetRuns], resample: str, draws: int, key: jax.Array
) -> np.ndarray:
    """Ln N* of every budget in every draw (draws, budgets); NaN where a draw has no minimum.

    Raises:
        JscaleError: noise is to be drawn and a run has no ``loss_se``.
    """
    minima = np.full((draws, len(groups)), np.nan)
    for i, (group, own) in enumerate(zip(groups, jax.random.split(key, len(groups)), strict=True)):
        if fitter.has_enough_runs(group):
            draw = _draw_noise if resample == "noise" else _draw_rows
            minima[:, i] = draw(fitter, group, draws, own)
    return minima


def _draw_noise(fitter: ValleyFitter, group: BudgetRuns, draws: int, key: jax.Array) -> np.ndarray:
    if group.loss_se is None or not np.isfinite(group.loss_se).all():
        raise JscaleError(
            Argument("resample", "noise"),
            " needs a standard error in column 'loss_se' for every run",
        )
    z = standard_normal(key, (draws, len(group.N)))
    return fitter.minima(group, group.loss + group.loss_se * z)


def _draw_rows(fitter: ValleyFitter, group: BudgetRuns, draws: int, key: jax.Array) -> np.ndarray:
    n = len(group.N)
    chosen = np.asarray(jax.random.randint(key, (draws, n), 0, n))
    weights = (chosen[:, :, None] == np.arange(n)).sum(axis=1).astype(float)

    # A draw needs as many different sizes as the curve has coefficients.
    of_size = np.unique(group.N)[:, None] == group.N
    drawn_sizes = ((weights[:, None, :] * of_size).sum(-1) > 0).sum(-1)
    minima = fitter.minima(group, np.broadcast_to(group.loss, weights.shape), weights)
    return np.where(drawn_sizes >= SIZES[fitter.kind], minima, np.nan)


def exponents(log_C: np.ndarray, log_N: np.ndarray) -> np.ndarray:
    """Exponent of N*(C) in every draw (draws,), over the budgets that have a minimum in it.

    NaN for fewer than two budgets.
    """
    valid = np.isfinite(log_N)
    return np.array(
        [
            fit_line(log_C[used], row[used])[1] if used.sum() > 1 else np.nan
            for row, used in zip(log_N, valid, strict=True)
        ]
    )
