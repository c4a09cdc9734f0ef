"""What runs that were fitted say of the errors at other inputs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale.fit.errors._arrays import ErrorArrays, Placement
from jscale.fit.errors._error_model import ErrorModel
from jscale.fit.errors._families import Scale
from jscale.fit.errors._joint_normal import solve
from jscale.fit.errors._likelihood import covariance, main_effect, misfit, other_effects, row_scale
from jscale.fit.errors._names import MISFIT, effect_scale_site, effect_site


class Conditional(NamedTuple):
    """Errors that runs share, at new rows given the fitted ones and one draw of all parameters.

    Discrepancy and effects are jointly normal; their sum has the mean ``misfit_mean + effect_mean``
    and the variance ``misfit_variance + effect_variance + 2 between``.

    Attributes:
        misfit_mean: (points,) of the discrepancy.
        misfit_variance: (points,).
        effect_mean: (points,) of the sum of the random effects.
        effect_variance: (points,).
        between: (points,) covariance of the two.
        scale: of the independent errors.
    """

    misfit_mean: Any
    misfit_variance: Any
    effect_mean: Any
    effect_variance: Any
    between: Any
    scale: Scale


def conditional(
    errors: ErrorModel,
    arrays: ErrorArrays,
    at: Placement,
    noise: Mapping[str, Any],
    residual: Any,
) -> Conditional:
    """The errors at new rows.

    Args:
        errors: the error model, with its columns filled in.
        arrays: of the fitted runs.
        at: place of the new rows; each in a group of the scale.
        noise: parameters of the error model and sampled weights, by site.
        residual: (rows,) of the fitted runs about the law.
    """
    known = None if arrays.known is None else _median(arrays.known, arrays.is_run)
    scale = row_scale(errors, at, noise, known)
    if not errors.has_shared_errors:
        zeros = jnp.zeros_like(scale.total)
        return Conditional(zeros, zeros, zeros, zeros, zeros, scale)
    if errors.is_joint:
        parts = _given_runs(errors, arrays, at, noise, residual)
    else:
        parts = _given_weights(errors, arrays, at, noise)
    return Conditional(*parts, scale=scale)


def _given_runs(
    errors: ErrorModel,
    arrays: ErrorArrays,
    at: Placement,
    noise: Mapping[str, Any],
    residual: Any,
) -> tuple[Any, Any, Any, Any, Any]:
    """Jointly normal errors: the conditional distribution, in closed form."""
    own = row_scale(errors, arrays.at, noise, arrays.known)
    parts = covariance(errors, arrays, own, noise)
    solved, main = solve(parts, residual), main_effect(arrays)

    # 1. How the new rows depend on the weights of the factor.
    smooth = misfit(errors, arrays, at, noise)
    others = other_effects(errors, arrays, at, noise)
    by_misfit = _columns(smooth.factor, parts.factor.shape[1], first=0)
    first = smooth.factor.shape[1]
    by_effects = _columns(jnp.concatenate([smooth.factor[:, :0], *others], axis=1),
                          parts.factor.shape[1], first=first)  # fmt: skip
    mean, rest = jnp.zeros(len(at.scale)), jnp.zeros(len(at.scale))

    # 2. Effects of the main column, which depend on those weights in turn.
    if main is not None:
        cluster, prior = at.clusters[main], parts.effect**2
        is_known = cluster >= 0
        shrunk = jnp.where(is_known, solved.shrunk[cluster], 0.0)
        by_effects = by_effects - shrunk[:, None] * solved.weighted[cluster]
        mean = mean + shrunk * solved.residual[cluster]
        rest = rest + jnp.where(is_known, shrunk, prior)
    for i, name in enumerate(errors.effects or ()):
        if i != main:
            is_new = at.clusters[i] < 0
            rest = rest + jnp.where(is_new, noise[effect_scale_site(name)] ** 2, 0.0)

    # 3. Means and variances.
    spread_misfit, spread_effects = by_misfit @ solved.root.T, by_effects @ solved.root.T
    return (
        by_misfit @ solved.weights,
        smooth.rest + (spread_misfit**2).sum(axis=1),
        mean + by_effects @ solved.weights,
        rest + (spread_effects**2).sum(axis=1),
        (spread_misfit * spread_effects).sum(axis=1),
    )


def _given_weights(
    errors: ErrorModel, arrays: ErrorArrays, at: Placement, noise: Mapping[str, Any]
) -> tuple[Any, Any, Any, Any, Any]:
    """Effects and weights that were sampled: known but for new clusters and new inputs."""
    smooth, zeros = misfit(errors, arrays, at, noise), jnp.zeros(len(at.scale))
    mean = smooth.factor @ noise[MISFIT] if errors.discrepancy is not None else zeros
    effect_mean, effect_variance = zeros, zeros
    for name, cluster in zip(errors.effects or (), at.clusters, strict=True):
        scale = noise[effect_scale_site(name)]
        is_known = cluster >= 0
        effect = scale * noise[effect_site(name)][cluster]
        effect_mean = effect_mean + jnp.where(is_known, effect, 0.0)
        effect_variance = effect_variance + jnp.where(is_known, 0.0, scale**2)
    return mean, smooth.rest, effect_mean, effect_variance, zeros


def misfit_path(
    errors: ErrorModel,
    arrays: ErrorArrays,
    at: Placement,
    noise: Mapping[str, Any],
    *,
    residual: Any,
    key: jax.Array,
) -> jax.Array:
    """One discrepancy given the fitted runs, a smooth function, at new rows (points,).

    What inducing points leave out of it differs from run to run, and is no part of the function.

    Args:
        errors: the error model, which has a discrepancy.
        arrays: of the fitted runs.
        at: place of the new rows.
        noise: parameters of the error model and sampled weights, by site.
        residual: (rows,) of the fitted runs about the law.
        key: a JAX random key; the same key gives the same function.
    """
    factor = misfit(errors, arrays, at, noise).factor
    if not errors.is_joint:
        return factor @ noise[MISFIT]
    own = row_scale(errors, arrays.at, noise, arrays.known)
    solved = solve(covariance(errors, arrays, own, noise), residual)
    z = jax.random.normal(key, solved.weights.shape)
    weights = solved.weights + solved.root.T @ z
    return factor @ weights[: factor.shape[1]]


def left_out(
    errors: ErrorModel, arrays: ErrorArrays, noise: Mapping[str, Any], residual: Any
) -> tuple[jax.Array, jax.Array]:
    """Deviation of each jointly normal run from its mean given all others, and its scale, (rows,).

    Args:
        errors: the error model, whose losses are jointly normal.
        arrays: of the fitted runs.
        noise: parameters of the error model by site.
        residual: (rows,) of the fitted runs about the law.
    """
    own = row_scale(errors, arrays.at, noise, arrays.known)
    solved = solve(covariance(errors, arrays, own, noise), residual)
    return solved.solved / solved.diagonal, solved.diagonal**-0.5


def block_log_likelihoods(
    errors: ErrorModel,
    arrays: ErrorArrays,
    noise: Mapping[str, Any],
    residual: Any,
    members: Any,
) -> jax.Array:
    """Log density (blocks,) of blocks of jointly normal runs, each given all runs outside of it.

    With the inverse Q of the covariance of all runs and g = Q times the residuals, the deviation of
    a block from its conditional mean is the inverse of its own part of Q times that of g, and that
    inverse is the conditional covariance (Bürkner et al. 2021, for one run).

    Args:
        errors: the error model, whose losses are jointly normal.
        arrays: of the fitted runs.
        noise: parameters of the error model by site.
        residual: (rows,) of the fitted runs about the law.
        members: (blocks, most) row numbers of each block, -1 where it has fewer.
    """
    own = row_scale(errors, arrays.at, noise, arrays.known)
    parts = covariance(errors, arrays, own, noise)
    solved = solve(parts, residual)

    # The inverse is diag(precision) - shrunk * precision precision' in each cluster - spread
    # spread'.
    by_cluster = (solved.shrunk[:, None] * solved.weighted)[parts.cluster]
    spread = solved.precision[:, None] * (parts.factor - by_cluster) @ solved.root.T

    def block(rows: jax.Array) -> jax.Array:
        is_in, rows = rows >= 0, jnp.maximum(rows, 0)
        precision = jnp.where(is_in, solved.precision[rows], 0.0)
        cluster, common = parts.cluster[rows], jnp.where(is_in[:, None], spread[rows], 0.0)
        shared = jnp.where(cluster[:, None] == cluster, solved.shrunk[cluster], 0.0)
        inverse = -shared * precision[:, None] * precision - common @ common.T
        inverse = inverse + jnp.diag(jnp.where(is_in, precision, 1.0))
        root = jnp.linalg.cholesky(inverse)
        deviation = jnp.where(is_in, solved.solved[rows], 0.0)
        half = jax.scipy.linalg.solve_triangular(root, deviation, lower=True)
        log_scale = jnp.log(jnp.diagonal(root)).sum() - 0.5 * is_in.sum() * jnp.log(2 * jnp.pi)
        return log_scale - 0.5 * half @ half

    return jax.vmap(block)(jnp.asarray(members))


def _columns(values: jax.Array, count: int, *, first: int) -> jax.Array:
    """``values`` (rows, some) as the columns from ``first`` on of an array of ``count`` columns."""
    return jnp.zeros((values.shape[0], count)).at[:, first : first + values.shape[1]].set(values)


def _median(values: Any, is_run: Any) -> jax.Array:
    return jnp.nanmedian(jnp.where(is_run, values, jnp.nan))
