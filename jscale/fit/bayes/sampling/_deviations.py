"""Coordinates in which the deviations of groups are nearly independent standard normals.

Deviations of groups from the typical one have a funnel. Where the runs of a group say little, their
standard normals are independent of the sd between groups; where they say much, the values of the
group are. Between the two, the normals of a group are nearly normal given the sd: their precision
is ``1 + S H S``, with the information ``H`` of the group's runs and the diagonal ``S`` of sds. Its
mean and its root are the coordinates, whose Jacobian counts. On eight groups of 20 runs with three
pooled parameters, NUTS then takes 29 s of CPU in place of 107, and the sd between groups has 2,700
effective draws in place of 360.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions import biject_to

from jscale._core.solve import inverse_cholesky
from jscale.fit.bayes._model import Problem, law_values
from jscale.fit.bayes._pool import BETWEEN, BY_GROUP, PARTIAL, SEPARATE
from jscale.fit.bayes._pooled_params import (
    DEVIATION,
    pooled_support,
    population,
    typical_value,
)
from jscale.fit.bayes.priors import CENTRED, as_distribution
from jscale.fit.errors import row_scale
from jscale.laws import describe

_STUDENT_INFORMATION = 0.7
"""Information of a Student-t with four degrees of freedom, in units of that of a normal."""

Sites = Mapping[str, jax.Array]


def spread(problem: Problem, values: Sites) -> tuple[dict[str, jax.Array], Any]:
    """Unconstrained values of the sites of a pooled problem, and the log Jacobian.

    Args:
        problem: with the information of the runs of each group.
        values: site → value of the sampler, of which those of deviations are coordinates.
    """
    pooling, result = problem.pooling, dict(values)
    names = pooled_names(problem)
    if pooling is None or not names:
        return result, 0.0
    typical = jnp.stack([_typical(problem, name, values) for name in names])
    scale = jnp.exp(jnp.stack([values[f"{name}{BETWEEN}"] for name in names]))
    count = len(names)  # zeros, before the information is known, are for all that are partial
    information = jnp.asarray(pooling.information)[:, :count, :count]
    target = jnp.asarray(pooling.weighted)[:, :count] - information @ typical
    precision = jnp.eye(len(names)) + scale[:, None] * information * scale
    inverse = jax.vmap(inverse_cholesky)(precision)
    coordinates = jnp.stack([values[f"{name}{DEVIATION}"] for name in names], axis=1)
    whitened = coordinates + jnp.einsum("gij,gj->gi", inverse, scale * target)
    normals = jnp.einsum("gji,gj->gi", inverse, whitened)
    for i, name in enumerate(names):
        result[f"{name}{DEVIATION}"] = normals[:, i]
    return result, jnp.sum(jnp.log(jnp.diagonal(inverse, axis1=1, axis2=2)))


def pooled_names(problem: Problem) -> list[str]:
    """Partially pooled parameters whose typical value is a site, or whose coordinate is."""
    if problem.pooling is None:
        return []
    anchored = {p.name for p in describe(problem.law).parameters if p.role.anchor is not None}
    replaced, partial = problem.replaced_priors, problem.pooling.names(PARTIAL)
    return [name for name in partial if not (name in anchored and name in replaced)]


def _typical(problem: Problem, name: str, values: Sites) -> jax.Array:
    """A parameter of the typical group on the scale of the deviations."""
    parameter = next(p for p in describe(problem.law).parameters if p.name == name)
    role, replaced = parameter.role, problem.replaced_priors
    site = name if role.anchor is None else f"{name}{CENTRED}"
    prior = replaced.get(site, role.prior)
    assert prior is not None
    to_natural: Any = biject_to(as_distribution(prior, role.support).support)
    return pooled_support(parameter).to_free(to_natural(values[site]))


def informed(problem: Problem, values: Sites, natural: Sites) -> Problem:
    """A pooled problem with the information of the runs of each group about its deviations.

    Args:
        problem: without information: zeros.
        values: site → unconstrained value at the mode.
        natural: site → value there, with those that follow from others.
    """
    assert problem.pooling is not None
    names = pooled_names(problem)
    typical = jnp.stack([_typical(problem, name, values) for name in names])
    between = jnp.stack([natural[f"{name}{BETWEEN}"] for name in names])
    normals = jnp.stack([natural[f"{name}{DEVIATION}"] for name in names], axis=1)
    information = _information(problem, dict(natural), tuple(names))
    # At the mode the pull of the runs on a group balances that of the typical group.
    target = information @ typical + jnp.einsum("gij,gj->gi", information, between * normals)
    weighted = target + normals / between
    pooling = replace(problem.pooling, information=information, weighted=weighted)
    return replace(problem, pooling=pooling)


def _information(
    problem: Problem, natural: dict[str, jax.Array], names: tuple[str, ...]
) -> jax.Array:
    """Fisher information (groups, k, k) of the runs about the deviations."""
    pooling, errors = problem.pooling, problem.errors
    assert pooling is not None
    record, partial = describe(problem.law), pooling.names(PARTIAL)
    separate = {name: natural[f"{name}{BY_GROUP}"] for name in pooling.names(SEPARATE)}
    typical = {
        p.name: typical_value(p, separate[p.name]) if p.name in separate else natural[p.name]
        for p in record.parameters
    }
    deviations = {n: natural[f"{n}{BETWEEN}"] * natural[f"{n}{DEVIATION}"] for n in partial}

    def predicted(shift: jax.Array) -> jax.Array:
        moved = {**deviations, **{n: deviations[n] + shift[i] for i, n in enumerate(names)}}
        params = population(
            record, pooling, problem.centre, typical=typical, deviations=moved, separate=separate
        )
        values = law_values(problem, params)
        return values if errors.additive else jnp.log(values)

    jacobian = jax.jacfwd(predicted)(jnp.zeros(len(names)))
    scale = row_scale(errors, problem.arrays.at, natural, problem.arrays.known).total
    weight = jnp.where(problem.arrays.is_run, scale**-2.0, 0.0)
    if errors.family == "student":
        weight = _STUDENT_INFORMATION * weight
    outer = weight[:, None, None] * jacobian[:, :, None] * jacobian[:, None, :]
    outer = jnp.where(jnp.isfinite(outer), outer, 0.0)
    empty = jnp.zeros((len(pooling.slots), len(names), len(names)))
    return empty.at[jnp.asarray(pooling.codes)].add(outer)
