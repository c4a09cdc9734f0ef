"""A fit about one point: parameters, residuals, derivatives and scores, compiled."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale._core.programs import program
from jscale._core.scope import to_numpy
from jscale.fit.objective._compiled_form import compiled_form, pad, padded_size
from jscale.fit.objective._coordinates import Coordinates
from jscale.fit.objective._losses import Objective, residuals
from jscale.fit.objective._problem import FitData, Problem, log_scale_of, score
from jscale.laws import LawFunction, describe
from jscale.laws.declaration import held_form


def params_at(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> dict[str, jax.Array]:
    """Parameters, name → (points,) in the law's order, at free vectors (points, k)."""
    form = held_form(law)
    params = _params_at(form.law, {**fit_data.centre, **form.values}, free)
    # JAX returns a dictionary in the alphabetical order of its keys.
    return {name: params[name] for name in describe(law).parameter_names}


@program("law")
def _params_at(
    law: LawFunction, centre: Mapping[str, Any], free: jax.Array
) -> dict[str, jax.Array]:
    return jax.vmap(Coordinates(describe(law), centre).to_params)(free)


class Linearization(NamedTuple):
    """The fit about one point; the arrays are numpy's.

    Attributes:
        predicted: (rows,) by the law.
        residuals: (rows,) on the objective's scale, over the standard errors.
        jacobian: (rows, k) of the residuals by the free coordinates.
        raw_jacobian: (rows, k) of the residuals by raw coordinates (logarithms of A, B, …).
        params: parameter → value.
        params_jacobian: (k, k) of the parameters by the free coordinates.
        score: (rows,) derivative of the objective by each residual.
        weights: (rows,) of the runs.
    """

    predicted: Any
    residuals: Any
    jacobian: Any
    raw_jacobian: Any
    params: dict[str, Any]
    params_jacobian: Any
    score: Any
    weights: Any


BY_ROW = ("predicted", "residuals", "jacobian", "raw_jacobian", "score", "weights")
"""The attributes of :class:`Linearization` with an axis of runs."""


def linearize(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> Linearization:
    """Everything that the certificate and the covariance need about a free vector."""
    form = compiled_form(law, fit_data)
    padded = to_numpy(_linearize(form.law, objective, form.fit_data, free))
    rows = len(fit_data.loss)
    ordered = {name: padded.params[name] for name in describe(law).parameter_names}
    by_row = {name: getattr(padded, name)[:rows] for name in BY_ROW}
    return padded._replace(params=ordered, **by_row)


@program("law", "objective")
def _linearize(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> Linearization:
    problem = Problem(law, objective, fit_data)
    record, coordinates = describe(law), problem.coordinates
    k = len(record.parameters)

    def params_vector(z: jax.Array) -> jax.Array:
        params = coordinates.to_params(z)
        return jnp.stack([params[n] for n in record.parameter_names])

    def raw_residuals(raw: jax.Array) -> jax.Array:
        params = {p.name: p.support.to_natural(raw[i]) for i, p in enumerate(record.parameters)}
        predicted = jnp.broadcast_to(law(**fit_data.inputs, **params), fit_data.loss.shape)
        return problem.standardized(residuals(objective, fit_data.loss, predicted))

    residual, jacobian = problem.residuals_and_jacobian(free)
    natural = params_vector(free[:k])
    raw = jnp.stack([p.support.to_free(natural[i]) for i, p in enumerate(record.parameters)])
    return Linearization(
        predicted=problem.predict(free),
        residuals=residual,
        jacobian=jacobian,
        raw_jacobian=jax.jacfwd(raw_residuals)(raw),
        params=dict(zip(record.parameter_names, natural, strict=True)),
        params_jacobian=jax.jacfwd(params_vector)(free[:k]),
        score=score(objective, fit_data, free, residual),
        weights=jnp.ones_like(fit_data.loss) if fit_data.weights is None else fit_data.weights,
    )


def objective_at(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> float:
    """The objective at a free vector."""
    form = compiled_form(law, fit_data)
    return float(_objective_at(form.law, objective, form.fit_data, free))


@program("law", "objective")
def _objective_at(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> jax.Array:
    return Problem(law, objective, fit_data).value(free)


def scores_at(
    objective: Objective,
    fit_data: FitData,
    free: jax.Array,
    residual: np.ndarray,
    *,
    weighted: bool = True,
) -> np.ndarray:
    """Derivative of the objective by each residual (rows,), see :func:`score`."""
    padded = pad(residual, padded_size(len(residual)))
    by_run = np.asarray(_scores(objective, free, padded, fit_data.delta))[: len(residual)]
    is_weighted = weighted and fit_data.weights is not None
    return np.asarray(fit_data.weights) * by_run if is_weighted else by_run


@program("objective")
def _scores(objective: Objective, free: jax.Array, residual: Any, delta: Any) -> jax.Array:
    return objective.score(residual, log_scale_of(objective, free), delta)
