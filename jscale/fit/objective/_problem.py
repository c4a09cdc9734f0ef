"""One fit as an optimisation problem over free coordinates.

It is compiled once per law, objective and padded number of runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jscale.fit.objective._coordinates import Coordinates
from jscale.fit.objective._losses import Objective, residuals
from jscale.fit.objective._start_ranges import max_step
from jscale.laws import LawFunction, describe

_SMALLEST_WIDTH = 1e-12
_LOG_SCALE_STEP = 3.0


class FitData(NamedTuple):
    """The arrays of a fit.

    Attributes:
        inputs: name → (rows,).
        loss: (rows,).
        centre: of the coordinates, see :class:`Coordinates`.
        delta: the Huber delta.
        weights: (rows,) of the runs' contributions, or None where all count once.
        errors: (rows,) relative standard errors that divide the residuals, or None where all are
            equal.
        count: number of runs, where further rows of weight 0 follow; None where all rows are runs.
    """

    inputs: Mapping[str, Any]
    loss: Any
    centre: Mapping[str, Any]
    delta: Any
    weights: Any = None
    errors: Any = None
    count: Any = None


class Problem(NamedTuple):
    """The objective and its parts as functions of the free vector.

    The vector has k entries, or with a free scale k + 1, of which the last is the log scale.
    """

    law: LawFunction
    objective: Objective
    fit_data: FitData

    @property
    def coordinates(self) -> Coordinates:
        return Coordinates(describe(self.law), self.fit_data.centre)

    def predict(self, free: jax.Array | Sequence[jax.Array]) -> jax.Array:
        """Loss of every run (rows,), at a free vector or at a sequence of its entries."""
        params = self.coordinates.to_params(free)
        return jnp.broadcast_to(
            self.law(**self.fit_data.inputs, **params), self.fit_data.loss.shape
        )

    def residuals(self, free: jax.Array) -> jax.Array:
        """Observed minus predicted (rows,), on the objective's scale, over the standard errors."""
        return self.standardized(residuals(self.objective, self.fit_data.loss, self.predict(free)))

    def standardized(self, residual: jax.Array) -> jax.Array:
        """``residual`` (..., rows) divided by the relative standard errors of the runs."""
        return residual if self.fit_data.errors is None else residual / self.fit_data.errors

    def rows(self, free: jax.Array) -> jax.Array:
        """Contribution of every run (rows,)."""
        return self._rows_of(free, self.residuals(free))

    def _rows_of(self, free: jax.Array, residuals: jax.Array) -> jax.Array:
        log_scale = log_scale_of(self.objective, free)
        return self.weighted(self.objective.rows(residuals, log_scale, self.fit_data.delta))

    def weighted(self, rows: jax.Array) -> jax.Array:
        """Contributions of the runs (rows,) times their weights."""
        return rows if self.fit_data.weights is None else self.fit_data.weights * rows

    def value(self, free: jax.Array) -> jax.Array:
        """The objective; infinite where the law gives a run no finite loss."""
        return self.value_and_residuals(free)[0]

    def value_and_residuals(self, free: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The objective, as :meth:`value`, and the residuals (rows,)."""
        residuals = self.residuals(free)
        total = self._rows_of(free, residuals).sum()
        return jnp.where(jnp.isfinite(total), total, jnp.inf), residuals

    @property
    def count(self) -> Any:
        """Number of runs, without padding."""
        rows = self.fit_data.loss.shape[0]
        return rows if self.fit_data.count is None else self.fit_data.count

    @property
    def resolution(self) -> Any:
        """Change of the objective that does not matter: residuals of 1e-10, or 1e-14 nats a run."""
        return (1e-14 if self.objective.has_scale else 0.5e-20) * self.count

    def residuals_and_jacobian(self, free: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The residuals (rows,) and their Jacobian (rows, k) by the law's coordinates."""

        def residuals_with_value(z: jax.Array) -> tuple[jax.Array, jax.Array]:
            r = self.residuals(z)
            return r, r

        jacobian, r = jax.jacfwd(residuals_with_value, has_aux=True)(free)
        return r, jacobian[:, : len(describe(self.law).parameters)]

    def widths(self, free: jax.Array, residuals: jax.Array, jacobian: jax.Array) -> jax.Array:
        """Curvature scale (k,) of every coordinate, from the reweighted Gauss-Newton matrix.

        The Hessian of a Huber loss has no curvature from runs outside delta, and may be zero at a
        start.

        Args:
            free: the free vector (k,).
            residuals: (rows,) there.
            jacobian: (rows, k) of the residuals; a column of a free scale is left out.
        """
        nonzero = jnp.where(residuals == 0, 1e-300, residuals)
        weight = score(self.objective, self.fit_data, free, nonzero) / nonzero
        columns = jacobian[:, : len(describe(self.law).parameters)]
        width = jnp.sqrt(jnp.sum(weight[:, None] * columns**2, axis=0))
        if self.objective.has_scale:
            width = jnp.append(width, jnp.sqrt(1.0 * self.count))
        return floor_widths(width)


def log_scale_of(objective: Objective, free: jax.Array) -> jax.Array:
    """The log scale, which is the last entry of the free vector where the objective has one."""
    return free[-1] if objective.has_scale else jnp.zeros(())


def score(
    objective: Objective,
    fit_data: FitData,
    free: jax.Array,
    residual: jax.Array,
    *,
    weighted: bool = True,
) -> jax.Array:
    """Derivative of the objective by each residual (rows,).

    Args:
        objective: what is minimised.
        fit_data: the Huber delta and the weights.
        free: free vector, for the log scale.
        residual: (rows,) residuals, those of the fit or others; without weights of any number.
        weighted: whether the runs' weights multiply the derivatives; else all runs count once.
    """
    by_run = objective.score(residual, log_scale_of(objective, free), fit_data.delta)
    return fit_data.weights * by_run if weighted and fit_data.weights is not None else by_run


def floor_widths(widths: jax.Array) -> jax.Array:
    """``widths`` with the largest in place of those that are negligible or not finite."""
    largest = jnp.max(jnp.where(jnp.isfinite(widths), widths, 0.0))
    substitute = jnp.maximum(largest, _SMALLEST_WIDTH)
    return jnp.where(widths > _SMALLEST_WIDTH * largest, widths, substitute)


def first_guess(problem: Problem, start: jax.Array) -> jax.Array:
    """The start (k,), with the log of the median absolute residual where the scale is free."""
    if not problem.objective.has_scale:
        return start
    size = median_of(jnp.abs(problem.residuals(start)), problem.count)
    return jnp.append(start, jnp.log(jnp.clip(size, 1e-8, 1e2)))


def median_of(values: jax.Array, count: Any) -> jax.Array:
    """The median of the first ``count`` values (rows,)."""
    is_run = jnp.arange(len(values)) < count
    ordered = jnp.sort(jnp.where(is_run, values, jnp.inf))
    median = 0.5 * (ordered[(count - 1) // 2] + ordered[count // 2])
    return jnp.where(jnp.isnan(values).any(), jnp.nan, median)


def next_stage_start(objective: Objective, free: jax.Array, ratio: jax.Array) -> jax.Array:
    """The free vector from which a descent continues after delta was multiplied by ``ratio``.

    The scale of a nearly Laplacian density is proportional to its delta.
    """
    return free.at[-1].add(jnp.log(jnp.minimum(ratio, 1.0))) if objective.has_scale else free


def step_limits(law: LawFunction, objective: Objective) -> np.ndarray:
    """The longest step along every free coordinate, (k,) or with a free scale (k + 1,)."""
    limits = max_step(describe(law))
    return np.append(limits, _LOG_SCALE_STEP) if objective.has_scale else limits
