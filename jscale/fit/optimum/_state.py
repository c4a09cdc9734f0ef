"""The state of a fit at its optimum: what every interval is computed from."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jscale.fit.objective import FitData, Linearization, Objective, Weights, linearize, scores_at
from jscale.fit.optimum import _sandwich
from jscale.laws import LawFunction
from jscale.runs import Data, Runs


@dataclass(frozen=True)
class FitState:
    """An optimum and the derivatives there; used inside a float64 scope.

    Attributes:
        law: the fitted law.
        objective: what was minimised.
        fit_data: arrays of the fitted runs.
        stages: (stages,) Huber deltas that the descents went through.
        free: free vector, with the log scale appended where the objective has one.
        linearization: predictions, residuals and Jacobians at ``free``.
    """

    law: LawFunction
    objective: Objective
    fit_data: FitData
    stages: jax.Array
    free: np.ndarray
    linearization: Linearization

    @property
    def weights(self) -> np.ndarray | None:
        """Weight of each run (rows,); None where all runs count once."""
        return None if self.fit_data.weights is None else np.asarray(self.fit_data.weights)

    @property
    def sizes(self) -> np.ndarray | None:
        """Relative size of each run's error (rows,); None where all errors have one size."""
        if self.weights is not None:
            return self.weights**-0.5
        return None if self.fit_data.errors is None else np.asarray(self.fit_data.errors)

    def score(self, residual: np.ndarray, *, weighted: bool = True) -> np.ndarray:
        """Derivative of the objective by each residual (rows,), see :func:`objective.score`."""
        free = jnp.asarray(self.free)
        return scores_at(self.objective, self.fit_data, free, residual, weighted=weighted)

    def covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """Covariance of the parameters (k, k).

        Args:
            kind: "fisher", "sandwich" or "cluster-sandwich".
            labels: (rows,) cluster of each run, for "cluster-sandwich".
        """
        return self._covariance(kind, labels, self.linearization.params_jacobian)

    def free_covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """The same as :meth:`covariance`, of the fit's free coordinates."""
        return self._covariance(kind, labels, np.eye(self.linearization.jacobian.shape[1]))

    def _covariance(
        self, kind: str, labels: np.ndarray | None, to_params: np.ndarray
    ) -> np.ndarray:
        residual, jacobian = self.linearization.residuals, self.linearization.jacobian
        if self.degrees() <= 0:
            return np.full((len(to_params),) * 2, np.inf)

        if kind != "fisher":
            return _sandwich.sandwich(
                residual, jacobian, to_params, self.score, labels, weights=self.weights
            )

        # A likelihood has a Fisher information of its own; other objectives need the residuals.
        if self.objective.has_scale and self.weights is None:
            delta = float(self.fit_data.delta)
            log_scale = float(self.free[-1])
            information = _sandwich.residual_information(self.objective, log_scale, delta)
            return _sandwich.inverse_information(jacobian, to_params, information)
        unweighted = partial(self.score, weighted=False)
        return _sandwich.fisher(residual, jacobian, to_params, unweighted, self.weights)

    def degrees(self, labels: np.ndarray | None = None) -> int:
        """Degrees of freedom of a standard error: n - k.

        With ``labels`` (rows,), the number of clusters minus one where that is fewer.
        """
        n, k = self.linearization.jacobian.shape
        if labels is None or n <= k:
            return n - k
        return min(int(labels.max()), n - k)

    def inverse_curvature(self) -> np.ndarray:
        """Inverse (k, k) of the objective's curvature in free coordinates.

        Directions without information are left out.
        """
        jacobian = self.linearization.jacobian
        if not np.isfinite(jacobian).all():
            return np.full((jacobian.shape[1],) * 2, np.inf)

        residual = self.linearization.residuals
        derivative = _sandwich.smoothed_score_derivative(residual, self.score, self.weights)
        return _sandwich.bread(jacobian, derivative).inverse


def state_at(
    law: LawFunction, objective: Objective, fit_data: FitData, stages: jax.Array, free: np.ndarray
) -> FitState:
    """The state of a fit that ended at ``free``; in a float64 scope."""
    linearization = linearize(law, objective, fit_data, jnp.asarray(free))
    return FitState(law, objective, fit_data, stages, free, linearization)


@dataclass(frozen=True)
class FitContext:
    """What a fitted point was made from, so that questions about it need no second fit.

    Attributes:
        table: the table, for columns such as those of clusters.
        data: the selected and weighted runs.
        weights: as the caller gave them.
        state: the optimum.
    """

    table: Runs
    data: Data
    weights: Weights
    state: FitState
