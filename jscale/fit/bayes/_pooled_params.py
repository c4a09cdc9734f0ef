"""Sites of parameters that differ between groups of runs: shared, partial or separate.

A partially pooled parameter is hierarchical on the unconstrained scale of its coordinate: the value
of a group is that of the typical group, moved by a standard normal times the sd between groups. A
coefficient is so pooled as its term at the typical run of the table, a floor in its logarithm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from jscale._core.supports import Support, positive, unit
from jscale.fit.bayes._params import PriorMap, sample_param
from jscale.fit.bayes._pool import BETWEEN, BY_GROUP, PARTIAL, SEPARATE, SHARED
from jscale.fit.bayes.priors import CENTRED, as_distribution
from jscale.fit.objective import Coordinates
from jscale.laws import Parameter, Record

DEVIATION = "_deviation"
"""End of the names of sites with standard normals."""
BETWEEN_WIDTH = 0.3
"""Scale of the half-normal prior of the sd between groups, on the unconstrained scale: for positive
parameters, groups differ by factors of up to 1.6 with probability 0.9."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=[
        "codes",
        "slots",
        "own",
        "typical",
        "information",
        "cross",
        "weighted",
    ],
    meta_fields=["modes"],
)
@dataclass(frozen=True)
class Pooling:
    """Which parameters differ between groups, and the groups of the runs.

    Attributes:
        modes: parameter and mode, for those that are not shared.
        codes: (rows,) group of each run.
        slots: (groups,) zeros.
        own: as the centre of :class:`jscale.fit.objective.Coordinates`, of the runs of each group,
            (groups,) each.
        typical: names of that centre that are of the typical group where a parameter is partially
            pooled: the geometric means of the groups' lowest losses.
        information: (groups, k, k) of the runs of each group about its k deviations, for the
            coordinates of the sampler; zeros where it is not known.
        cross: (groups, k, others) of the deviations and the law's other parameters; without others
            where it is not known.
        weighted: (groups, k) that information times the values it points to.
    """

    modes: tuple[tuple[str, str], ...]
    codes: Any
    slots: Any
    own: dict[str, Any]
    typical: dict[str, Any]
    information: Any
    cross: Any
    weighted: Any

    def names(self, mode: str) -> list[str]:
        """Parameters of a mode."""
        return [name for name, each in self.modes if each == mode]

    def at_rows(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters, of which some are arrays (groups,), at every run (rows,)."""
        grouped = dict(self.modes)
        return {n: x[jnp.asarray(self.codes)] if n in grouped else x for n, x in params.items()}


def between_priors(pooling: Pooling | None) -> dict[str, dist.Distribution]:
    """Sd between groups → its default prior, for each parameter that is partially pooled."""
    names = [] if pooling is None else pooling.names(PARTIAL)
    return {f"{name}{BETWEEN}": dist.HalfNormal(BETWEEN_WIDTH) for name in names}


def sample_pooled(coordinates: Coordinates, priors: PriorMap, pooling: Pooling) -> dict[str, Any]:
    """Sites for all parameters: a number, or (groups,) for one that is not shared.

    Sites ``<name>`` are shared or of the typical group, ``<name>_sd`` the sd between groups, and
    ``<name>_by_group`` the values of the groups.
    """
    record, modes = coordinates.record, dict(pooling.modes)
    whole: dict[str, Any] = dict(coordinates.centre)
    typical: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for p in record.in_order_of_anchors:
        mode = modes.get(p.name, SHARED)
        if mode == SEPARATE:
            # A prior of the caller is of the coordinate at the centre of all runs.
            centre = coordinates.centre if f"{p.name}{CENTRED}" in priors else pooling.own
            values[p.name] = sample_param(
                p,
                priors,
                {**centre, **values},
                site=f"{p.name}{BY_GROUP}",
                count=len(pooling.slots),
            )
            typical[p.name] = typical_value(p, values[p.name])
            continue
        scope = {**whole, **(pooling.typical if mode == PARTIAL else {}), **typical}
        typical[p.name] = sample_param(p, priors, scope)
        if mode == SHARED:
            values[p.name] = typical[p.name]
        else:
            deviation = _sample_deviations(p.name, priors, len(pooling.slots))
            scope[p.name] = typical[p.name]
            moved = moved_value(p, deviation, scope, {**scope, **values})
            values[p.name] = numpyro.deterministic(f"{p.name}{BY_GROUP}", moved)
    return {name: values[name] for name in record.parameter_names}


def _sample_deviations(name: str, priors: PriorMap, groups: int) -> Any:
    """Deviations of the groups (groups,) on the unconstrained scale."""
    site = f"{name}{BETWEEN}"
    prior = priors.get(site, dist.HalfNormal(BETWEEN_WIDTH))
    between = numpyro.sample(site, as_distribution(prior, positive))
    normals = dist.Normal(jnp.zeros(groups), 1.0).to_event(1)
    return between * numpyro.sample(f"{name}{DEVIATION}", normals)


def moved_value(
    parameter: Parameter, deviation: Any, typical: Mapping[str, Any], scope: Mapping[str, Any]
) -> Any:
    """The value of a parameter in groups that deviate from the typical one.

    Args:
        parameter: of the law.
        deviation: (groups,) on the unconstrained scale.
        typical: the centre, and the parameters of the typical group.
        scope: the centre, and the parameters of the groups that the anchor names.
    """
    support = pooled_support(parameter)
    free = support.to_free(jnp.asarray(Coordinates.coordinate(parameter, typical)))
    coordinate = support.to_natural(free + deviation)
    anchored = parameter.role.anchor is not None
    return Coordinates.value(parameter, coordinate, scope) if anchored else coordinate


def typical_value(parameter: Parameter, by_group: Any) -> jax.Array:
    """A separate parameter of the typical group: the mean on the unconstrained scale.

    Args:
        parameter: of the law.
        by_group: (..., groups) its values.
    """
    support = parameter.support
    return support.to_natural(jnp.mean(support.to_free(by_group), axis=-1))


def pooled_support(parameter: Parameter) -> Support:
    """Where the coordinate of a parameter lies as far as groups are concerned.

    A floor as a share of the lowest loss has its logarithm: the lowest loss is that of a group.
    """
    role = parameter.role
    return positive if role.anchor is not None and role.support is unit else role.support


def population(
    record: Record,
    pooling: Pooling,
    centre: Mapping[str, Any],
    *,
    typical: Mapping[str, Any],
    deviations: Mapping[str, Any],
    separate: Mapping[str, Any],
) -> dict[str, Any]:
    """Parameters of a new group.

    Args:
        record: of the law.
        pooling: which parameters are pooled.
        centre: of the coordinates of all runs.
        typical: parameter → its shared value, or that of the typical group.
        deviations: partially pooled parameter → deviation on the unconstrained scale.
        separate: separate parameter → its value in the new group.
    """
    values: dict[str, Any] = {}
    base = {**centre, **pooling.typical, **typical}
    for p in record.in_order_of_anchors:
        if p.name in separate:
            values[p.name] = separate[p.name]
        elif p.name in deviations:
            values[p.name] = moved_value(p, deviations[p.name], base, {**base, **values})
        else:
            values[p.name] = typical[p.name]
    return {name: values[name] for name in record.parameter_names}
