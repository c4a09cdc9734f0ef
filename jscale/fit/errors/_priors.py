"""Parameters of an error model with their priors, in units of the spread of the losses."""

from typing import Any

import jax.numpy as jnp
import numpyro.distributions as dist

from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._names import (
    MISFIT_LENGTH_SITE,
    MISFIT_SCALE_SITE,
    SIGMA_SITE,
    effect_scale_site,
    power_site,
)
from jscale.fit.errors._text import FREE

SIGMA = (0.1, 1.5)
"""Scale of the errors: median in standard deviations of the (log) losses, and width of its log."""
MISFIT_SCALE = (0.1, 1.0)
"""Standard deviation of the discrepancy, in the same units."""
MISFIT_LENGTH = (1.0, 0.5)
"""Its length: median in standard deviations of the inputs, and width of its log."""
EFFECT_SCALE = (0.05, 1.5)
"""Standard deviation of random effects, in the units of ``sigma``."""
POWER_WIDTH = 0.3
"""Standard deviation of the powers of the scale, per standard deviation of a log column."""
GROUP_WIDTH = 0.7
"""Standard deviation of the log ratio of a group's scale to ``sigma``."""
NU = (2.0, 0.1)
"""Degrees of freedom: shape and rate of a gamma distribution (Juárez and Steel 2010)."""
OUTLIER_SHARE = (1.0, 9.0)
"""Share of the wide part: a beta distribution with mean 10%."""
OUTLIER_SCALE = (6.0, 0.5)
"""Scale of the wide part over that of the narrow one: median, and width of its log."""
EXCESS_SCALE = (1.0, 1.0)
"""Mean excess of one-sided errors over the scale of their normal part."""


def noise_priors(errors: ErrorModel, spread: Any) -> dict[str, dist.Distribution]:
    """Parameter of the error model → its prior, in the order in which they are sampled.

    Args:
        errors: the error model, with its columns filled in.
        spread: standard deviation of the log losses, or of the losses where errors are additive.
    """
    priors: dict[str, dist.Distribution] = {SIGMA_SITE: _scale(SIGMA, spread)}
    priors |= {power_site(term): dist.Normal(0.0, POWER_WIDTH) for term in errors.scale}
    if errors.nu == FREE:
        priors["nu"] = dist.Gamma(*NU)
    if errors.family == "outliers":
        priors["outlier_share"] = dist.Beta(*OUTLIER_SHARE)
        priors["outlier_scale"] = _scale(OUTLIER_SCALE)
    if errors.family == "one-sided":
        priors["excess_scale"] = _scale(EXCESS_SCALE)
    for column in errors.effects or ():
        priors[effect_scale_site(column)] = _scale(EFFECT_SCALE, spread)
    if errors.discrepancy is not None:
        priors[MISFIT_SCALE_SITE] = _scale(MISFIT_SCALE, spread)
        priors[MISFIT_LENGTH_SITE] = _scale(MISFIT_LENGTH)
    return priors


def _scale(prior: tuple[float, float], unit: Any = 1.0) -> dist.Distribution:
    median, width = prior
    return dist.LogNormal(jnp.log(median * unit), width)
