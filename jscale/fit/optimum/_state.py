"""A fit with everything that its intervals are made of, whatever their kind."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jscale._core.scope import to_numpy
from jscale.fit.objective import (
    FitData,
    Linearization,
    Objective,
    Weights,
    examine,
    resolve,
    slopes,
    tabulate,
    weigh,
)
from jscale.fit.optimum import _sandwich
from jscale.fit.optimum._point import Point, optimum
from jscale.laws import LawFunction
from jscale.runs import Data, Runs, select


@dataclass(frozen=True)
class FitState:
    """An optimum, and the derivatives there; in a float64 scope.

    Attributes:
        law: the law.
        goal: the objective.
        tableau: what was fitted.
        stages: deltas of the objective.
        free: free vector, with the log scale where the objective has one.
        local: predictions, residuals and Jacobians.
    """

    law: LawFunction
    goal: Objective
    fit_data: FitData
    stages: Any
    free: np.ndarray
    local: Linearization

    @property
    def weights(self) -> np.ndarray | None:
        """Of the runs (rows,), or None where all count once."""
        return None if self.fit_data.weights is None else np.asarray(self.fit_data.weights)

    @property
    def sizes(self) -> np.ndarray | None:
        """How the runs' errors are taken to differ in size (rows,), or None where all are alike."""
        if self.weights is not None:
            return self.weights**-0.5
        return None if self.fit_data.errors is None else np.asarray(self.fit_data.errors)

    def slope(self, residual: np.ndarray) -> np.ndarray:
        """Derivative of the objective by each residual (rows,), at residuals of the caller's
        choice.
        """
        return np.asarray(
            slopes(
                self.law, self.goal, self.fit_data, jnp.asarray(self.free), jnp.asarray(residual)
            )
        )

    def covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """Covariance of the parameters (k, k): "fisher", "sandwich", or "cluster-sandwich" by
        labels (rows,).
        """
        return self._covariance(kind, labels, self.local.params_jacobian)

    def free_covariance(self, kind: str, labels: np.ndarray | None = None) -> np.ndarray:
        """The same in the fit's free coordinates."""
        return self._covariance(kind, labels, np.eye(self.local.jacobian.shape[1]))

    def _covariance(
        self, kind: str, labels: np.ndarray | None, to_params: np.ndarray
    ) -> np.ndarray:
        residual, jacobian = self.local.residuals, self.local.jacobian
        if self.degrees() <= 0:
            return np.full((len(to_params),) * 2, np.inf)
        if kind != "fisher":
            return _sandwich.sandwich(
                residual, jacobian, to_params, self.slope, labels, weights=self.weights
            )
        if self.goal.has_scale and self.weights is None:
            delta = float(self.fit_data.delta)
            information = _sandwich.of_one_residual(self.goal, float(self.free[-1]), delta)
            return _sandwich.inverse_information(jacobian, to_params, information)
        return _sandwich.fisher(residual, jacobian, to_params, self._psi, self.weights)

    def _psi(self, residual: np.ndarray) -> np.ndarray:
        """Derivative of the objective by residuals of any number, of runs of weight 1."""
        log_scale = self.free[-1] if self.goal.has_scale else 0.0
        return np.asarray(
            self.goal.slope(jnp.asarray(residual), jnp.asarray(log_scale), self.fit_data.delta)
        )

    def degrees(self, labels: np.ndarray | None = None) -> int:
        """Degrees of freedom of a standard error: n - k, or one less than the clusters by labels
        (rows,) if fewer.
        """
        n, k = self.local.jacobian.shape
        return n - k if labels is None or n <= k else min(int(labels.max()), n - k)

    def stiff_inverse(self) -> np.ndarray:
        """Inverse (k, k) of the objective's stiffness in free coordinates, without directions of no
        information.
        """
        jacobian = self.local.jacobian
        if not np.isfinite(jacobian).all():
            return np.full((jacobian.shape[1],) * 2, np.inf)
        return _sandwich.bread(
            jacobian, _sandwich.stiffness(self.local.residuals, self.slope, self.weights)
        ).inverse


def fitted(
    law: LawFunction, goal: Objective, fit_data: FitData, stages: Any, free: np.ndarray
) -> FitState:
    """The state of a fit that ended at ``free``."""
    return FitState(
        law, goal, fit_data, stages, free, to_numpy(examine(law, goal, fit_data, jnp.asarray(free)))
    )


def fit_once(
    law: LawFunction, table: Runs, objective: str | Objective, starts: int, weights: Weights
) -> tuple[Point, FitState, Data]:
    """The point fit, its state, and the data.

    Raises:
        JscaleError: as :func:`jscale.fit.point`.
    """
    goal = resolve(objective)
    best, free = optimum(law, table, goal, starts, weights)
    data = weigh(table, select(table, law), weights, goal.on)
    fit_data, stages = tabulate(law, data, goal)
    return best, fitted(law, goal, fit_data, stages, free), data
