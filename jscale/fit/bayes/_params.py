"""Sites of the parameters of a law, for NumPyro."""

from collections.abc import Mapping
from typing import Any

import numpyro
import numpyro.distributions as dist

from jscale._core import expressions
from jscale.fit.bayes.priors import CENTRED, as_distribution
from jscale.fit.objective import Coordinates
from jscale.laws import Parameter, roles

PriorMap = Mapping[str, roles.Prior | dist.Distribution]
"""Parameter or coordinate → prior, where it is not that of its role."""


def sample_params(coordinates: Coordinates, priors: PriorMap) -> dict[str, Any]:
    """Sites for all parameters, each after those that its anchor contains."""
    params: dict[str, Any] = {}
    for p in coordinates.record.in_order_of_anchors:
        params[p.name] = sample_param(p, priors, {**coordinates.centre, **params})
    return {name: params[name] for name in coordinates.record.parameter_names}


def sample_param(
    parameter: Parameter,
    priors: PriorMap,
    scope: Mapping[str, Any],
    *,
    site: str | None = None,
    count: int | None = None,
) -> Any:
    """The site of a parameter; of an anchored one its coordinate is sampled.

    Args:
        parameter: of the law.
        priors: in place of those of roles.
        scope: the centre of the coordinates, and the parameters that the anchor names.
        site: name of the site; None for that of the parameter.
        count: length of a vector of independent values; None for one number.
    """
    name, site = parameter.name, site or parameter.name
    role = parameter.role
    replaced = priors.get(name)

    def sampled(site: str, distribution: dist.Distribution) -> Any:
        if count is not None:
            distribution = distribution.expand((count,)).to_event(1)
        return numpyro.sample(site, distribution)

    if replaced is not None:
        return sampled(site, as_distribution(replaced, parameter.support))
    if role.anchor is None:
        assert role.prior is not None
        return sampled(site, as_distribution(role.prior, role.support))

    prior = priors.get(f"{name}{CENTRED}", role.prior)
    assert prior is not None
    shift = expressions.evaluate(role.anchor.plus, scope)
    coordinate = sampled(f"{site}{CENTRED}", as_distribution(prior, role.support, shift))
    return numpyro.deterministic(site, Coordinates.value(parameter, coordinate, scope))
