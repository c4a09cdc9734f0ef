"""The sites of an error model in a NumPyro model of a law."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from jscale.fit.errors._arrays import ErrorArrays, Placement
from jscale.fit.errors._discrepancy import LowRank, low_rank
from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._families import Scale, family_distribution
from jscale.fit.errors._joint_normal import Covariance, JointNormal
from jscale.fit.errors._names import (
    MISFIT,
    MISFIT_LENGTH_SITE,
    MISFIT_SCALE_SITE,
    SIGMA_SITE,
    effect_scale_site,
    effect_site,
    power_site,
    ratio_site,
)
from jscale.fit.errors._priors import GROUP_WIDTH, noise_priors

PriorOf = Callable[[str, dist.Distribution], dist.Distribution]
"""The prior of a parameter, given the one that it has by default."""


def error_sites(
    errors: ErrorModel, arrays: ErrorArrays, predicted: Any, observed: Any, prior_of: PriorOf
) -> None:
    """Sites for the parameters of the error model, and the observed site.

    Args:
        errors: the error model, with its columns filled in.
        arrays: of the runs.
        predicted: (rows,) losses of the law.
        observed: (rows,) losses, or None where they are drawn.
        prior_of: see :data:`PriorOf`.
    """
    # 1. Parameters of the error model.
    noise = {
        name: numpyro.sample(name, prior_of(name, prior))
        for name, prior in noise_priors(errors, arrays.spread).items()
    }
    if errors.scale_by is not None:
        ratios = dist.Normal(jnp.zeros(len(arrays.groups)), GROUP_WIDTH).to_event(1)
        noise[ratio_site(errors.scale_by)] = numpyro.sample(ratio_site(errors.scale_by), ratios)

    # 2. The losses.
    predicted = jnp.asarray(predicted)
    loc = predicted if errors.additive else jnp.log(predicted)
    if observed is not None:
        observed = jnp.asarray(observed) if errors.additive else jnp.log(jnp.asarray(observed))
    scale = row_scale(errors, arrays.at, noise, arrays.known)
    if errors.is_joint:
        parts = covariance(errors, arrays, scale, noise)
        numpyro.sample(errors.site, JointNormal(loc, parts), obs=observed)
        return
    if errors.has_shared_errors:
        weights = {
            name: numpyro.sample(name, dist.Normal(jnp.zeros(count), 1.0).to_event(1))
            for name, count in weight_sites(errors, arrays).items()
        }
        shift, rest = shared_errors(errors, arrays, arrays.at, {**noise, **weights})
        loc = loc + shift
        scale = Scale(jnp.sqrt(scale.total**2 + rest), scale.free)
    distribution = family_distribution(errors, loc, scale, noise)
    numpyro.sample(errors.site, distribution.mask(arrays.is_run), obs=observed)


def weight_sites(errors: ErrorModel, arrays: ErrorArrays) -> dict[str, int]:
    """Site → number of the standard normals that runs share, where they are sampled."""
    if errors.is_joint:
        return {}
    pairs = zip(errors.effects or (), arrays.effects, strict=True)
    sites = {effect_site(column): len(slots) for column, slots in pairs}
    if errors.discrepancy is not None:
        sites[MISFIT] = len(arrays.among)
    return sites


def row_scale(
    errors: ErrorModel, at: Placement, noise: Mapping[str, Any], known: Any = None
) -> Scale:
    """The scale of the independent errors (rows,).

    Args:
        errors: the error model.
        at: place of the rows; each belongs to a group of the runs.
        noise: parameters of the error model by site, with the log ratios of groups.
        known: (rows,) known standard errors, or None.
    """
    log_ratio = jnp.zeros(len(at.scale))
    for i, term in enumerate(errors.scale):
        log_ratio = log_ratio + noise[power_site(term)] * at.scale[:, i]
    if errors.scale_by is not None:
        log_ratio = log_ratio + noise[ratio_site(errors.scale_by)][at.group]
    free = noise[SIGMA_SITE] * jnp.exp(log_ratio)
    return Scale(free if known is None else jnp.sqrt(free**2 + known**2), free)


def misfit(
    errors: ErrorModel, arrays: ErrorArrays, at: Placement, noise: Mapping[str, Any]
) -> LowRank:
    """The covariance of the discrepancy at rows; nothing where the error model has none."""
    if errors.discrepancy is None:
        return LowRank(jnp.zeros((len(at.scale), 0)), jnp.zeros(len(at.scale)))
    scale, length = noise[MISFIT_SCALE_SITE], noise[MISFIT_LENGTH_SITE]
    return low_rank(at.distances, arrays.among, scale, length)


def main_effect(arrays: ErrorArrays) -> int | None:
    """Which column of effects has the most clusters: its effects are summed by cluster."""
    counts = [len(slots) for slots in arrays.effects]
    return max(range(len(counts)), key=counts.__getitem__) if counts else None


def other_effects(
    errors: ErrorModel, arrays: ErrorArrays, at: Placement, noise: Mapping[str, Any]
) -> list[Any]:
    """Columns (rows, clusters) of the effects besides the main one; 0 in unknown clusters."""
    columns = []
    for i, name in enumerate(errors.effects or ()):
        if i != main_effect(arrays):
            is_in = at.clusters[i][:, None] == jnp.arange(len(arrays.effects[i]))
            columns.append(jnp.where(is_in, noise[effect_scale_site(name)], 0.0))
    return columns


def covariance(
    errors: ErrorModel, arrays: ErrorArrays, scale: Scale, noise: Mapping[str, Any]
) -> Covariance:
    """The covariance of jointly normal losses."""
    at, main = arrays.at, main_effect(arrays)
    smooth = misfit(errors, arrays, at, noise)
    columns = [smooth.factor, *other_effects(errors, arrays, at, noise)]
    rows = len(at.scale)
    if main is None:
        effect, cluster, slots = jnp.zeros(()), jnp.zeros(rows, int), jnp.zeros(1)
    else:
        assert errors.effects is not None
        effect = noise[effect_scale_site(errors.effects[main])]
        cluster, slots = at.clusters[main], arrays.effects[main]
    return Covariance(
        variance=scale.total**2 + smooth.rest,
        factor=jnp.concatenate(columns, axis=1),
        effect=effect,
        cluster=cluster,
        slots=slots,
        is_run=arrays.is_run,
    )


def shared_errors(
    errors: ErrorModel, arrays: ErrorArrays, at: Placement, noise: Mapping[str, Any]
) -> tuple[Any, Any]:
    """Sum of effects and discrepancy at the runs (rows,), and the variance that is left of it.

    Args:
        errors: the error model; its effects and weights are sampled.
        arrays: of the runs.
        at: place of the rows, each in clusters of the runs.
        noise: parameters and weights by site.
    """
    total = jnp.zeros(len(at.scale))
    for column, cluster in zip(errors.effects or (), at.clusters, strict=True):
        total = total + noise[effect_scale_site(column)] * noise[effect_site(column)][cluster]
    smooth = misfit(errors, arrays, at, noise)
    if errors.discrepancy is not None:
        total = total + smooth.factor @ noise[MISFIT]
    return total, smooth.rest
