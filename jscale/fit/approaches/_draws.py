"""The minima of valleys whose runs are drawn again."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale.fit.approaches._budgets import Group
from jscale.fit.approaches._powerlaw import line
from jscale.fit.approaches._valleys import SIZES, Fitter

RESAMPLE = ("rows", "noise")


def check(resample: str, draws: int, key: jax.Array | None, kind: str) -> None:
    """Check what was asked for.

    Raises:
        JscaleError: draws without a key or the reverse, an unknown way to draw, or one that the
            curve does not allow.
    """
    if resample not in RESAMPLE:
        raise JscaleError(f"no resampling {resample!r}; expected one of {', '.join(RESAMPLE)}")
    if draws < 0 or draws == 1:
        raise JscaleError(f"draws must be 0 for none, or at least 2, not {draws}")
    if bool(draws) != (key is not None):
        raise JscaleError("draws and key belong together: draws=1000, key=jax.random.key(seed)")
    if key is not None and not jnp.issubdtype(
        getattr(key, "dtype", jnp.float32), jax.dtypes.prng_key
    ):
        raise JscaleError("key is not a JAX random key; expected jax.random.key(seed)")
    if draws and kind == "akima" and resample == "rows":
        raise JscaleError(
            "Akima's curve runs through all its points: draw 'noise' from the column loss_se, not 'rows'"
        )


def draw(
    fitter: Fitter, groups: Sequence[Group], resample: str, draws: int, key: jax.Array
) -> np.ndarray:
    """Ln N* of every budget in every draw (draws, budgets); NaN where a draw has no minimum.

    Raises:
        JscaleError: noise is to be drawn and a run has no ``loss_se``.
    """
    found = np.full((draws, len(groups)), np.nan)
    for i, (group, part) in enumerate(zip(groups, jax.random.split(key, len(groups)), strict=True)):
        if not fitter.enough(group):
            continue
        n = len(group.N)
        if resample == "noise":
            if group.loss_se is None or not np.isfinite(group.loss_se).all():
                raise JscaleError(
                    "resample='noise' needs a standard error in column 'loss_se' for every run"
                )
            z = np.asarray(jax.random.normal(part, (draws, n), dtype=jnp.float64))
            found[:, i] = fitter.minima(group, group.loss + group.loss_se * z)
        else:
            chosen = np.asarray(jax.random.randint(part, (draws, n), 0, n))
            weights = (chosen[:, :, None] == np.arange(n)).sum(axis=1).astype(float)
            sizes = np.unique(group.N)[:, None] == group.N
            enough = ((weights[:, None, :] * sizes).sum(-1) > 0).sum(-1) >= SIZES[fitter.kind]
            minima = fitter.minima(group, np.broadcast_to(group.loss, weights.shape), weights)
            found[:, i] = np.where(enough, minima, np.nan)
    return found


def exponents(log_C: np.ndarray, log_N: np.ndarray) -> np.ndarray:
    """Exponent of N*(C) in every draw (draws,), over the budgets that have a minimum in it; NaN for
    fewer than two.
    """
    there = np.isfinite(log_N)
    return np.array(
        [
            line(log_C[t], row[t])[1] if t.sum() > 1 else np.nan
            for row, t in zip(log_N, there, strict=True)
        ]
    )
