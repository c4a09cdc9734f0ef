"""Priors of a law's parameters as NumPyro distributions."""

import math
from collections.abc import Mapping
from typing import Any

import numpyro.distributions as dist

from jscale._core.supports import Support
from jscale.laws import roles

Priors = Mapping[str, roles.Prior | dist.Distribution]


def as_distribution(
    prior: roles.Prior | dist.Distribution, support: Support, shift: Any = 0.0
) -> dist.Distribution:
    """The NumPyro distribution of a prior.

    Args:
        prior: a prior of a role, or a NumPyro distribution, which is returned as it is.
        support: where a normal prior is truncated.
        shift: added to the location of a normal prior.
    """
    if not isinstance(prior, roles.Prior):
        return prior
    if prior.family == "normal":
        location, scale = prior.args
        low = support.lower if math.isfinite(support.lower) else None
        high = support.upper if math.isfinite(support.upper) else None
        if low is None and high is None:
            return dist.Normal(location + shift, scale)
        return dist.TruncatedNormal(location + shift, scale, low=low, high=high)

    families = {
        "lognormal": dist.LogNormal,
        "uniform": dist.Uniform,
        "beta": dist.Beta,
        "halfnormal": dist.HalfNormal,
    }
    return families[prior.family](*prior.args)
