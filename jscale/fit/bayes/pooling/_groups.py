"""Ordinary posteriors of one group, and of a new one."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.scope import in_float64
from jscale._core.text import enumerated, shown
from jscale.fit.bayes._diagnostics import DRAWS_CODES
from jscale.fit.bayes._model import problem_of
from jscale.fit.bayes._pool import SEPARATE
from jscale.fit.bayes._pooled_params import population, typical_value
from jscale.fit.bayes._posterior import Posterior
from jscale.fit.bayes._sample_or_load import from_chains
from jscale.fit.errors import (
    GROUP_WIDTH,
    SIGMA_SITE,
    ErrorModel,
    FittedRows,
    columns_needed,
    effect_site,
    group_labels,
    group_sites,
    labels_of,
    power_site,
    scale_reference,
)
from jscale.fit.predictions import input_ranges
from jscale.laws import describe

if TYPE_CHECKING:
    from jscale.fit.bayes.pooling._pooled import PooledPosterior


def labels_in(rows: FittedRows, by: str) -> tuple[str, ...]:
    """Labels of the groups of a column, in their order."""
    return tuple(np.unique(labels_of(rows.columns[by])).tolist())


@in_float64
def group_posterior(pooled: "PooledPosterior", group: int) -> Posterior:
    """What :meth:`PooledPosterior.group` returns, of a group by its position."""
    label = pooled.groups[group]
    keep = labels_of(pooled.rows.columns[pooled.by]) == label
    errors, noise = _errors_of_group(pooled, label)
    rows, weights = _rows_of_group(pooled, errors, keep)
    noise |= _scales_of_groups(pooled, errors, rows)
    noise = _scales_at_the_group(errors, pooled.rows, rows, noise)
    draws = {
        name: values if values.ndim == 1 else values[:, group]
        for name, values in pooled.draws.items()
    }
    return _posterior(
        pooled,
        {**draws, **noise, **weights},
        errors=errors,
        rows=rows,
        loss_min=float(rows.loss.min()),
        ranges=input_ranges(pooled.law, dict(rows.inputs)),
    )


@in_float64
def new_posterior(
    pooled: "PooledPosterior", key: jax.Array, values: Mapping[str, Any]
) -> Posterior:
    """What :meth:`PooledPosterior.new_group` returns."""
    separate = _separate_values(pooled, values)
    record, count = describe(pooled.law), len(pooled.diverging)
    problem = problem_of(pooled.law, pooled.rows, pooled.errors, pool=pooled.pool)
    param_key, scale_key = jax.random.split(key)
    keys = jax.random.split(param_key, max(len(pooled.between), 1))

    # 1. The law's parameters.
    draws = {name: jnp.asarray(x) for name, x in pooled.draws.items() if x.ndim == 1}
    if problem.pooling is not None:
        deviations = {
            name: jnp.asarray(sd) * jax.random.normal(each, (count,))
            for each, (name, sd) in zip(keys, pooled.between.items(), strict=False)
        }
        typical = {**draws, **{n: jnp.asarray(x) for n, x in pooled.typical.items()}}
        for p in record.parameters:
            if p.name in separate:
                typical[p.name] = typical_value(p, pooled.draws[p.name])
        draws = population(
            record,
            problem.pooling,
            problem.centre,
            typical=typical,
            deviations=deviations,
            separate=separate,
        )

    # 2. The errors, of which a group's own scale is drawn as well.
    errors, noise = pooled.errors, dict(pooled.noise)
    sites = group_sites(group_labels(errors, pooled.rows))
    noise = {name: x for name, x in noise.items() if name not in sites}
    if errors.scale_by is not None:
        ratio = GROUP_WIDTH * jax.random.normal(scale_key, (count,))
        noise[SIGMA_SITE] = noise[SIGMA_SITE] * np.exp(np.asarray(ratio))
        errors = replace(errors, scale_by=None)
    columns = {name: np.broadcast_to(np.asarray(x), (count,)) for name, x in draws.items()}
    return _posterior(
        pooled,
        {**columns, **noise, **pooled.weights},
        errors=errors,
        reference_rows=_rows_of_others(errors, pooled.rows),
        loss_min=pooled.loss_min,
        ranges=pooled.ranges,
    )


def _rows_of_others(errors: ErrorModel, rows: FittedRows) -> FittedRows | None:
    """The runs that say what the scale of the errors depends on; None where nothing does.

    Their clusters get other names: a new group is in new ones.
    """
    if not (errors.scale or errors.known or errors.has_shared_errors):
        return None
    needed = columns_needed(errors, rows.columns)
    columns = {name: column for name, column in rows.columns.items() if name in needed}
    for name in errors.effects or ():
        columns[name] = np.array([f"fitted {label}" for label in labels_of(columns[name])])
    return replace(rows, columns=columns)


def _scales_at_the_group(
    errors: ErrorModel, rows: FittedRows, own: FittedRows, noise: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Scales and powers about the runs of a group, in place of those about all runs.

    A power is of a term in standard deviations of the runs, and a scale at their mean.

    Args:
        errors: of the group.
        rows: all runs.
        own: those of the group.
        noise: parameter of the error model → (draws,) about all runs.
    """
    moved, log_ratio = dict(noise), 0.0
    for term in errors.scale:
        power = noise[power_site(term)]
        mean, deviation = scale_reference(term, rows.columns)
        own_mean, own_deviation = scale_reference(term, own.columns)
        log_ratio = log_ratio + power * (own_mean - mean) / deviation
        moved[power_site(term)] = power * own_deviation / deviation
    for site in (SIGMA_SITE, *group_sites(group_labels(errors, own))):
        moved[site] = noise[site] * np.exp(log_ratio)
    return moved


def _separate_values(pooled: "PooledPosterior", values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of separate parameters in a new group, checked."""
    separate = [name for name, mode in pooled.modes.items() if mode == SEPARATE]
    if unknown := [name for name in values if name not in separate]:
        raise JscaleError(
            f"new_group: {enumerated(unknown)} is not a separate parameter "
            f"(there are: {enumerated(separate) or 'none'})"
        )
    if missing := [name for name in separate if name not in values]:
        raise JscaleError(
            f"new_group: {enumerated(missing)} is separate, so that the groups do not say what it "
            f"is in a new one; give it a value: new_group(key=key, {missing[0]}=...)"
        )
    supports = {p.name: p.support for p in describe(pooled.law).parameters}
    checked = {}
    for name, value in values.items():
        try:
            array = np.asarray(value, float)
        except (TypeError, ValueError):
            array = np.full((), math.nan)
        if array.shape not in ((), pooled.diverging.shape) or not bool(
            np.all(np.isfinite(array) & np.asarray(supports[name].contains(array)))
        ):
            raise JscaleError(
                f"new_group: {name} must be a number or one a draw inside its range, "
                f"{supports[name]}, not {shown(value)}"
            )
        checked[name] = jnp.broadcast_to(jnp.asarray(array), pooled.diverging.shape)
    return checked


def _errors_of_group(
    pooled: "PooledPosterior", label: str
) -> tuple[ErrorModel, dict[str, np.ndarray]]:
    """The error model in a group, and its parameters without the scales of other groups."""
    errors = pooled.errors
    labels = group_labels(errors, pooled.rows)
    sites = group_sites(labels)
    noise = {name: x for name, x in pooled.noise.items() if name not in sites}
    if errors.scale_by == pooled.by:
        noise[SIGMA_SITE] = pooled.noise[sites[labels.index(label)]]
        errors = replace(errors, scale_by=None)
    return errors, noise


def _rows_of_group(
    pooled: "PooledPosterior", errors: ErrorModel, keep: np.ndarray
) -> tuple[FittedRows, dict[str, np.ndarray]]:
    """The runs of a group, and the sampled effects of its clusters."""
    rows = pooled.rows
    needed = columns_needed(errors, rows.columns)
    kept = FittedRows(
        inputs={name: column[keep] for name, column in rows.inputs.items()},
        loss=rows.loss[keep],
        loss_se=None if rows.loss_se is None else rows.loss_se[keep],
        columns={name: column[keep] for name, column in rows.columns.items() if name in needed},
    )
    weights = {}
    for name in errors.effects or ():
        if (site := effect_site(name)) in pooled.weights:
            clusters = np.unique(labels_of(rows.columns[name]))
            own = np.isin(clusters, labels_of(kept.columns[name]))
            weights[site] = pooled.weights[site][:, own]
    return kept, weights


def _scales_of_groups(
    pooled: "PooledPosterior", errors: ErrorModel, rows: FittedRows
) -> dict[str, np.ndarray]:
    """Scales by another column than that of the groups, of the values that the group has."""
    if errors.scale_by is None:
        return {}
    labels = group_labels(pooled.errors, pooled.rows)
    site_of = dict(zip(labels, group_sites(labels), strict=True))
    own = group_labels(errors, rows)
    return {
        site: pooled.noise[site_of[label]]
        for site, label in zip(group_sites(own), own, strict=True)
    }


def _posterior(
    pooled: "PooledPosterior", columns: Mapping[str, np.ndarray], **attributes: Any
) -> Posterior:
    """An ordinary posterior of columns (draws, ...).

    The prior of a group is that of the pooled model, which an ordinary posterior does not hold.
    """
    shape = (pooled.chains, -1)
    sites = {name: x.reshape(*shape, *x.shape[1:]) for name, x in columns.items()}
    notes = tuple(note for note in pooled.notes if note.code not in DRAWS_CODES)
    priors = {name: f"{mode} by {pooled.by}" for name, mode in pooled.modes.items()}
    return replace(
        from_chains(
            pooled.law,
            sites,
            pooled.diverging.reshape(shape),
            notes,
            {},
            effective=pooled.effective,
        ),
        seconds=pooled.seconds,
        table_digest=pooled.table_digest,
        loss_unit=pooled.loss_unit,
        priors=priors,
        seed=pooled.seed,
        version=pooled.version,
        sampler=pooled.sampler,
        energy=pooled.energy,
        **attributes,
    )
