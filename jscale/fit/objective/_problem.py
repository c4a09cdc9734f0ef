"""One fit as an optimisation problem: the objective over free coordinates, compiled once per law
and table size.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jscale.fit.objective._coordinates import Coordinates
from jscale.fit.objective._losses import Objective, residuals
from jscale.fit.objective._start_ranges import max_step
from jscale.laws import LawFunction, describe

_SMALLEST_WIDTH = 1e-12
_SCALE_REACH = 3.0


class FitData(NamedTuple):
    """The numbers of a fit.

    Attributes:
        inputs: name → (rows,).
        loss: (rows,).
        centre: of the coordinates.
        delta: the Huber delta.
        weights: (rows,) of the runs' contributions, or None where all count once.
        errors: (rows,) sizes in whose units residuals are counted, or None where all are alike.
    """

    inputs: Mapping[str, Any]
    loss: Any
    centre: Mapping[str, Any]
    delta: Any
    weights: Any = None
    errors: Any = None


class Problem(NamedTuple):
    """The objective and its parts as functions of the free vector (k,), or (k + 1,) with a free
    scale.
    """

    law: LawFunction
    objective: Objective
    fit_data: FitData

    @property
    def coordinates(self) -> Coordinates:
        return Coordinates(describe(self.law), self.fit_data.centre)

    def predict(self, free: jax.Array | Sequence[jax.Array]) -> jax.Array:
        """Loss of every run (rows,), at a free vector or its entries one by one."""
        params = self.coordinates.to_params(free)
        return jnp.broadcast_to(
            self.law(**self.fit_data.inputs, **params), self.fit_data.loss.shape
        )

    def residuals(self, free: jax.Array) -> jax.Array:
        """Observed minus predicted (rows,), on the objective's scale and in units of the runs' own
        errors.
        """
        return self.in_errors(residuals(self.objective, self.fit_data.loss, self.predict(free)))

    def in_errors(self, residual: jax.Array) -> jax.Array:
        """``residual`` (..., rows) in units of the runs' own errors."""
        return residual if self.fit_data.errors is None else residual / self.fit_data.errors

    def rows(self, free: jax.Array) -> jax.Array:
        """Contribution of every run (rows,)."""
        return self.weighted(
            self.objective.rows(self.residuals(free), self._log_scale(free), self.fit_data.delta)
        )

    def weighted(self, rows: jax.Array) -> jax.Array:
        """Contributions of the runs (rows,) as they count."""
        return rows if self.fit_data.weights is None else self.fit_data.weights * rows

    def _log_scale(self, free: jax.Array) -> jax.Array:
        return free[-1] if self.objective.has_scale else jnp.zeros(())

    def value(self, free: jax.Array) -> jax.Array:
        """The objective; infinite where the law gives a run no finite loss."""
        total = self.rows(free).sum()
        return jnp.where(jnp.isfinite(total), total, jnp.inf)

    def slopes(self, free: jax.Array, residual: jax.Array) -> jax.Array:
        """Derivative of every run's contribution by its residual (rows,)."""
        return self.weighted(
            self.objective.slope(residual, self._log_scale(free), self.fit_data.delta)
        )

    @property
    def resolution(self) -> float:
        """Change of the objective that does not matter: residuals of 1e-10, or 1e-14 nats a run."""
        return (1e-14 if self.objective.has_scale else 0.5e-20) * self.fit_data.loss.shape[0]

    def linearised(self, free: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The residuals (rows,), and their derivative by the law's coordinates (rows, k), from one
        pass.
        """

        def twice(z: jax.Array) -> tuple[jax.Array, jax.Array]:
            r = self.residuals(z)
            return r, r

        jacobian, r = jax.jacfwd(twice, has_aux=True)(free)
        return r, jacobian[:, : len(describe(self.law).parameters)]

    def widths(self, free: jax.Array, hessian: jax.Array) -> jax.Array:
        """Curvature scale of every coordinate, from the reweighted Gauss-Newton matrix.

        The Hessian of a Huber loss has no curvature from runs outside delta, and may have none at
        all at a start.
        """
        del hessian
        r, jacobian = self.linearised(free)
        safe = jnp.where(r == 0, 1e-300, r)
        weight = self.slopes(free, safe) / safe
        width = jnp.sqrt(jnp.sum(weight[:, None] * jacobian**2, axis=0))
        if self.objective.has_scale:
            width = jnp.append(width, jnp.sqrt(1.0 * r.shape[0]))
        return floored(width)


def floored(widths: jax.Array) -> jax.Array:
    """``widths`` with the largest in place of those that are as good as nothing, or no number."""
    largest = jnp.max(jnp.where(jnp.isfinite(widths), widths, 0.0))
    return jnp.where(
        widths > _SMALLEST_WIDTH * largest, widths, jnp.maximum(largest, _SMALLEST_WIDTH)
    )


def first_guess(problem: Problem, start: jax.Array) -> jax.Array:
    """The start with, where the scale is free, one appended that suits its residuals: their median
    size.
    """
    if not problem.objective.has_scale:
        return start
    size = jnp.median(jnp.abs(problem.residuals(start)))
    return jnp.append(start, jnp.log(jnp.clip(size, 1e-8, 1e2)))


def next_stage(objective: Objective, free: jax.Array, ratio: jax.Array) -> jax.Array:
    """Where a descent goes on when delta has become ``ratio`` times what it was.

    The scale of a nearly Laplacian density shrinks with its delta.
    """
    return free.at[-1].add(jnp.log(jnp.minimum(ratio, 1.0))) if objective.has_scale else free


def longest_steps(law: LawFunction, objective: Objective) -> jax.Array:
    """The longest step along every free coordinate, (k,) or with a free scale (k + 1,)."""
    reach = max_step(describe(law))
    return jnp.append(reach, _SCALE_REACH) if objective.has_scale else reach


def params_at(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> dict[str, jax.Array]:
    """Parameters, name → (points,) in the law's order, at free vectors (points, k)."""
    found = _params_at(law, objective, fit_data, free)
    # JAX hands a dictionary back in the order of its keys.
    return {name: found[name] for name in describe(law).parameter_names}


@partial(jax.jit, static_argnames=("law", "objective"))
def _params_at(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> dict[str, jax.Array]:
    return jax.vmap(Problem(law, objective, fit_data).coordinates.to_params)(free)


class Linearization(NamedTuple):
    """What is known at the optimum: predictions, residuals, the objective's slopes and Jacobians
    (JAX or numpy).
    """

    predicted: Any
    residuals: Any
    jacobian: Any
    raw_jacobian: Any
    params: dict[str, Any]
    params_jacobian: Any
    slopes: Any
    weights: Any


@partial(jax.jit, static_argnames=("law", "objective"))
def examine(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array
) -> Linearization:
    """Everything that the certificate and the covariance need, at the optimum ``free``."""
    problem = Problem(law, objective, fit_data)
    record, coordinates = describe(law), problem.coordinates
    k = len(record.parameters)

    def stacked(z: jax.Array) -> jax.Array:
        params = coordinates.to_params(z)
        return jnp.stack([params[n] for n in record.parameter_names])

    def raw_residuals(raw: jax.Array) -> jax.Array:
        params = {p.name: p.support.to_natural(raw[i]) for i, p in enumerate(record.parameters)}
        predicted = jnp.broadcast_to(law(**fit_data.inputs, **params), fit_data.loss.shape)
        return problem.in_errors(residuals(objective, fit_data.loss, predicted))

    residual, jacobian = problem.linearised(free)
    natural = stacked(free[:k])
    raw = jnp.stack([p.support.to_free(natural[i]) for i, p in enumerate(record.parameters)])
    return Linearization(
        predicted=problem.predict(free),
        residuals=residual,
        jacobian=jacobian,
        raw_jacobian=jax.jacfwd(raw_residuals)(raw),
        params=dict(zip(record.parameter_names, natural, strict=True)),
        params_jacobian=jax.jacfwd(stacked)(free[:k]),
        slopes=problem.slopes(free, residual),
        weights=jnp.ones_like(fit_data.loss) if fit_data.weights is None else fit_data.weights,
    )


@partial(jax.jit, static_argnames=("law", "objective"))
def slopes(
    law: LawFunction, objective: Objective, fit_data: FitData, free: jax.Array, residual: jax.Array
) -> jax.Array:
    """Derivative of every run's contribution by its residual, at residuals of the caller's choice."""
    return Problem(law, objective, fit_data).slopes(free, residual)
