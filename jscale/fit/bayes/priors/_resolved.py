"""Priors of the parameters of a law and of its error model as NumPyro distributions."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpyro.distributions as dist

from jscale._core.errors import JscaleError
from jscale._core.supports import Support, positive, real, unit
from jscale._core.text import did_you_mean, enumerated, shown
from jscale.fit.bayes.priors._published import CENTRED, published_priors
from jscale.fit.bayes.priors._text import PUBLISHED, parsed_prior, prior_text
from jscale.laws import Record, roles

Prior = roles.Prior | dist.Distribution
Priors = Mapping[str, Prior | str | tuple[str | float, ...]] | str
"""Parameter → prior: a NumPyro distribution, a prior of ``laws.roles``, a text such as
``lognormal(0.2, 1)`` or a tuple such as ``("lognormal", 0.2, 1.0)``; or ``"published"``."""

_RANGES = {
    "normal": (-math.inf, math.inf),
    "uniform": (-math.inf, math.inf),  # its own ends are compared
    "beta": (0.0, 1.0),
}
_TRUNCATED = "normal"
"""The family that is cut off where a parameter ends."""


def resolved_priors(
    record: Record,
    priors: Any,
    noise: Mapping[str, dist.Distribution],
    centre: Mapping[str, Any],
) -> dict[str, Prior]:
    """Priors as the caller passes them, as distributions of parameters or of their coordinates.

    Args:
        record: of the law.
        priors: see :data:`Priors`; None for none.
        noise: parameter of the error model → its default prior.
        centre: of the coordinates, for priors about published constants.

    Raises:
        JscaleError: not a mapping, an unknown parameter, or a prior of another kind.
    """
    if priors is None:
        return {}
    if isinstance(priors, str):
        if priors != PUBLISHED:
            raise JscaleError(
                f'must map parameters to priors, or be "{PUBLISHED}", not {shown(priors)}',
                argument="priors",
            )
        return {**published_priors(record, centre)}
    if not isinstance(priors, Mapping):
        raise JscaleError(f"must map parameters to priors, not {shown(priors)}", argument="priors")

    supports = {p.name: p.support for p in record.parameters}
    supports |= {
        f"{p.name}{CENTRED}": p.role.support for p in record.parameters if p.role.anchor is not None
    }
    supports |= {name: support_of(default) for name, default in noise.items()}
    known = (*record.parameter_names, *noise)
    if unknown := [name for name in priors if name not in supports]:
        errors = " with these errors" if noise else ""
        raise JscaleError(
            f"law {record.name!r}{errors} has no parameter {enumerated(unknown)} "
            f"(it has: {enumerated(known)}){did_you_mean(str(unknown[0]), known)}"
        )
    resolved = {name: _resolved(name, prior, supports[name]) for name, prior in priors.items()}
    for name in record.parameter_names:
        if name in resolved and f"{name}{CENTRED}" in resolved:
            raise JscaleError(
                f"has one for {name} and one for {name}{CENTRED}, its coordinate; expected one",
                argument="priors",
            )
    return resolved


def _resolved(name: str, prior: Any, support: Support) -> Prior:
    """A prior of a parameter, checked."""
    if isinstance(prior, int | float) and not isinstance(prior, bool):
        raise JscaleError(
            f"[{name!r}] is a number, and a prior is a distribution; fix the parameter with "
            f'laws.fix(law, {name}={prior!r}), or give it a width: ("normal", {prior!r}, 0.1)',
            argument="priors",
        )
    if isinstance(prior, str | tuple | list):
        prior = parsed_prior(prior, f"priors[{name!r}]")
    if isinstance(prior, roles.Prior):
        _check_range(name, prior, support)
        return prior
    if not isinstance(prior, dist.Distribution):
        raise JscaleError(
            f"[{name!r}] must be a NumPyro distribution, a prior of laws.roles or a text such as "
            f"'lognormal(0.2, 1)', not {shown(prior)}",
            argument="priors",
        )
    is_discrete = getattr(prior.support, "is_discrete", True)
    if prior.batch_shape or prior.event_shape or is_discrete:
        raise JscaleError(
            f"[{name!r}] must be a distribution of one real number, not {shown(prior)}",
            argument="priors",
        )
    return prior


def _check_range(name: str, prior: roles.Prior, support: Support) -> None:
    """Check that a prior has no values where the parameter has none."""
    if prior.family == _TRUNCATED:
        return
    low, high = _RANGES.get(prior.family, (0.0, math.inf))
    if prior.family == "uniform":
        low, high = prior.args
    if low < support.lower or high > support.upper:
        raise JscaleError(
            f"[{name!r}]: {prior_text(prior)} has values outside the range of {name}, from "
            f"{support.lower:g} to {support.upper:g}; expected a prior inside it, or a normal one, "
            "which is truncated there",
            argument="priors",
        )


def support_of(distribution: dist.Distribution) -> Support:
    """Where a parameter of the error model lies, by its default prior."""
    if isinstance(distribution, dist.Beta):
        return unit
    return real if isinstance(distribution, dist.Normal) else positive


def written(prior: Prior) -> str:
    """A prior as people write it: ``lognormal(0.2, 1)``; of other families, with NumPyro's name."""
    if isinstance(prior, roles.Prior):
        return prior_text(prior)
    names = type(prior).arg_constraints
    values = {name: np.asarray(getattr(prior, name)) for name in names if hasattr(prior, name)}
    numbers = {n: float(v) for n, v in values.items() if not v.ndim and v.dtype.kind in "fiu"}
    family = _FAMILY_OF.get(type(prior))
    if family is not None:
        return prior_text(roles.Prior(family[0], tuple(numbers[name] for name in family[1])))
    text = ", ".join(f"{name}={value:.6g}" for name, value in numbers.items())
    return f"{type(prior).__name__}({text})"


def recorded(text: str, name: str) -> Prior | None:
    """The prior whose text a posterior holds, see :func:`written`; None where that names it only.

    Args:
        text: of :func:`parsed_prior`, or a NumPyro distribution with its numbers, such as
            ``Exponential(rate=2)``.
        name: of the parameter.
    """
    try:
        return parsed_prior(text, name)
    except JscaleError:
        pass
    match = _NUMPYRO.fullmatch(text.strip())
    family = getattr(dist, match.group(1), None) if match else None
    if match is None or not (isinstance(family, type) and issubclass(family, dist.Distribution)):
        return None
    pairs = [part.partition("=") for part in match.group(2).split(",") if part.strip()]
    try:
        numbers = {key.strip(): float(value) for key, _, value in pairs}
        # All that define it, so that none is at a default that the record does not know.
        if set(numbers) != set(family.arg_constraints):
            return None
        return family(**numbers)
    except (TypeError, ValueError):
        return None


_NUMPYRO = re.compile(r"([A-Za-z]+)\(([^()]*)\)")
_FAMILY_OF: dict[type, tuple[Any, tuple[str, ...]]] = {
    dist.Normal: ("normal", ("loc", "scale")),
    dist.LogNormal: ("lognormal", ("loc", "scale")),
    dist.Uniform: ("uniform", ("low", "high")),
    dist.Beta: ("beta", ("concentration1", "concentration0")),
    dist.HalfNormal: ("halfnormal", ("scale",)),
    dist.Gamma: ("gamma", ("concentration", "rate")),
}


def as_distribution(prior: Prior, support: Support, shift: Any = 0.0) -> dist.Distribution:
    """The NumPyro distribution of a prior.

    Args:
        prior: a prior of a role, or a NumPyro distribution, which is returned as it is.
        support: where a normal prior is truncated.
        shift: added to the location of a normal prior.
    """
    if not isinstance(prior, roles.Prior):
        return prior
    if prior.family == _TRUNCATED:
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
        "gamma": dist.Gamma,
    }
    return families[prior.family](*prior.args)
