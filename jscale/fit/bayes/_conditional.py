"""Errors of new runs, given the fitted ones, for every draw of a posterior."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.errors import JscaleError
from jscale._core.programs import program
from jscale._core.text import shown
from jscale.fit.bayes._model import Problem, law_values, problem_of
from jscale.fit.errors import (
    SIGMA_SITE,
    Conditional,
    ErrorModel,
    Placement,
    Scale,
    conditional,
    group_labels,
    group_sites,
    independent_errors,
    padded_placement,
    place,
    ratio_site,
)
from jscale.fit.objective import padded_size

if TYPE_CHECKING:
    from jscale.fit.bayes._posterior import Posterior


def deviations(
    posterior: "Posterior",
    inputs: Mapping[str, np.ndarray],
    key: jax.Array,
    columns: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Draws (draws, points) of what adds to the log of the law at new runs, one for each draw.

    With additive errors they add to the value of the law. The parts are ``noise``, and as far as
    the error model has them ``discrepancy`` and ``effects``.

    Args:
        posterior: of this version, or an older one without shared errors.
        inputs: input of the law → (points,).
        key: a JAX random key.
        columns: other column of the error model → (points,): groups or clusters of the runs that
            the new ones are in, and what the scale depends on. Without them a run is in a new group
            and in new clusters; the compute ``C`` is 6 N D, and a known standard error is the
            median one of the runs.

    Raises:
        JscaleError: the posterior holds no runs, or a column is missing.
    """
    count = len(np.atleast_1d(next(iter(inputs.values()))))
    result, noise = _conditionals(posterior, inputs, columns or {})
    parts = _drawn_parts(posterior.errors, result, noise, key)
    return {name: np.asarray(values)[:, :count] for name, values in parts.items()}


@program("errors", runs_once=True)
def _drawn_parts(
    errors: ErrorModel, result: Conditional, noise: Mapping[str, Any], key: jax.Array
) -> dict[str, jax.Array]:
    """Draws of the parts at all points, padded ones too: (draws, points)."""
    noise_key, misfit_key, effect_key = jax.random.split(key, 3)
    shape = jnp.shape(result.scale.total)
    parts = {"noise": independent_errors(errors, result.scale, noise, noise_key)}

    # Effects given the discrepancy.
    misfit_scale = jnp.sqrt(result.misfit_variance)
    z = jax.random.normal(misfit_key, shape)
    if errors.discrepancy is not None:
        parts["discrepancy"] = result.misfit_mean + misfit_scale * z
    if errors.effects is not None:
        slope = jnp.where(misfit_scale > 0, result.between / jnp.maximum(misfit_scale, 1e-300), 0.0)
        rest = jnp.sqrt(jnp.maximum(result.effect_variance - slope**2, 0.0))
        own = rest * jax.random.normal(effect_key, shape)
        parts["effects"] = result.effect_mean + slope * z + own
    return parts


def _conditionals(
    posterior: "Posterior", inputs: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]
) -> tuple[Conditional, Mapping[str, Any]]:
    """The errors at new rows for every draw, and the parameters of the family (draws, 1).

    The rows are padded, so that forecasts of few or many runs have the same programs.
    """
    errors, rows = posterior.errors, posterior.known_rows
    inputs = {name: np.atleast_1d(np.asarray(x, float)) for name, x in inputs.items()}
    count = len(next(iter(inputs.values())))
    family = {name: jnp.asarray(values[:, None]) for name, values in posterior.noise.items()}
    size = padded_size(count)
    has_columns = errors.scale or errors.scale_by or errors.known or errors.has_shared_errors
    if not has_columns:
        shape = (len(posterior.diverging), size)
        scale = jnp.asarray(np.broadcast_to(posterior.noise[SIGMA_SITE][:, None], shape))
        zeros = jnp.asarray(np.zeros(shape))
        return Conditional(zeros, zeros, zeros, zeros, zeros, Scale(scale, scale)), family
    if rows is None:
        raise JscaleError(
            f"the posterior of {posterior.law_name} with the errors {shown(str(errors))} holds no "
            "runs, on which its forecasts depend; expected one that fit.posterior or 'jscale "
            "sample' of this version has made"
        )

    # Each draw takes a group in turn for a run of a group that the runs do not have.
    noise = dict(posterior.noise)
    problem = problem_of(posterior.law, rows, errors)
    at = padded_placement(place(errors, rows, inputs, columns), size)
    if errors.scale_by is not None:
        names = group_sites(group_labels(errors, rows))
        ratios = [np.log(noise.pop(name) / noise[SIGMA_SITE]) for name in names]
        noise[ratio_site(errors.scale_by)] = np.stack(ratios, axis=1)
    drawn = {name: jnp.asarray(x) for name, x in {**noise, **posterior.weights}.items()}
    params = {name: jnp.asarray(x) for name, x in posterior.draws.items()}
    turn = jnp.arange(len(posterior.diverging))
    return _at_draws(problem, at, params, drawn, turn), family


@program()
def _at_draws(
    problem: Problem,
    at: Placement,
    params: dict[str, jax.Array],
    noise: dict[str, jax.Array],
    turn: jax.Array,
) -> Conditional:
    """The errors at new rows for every draw, (draws, points)."""
    errors, arrays = problem.errors, problem.arrays

    def one(draw: tuple[Any, ...]) -> Conditional:
        params, noise, turn = draw
        place = at
        if errors.scale_by is not None:
            own = jnp.where(at.group >= 0, at.group, turn % len(arrays.groups))
            place = at._replace(group=own)
        predicted = law_values(problem, params)
        loss = jnp.asarray(problem.loss)
        residual = loss - predicted if errors.additive else jnp.log(loss) - jnp.log(predicted)
        return conditional(errors, arrays, place, noise, residual)

    return jax.lax.map(one, (params, noise, turn))
