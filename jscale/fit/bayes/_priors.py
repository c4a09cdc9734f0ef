"""Priors of a law's parameters as NumPyro distributions."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpyro.distributions as dist

from jscale._core.errors import JscaleError
from jscale._core.supports import Support
from jscale._core.text import enumerated, shown
from jscale.laws import Record, roles

Priors = Mapping[str, roles.Prior | dist.Distribution]


def check_priors(record: Record, priors: Any, noise: Iterable[str] = ()) -> None:
    """Check that priors are continuous distributions of parameters of the law or of its errors.

    Args:
        record: of the law.
        priors: what the caller passes.
        noise: parameters of the error model.

    Raises:
        JscaleError: not a mapping, an unknown parameter, or a prior of another kind.
    """
    if priors is None:
        return
    if not isinstance(priors, Mapping):
        raise JscaleError(
            f"must map parameters to NumPyro distributions, not {shown(priors)}", argument="priors"
        )
    known = (*record.parameter_names, *noise)
    if unknown := [name for name in priors if name not in known]:
        errors = " with these errors" if noise else ""
        raise JscaleError(
            f"law {record.name!r}{errors} has no parameter {enumerated(unknown)} "
            f"(it has: {enumerated(known)})"
        )
    for name, prior in priors.items():
        if isinstance(prior, roles.Prior):
            continue
        if not isinstance(prior, dist.Distribution):
            raise JscaleError(
                f"[{name!r}] must be a NumPyro distribution or a prior of laws.roles, "
                f"not {shown(prior)}",
                argument="priors",
            )
        is_discrete = getattr(prior.support, "is_discrete", True)
        if prior.batch_shape or prior.event_shape or is_discrete:
            raise JscaleError(
                f"[{name!r}] must be a distribution of one real number, not {shown(prior)}",
                argument="priors",
            )


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
